"""One drill on a target that is ready: load on, fault, healing, load off, and everything that was seen.

before ▶ load ▶ quiet ▶ FAULT ▶ hold ▶ heal ▶ settled ▶ a moment more ▶ load off ▶ drained ▶ after
         └─────────── leaders, frames, effects, registers are watched ───────────┘
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from framebuffer.shards import ShardedStreams
from framebuffer.trust import trusting
from orchestrator.client import AsyncClient, ClientError, NotFound
from orchestrator.dev.errors import NotReached
from orchestrator.dev.processes import Processes
from orchestrator.dev.waiting import until
from orchestrator.drills.accounts import drained, leaderships, ledger_of
from orchestrator.drills.load.beats import read_beats
from orchestrator.drills.load.component import read_effects
from orchestrator.drills.load.programs import PROCESSORS, LoadPlan
from orchestrator.drills.recorded import Recorded
from orchestrator.drills.registers import RegisterLoad
from orchestrator.drills.runs import COMPONENT, PLAYBOOK, PlaybookRuns
from orchestrator.drills.target import DrillError, Evidence, Fault, FaultUnproven, Target
from orchestrator.drills.watching import LeaderWatch

__all__ = ["Load", "OneDrill", "Seen"]

Say = Callable[[str], None]

LOAD_S = 45.0
QUIET_S = 2.0
"""Under load before the fault: what the gaps are held against."""
AFTER_S = 1.5
SETTLED_S = 60.0
DRAIN_S = 60.0
CAMERAS_S = 30.0
FLOWS_S = 1.0
"""Frames flow where one has reached a processor within this time."""
FLOWS_AGAIN_S = 20.0
HOLD_S: Mapping[Fault, float] = {
    Fault.LEADER_ISOLATED: 4.0,
    Fault.ONE_WAY_CUT: 6.0,
    Fault.PRIMARY_KILL: 5.0,
    Fault.PRIMARY_ISOLATED: 6.0,
    Fault.HOST_POWER_OFF: 6.0,
    Fault.ROLLING_RESTART: 0.0,
}
HOLD_DEFAULT_S = 3.0


@dataclass(frozen=True, slots=True)
class Load:
    """How much the plant works. `hold_s`: how long the fault lasts at least; None: what suits it. `quiet_s`: how long
    all is measured before the fault.
    """

    cameras: int
    fps: float
    hold_s: float | None = None
    quiet_s: float = QUIET_S


@dataclass(slots=True)
class Seen:
    """What came of one drill. `recorded` is None where the fault was not proven; `moments`: (time, what, node)."""

    fault: Fault
    evidence: Evidence | None = None
    unproven: str = ""
    recorded: Recorded | None = None
    moments: list[tuple[float, str, str]] = field(default_factory=list)


class OneDrill:
    """`run` once. `directory`: of its own, for logs and records of the load."""

    def __init__(self, target: Target, fault: Fault, load: Load, directory: Path, say: Say) -> None:
        self._target = target
        self._fault = fault
        self._load = load
        self._plant = target.plant()
        self._say = say
        self._name = uuid.uuid4().hex[:8]
        self._plan = LoadPlan(directory, load.cameras, load.fps, _token(self._plant.token_file))
        self._processes = Processes(directory / "logs")
        self._seen = Seen(fault)

    async def run(self) -> Seen:
        """Errors: DrillError and others where it could not be run; what was done is healed in every case."""
        directory = self._plan.directory
        await asyncio.to_thread(directory.mkdir, parents=True, exist_ok=True)
        plant = self._plant
        tls = trusting(plant.ca) if any(api.startswith("https") for api in plant.apis) else None
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(AsyncClient(plant.apis, token=self._plan.token, ca=plant.ca))
            shards = ShardedStreams.connect(
                plant.redis_url, password=plant.redis_password, sentinel_password=plant.sentinel_password
            )
            stack.push_async_callback(shards.aclose)
            before = await ledger_of(shards, self._plan.camera_ids)
            await stack.enter_async_context(self._processes)
            await self._start_load(client)
            stack.push_async_callback(self._tidy, client)
            watch = LeaderWatch(self._target.hosts(), token=self._plan.token, tls=tls)
            registers = RegisterLoad(self._target.hosts(), self._name, token=self._plan.token, tls=tls)
            stack.push_async_callback(self._forget, client, registers)
            runs = PlaybookRuns(client, self._name)
            async with watch, registers, runs:
                began, evidence, healed, settled, ended = await self._harm()
            confirmed = await self._stop_cameras()
            if evidence is None:
                return self._seen
            if not await drained(shards, self._plan.camera_ids, DRAIN_S):
                self._moment(f"frames are still in flight {DRAIN_S:g} s after the cameras ended")
            after = await ledger_of(shards, self._plan.camera_ids)
            wanted, unfinished = await runs.outcome()
            led = await leaderships(client, shards)
            linearizable, history = await registers.verdict()
        self._seen.recorded = Recorded(
            began=began,
            at=evidence.at,
            healed=healed,
            settled=settled,
            ended=ended,
            published=tuple(read_beats(self._plan.published())),
            arrived=tuple(read_beats(self._plan.arrived())),
            sightings=tuple(sorted(watch.sightings, key=lambda one: one.at)),
            leaderships=tuple(led),
            effects=tuple(read_effects(self._plan.effects)),
            wanted=tuple(wanted),
            unfinished=tuple(unfinished),
            before=before,
            after=after,
            confirmed=confirmed,
            linearizable=linearizable,
            history=history,
            operations=len(registers.operations),
        )
        return self._seen

    # ── The fault ────────────────────────────────

    async def _harm(self) -> tuple[float, Evidence | None, float, float | None, float]:
        """(load in full swing, evidence, healed, settled, end of the measurement)."""
        began = time.monotonic()
        self._moment("load is on", at=began)
        await asyncio.sleep(self._load.quiet_s)
        try:  # a drill that was killed has left frames of its cameras, and they pause until those are gone
            await until(self._flowing, seconds=FLOWS_AGAIN_S, what="frames that reach a processor before the fault")
        except NotReached as error:
            raise DrillError(f"{self._fault}: {error}; logs: {self._logs}") from error
        try:
            try:
                evidence = self._seen.evidence = await self._target.inject(self._fault)
                self._moment(f"{self._fault}: {evidence.how}", evidence.victim, at=evidence.at)
                await self._held()
            except FaultUnproven as error:
                self._seen.unproven = str(error)
                self._moment(str(error))
        finally:
            healed = time.monotonic()
            await self._heal()
        self._moment("healed", at=healed)
        settled: float | None = None
        try:
            await self._target.settled(SETTLED_S)
            settled = time.monotonic()
            self._moment("all is as before", at=settled)
        except NotReached as error:
            self._moment(str(error))
        await asyncio.sleep(AFTER_S)
        return began, self._seen.evidence, healed, settled, time.monotonic()

    async def _heal(self) -> None:
        try:
            await _to_its_end(self._target.heal())
        except FaultUnproven as error:  # some proofs are had only when the victim is back: it may have run on as before
            self._seen.evidence, self._seen.unproven = None, str(error)
            self._moment(str(error))

    async def _held(self) -> None:
        """Let it last, and where dispatch can come back under it, until it has."""
        hold = self._load.hold_s
        await asyncio.sleep(HOLD_S.get(self._fault, HOLD_DEFAULT_S) if hold is None else hold)
        if self._fault is Fault.QUORUM_LOSS:
            return
        try:
            await until(self._flowing, seconds=FLOWS_AGAIN_S, what="frames that reach processors under the fault")
        except NotReached as error:
            self._moment(str(error))

    async def _flowing(self) -> bool:
        return self._flows()

    def _flows(self) -> bool:
        beats = read_beats(self._plan.arrived())
        return bool(beats) and time.monotonic() - beats[-1].last < FLOWS_S

    # ── The load ────────────────────────────────

    @property
    def _logs(self) -> Path:
        return self._processes.log_directory

    async def _start_load(self, client: AsyncClient) -> None:
        """Processors and the component first, then cameras, until frames flow. DrillError."""
        self._say(f"{self._fault}: {self._load.cameras} cameras of {self._load.fps:g} frames a second begin")
        await self._processes.start(*self._plan.others(self._plant))

        async def there() -> bool:
            for process in self._processes.dead():
                raise DrillError(f"the load cannot work: {process.ended()}")
            try:
                processors = {one.id for one in await client.processors.list() if one.healthy}
                components = {one.id for one in await client.components.list() if one.presence == "ONLINE"}
            except ClientError:
                return False
            return processors.issuperset(PROCESSORS) and COMPONENT in components

        async def flows() -> bool:
            for process in self._processes.dead():
                raise DrillError(f"the load cannot work: {process.ended()}")
            return self._flows()

        try:
            await until(there, seconds=LOAD_S, what="processors and a component of the drill", interval=0.2)
            await self._processes.start(*self._plan.camera_programs(self._plant))
            await until(flows, seconds=LOAD_S, what="frames that reach processors", interval=0.1)
        except NotReached as error:
            raise DrillError(f"the load does not work: {error}; logs: {self._logs}") from error

    async def _stop_cameras(self) -> dict[str, int]:
        """By camera, how many frames it was told are stored. DrillError where a camera ended with an error."""
        confirmed: dict[str, int] = {}
        for program in self._plan.camera_programs(self._plant):
            process = self._processes[program.name]
            status = await process.stop(CAMERAS_S)
            for line in process.out.read_text(encoding="utf-8").splitlines():
                said: dict[str, Any] = json.loads(line)
                confirmed[said["camera_id"]] = said["confirmed"]
            if status != 0:
                raise DrillError(f"cameras ended with status {status}: {process.ended()}")
        return confirmed

    # ── Leaving nothing behind ────────────────────────────────

    async def _tidy(self, client: AsyncClient) -> None:
        """End the load while the plant can still be told of it."""
        await self._processes.stop_all()
        client = client.within(5.0)
        await self._removed(f"component {COMPONENT}", client.components.delete(COMPONENT))
        for processor in PROCESSORS:
            await self._removed(f"processor {processor}", client.processors.delete(processor))
        await self._removed(f"playbook {PLAYBOOK}", client.playbooks.delete(PLAYBOOK))

    async def _forget(self, client: AsyncClient, registers: RegisterLoad) -> None:
        client = client.within(5.0)
        for name in registers.names:
            await self._removed(f"variable {name}", client.variables.delete(name))

    async def _removed(self, what: str, call: Any) -> None:
        try:
            await call
        except NotFound:
            return
        except ClientError as error:
            self._say(f"{what} is left in the plant: {error}")

    def _moment(self, what: str, node: str = "", *, at: float | None = None) -> None:
        self._seen.moments.append((time.monotonic() if at is None else at, what, node))
        self._say(f"{what}{f' ({node})' if node and node not in what else ''}")


async def _to_its_end(healing: Any) -> None:
    """Also where whoever asked is cancelled meanwhile: a fault that is left behind is the worst that a drill can do."""
    task = asyncio.ensure_future(healing)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


def _token(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip() or None
    except OSError as error:
        raise DrillError(f"the API's token cannot be read from {file}: {error.strerror}") from error
