"""What all targets on hosts have in common: ssh to each host, the plant that is deployed there, who leads, healing.

How a fault is done is the part of each target: `ansible` and `lab` beside this module.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self, TypeVar

import yaml

from orchestrator.client.errors import SettingsInvalid
from orchestrator.dev.errors import NotReached
from orchestrator.dev.waiting import until
from orchestrator.drills.target import Fault, FaultNotPossible, FaultUnproven, HostPlace, PlantPlace, TargetUnusable
from orchestrator.drills.targets import scripts
from orchestrator.drills.targets.access import HostAccess
from orchestrator.drills.targets.deployed import Deployed, DeploymentWrong, deployed, host_of, one_plant
from orchestrator.drills.targets.looking import PlantLook
from orchestrator.drills.targets.ssh import HostUnreachable, SshHost

log = logging.getLogger(__name__)
T = TypeVar("T")

UNDO_S = 60.0
"""A host takes a fault back by itself after so long, unless it is told every `RENEW_S` that the drill goes on."""
RENEW_S = 20.0
READY_S = 30.0
PROOF_S = 8.0
BACK_S = 120.0
"""How long a host that was powered off or reset may take until ssh answers again."""
LOOK_S = 0.05


class HostsTarget:
    """The plant on the hosts of an inventory. `directory`: of the run; the secrets of a drill are there meanwhile."""

    name = "hosts"

    def __init__(self, directory: Path, faults: Sequence[Fault]) -> None:
        self._directory = directory
        self._wanted = tuple(faults)
        self.facts: dict[str, dict[str, str]] = {}
        self._owner = uuid.uuid4().hex
        self._stack = AsyncExitStack()
        self._touched: set[str] = set()
        self._renewing: asyncio.Task[None] | None = None

    def check(self, fault: Fault) -> None:
        """FaultNotPossible. Before the block is entered the hosts are not known: then it says nothing of them."""
        raise NotImplementedError

    async def reach(self) -> Sequence[HostAccess]:
        """How each host is reached. TargetUnusable."""
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            try:
                await self._open(stack)
            except (HostUnreachable, DeploymentWrong, SettingsInvalid) as error:
                raise TargetUnusable(str(error)) from None
            for fault in self._wanted:
                self.check(fault)
            try:
                await self.settled(READY_S)
            except NotReached as error:
                raise TargetUnusable(f"the plant is not well before the drill: {error}") from None
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.heal()
        finally:
            await self._stack.__aexit__(kind, error, trace)

    async def _open(self, stack: AsyncExitStack) -> None:
        accesses = sorted(await self.reach(), key=lambda access: access.id)
        sockets = Path(stack.enter_context(TemporaryDirectory(prefix="tri-")))
        self.ssh = {access.id: SshHost(access, sockets, at) for at, access in enumerate(accesses)}
        for host in self.ssh.values():
            stack.push_async_callback(host.aclose)
        settings = await self._each(self._settings)
        one_plant(settings)
        self.facts = await self._each(lambda host: self.told(host, scripts.facts()))
        first = settings[accesses[0].id]
        self.deployed = first
        token = await self._secret(first.node_id, first.token_file)
        password = await self._secret(first.node_id, first.password_file)
        sentinel_password = await self._secret(first.node_id, first.sentinel_password_file)
        ca = await self._secret(first.node_id, first.ca_file)
        self._place = PlantPlace(
            apis=tuple(member.api for member in first.members),
            redis_url=first.redis_url,
            redis_password=password,
            sentinel_password=sentinel_password,
            durability=first.durability,
            controller=self.facts[first.node_id].get("controller") or "127.0.0.1",
            token_file=self._kept("api.token", token, stack),
            ca=self._kept("ca.pem", ca, stack),
        )
        self.look = await stack.enter_async_context(
            PlantLook(
                first, redis_password=password, sentinel_password=sentinel_password, ca=self._place.ca, token=token
            )
        )
        address = await self.look.primary()
        port = 6379 if address is None else address[1]
        hosts = {member.id: member for member in first.members}
        self._hosts = tuple(
            HostPlace(name, hosts[name].api, f"{hosts[name].raft_host}:{port}" if first.sentinels else "")
            for name in sorted(hosts)
        )

    # -- the plant ----------------------------------------------------------------------------------------------------

    def hosts(self) -> tuple[HostPlace, ...]:
        """In the order of their ids."""
        return self._hosts

    def plant(self) -> PlantPlace:
        """As the settings on the hosts say it; the secrets are those of the hosts."""
        return self._place

    async def settled(self, deadline_s: float) -> None:
        """NotReached, with what is still missing."""
        ends = time.monotonic() + deadline_s
        while missing := [
            *(f"{node}: {why}" for node, why in (await self.look.not_ready()).items()),
            *await self.look.not_replicating(),
        ]:
            if time.monotonic() > ends:
                raise NotReached(f"a plant that is well ({'; '.join(missing[:4])})", deadline_s)
            await asyncio.sleep(LOOK_S * 4)

    async def leader(self, fault: Fault) -> str:
        """Who leads. FaultNotPossible: nobody does."""
        return await self._somebody(fault, self.look.leader, "a leader")

    async def primary_host(self, fault: Fault) -> str:
        """The host of the primary. FaultNotPossible."""
        if not self.deployed.sentinels:
            raise FaultNotPossible(fault, "the plant has one server and no sentinels: there is no other to take over")
        return await self._somebody(fault, self.look.primary_host, "a primary on one of the hosts")

    def others(self, victim: str) -> list[str]:
        """Addresses at which the victim meets the other hosts: of Raft, and of their sentinels and servers."""
        found = {member.raft_host for member in self.deployed.members if member.id != victim}
        places = self.deployed.sentinel_hosts
        return sorted(found | {place for place in places if host_of(place, self.deployed.members) != victim})

    async def _somebody(self, fault: Fault, look: Callable[[], Awaitable[str | None]], what: str) -> str:
        try:
            return await until(look, seconds=5.0, what=what, interval=LOOK_S)
        except NotReached:
            raise FaultNotPossible(fault, f"there is not {what} to do it to") from None

    # -- scripts on hosts ---------------------------------------------------------------------------------------------

    async def told(self, host: str, script: str, *, timeout_s: float = 15.0) -> dict[str, str]:
        """What a script says that must go well. HostUnreachable; DeploymentWrong where it does not."""
        said = await self.ssh[host].run(script, timeout_s=timeout_s)
        found = scripts.told(said.output)
        if said.status != 0:
            raise DeploymentWrong(f"{host}: {found.get('why') or said.errors or f'status {said.status}'}")
        return found

    async def arm(self, fault: Fault, hosts: Iterable[str]) -> None:
        """Have the hosts take the fault back by themselves after `UNDO_S`. FaultNotPossible."""
        for host in hosts:
            said = await self._ran(fault, host, scripts.arm(self._owner, UNDO_S))
            if said.get("armed_s") is None:
                raise FaultNotPossible(fault, f"{host} has no timer that would take the fault back")
            self._touched.add(host)
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(), name="drill goes on")

    async def _renew(self) -> None:
        """A fault may last longer than `UNDO_S`, as long as this process is there."""
        while True:
            await asyncio.sleep(RENEW_S)
            for host in sorted(self._touched):
                try:
                    await self.ssh[host].run(scripts.arm(self._owner, UNDO_S))
                except HostUnreachable as error:
                    log.info("%s is not told that the drill goes on: %s", host, error)

    async def do(self, fault: Fault, host: str, script: str, *, timeout_s: float = 15.0) -> dict[str, str]:
        """Run a fault's script on a host that is armed. FaultNotPossible, FaultUnproven."""
        return await self._ran(fault, host, script, timeout_s=timeout_s)

    async def _ran(self, fault: Fault, host: str, script: str, *, timeout_s: float = 15.0) -> dict[str, str]:
        try:
            said = await self.ssh[host].run(script, timeout_s=timeout_s)
        except HostUnreachable as error:
            raise FaultUnproven(fault, str(error)) from None
        found = scripts.told(said.output)
        if said.status == 0:
            return found
        if said.status == scripts.CANNOT:
            raise FaultNotPossible(fault, f"{host}: {found.get('why') or said.errors}")
        if said.status == scripts.TAKEN:
            raise FaultNotPossible(
                fault, f"{host}: another drill is under way there; one that died is taken back within {UNDO_S:g} s"
            )
        raise FaultUnproven(fault, f"{host}: {found.get('why') or said.errors or f'status {said.status}'} {found}")

    async def heal(self) -> None:
        """TargetUnusable: a host is not reached; it takes the fault back by itself."""
        renewing, self._renewing = self._renewing, None
        if renewing is not None:
            renewing.cancel()
            await asyncio.wait({renewing})
        touched = sorted(self._touched)
        outcomes = await asyncio.gather(*(self._healed(host) for host in touched), return_exceptions=True)
        missed = [str(outcome) for outcome in outcomes if isinstance(outcome, (NotReached, HostUnreachable))]
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, (NotReached, HostUnreachable)):
                raise outcome
        if missed:
            raise TargetUnusable(f"not healed by hand, only by the timer on the host: {'; '.join(missed)}")

    async def _healed(self, host: str) -> None:
        async def done() -> bool:
            try:
                said = await self.ssh[host].run(scripts.heal())
            except HostUnreachable:
                return False
            return said.status == 0

        await until(done, seconds=BACK_S, what=f"ssh to {host}, to take the fault back", interval=LOOK_S * 4)
        self._touched.discard(host)

    # -- opening ------------------------------------------------------------------------------------------------------

    async def _settings(self, host: str) -> Deployed:
        said = await self.ssh[host].run(f"cat {scripts.SETTINGS}")
        if said.status != 0:
            raise DeploymentWrong(
                f"{host}: {scripts.SETTINGS} cannot be read ({said.errors}): deploy with site.yml first; "
                "the user of the inventory must be root, or may use sudo without a password"
            )
        try:
            tree = yaml.safe_load(said.output)
        except yaml.YAMLError as error:
            raise DeploymentWrong(f"{host}: {scripts.SETTINGS} is no YAML: {error}") from None
        return deployed(tree, host=host, directory=scripts.SETTINGS.rpartition("/")[0])

    async def _secret(self, host: str, path: str | None) -> str | None:
        if path is None:
            return None
        said = await self.ssh[host].run(scripts.read(path))
        if said.status != 0:
            raise DeploymentWrong(f"{host}: {path} cannot be read: {said.errors}")
        return said.output.strip()

    def _kept(self, name: str, text: str | None, stack: AsyncExitStack) -> Path | None:
        """The text as a file of the run that is closed to others, and gone when the block is left."""
        if text is None:
            return None
        path = self._directory / name
        path.unlink(missing_ok=True)
        stack.callback(path.unlink, missing_ok=True)
        path.touch(mode=0o600)
        path.write_text(text + "\n")
        return path

    async def _each(self, ask: Callable[[str], Awaitable[T]]) -> dict[str, T]:
        names = list(self.ssh)
        return dict(zip(names, await asyncio.gather(*(ask(name) for name in names)), strict=True))
