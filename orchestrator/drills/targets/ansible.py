"""Drills on the hosts of an Ansible inventory: faults from inside each host over ssh, and plugs pulled by a person."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.dev.errors import NotReached
from orchestrator.dev.waiting import until
from orchestrator.drills.target import Evidence, Fault, FaultUnproven, TargetOptions, TargetUnusable
from orchestrator.drills.targets import person, scripts
from orchestrator.drills.targets.access import HostAccess, InventoryWrong
from orchestrator.drills.targets.inside import InsideTarget
from orchestrator.drills.targets.inventory import read_inventory
from orchestrator.drills.targets.on_hosts import BACK_S, LOOK_S, PROOF_S
from orchestrator.drills.targets.ssh import HostUnreachable


def open_target(options: TargetOptions) -> "AnsibleTarget":
    """The target of `--inventory`. TargetUnusable: none is given."""
    if options.inventory is None:
        raise TargetUnusable("--target ansible needs --inventory FILE: the one that site.yml was run with")
    return AnsibleTarget(options.inventory, options)


class AnsibleTarget(InsideTarget):
    """With `--operator` a person pulls plugs; else the kernel of a host resets it, where it may."""

    name = "ansible"

    def __init__(self, inventory: Path, options: TargetOptions) -> None:
        super().__init__(options.directory, options.faults)
        self._inventory = inventory
        self._operator = options.operator
        self._off: dict[str, str] = {}  # powered off: the run of the kernel before

    async def reach(self) -> Sequence[HostAccess]:
        """The hosts of the inventory. TargetUnusable."""
        try:
            return await read_inventory(self._inventory)
        except InventoryWrong as error:
            raise TargetUnusable(str(error)) from None

    def check_power_off(self, fault: Fault) -> None:
        """FaultNotPossible."""
        if not self._operator:
            self.all_have(
                fault, "sysrq", "/proc/sysrq-trigger to reset it with; have a person pull the plug: --operator"
            )

    async def power_off(self, fault: Fault, victim: str) -> Evidence:
        """As the protocol says; the victim is off, or being reset, when it returns. FaultUnproven."""
        place = next(host for host in self.hosts() if host.id == victim)
        boot = (await self.do(fault, victim, scripts.look()))["boot"]
        self._off[victim] = boot
        self._touched.add(victim)
        if self._operator:
            person.tell(f"Pull the plug of {victim} ({self.ssh[victim].access.address}) now. Leave it off until told.")
        else:
            await self.do(fault, victim, scripts.reset())
        url = urlsplit(place.api)
        api = f"{url.hostname}:{url.port or (443 if url.scheme == 'https' else 80)}"
        places = [one for one in (api, place.redis) if one]
        at, silent_s = await person.silence(fault, places, wait_s=person.WAIT_S if self._operator else PROOF_S)
        how = "a person pulled its plug" if self._operator else "its kernel reset it (sysrq b)"
        return Evidence(fault, victim, at, f"{victim}: {how}", {"silent_s": round(silent_s, 2), "boot_before": boot})

    # -- taking it back -----------------------------------------------------------------------------------------------

    async def heal(self) -> None:
        """TargetUnusable; FaultUnproven where a host that was powered off is still in the run of before."""
        try:
            for host, boot in list(self._off.items()):
                await self._back(host, boot)
        finally:
            await super().heal()

    async def _back(self, host: str, boot: str) -> None:
        now: dict[str, str] = {}

        async def there() -> bool:
            try:
                now.update(await self.told(host, scripts.look()))
            except HostUnreachable:
                return False
            return True

        if self._operator:
            await person.once(there, remind=f"Plug {host} in again, and switch it on.")
        else:
            try:
                await until(there, seconds=BACK_S, what=f"ssh to {host}", interval=LOOK_S * 4)
            except NotReached as error:
                raise TargetUnusable(f"{error}: it was reset and did not come back; look at its console") from None
        del self._off[host]
        if now["boot"] == boot:
            raise FaultUnproven(Fault.HOST_POWER_OFF, f"{host} runs on as before: it never lost its power")
