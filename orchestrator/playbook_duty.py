"""The leader's duty towards executions: it drives every open one, from wherever the last leader left it.

    woken by a cause ──▶ plan ──record──▶ commit under the epoch ──▶ plan again …
         ▲                 └──no record──▶ begin and cancel effects, set the timer, wait
         └── an effect's result · a change of the row · a change of a component · a child's end · the timer

Nothing is polled. An execution that nothing has happened to costs nothing, and one that is woken ten times while it is
planned is planned once more. `WORKERS` executions are planned or committed at a time; the others wait in a queue.
What a plan raises is a defect: that execution fails as `internal`, the others go on.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping

from cluster import Change, CommandTooLarge, Compacted, Outcome
from orchestrator.failpoints import reach
from orchestrator.playbooks.books import Books, PlaybookUnreadable
from orchestrator.playbooks.clock import TICK_S, PlantClock
from orchestrator.playbooks.committing import Committer
from orchestrator.playbooks.effect import Effect, Failed, Result
from orchestrator.playbooks.effect_pool import EffectPool, Perform
from orchestrator.playbooks.engine import Decision, plan
from orchestrator.playbooks.execution import (
    ENDED,
    OPEN_STEP,
    ExecutionRow,
    Record,
    Status,
    TriggersSeen,
)
from orchestrator.playbooks.figures import PlaybookFigures
from orchestrator.playbooks.plant_view import PlantView
from orchestrator.playbooks.run import Run, concerns, waits_for_components
from orchestrator.playbooks.world import Templates
from orchestrator.state import PlantState
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

WORKERS = 64
ROUNDS = 50
"""Records of one execution in a row; then it is others' turn."""
TICK_LOOK_S = 1.0
SOONEST_S = 0.001
"""A plan that asks to be made again at once must not take all of the loop's time."""
CHANGED = frozenset({"execution_changed", "execution_unknown"})

OnRecord = Callable[[ExecutionRow, ExecutionRow], None]
Watch = Callable[[], AsyncIterator[Change]]


def _nothing(_before: ExecutionRow, _after: ExecutionRow) -> None:
    """Nobody asked to be told."""


class PlaybookDuty:
    """Drives executions under one epoch.

    Args:
        state: the replicated state; read only.
        view: the plant as the engine sees it.
        books: playbooks as models.
        clock: plant time here.
        commit: commits under the epoch.
        perform: does an effect; see `orchestrator.playbooks.effects`.
        watch: the changes of the replicated state from now on.
        on_record: called with the execution before and after each record that was committed here.
    """

    name = "playbooks"

    def __init__(
        self,
        state: PlantState,
        *,
        view: PlantView,
        books: Books,
        templates: Templates,
        clock: PlantClock,
        commit: Committer,
        perform: Perform,
        watch: Watch,
        figures: PlaybookFigures,
        on_record: OnRecord = _nothing,
    ) -> None:
        self._state = state
        self._view = view
        self._books = books
        self._templates = templates
        self._clock = clock
        self._commit = commit
        self._watch = watch
        self._figures = figures
        self._on_record = on_record
        self._pool = EffectPool(perform, self._effect_ended)
        self._runs: dict[str, Run] = {}
        self._queue: deque[Run] = deque()
        self._ready = asyncio.Semaphore(0)
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name=self.name)
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    def waiting(self, execution_id: str) -> Mapping[str, str]:
        """By path, what the open steps of an execution wait for, in words; empty where nothing is known of it."""
        run = self._runs.get(execution_id)
        return {} if run is None else run.waiting

    async def _run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow())
                group.create_task(self._tick())
                for _ in range(WORKERS):
                    group.create_task(self._work())
        finally:
            for run in self._runs.values():
                run.stop_timer()
            await self._pool.close()

    # ── What wakes an execution ────────────────────────────────

    async def _follow(self) -> None:
        first = True
        while True:
            changes = self._watch()
            # Whatever changed before is in the rows; whatever changes after comes from the iterator.
            for row in list(self._state.executions.rows.values()):
                if row.open:
                    self._wake(self._known(row, taken_over=first))
            first = False
            with contextlib.suppress(Compacted):
                async for change in changes:
                    for event in change.events:
                        self._changed(event.kind, event.subject, event.data)

    def _changed(self, kind: str, subject: str, data: Mapping[str, object]) -> None:
        if kind == "execution.changed":
            self._execution_changed(subject, data)
        elif kind.startswith(("component.", "maintenance.")):
            self._plant_changed(subject)
        elif kind.startswith(("group.", "policy.")):
            self._plant_changed(None)
        elif kind == "cluster.restored":
            # Nothing that was known of executions is true any more; effects of those that came may have begun.
            for execution_id in list(self._runs):
                self._forget(execution_id)
            for row in list(self._state.executions.rows.values()):
                if row.open:
                    self._wake(self._known(row, taken_over=True))

    def _execution_changed(self, execution_id: str, data: Mapping[str, object]) -> None:
        row = self._state.executions.rows.get(execution_id)
        if row is None:
            self._forget(execution_id)
            return
        if row.open or execution_id in self._runs:
            run = self._known(row, taken_over=False)
            revision = data.get("revision")
            run.latest = max(run.latest, revision if isinstance(revision, int) else row.revision)
            if not run.busy and run.latest > run.planned:
                self._wake(run)
        if data.get("status") in ENDED and row.parent is not None and row.parent.execution in self._runs:
            self._wake(self._runs[row.parent.execution])

    def _plant_changed(self, component_id: str | None) -> None:
        rows = self._state.executions.rows
        for run in self._runs.values():
            if not run.watches:
                continue
            row = rows.get(run.id)
            if row is None or component_id is None or concerns(row, component_id):
                self._wake(run)

    def _effect_ended(self, effect: Effect, result: Result | None) -> None:
        run = self._runs.get(effect.execution)
        if run is not None and run.ended(effect, result):
            self._wake(run)

    def _known(self, row: ExecutionRow, *, taken_over: bool) -> Run:
        run = self._runs.get(row.id)
        if run is None:
            run = self._runs[row.id] = Run.of(row, taken_over=taken_over)
        return run

    def _wake(self, run: Run) -> None:
        if run.busy:
            run.again = True
        elif not run.queued:
            run.queued, run.woken = True, time.monotonic()
            self._queue.append(run)
            self._ready.release()

    def _forget(self, execution_id: str) -> None:
        run = self._runs.pop(execution_id, None)
        if run is not None:
            run.stop_timer()
            for path in run.under_way:
                self._pool.cancel((execution_id, path))

    # ── Planning ────────────────────────────────

    async def _work(self) -> None:
        while True:
            await self._ready.acquire()
            run = self._queue.popleft()
            run.queued, run.again, run.busy = False, False, True
            more = await self._advanced(run)
            run.busy = False
            if self._runs.get(run.id) is run and (more or run.again or run.latest > run.planned):
                self._wake(run)

    async def _advanced(self, run: Run) -> bool:
        """As `_advance`; what it raises ends that execution, and not this node's lead, nor that of the next."""
        try:
            return await self._advance(run)
        except Exception as error:
            log.exception("execution %s could not be driven; this is a defect", run.id)
            row = self._state.executions.rows.get(run.id)
            if row is not None and row.open:
                reason = f"the engine failed: {type(error).__name__}; the leader's log says more"
                await self._committed(failing(row, self._clock.now(), "internal", reason))
            return False

    async def _advance(self, run: Run) -> bool:
        """Plan and commit until nothing is left to record; whether that is still to come."""
        run.stop_timer()
        for _ in range(ROUNDS):
            if self._runs.get(run.id) is not run:
                return False  # forgotten, and perhaps known anew
            row = self._state.executions.rows.get(run.id)
            if row is None or not row.open:
                self._forget(run.id)
                return False
            run.planned = max(run.planned, row.revision)
            if row.status == Status.QUEUED:
                return False
            results = run.known_results(row)
            decision = self._plan(row, results)
            if decision.record is None:
                self._settle(run, row, decision)
                return not run.results.keys() <= results.keys()  # those that had no room have their turn now
            if not await self._record(run, row, decision.record, results):
                return False
            run.woken = time.monotonic()
        return True

    def _plan(self, row: ExecutionRow, results: Mapping[str, Result]) -> Decision:
        now = self._clock.now()
        try:
            playbook = self._books.version(row.playbook, row.version)
            return plan(playbook, row, self._view.world(), now, self._templates, results)
        except PlaybookUnreadable as error:
            return Decision(record=failing(row, now, error.code, error.message))
        except Exception as error:
            log.exception("execution %s of playbook %s: planning failed; this is a defect", row.id, row.playbook)
            reason = f"the engine failed: {type(error).__name__}; the leader's log says more"
            return Decision(record=failing(row, now, "internal", reason))

    async def _record(self, run: Run, row: ExecutionRow, record: Record, results: Mapping[str, Result]) -> bool:
        """Commit the record; whether to plan on. Results go only with a record that counts."""
        outcome = await self._committed(record)
        if outcome.ok:
            run.used(results)
            self._recorded(run, row, record)
            return True
        if outcome.code in CHANGED:
            return True
        log.error("execution %s: its record is refused: %s %s", row.id, outcome.code, outcome.message)
        last = failing(row, self._clock.now(), outcome.code, outcome.message)
        outcome = await self._committed(last)
        if outcome.ok:
            self._recorded(run, row, last)
        return outcome.ok or outcome.code in CHANGED

    async def _committed(self, record: Record) -> Outcome:
        reach("playbook.before_commit")
        try:
            outcome = await self._commit.commit(record.kind, record)
        except CommandTooLarge as error:
            return Outcome(code="record_too_large", message=str(error))
        reach("playbook.after_commit")
        return outcome

    def _recorded(self, run: Run, before: ExecutionRow, record: Record) -> None:
        took = time.monotonic() - run.woken
        after = self._state.executions.rows.get(before.id)
        for decided in record.steps:
            # Applying the record may have failed the step: a variable of the cluster that could not be set.
            step = decided if after is None else after.steps.get(decided.path, decided)
            run.overhead[step.path] = run.overhead.get(step.path, 0.0) + took
            if step.status not in OPEN_STEP:
                self._figures.ended(step, run.overhead.pop(step.path))
        if after is not None:
            self._on_record(before, after)

    def _settle(self, run: Run, row: ExecutionRow, decision: Decision) -> None:
        """Nothing is left to record: have done what is to be done, and wait."""
        fresh, gone = run.settle(decision.effects)
        for path in gone:
            self._pool.cancel((run.id, path))
        for effect in fresh:
            if effect.path in run.inherited and effect.type == "http_request" and not effect.data.get("safe", True):
                refusal = Failed(
                    "outcome_unknown", "the leader changed after it may have been sent; it is not repeated"
                )
                self._effect_ended(effect, refusal)
            else:
                self._pool.begin(effect)
        run.inherited = frozenset()
        run.waiting = decision.waiting
        run.watches = waits_for_components(row)
        if decision.wake is not None:
            delay = max(SOONEST_S, decision.wake - self._clock.now())
            run.timer = asyncio.get_running_loop().call_later(delay, self._wake, run)

    # ── Time ────────────────────────────────

    async def _tick(self) -> None:
        """While executions are open plant time goes on in the replicated state: a takeover loses little of it."""
        while True:
            await asyncio.sleep(TICK_LOOK_S)
            now = self._clock.now()
            if self._runs and now - self._state.executions.at >= TICK_S:
                tick = TriggersSeen(index=0, at=now)
                await self._commit.commit(tick.kind, tick)


def failing(row: ExecutionRow, now: float, code: str, message: str) -> Record:
    """The record that ends an execution which cannot be planned. It is small: applying it closes the open steps."""
    return Record(id=row.id, revision=row.revision, at=now, status=Status.FAILED, code=code, error=message[:1000])
