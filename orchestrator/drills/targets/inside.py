"""Faults that are done from inside a host, over ssh.

Before a fault a host is told to take it back by itself after `UNDO_S`, so that no host stays broken when this process
dies. Cutting a host off leaves this ssh connection, cameras and processors alone: the other hosts are what it loses.
"""

import asyncio
import itertools
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator.client.asynchronous import AsyncClient
from orchestrator.client.errors import ClientError
from orchestrator.dev.errors import NotReached
from orchestrator.dev.waiting import until
from orchestrator.drills.target import (
    Evidence,
    Fault,
    FaultNotPossible,
    FaultUnproven,
)
from orchestrator.drills.targets import scripts
from orchestrator.drills.targets.on_hosts import LOOK_S, PROOF_S, HostsTarget
from orchestrator.drills.targets.scripts import whole
from orchestrator.drills.targets.ssh import HostUnreachable

JUMP_S = 3600
RESTART_S = 60.0
ONE_SERVER = "the plant has one server and no sentinels: there is no other to take over"
SIDES = ("leader-mute", "follower-deaf", "leader-deaf")
"""One-way cuts, in turn: who is cut, and whether it does not hear the others or is not heard by them."""
POWERED_OFF = ("leader", "primary")
"""Whose host loses its power, in turn; only the leader's where no other server could be the primary."""


class InsideTarget(HostsTarget):
    """All faults but the loss of power, which each target has in its own way."""

    def __init__(self, directory: Path, faults: Sequence[Fault]) -> None:
        super().__init__(directory, faults)
        self._sides = itertools.cycle(SIDES)
        self._powered_off = itertools.cycle(POWERED_OFF)

    # -- what is possible ---------------------------------------------------------------------------------------------

    def check(self, fault: Fault) -> None:
        """FaultNotPossible, naming the hosts and what they lack; nothing before the block is entered."""
        if not self.facts:
            return
        if fault in (Fault.PRIMARY_KILL, Fault.PRIMARY_ISOLATED) and not self.deployed.sentinels:
            raise FaultNotPossible(fault, ONE_SERVER)
        if fault in (Fault.LEADER_ISOLATED, Fault.PRIMARY_ISOLATED, Fault.ONE_WAY_CUT):
            self.check_cut(fault)
        elif fault is Fault.HOST_POWER_OFF:
            self.check_power_off(fault)
        elif fault is Fault.DISK_FULL:
            own = f"a file system of its own at {scripts.DATA}: filling / would harm more than the plant"
            self.all_have(fault, "own_disk", own)
        elif fault is Fault.CLOCK_JUMP:
            self.all_have(fault, "faketime", "libfaketime (Debian: apt install libfaketime)")
        self.all_have(fault, "systemd_run", "systemd-run, which takes a fault back where this process cannot")

    def check_cut(self, fault: Fault) -> None:
        """Whether hosts can be cut off. FaultNotPossible."""
        self.all_have(fault, "nft", "nft (Debian: apt install nftables)")

    def check_power_off(self, fault: Fault) -> None:
        """Whether a host can lose its power. FaultNotPossible."""
        raise NotImplementedError

    async def power_off(self, fault: Fault, victim: str) -> Evidence:
        """Take its power away. FaultNotPossible, FaultUnproven."""
        raise NotImplementedError

    def all_have(self, fault: Fault, fact: str, what: str) -> None:
        """FaultNotPossible unless every host has it."""
        without = [host for host, facts in sorted(self.facts.items()) if facts.get(fact, "0") in ("", "0")]
        if without:
            raise FaultNotPossible(fault, f"{', '.join(without)}: there is not {what}")

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
            Fault.HOST_POWER_OFF: self._host_power_off,
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
        return await self._isolated(fault, await self._leader_apart(fault))

    async def _primary_isolated(self, fault: Fault) -> Evidence:
        return await self._isolated(fault, await self.primary_host(fault))

    async def _leader_apart(self, fault: Fault) -> str:
        """The leader; where the primary runs on its host, leadership is handed to another first.

        What the loss of the primary costs is measured by drills of its own: in one with both, it would hide the other.
        """
        leader = await self.leader(fault)
        if leader != await self.look.primary_host():
            return leader
        other = next(host.id for host in self.hosts() if host.id != leader)
        await self._lead(fault, other)
        await self.settled(RESTART_S)
        return other

    async def _isolated(self, fault: Fault, victim: str) -> Evidence:
        return await self.cut_off(fault, victim, incoming=True, outgoing=True)

    async def _host_power_off(self, fault: Fault) -> Evidence:
        if next(self._powered_off) == "leader" or not self.deployed.sentinels:
            return await self.power_off(fault, await self._leader_apart(fault))
        victim = await self.primary_host(fault)
        there = (
            "the primary and the leader" if victim == await self.look.leader() else "the primary, without the leader,"
        )
        done = await self.power_off(fault, victim)
        return replace(done, how=f"{done.how}; {there} ran on it", takes_primary=True)

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
        await self.do(
            fault, victim, scripts.jump(0), timeout_s=RESTART_S
        )  # restarts the node under libfaketime: it leads no more
        await self.settled(RESTART_S)
        await self._lead(fault, victim)
        at = time.monotonic()
        said = await self.do(fault, victim, scripts.jump(JUMP_S))
        own = whole(said, "own")

        async def jumped() -> int | None:
            seen = await self.look.clock(victim)
            skew = 0 if seen is None else round(seen - own - (time.monotonic() - at))
            return skew if abs(skew - JUMP_S) <= 3 else None  # a Date has whole seconds

        skew = await until(jumped, seconds=PROOF_S, what=f"a Date of {victim}'s node that is {JUMP_S} s ahead")
        return Evidence(fault, victim, at, f"the clock of {victim}'s node jumped by {skew} s", {"skew_s": skew})

    async def _lead(self, fault: Fault, member: str) -> None:
        """Have this node lead: asked for again where an election in between made it another's. FaultNotPossible."""
        place = self.plant()
        client = AsyncClient(place.apis, token=place.token_file, ca=place.ca, timeout_s=15.0)
        said = ""

        async def leads() -> bool:
            nonlocal said
            try:
                await client.cluster.transfer(member)
            except ClientError as error:
                said = str(error)
            return await self.look.leader() == member

        try:
            await until(leads, seconds=RESTART_S, what=f"{member} leading", interval=1.0)
        except NotReached:
            raise FaultNotPossible(fault, f"leadership cannot be handed to {member}: {said}") from None
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
        key = uuid.uuid4().hex

        async def refused() -> str | None:
            return await self.look.write_refused(left, key)

        proof: dict[str, str | int | float] = {"nodes_down": sum(whole(one, "down") for one in said)}
        proof["write_refused"] = await until(
            refused, seconds=PROOF_S, what=f"a write that {left} refuses", interval=LOOK_S
        )
        return Evidence(fault, ",".join(victims), at, f"{scripts.NODE} killed on {' and '.join(victims)}", proof)
