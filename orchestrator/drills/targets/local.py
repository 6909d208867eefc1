"""Target `local`: a plant of the drill's own on this machine, in real processes, without root.

Cuts are made by relays between the processes. What only a host can suffer is not possible here, and says so.
"""

import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from framebuffer.errors import FrameBufferError
from orchestrator.dev.errors import NotReached
from orchestrator.dev.waiting import until
from orchestrator.drills.target import (
    Evidence,
    Fault,
    FaultNotPossible,
    FaultUnproven,
    HostPlace,
    PlantPlace,
    TargetOptions,
    TargetUnusable,
)
from orchestrator.drills.targets.local_plant import DURABILITY, SetPlant, set_plant
from orchestrator.drills.targets.process_state import kernel_state, refused_write
from orchestrator.drills.targets.relay import Gate
from orchestrator.errors import OrchestratorError

LEADER_S = 10.0
PROOF_S = 5.0
READY_S = 60.0
PROBE = "drill-write-probe"

_HOSTS_ONLY: Mapping[Fault, str] = {
    Fault.HOST_POWER_OFF: "processes of this machine share its power; take --target lab or --target ansible",
    Fault.CLOCK_JUMP: "processes of this machine share its clock; take --target lab",
}
_CUTS_RAFT = {Fault.LEADER_ISOLATED, Fault.ONE_WAY_CUT}
_NEEDS_PROC = {Fault.LEADER_PAUSE, Fault.DISK_FULL}


def open_target(options: TargetOptions) -> "LocalTarget":
    """The target, not entered yet."""
    return LocalTarget(options)


class LocalTarget:
    """See `orchestrator.drills.target.Target`."""

    name = "local"

    def __init__(self, options: TargetOptions) -> None:
        faults = set(options.faults or Fault)
        self._directory = options.directory
        self._cut_raft, self._cut_redis = bool(faults & _CUTS_RAFT), Fault.PRIMARY_ISOLATED in faults
        self._stack = AsyncExitStack()
        self._plant: SetPlant | None = None
        self._undo: list[Callable[[], Awaitable[None]]] = []

    async def __aenter__(self) -> Self:
        plant = set_plant(self._directory, cut_raft=self._cut_raft, cut_redis=self._cut_redis)
        try:
            async with AsyncExitStack() as stack:
                self._plant = await stack.enter_async_context(plant)
                await plant.wait_ready()
                self._stack = stack.pop_all()
        except (OrchestratorError, FrameBufferError) as error:
            raise TargetUnusable(f"the plant on this machine does not start: {error}") from error
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for relay in self._running.relays():  # everything is ended anyway; nothing shall wait for a cut
            relay.release()
        await self._stack.__aexit__(kind, error, trace)

    @property
    def _running(self) -> SetPlant:
        if self._plant is None:
            raise TargetUnusable("the plant on this machine is not started")
        return self._plant

    def hosts(self) -> tuple[HostPlace, ...]:
        """Three nodes, each with one of the servers beside it; which is whose does not matter here."""
        servers = self._running.servers.servers
        nodes = self._running.topology.nodes
        return tuple(
            HostPlace(node.id, node.api, f"127.0.0.1:{server.port}")
            for node, server in zip(nodes, servers, strict=True)
        )

    def plant(self) -> PlantPlace:
        """How to reach it."""
        topology = self._running.topology
        return PlantPlace(apis=topology.apis, redis_url=topology.redis_url, durability=DURABILITY)

    def check(self, fault: Fault) -> None:
        """FaultNotPossible for what needs a host of its own."""
        if fault in _HOSTS_ONLY:
            raise FaultNotPossible(fault, _HOSTS_ONLY[fault])
        if fault in _NEEDS_PROC and not sys.platform.startswith("linux"):
            raise FaultNotPossible(fault, f"it is done and proven by way of /proc, which {sys.platform} does not have")

    async def inject(self, fault: Fault) -> Evidence:
        """Do it, and prove it."""
        self.check(fault)
        try:
            return await {
                Fault.LEADER_KILL: self._leader_kill,
                Fault.LEADER_PAUSE: self._leader_pause,
                Fault.LEADER_ISOLATED: self._leader_isolated,
                Fault.ONE_WAY_CUT: self._one_way_cut,
                Fault.PRIMARY_KILL: self._primary_kill,
                Fault.PRIMARY_ISOLATED: self._primary_isolated,
                Fault.DISK_FULL: self._disk_full,
                Fault.ROLLING_RESTART: self._rolling_restart,
                Fault.QUORUM_LOSS: self._quorum_loss,
            }[fault]()
        except NotReached as error:
            raise FaultUnproven(fault, str(error)) from error

    async def heal(self) -> None:
        """Undo what was done, the last first."""
        while self._undo:
            await self._undo[-1]()
            self._undo.pop()

    async def settled(self, deadline_s: float) -> None:
        """NotReached, also where the set of servers does not become healthy."""
        plant = self._running
        await plant.wait_ready(seconds=deadline_s)
        try:
            await plant.servers.healthy(timeout_s=deadline_s)
        except FrameBufferError as error:
            raise NotReached("a primary with two replicas", deadline_s, str(error)) from error

    # ── Nodes ────────────────────────────────

    async def _leader_kill(self) -> Evidence:
        leader = await self._running.current_leader(LEADER_S)
        at = time.monotonic()
        proof = await self._killed(Fault.LEADER_KILL, leader.node_id)
        return Evidence(Fault.LEADER_KILL, leader.node_id, at, f"SIGKILL of {leader}", proof)

    async def _quorum_loss(self) -> Evidence:
        plant = self._running
        leader = await plant.current_leader(LEADER_S)
        followers = [node.id for node in plant.topology.nodes if node.id != leader.node_id]
        victims, survivor = [leader.node_id, followers[0]], followers[1]
        at = time.monotonic()
        proof: dict[str, str | int | float] = {}
        for victim in victims:
            killed = await self._killed(Fault.QUORUM_LOSS, victim)
            proof |= {f"{victim}_{name}": value for name, value in killed.items()}

        async def refused() -> str | None:
            return await self._write_refused(survivor)

        proof["write_refused"] = await until(refused, seconds=PROOF_S, what=f"a write that {survivor} refuses")
        return Evidence(Fault.QUORUM_LOSS, ",".join(victims), at, f"SIGKILL of {' and '.join(victims)}", proof)

    async def _write_refused(self, node_id: str) -> str | None:
        """The code with which a node refuses a write; None where it does not, or says nothing."""
        try:
            answer = await self._running.call("PUT", f"/v1/variables/{PROBE}", json={"value": 1}, node_id=node_id)
        except (OrchestratorError, httpx.HTTPError):
            return None
        return f"{answer.status_code} {answer.json().get('code')}" if answer.status_code == 503 else None

    async def _killed(self, fault: Fault, node_id: str) -> dict[str, str | int | float]:
        process = self._running.node(node_id)
        pid = process.pid

        async def again() -> None:
            await process.start()

        self._undo.append(again)
        status = await process.kill()
        if status != -signal.SIGKILL:
            raise FaultUnproven(fault, f"{node_id} (pid {pid}) ended with status {status}")
        return {"pid": pid, "exit_status": status}

    async def _leader_pause(self) -> Evidence:
        leader = await self._running.current_leader(LEADER_S)
        process = self._running.node(leader.node_id)

        async def go_on() -> None:
            process.send(signal.SIGCONT)

        self._undo.append(go_on)
        at = time.monotonic()
        process.send(signal.SIGSTOP)

        async def stopped() -> bool:
            return kernel_state(process.pid) == "T"

        await until(stopped, seconds=PROOF_S, what=f"{leader.node_id} stopped", interval=0.005)
        how = f"SIGSTOP of {leader}"
        return Evidence(Fault.LEADER_PAUSE, leader.node_id, at, how, {"pid": process.pid, "kernel_state": "T"})

    async def _rolling_restart(self) -> Evidence:
        plant = self._running
        leader = await plant.current_leader(LEADER_S)
        order = [*(node.id for node in plant.topology.nodes if node.id != leader.node_id), leader.node_id]
        proof: dict[str, str | int | float] = {}
        at = time.monotonic()
        for node_id in order:
            process = plant.node(node_id)
            before = process.pid
            self._undo.append(process.start)  # where it is interrupted between the two; what runs is left alone
            status = await process.stop()
            await process.start()
            await plant.wait_ready(node_id)
            if status != 0 or process.pid == before:
                raise FaultUnproven(Fault.ROLLING_RESTART, f"{node_id} ended with status {status}, not by SIGTERM")
            proof[f"{node_id}_restarted"] = f"pid {before}, then {process.pid}"
        return Evidence(Fault.ROLLING_RESTART, ",".join(order), at, "SIGTERM of one after the other", proof)

    async def _disk_full(self) -> Evidence:
        """The kernel refuses each write that would make a file longer: no file system is full without root, but what a
        process is told when its quota is used up is the same call that fails.
        """
        leader = await self._running.current_leader(LEADER_S)
        process = self._running.node(leader.node_id)
        pid, log = process.pid, process.log
        data = Path(self._running.topology.node(leader.node_id).directory) / leader.node_id
        length = max((file.stat().st_size for file in data.rglob("*") if file.is_file()), default=0)
        soft, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        said = log.stat().st_size

        async def well() -> bool:
            """A node that its disk has stopped may still be about to end: it is started again once it has."""
            if process.running:
                return await self._running.is_ready(leader.node_id)
            await process.start()
            return True

        async def grow_again() -> None:
            if process.running:
                with suppress(ProcessLookupError):
                    resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
            await until(well, seconds=READY_S, what=f"{leader.node_id} at work again, or ended", interval=0.05)

        self._undo.append(grow_again)
        at = time.monotonic()
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (length, hard))

        async def felt() -> str | None:
            return refused_write(process, said)

        proof = {"pid": pid, "limit_bytes": length}
        told = await until(felt, seconds=PROOF_S, what=f"a write that {leader.node_id} is refused")
        return Evidence(Fault.DISK_FULL, leader.node_id, at, f"no file of {leader} may grow", {**proof, "told": told})

    # ── Links ────────────────────────────────

    async def _leader_isolated(self) -> Evidence:
        return await self._cut(Fault.LEADER_ISOLATED, both=True)

    async def _one_way_cut(self) -> Evidence:
        return await self._cut(Fault.ONE_WAY_CUT, both=False)

    async def _cut(self, fault: Fault, *, both: bool) -> Evidence:
        """What the leader sends to its peers is not delivered; `both`: nor what they send to it."""
        plant = self._running
        leader = await plant.current_leader(LEADER_S)
        peers = [node.id for node in plant.topology.nodes if node.id != leader.node_id]
        ways = {f"{leader.node_id}_to_{peer}": plant.gates_between(leader.node_id, peer) for peer in peers}
        if both:
            ways |= {f"{peer}_to_{leader.node_id}": plant.gates_between(peer, leader.node_id) for peer in peers}
        self._undo.append(self._release)
        before = {way: _held(gates) for way, gates in ways.items()}
        at = time.monotonic()
        for gates in ways.values():
            for gate in gates:
                gate.hold()

        async def bites() -> dict[str, int] | None:
            held = {way: _held(gates) - before[way] for way, gates in ways.items()}
            return held if all(held.values()) else None

        held = await until(bites, seconds=PROOF_S, what=f"something held back on each way of {leader}")
        how = f"Raft of {leader} is not delivered{'' if both else ' to its peers; what they send arrives'}"
        return Evidence(fault, leader.node_id, at, how, {f"{way}_held": number for way, number in held.items()})

    async def _release(self) -> None:
        for relay in self._running.relays():
            relay.release()

    # ── Servers ────────────────────────────────

    async def _primary_kill(self) -> Evidence:
        servers = self._running.servers
        number = await servers.primary()
        pid = servers.servers[number].pid

        async def again() -> None:
            await servers.moved_from(number)
            await servers.restart(number)

        self._undo.append(again)
        at = time.monotonic()
        await servers.kill_primary()
        if pid is None or servers.servers[number].pid is not None or kernel_state(pid) not in ("", "Z"):
            raise FaultUnproven(Fault.PRIMARY_KILL, f"server {number} (pid {pid}) still runs")
        how = f"SIGKILL of server {number}"
        return Evidence(Fault.PRIMARY_KILL, f"server-{number}", at, how, {"pid": pid, "ended": "by SIGKILL"})

    async def _primary_isolated(self) -> Evidence:
        plant = self._running
        number = await plant.servers.primary()
        relay = plant.redis[number]

        async def back() -> None:
            relay.release()

        self._undo.append(back)
        before = relay.held
        at = time.monotonic()
        relay.there.hold()
        relay.back.hold()

        async def bites() -> int | None:
            return relay.held - before or None

        held = await until(bites, seconds=PROOF_S, what=f"something held back before server {number}")
        how = f"nothing is delivered to server {number}, nor from it"
        return Evidence(Fault.PRIMARY_ISOLATED, f"server-{number}", at, how, {"held": held})


def _held(gates: tuple[Gate, Gate]) -> int:
    return sum(gate.held + gate.waiting for gate in gates)
