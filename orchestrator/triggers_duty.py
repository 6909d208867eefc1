"""The leader's duty towards triggers: it looks at what happens, and starts what playbooks say is to be started.

Changes of the replicated state are read from where the last leader stopped (`triggers.seen` carries that place with
what was started), so one that happened while nobody led is seen, once. Events from outside are committed together with
what they start before their sender is answered.
"""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

import msgspec

from cluster import Applied, Change, CommandTooLarge, Compacted, KindUnsupported
from orchestrator.errors import NoLeader
from orchestrator.events import STATE_CHANGED, Event
from orchestrator.failpoints import reach
from orchestrator.playbooks.books import Books, PlaybookUnreadable
from orchestrator.playbooks.clock import PlantClock
from orchestrator.playbooks.committing import Committer
from orchestrator.playbooks.execution import EventAccepted, JournalEntry, Start, TriggersSeen
from orchestrator.playbooks.journal_entry import journal_entry
from orchestrator.playbooks.library import PlaybookRow
from orchestrator.playbooks.plant_view import PlantView
from orchestrator.playbooks.trigger_round import CHANGED_MAX, Round, Seen
from orchestrator.playbooks.triggering import TRIGGER_FAILED, Armed, armed_by, hears, portions, set_off
from orchestrator.playbooks.triggers import EventReceived
from orchestrator.playbooks.world import Templates
from orchestrator.state import PlantState
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

TICK_S = 0.25
METRICS_S = 1.0
BATCH_MAX = 256
NOTED_S = 5.0
NOTED_CHANGES = 1_000
"""So long, or for so many changes that set nothing off, it is not replicated how far was looked."""
PLANT = ("component.", "group.", "policy.")
"""Kinds of changes that may change the state of a group."""

Propose = Callable[[str, msgspec.Struct, str], Awaitable[Applied]]


class TriggersDuty:
    """Goes off under one epoch.

    Args:
        watch: the changes of the replicated state from an index on. Compacted.
        applied: the index up to which commands are applied here.
        propose: (kind, body, command id) under the epoch.
        wall: unix seconds, for schedules.
    """

    name = "triggers"

    def __init__(
        self,
        state: PlantState,
        *,
        view: PlantView,
        books: Books,
        templates: Templates,
        clock: PlantClock,
        propose: Propose,
        watch: Callable[[int | None], AsyncIterator[Change]],
        applied: Callable[[], int],
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._state = state
        self._view = view
        self._books = books
        self._templates = templates
        self._clock = clock
        self._propose = propose
        self._commit = Committer(propose)
        self._watch = watch
        self._applied = applied
        self._wall = wall
        self._changes: asyncio.Queue[Seen | None] = asyncio.Queue(BATCH_MAX)
        self._armed: tuple[Armed, ...] = ()
        self._rows: Mapping[str, PlaybookRow] | None = None
        self._index = 0
        self._noted_at = 0.0
        self._metrics_at = 0.0
        self._known: dict[str, str] = {}
        self._since: dict[str, int] = {}
        self._troubled: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> asyncio.Task[None]:
        # An index that came with a backup may be of a longer log.
        self._index = min(self._state.executions.index, self._applied()) or self._applied()
        self._known = {key: str(row.state) for key, row in self._state.components.rows.items()}
        self._task = asyncio.create_task(self._run(), name=self.name)
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._read())
            group.create_task(self._look())

    # ── Changes of the replicated state ────────────────────────────────

    async def _read(self) -> None:
        """Changes one by one; None where some are not held any more."""
        begin = self._index + 1
        while True:
            try:
                changes = self._watch(begin)
                async for change in changes:
                    for event in change.events:
                        await self._changes.put(Seen(change.index, event.kind, event.subject, event.data))
                    begin = change.index + 1
            except Compacted as error:
                log.warning("changes before %d are not held any more: triggers go by what is now", error.first_index)
                await self._changes.put(None)
                begin = error.first_index

    async def _batch(self) -> list[Seen | None]:
        """What has changed, at least once a tick."""
        batch: list[Seen | None] = []
        try:
            async with asyncio.timeout(TICK_S):
                batch.append(await self._changes.get())
        except TimeoutError:
            return batch
        while len(batch) < BATCH_MAX and not self._changes.empty():
            batch.append(self._changes.get_nowait())
        return batch

    async def _look(self) -> None:
        # A leader reads nothing at once: what this node has not read yet is read beside the loop.
        await self._books.prepare()
        self._arm()
        first = self._round()
        # A trigger that came while nobody led does not look at what was before it.
        self._since = dict.fromkeys(first.arm(), self._applied())
        await self._committed(first)
        while True:
            batch = await self._batch()
            try:
                while batch:
                    batch = await self._changed(batch)
                await self._passed()
            except Exception:
                # Whatever a playbook says, it must not end this node's lead, and that of the next.
                log.exception("triggers: a round failed, what it looked at sets nothing off; this is a defect")
                await asyncio.sleep(TICK_S)

    async def _changed(self, batch: list[Seen | None]) -> list[Seen | None]:
        """Look at the changes up to one that changes what is armed; those that are left."""
        turn, plant, rearm = self._round(), False, False
        done = 0
        for done, change in enumerate(batch, start=1):  # noqa: B007 - used below
            if change is None:
                turn.compare()
                plant = True
            else:
                self._index = turn.index = max(self._index, change.place)
                rearm = change.kind.startswith(("playbook.", "cluster.restored"))
                plant = plant or change.kind.startswith(PLANT)
                turn.look_at(change, self._previous(change))
            if rearm or turn.full:
                break
        if plant:
            turn.groups()
        await self._committed(turn)
        if rearm:
            self._arm()
            again = self._round()
            again.arm()
            await self._committed(again)
        return batch[done:]

    def _previous(self, change: Seen) -> str:
        """The state that a component had before; empty where it changed while this node did not lead."""
        if not change.kind.startswith("component."):
            return ""
        known = self._known.get(change.subject, "")
        state = str(change.data.get("state", ""))
        if change.kind == "component.unregistered":
            self._known.pop(change.subject, None)
        elif state:
            self._known[change.subject] = state
        return known

    async def _passed(self) -> None:
        """What goes by time."""
        turn = self._round()
        turn.schedules()
        turn.holds()
        turn.groups()
        if turn.at - self._metrics_at >= METRICS_S:
            self._metrics_at = turn.at
            turn.metrics()
        for name, problem in turn.problems.items():
            if name not in self._troubled:
                self._troubled.add(name)
                log.warning("trigger %s is not followed: %s", name, problem)
        await self._committed(turn)

    def _round(self) -> Round:
        executions = self._state.executions
        return Round(
            armed=self._armed,
            marks=executions.marks,
            world=self._view.world(),
            templates=self._templates,
            at=self._clock.now(),
            now=self._wall(),
            index=self._index,
            since=self._since,
        )

    def _arm(self) -> None:
        armed: list[Armed] = []
        self._rows = self._state.executions.playbooks.rows
        for name, row in sorted(self._rows.items()):
            if row.deleted:
                continue
            try:
                armed += armed_by(self._books.version(name, row.newest.version), row.newest.version)
            except PlaybookUnreadable as error:
                log.error("triggers of playbook %s are not followed: %s", name, error.message)
        self._armed = tuple(armed)
        self._troubled.clear()

    async def _committed(self, turn: Round) -> None:
        """Replicate what a round came to, if it is anything."""
        if not (turn.starts or turn.changed or turn.journal):
            behind = self._index - self._state.executions.index
            late = turn.at - self._noted_at >= NOTED_S
            if not self._armed or behind <= 0 or not (behind >= NOTED_CHANGES or late):
                return
        self._noted_at = turn.at
        while not turn.starts and len(turn.changed) > CHANGED_MAX:  # what holds comes before what is armed by it
            some = sorted(turn.changed, key=lambda key: (key.endswith("/"), key))[:CHANGED_MAX]
            part = TriggersSeen(index=0, at=turn.at, marks={key: turn.changed.pop(key) for key in some})
            await self._commit.commit(part.kind, part)
        seen = TriggersSeen(
            index=self._index,
            at=turn.at,
            marks=turn.changed,
            starts=tuple(turn.starts),
            journal=tuple(turn.journal),
        )
        reach("trigger.before_commit")
        try:
            outcome = await self._commit.commit(seen.kind, seen)
        except CommandTooLarge as error:
            log.error("%d executions are not started: %s", len(turn.starts), error)
            note = JournalEntry(type=TRIGGER_FAILED, source="triggers", level="error", message=str(error), at=turn.at)
            seen = TriggersSeen(index=self._index, at=turn.at, marks=turn.changed, journal=(note,))
            outcome = await self._commit.commit(seen.kind, seen)
        reach("trigger.after_commit")
        if not outcome.ok:
            log.error("triggers: what was seen is refused: %s %s", outcome.code, outcome.message)
        _tell(turn.starts, outcome.value)

    # ── Events ────────────────────────────────

    async def event(self, event: Event) -> None:
        """An event that was accepted: committed, with what it starts, when this returns. It may be called again with
        the same event.

        NoLeader when a newer leader's epoch holds; what `propose` raises.
        """
        if self._rows is None:
            raise NoLeader("this node has not taken up a leader's duties yet; nothing was done")
        if self._rows is not self._state.executions.playbooks.rows:
            self._arm()  # the change is on its way here still
        at, world = self._clock.now(), self._view.world()
        told = {
            "type": event.type,
            "source": event.source,
            "payload": event.payload,
            "id": event.id,
            "time": event.time.isoformat(),
        }
        starts: list[Start] = []
        failed: list[JournalEntry] = []
        for each in self._armed:
            if isinstance(each.trigger, EventReceived) and hears(each.trigger, event.type, event.source):
                cause = json.dumps([event.source, event.id])
                off = set_off(
                    *(each, told, cause),
                    at=at,
                    world=world,
                    templates=self._templates,
                    traceparent=event.traceparent or "",
                )
                if isinstance(off, Start):
                    starts.append(off)
                elif off is not None:
                    failed.append(off)
        if failed:
            note = TriggersSeen(index=0, at=at, journal=tuple(failed))
            await self._propose(note.kind, note, _event_id("failed", event))
        if event.type == STATE_CHANGED and not starts:
            return  # the registry of components has it
        *before, last = portions(starts)
        # What does not fit into the one command goes before it; a sender that is not answered repeats all of it.
        for number, some in enumerate(before):
            part = TriggersSeen(index=0, at=at, starts=some)
            await self._propose(part.kind, part, _event_id(f"starts {number}", event))
        accepted = EventAccepted(entry=journal_entry(event, at), starts=last)
        reach("trigger.before_commit")
        try:
            applied = await self._propose(accepted.kind, accepted, _event_id("accepted", event))
        except KindUnsupported:
            if starts:
                raise
            return  # while a release is rolled out there is no journal yet
        reach("trigger.after_commit")
        if applied.outcome.code == "fenced":
            raise NoLeader("this node leads no more; nothing was done")
        if not applied.duplicate:
            _tell(last, applied.outcome.value)


def _event_id(what: str, event: Event) -> str:
    """The id of a command that belongs to an event: the same for a repeat."""
    return hashlib.sha256(json.dumps([what, event.source, event.id]).encode()).hexdigest()[:40]


def _tell(starts: Sequence[Start], value: object) -> None:
    """What became of the starts, in the log."""
    refused = value.get("refused", ()) if isinstance(value, dict) else ()
    reasons = {each["id"]: each["message"] for each in refused}
    for start in starts:
        if start.id in reasons:
            log.info("playbook %s is not started by %s: %s", start.playbook, start.who, reasons[start.id])
        else:
            log.info("playbook %s is started by %s as %s", start.playbook, start.who, start.id)
