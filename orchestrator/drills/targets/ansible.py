"""Drills on the hosts of an Ansible inventory: faults from inside each host, over ssh, or by a person.

Before a fault a host is told to take it back by itself after `UNDO_S`, so that no host stays broken when this process
dies. Cutting a host off leaves this ssh connection, cameras and processors alone: the other hosts are what it loses.
"""

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from orchestrator.client.asynchronous import AsyncClient
from orchestrator.client.errors import ClientError
from orchestrator.dev.errors import NotReached
from orchestrator.dev.waiting import until
from orchestrator.drills.target import (
    Evidence,
    Fault,
    FaultNotPossible,
    FaultUnproven,
    TargetOptions,
    TargetUnusable,
)
from orchestrator.drills.targets import person, scripts
from orchestrator.drills.targets.access import HostAccess, InventoryWrong
from orchestrator.drills.targets.inventory import read_inventory
from orchestrator.drills.targets.on_hosts import BACK_S, LOOK_S, PROOF_S, HostsTarget
from orchestrator.drills.targets.scripts import whole
from orchestrator.drills.targets.ssh import HostUnreachable

JUMP_S = 3600
RESTART_S = 60.0
SIDES = ("follower-deaf", "leader-mute", "leader-deaf")
"""One-way cuts, in turn: who is cut, and whether it does not hear the others or is not heard by them."""


async def open_target(options: TargetOptions) -> "AnsibleTarget":
    """The target of `--inventory`. TargetUnusable."""
    if options.inventory is None:
        raise TargetUnusable("--target ansible needs --inventory FILE: the one that site.yml was run with")
    try:
        accesses = await read_inventory(options.inventory)
    except InventoryWrong as error:
        raise TargetUnusable(str(error)) from None
    return AnsibleTarget(accesses, options)


class AnsibleTarget(HostsTarget):
    """See the module."""

    name = "ansible"

    def __init__(self, accesses: Sequence[HostAccess], options: TargetOptions) -> None:
        super().__init__(accesses, options.directory)
        self._operator = options.operator
        self._off: dict[str, str] = {}  # powered off: the run of the kernel before
        self._sides = itertools.cycle(SIDES)

    # -- what is possible ---------------------------------------------------------------------------------------------

    def check(self, fault: Fault) -> None:
        """FaultNotPossible, naming the hosts and what they lack."""
        lacking = self._lacking(fault)
        if lacking:
            raise FaultNotPossible(fault, lacking)
        self._all_have(fault, "systemd_run", "systemd-run, which takes a fault back where this process cannot")

    def _lacking(self, fault: Fault) -> str:
        if fault in (Fault.PRIMARY_KILL, Fault.PRIMARY_ISOLATED) and not self.deployed.sentinels:
            return "the plant has one server and no sentinels: there is no other to take over"
        if fault is Fault.HOST_POWER_OFF:
            if not self._operator:
                self._all_have(
                    fault, "sysrq", "/proc/sysrq-trigger to reset itself with; have a person pull the plug: --operator"
                )
        elif fault in (Fault.LEADER_ISOLATED, Fault.PRIMARY_ISOLATED, Fault.ONE_WAY_CUT):
            self._all_have(fault, "nft", "nft (Debian: apt install nftables)")
        elif fault is Fault.DISK_FULL:
            self._all_have(
                fault, "own_disk", f"a file system of its own at {scripts.DATA}: filling / harms more than the plant"
            )
        elif fault is Fault.CLOCK_JUMP:
            self._all_have(fault, "faketime", "libfaketime (Debian: apt install libfaketime)")
        return ""

    def _all_have(self, fault: Fault, fact: str, what: str) -> None:
        without = [host for host, facts in sorted(self.facts.items()) if facts.get(fact, "0") in ("", "0")]
        if without:
            raise FaultNotPossible(fault, f"{', '.join(without)} has not {what}")

    # -- doing it -----------------------------------------------------------------------------------------------------

    async def inject(self, fault: Fault) -> Evidence:
        """FaultNotPossible, FaultUnproven."""
        self.check(fault)
        try:
            return await self._ways()[fault](fault)
        except NotReached as error:
            raise FaultUnproven(fault, str(error)) from None
        except ValueError as error:  # what a host said is no number
            raise FaultUnproven(fault, str(error)) from None

    def _ways(self) -> dict[Fault, Callable[[Fault], Awaitable[Evidence]]]:
        return {
            Fault.LEADER_KILL: self._leader_kill,
            Fault.LEADER_PAUSE: self._leader_pause,
            Fault.LEADER_ISOLATED: self._leader_isolated,
            Fault.ONE_WAY_CUT: self._one_way_cut,
            Fault.PRIMARY_KILL: self._primary_kill,
            Fault.PRIMARY_ISOLATED: self._primary_isolated,
            Fault.HOST_POWER_OFF: self._power_off,
            Fault.DISK_FULL: self._disk_full,
            Fault.CLOCK_JUMP: self._clock_jump,
            Fault.ROLLING_RESTART: self._rolling_restart,
            Fault.QUORUM_LOSS: self._quorum_loss,
        }

    async def _leader_kill(self, fault: Fault) -> Evidence:
        return await self._killed(fault, await self.leader(fault), scripts.NODE)

    async def _primary_kill(self, fault: Fault) -> Evidence:
        return await self._killed(fault, await self.primary_host(fault), scripts.REDIS)

    async def _killed(self, fault: Fault, victim: str, unit: str) -> Evidence:
        await self.arm(fault, [victim])
        at = time.monotonic()
        said = await self.do(fault, victim, scripts.kill(unit))
        proof = {"pid": whole(said, "pid"), "gone": whole(said, "gone")}
        return Evidence(fault, victim, at, f"SIGKILL of {unit}'s process", proof)

    async def _leader_pause(self, fault: Fault) -> Evidence:
        victim = await self.leader(fault)
        await self.arm(fault, [victim])
        at = time.monotonic()
        said = await self.do(fault, victim, scripts.pause(scripts.NODE))
        return Evidence(
            fault,
            victim,
            at,
            f"SIGSTOP of {scripts.NODE}'s process",
            {"pid": whole(said, "pid"), "state": said["state"]},
        )

    async def _leader_isolated(self, fault: Fault) -> Evidence:
        return await self._isolated(fault, await self.leader(fault))

    async def _primary_isolated(self, fault: Fault) -> Evidence:
        return await self._isolated(fault, await self.primary_host(fault))

    async def _isolated(self, fault: Fault, victim: str) -> Evidence:
        return await self.cut_off(fault, victim, incoming=True, outgoing=True)

    async def _one_way_cut(self, fault: Fault) -> Evidence:
        side = next(self._sides)
        leader = await self.leader(fault)
        victim = leader if side.startswith("leader") else next(host.id for host in self.hosts() if host.id != leader)
        deaf = side.endswith("deaf")
        return await self.cut_off(fault, victim, incoming=deaf, outgoing=not deaf)

    async def cut_off(self, fault: Fault, victim: str, *, incoming: bool, outgoing: bool) -> Evidence:
        """Drop on the victim itself what comes from the other hosts, what goes to them, or both."""
        await self.arm(fault, [victim])
        peers = self.others(victim)
        at = time.monotonic()
        await self.do(fault, victim, scripts.cut(peers, incoming=incoming, outgoing=outgoing))
        wanted = [name for name, on in (("input_dropped", incoming), ("output_dropped", outgoing)) if on]

        async def dropped() -> dict[str, str | int | float] | None:
            try:
                said = await self.ssh[victim].run(scripts.look_at_cut())
            except HostUnreachable:
                return None
            counts = scripts.counted(said.output)
            return {name: counts[name] for name in wanted} if all(counts.get(name) for name in wanted) else None

        proof = await until(dropped, seconds=PROOF_S, what=f"packets that {victim} dropped", interval=LOOK_S)
        what = "hears nothing of" if not outgoing else "is not heard by" if not incoming else "is cut off from"
        return Evidence(fault, victim, at, f"{victim} {what} {', '.join(peers)} (nft on {victim})", proof)

    async def _disk_full(self, fault: Fault) -> Evidence:
        victim = await self.leader(fault)
        await self.arm(fault, [victim])
        at = time.monotonic()
        said = await self.do(fault, victim, scripts.fill(), timeout_s=120.0)
        proof = {"free_bytes": whole(said, "free_bytes"), "writes_refused": whole(said, "refused")}
        return Evidence(fault, victim, at, f"{scripts.DATA} of {victim} filled up", proof)

    async def _clock_jump(self, fault: Fault) -> Evidence:
        victim = await self.leader(fault)
        await self.arm(fault, [victim])
        await self.do(fault, victim, scripts.jump(0))  # restarts the node under libfaketime: it leads no more
        await self.settled(RESTART_S)
        await self._lead(fault, victim)
        at = time.monotonic()
        said = await self.do(fault, victim, scripts.jump(JUMP_S))
        skew = whole(said, "seen") - whole(said, "own")
        if whole(said, "loaded") != 1 or abs(skew - JUMP_S) > 2:
            raise FaultUnproven(fault, f"{victim}: the clock that the node sees differs by {skew} s, wanted {JUMP_S}")
        return Evidence(fault, victim, at, f"the clock of {victim}'s node jumped by {skew} s", {"skew_s": skew})

    async def _lead(self, fault: Fault, member: str) -> None:
        """Have this node lead. FaultNotPossible."""
        place = self.plant()
        client = AsyncClient(place.apis, token=place.token_file, ca=place.ca, timeout_s=15.0)
        try:
            await client.cluster.transfer(member)
        except ClientError as error:
            raise FaultNotPossible(fault, f"leadership cannot be handed to {member}: {error}") from None
        finally:
            await client.aclose()

    async def _rolling_restart(self, fault: Fault) -> Evidence:
        leader = await self.leader(fault)
        order = [*(host.id for host in self.hosts() if host.id != leader), leader]
        at = time.monotonic()
        proof: dict[str, str | int | float] = {}
        for host in order:
            said = await self.do(fault, host, scripts.restart(scripts.NODE), timeout_s=RESTART_S)
            if whole(said, "pid") == whole(said, "pid_after"):
                raise FaultUnproven(fault, f"{host}: the process is the same as before")
            proof[host] = f"pid {said['pid']}, then {said['pid_after']}"
            await self.settled(RESTART_S)
        return Evidence(fault, ",".join(order), at, f"{scripts.NODE} restarted on one host after the other", proof)

    async def _quorum_loss(self, fault: Fault) -> Evidence:
        leader = await self.leader(fault)
        victims = [leader, next(host.id for host in self.hosts() if host.id != leader)]
        (left,) = (host.id for host in self.hosts() if host.id not in victims)
        await self.arm(fault, victims)
        at = time.monotonic()
        said = await asyncio.gather(*(self.do(fault, host, scripts.stop([scripts.NODE])) for host in victims))

        async def leaderless() -> bool:
            return await self.look.led_by(left) is None

        await until(leaderless, seconds=PROOF_S, what=f"{left} knowing no leader", interval=LOOK_S)
        proof = {"nodes_down": sum(whole(one, "down") for one in said), "leaders_known": 0}
        return Evidence(fault, ",".join(victims), at, f"{scripts.NODE} killed on {' and '.join(victims)}", proof)

    async def _power_off(self, fault: Fault) -> Evidence:
        victim = await self.leader(fault)
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
        for host, boot in list(self._off.items()):
            await self._back(host, boot)
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
