"""The replicated executions, playbooks, journal and triggers. Pure, deterministic, no clock, no I/O.

What a playbook says is never read here: the leader plans, and each command carries all that applying it needs. So a log
means the same in every release, whatever becomes of the language.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from orchestrator.playbooks import starting
from orchestrator.playbooks.control import controlled
from orchestrator.playbooks.execution import (
    ENDED,
    ENDED_KEPT_MAX,
    OPEN_STEP,
    STEPS_KEPT_MAX,
    Control,
    EventAccepted,
    ExecutionRow,
    PlaybookDelete,
    PlaybookPut,
    Position,
    Record,
    Start,
    StepRow,
    StepStatus,
    TriggersSeen,
    given_up,
)
from orchestrator.playbooks.execution_told import told_of
from orchestrator.playbooks.journal import Journal
from orchestrator.playbooks.library import PlaybookLibrary
from orchestrator.playbooks.marks import MARKS_MAX
from orchestrator.playbooks.told import Applied, Change, Told
from orchestrator.playbooks.weights import ENDED_BYTES_MAX, ROW_BYTES_MAX, Weights
from orchestrator.variables import Set, VariableRegistry

Command = Start | Record | Control | PlaybookPut | PlaybookDelete | EventAccepted | TriggersSeen
KINDS: Mapping[str, type[Command]] = {
    command.kind: command
    for command in (Start, Record, Control, PlaybookPut, PlaybookDelete, EventAccepted, TriggersSeen)
}


class ExecutionRegistry:
    """Rows by execution id. `rows` is replaced on change and never altered: any thread may read it without a lock.

    `marks` and `index`: what the triggers remember. `at`: the greatest plant time that any command carried.
    """

    def __init__(self, variables: VariableRegistry) -> None:
        self.rows: Mapping[str, ExecutionRow] = {}
        self.playbooks = PlaybookLibrary()
        self.journal = Journal()
        self.marks: Mapping[str, str] = {}
        self.index = 0
        self.at = 0.0
        self.recent: Mapping[str, starting.Recent] = {}
        self._variables = variables
        self._open: dict[str, dict[str, None]] = {}
        """by playbook, its executions that have not ended, the oldest first"""
        self._ended: dict[str, None] = {}
        self._weights = Weights()
        self._place = 0

    @property
    def untouched(self) -> bool:
        """Nothing of all this was ever used."""
        return not (self.rows or self.marks or self.index or self.journal.count or self.at) and self.playbooks.untouched

    def get(self, execution_id: str) -> ExecutionRow | None:
        return self.rows.get(execution_id)

    def open_ids(self) -> list[str]:
        """Those that have not ended. On the thread that applies, or while it does not."""
        return [row.id for row in self.rows.values() if row.open]

    def snapshot(self) -> dict[str, Any]:
        """Plain builtins: equal states give equal bytes. Rows keep their order, which is that of their creation."""
        return {
            "rows": [msgspec.to_builtins(row) for row in self.rows.values()],
            "ended": list(self._ended),
            "playbooks": self.playbooks.snapshot(),
            "journal": self.journal.snapshot(),
            "marks": dict(sorted(self.marks.items())),
            "index": self.index,
            "at": self.at,
            "recent": {name: msgspec.to_builtins(each) for name, each in sorted(self.recent.items())},
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Replaces everything. Raises ValueError or msgspec.MsgspecError for what is no snapshot."""
        rows = msgspec.convert(data["rows"], list[ExecutionRow])
        self.playbooks.restore(data["playbooks"])
        self.journal.restore(data["journal"])
        self.rows = {row.id: row for row in rows}
        self.marks = msgspec.convert(data["marks"], dict[str, str])
        self.index = msgspec.convert(data["index"], int)
        self.at = msgspec.convert(data["at"], float)
        self.recent = msgspec.convert(data["recent"], dict[str, starting.Recent])
        self._ended = dict.fromkeys(msgspec.convert(data["ended"], list[str]))
        self._weights = Weights.of(rows)
        self._open = {}
        for row in rows:
            if row.open:
                self._open.setdefault(row.playbook, {})[row.id] = None

    def adopt(self, other: "ExecutionRegistry") -> None:
        """Become what `other` is; the registry of variables stays one's own."""
        self.playbooks.__dict__.update(other.playbooks.__dict__)
        self.journal.__dict__.update(other.journal.__dict__)
        self.rows, self.marks, self.index, self.at = other.rows, other.marks, other.index, other.at
        self.recent, self._open, self._ended = other.recent, other._open, other._ended
        self._weights = other._weights

    def fork(self, variables: VariableRegistry) -> "ExecutionRegistry":
        """Another registry with the same rows, over `variables`; what is applied to one does not show in the other."""
        other = ExecutionRegistry(variables)
        other.adopt(self)
        other._open = {name: dict(ids) for name, ids in self._open.items()}
        other._ended = dict(self._ended)
        other._weights = self._weights.copy()
        return other

    # ── Commands ────────────────────────────────

    def apply(self, kind: str, body: bytes, *, time: float, position: Position) -> Applied:
        """Apply one command; `body` is its msgpack. A refusal has a code and changes nothing."""
        try:
            command = msgspec.msgpack.decode(body, type=KINDS[kind])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return Told(code="invalid_command", message=f"{kind}: {error}"), []
        at = command.entry.at if isinstance(command, EventAccepted) else getattr(command, "at", 0.0)
        self.at = max(self.at, at)
        self._place = position[1]
        match command:
            case Start():
                return self._start(command, time, position)
            case Record():
                return self._record(command, time, position)
            case Control():
                return self._control(command)
            case PlaybookPut():
                return self.playbooks.put(command, time=time, in_use=self._in_use(command.name))
            case PlaybookDelete():
                return self.playbooks.delete(command, in_use=self._in_use(command.name))
            case EventAccepted():
                changes = self.journal.add((command.entry,), time=time, position=position)
                return self._several(command.starts, changes, time, position)
            case TriggersSeen():
                # What came with a backup of another cluster may be an index that this log has not reached.
                self.index = min(max(self.index, command.index), position[1])
                self.marks = _marked(self.marks, command.marks)
                changes = self.journal.add(command.journal, time=time, position=position)
                return self._several(command.starts, changes, time, position)

    def _several(self, starts: tuple[Start, ...], changes: list[Change], time: float, position: Position) -> Applied:
        """Outcome value: `{"started": [id, …], "refused": [{"id", "code", "message"}, …]}`."""
        started, refused = [], []
        for each in starts:
            told, news = self._start(each, time, position)
            changes += news
            if told.code:
                refused.append({"id": each.id, "code": told.code, "message": told.message})
            else:
                started.append(each.id)
        return Told(value={"started": started, "refused": refused}), changes

    def _start(self, command: Start, time: float, position: Position) -> Applied:
        held = self.rows.get(command.id)
        if held is not None:
            if held.playbook != command.playbook:
                message = f"execution {command.id} is one of playbook {held.playbook}"
                return Told(code="execution_exists", message=message), []
            return Told(value={"id": held.id, "status": str(held.status)}), []
        playbook = self.playbooks.get(command.playbook)
        if playbook is None:
            return Told(code="playbook_unknown", message=f"playbook {command.playbook} is not there"), []
        version = command.version or playbook.newest.version
        if self.playbooks.text(command.playbook, version) is None:
            message = f"playbook {command.playbook} has no version {version}; its newest is {playbook.newest.version}"
            return Told(code="playbook_unknown", message=message), []
        mates = [self.rows[each] for each in self._open.get(command.playbook, ())]
        recent = self.recent.get(command.playbook, starting.Recent())
        verdict = starting.judge(command, mates, recent, opened=len(self.rows) - len(self._ended))
        if isinstance(verdict, Told):
            return verdict, []
        changes = [change for each in verdict.replaced for change in self._store(starting.replaced(self.rows[each]))]
        row = starting.made(command, version, verdict.status, time=time, position=position)
        if verdict.recent is not None:
            others = {name: each for name, each in self.recent.items() if self.playbooks.get(name) is not None}
            self.recent = {**others, command.playbook: verdict.recent}
        changes += self._store(row)
        return Told(value={"id": row.id, "status": str(row.status)}), changes

    def _record(self, command: Record, time: float, position: Position) -> Applied:
        held = self.rows.get(command.id)
        if held is None:
            return Told(code="execution_unknown", message=f"execution {command.id} is not there"), []
        if held.revision != command.revision or not held.open:
            message = f"execution {command.id} is at revision {held.revision} and {held.status}"
            return Told(value={"revision": held.revision}, code="execution_changed", message=message), []
        steps = {**held.steps, **{step.path: step for step in command.steps}}
        if len(steps) > STEPS_KEPT_MAX:
            message = f"an execution has at most {STEPS_KEPT_MAX} steps"
            return Told(code="too_many_steps", message=message), []
        if command.status not in ENDED and self._weights.grown(held, command.steps) > ROW_BYTES_MAX:
            message = f"what an execution keeps of its steps and variables has at most {ROW_BYTES_MAX} bytes"
            return Told(code="execution_too_large", message=message), []
        changes: list[Change] = []
        for each in command.sets:
            body = msgspec.msgpack.encode(Set(name=each.name, value=each.value, if_revision=each.if_revision))
            told, news = self._variables.apply(Set.kind, body, time=time, position=position)
            if told.code and each.path in steps:
                steps[each.path] = _refused(steps[each.path], told.code, told.message, command.at)
            changes += [Change(*change) for change in news]
        changes += self.journal.add(command.journal, time=time, position=position)
        for start in command.starts:
            told_start, started = self._start(start, time, position)
            changes += started
            if told_start.code and start.parent is not None and start.parent.path in steps:
                path = start.parent.path
                steps[path] = _refused(steps[path], told_start.code, told_start.message, command.at)
        for child in command.cancels:
            cancel = Control(id=child, action="cancel", comment=f"execution {command.id} went on", at=command.at)
            changes += self._control(cancel)[1]
        held = self.rows[command.id]  # one that it started may have taken its place
        if command.status in ENDED:
            changes += self._abandon(steps, command.id, command.at)
            steps = {
                path: given_up(step, command.at) if step.status in OPEN_STEP else step for path, step in steps.items()
            }
        row = msgspec.structs.replace(
            held,
            revision=held.revision + 1,
            steps=steps,
            variables={**held.variables, **command.variables},
            signals={name: value for name, value in held.signals.items() if name not in command.taken},
        )
        if command.status is not None:
            row = msgspec.structs.replace(row, status=command.status, code=command.code, error=command.error)
            if command.status in ENDED:
                row = msgspec.structs.replace(row, ended=command.at)
        changed = tuple(step for path, step in steps.items() if step is not held.steps.get(path))
        changes += self._store(row, changed)
        return Told(value={"revision": row.revision}), changes

    def _control(self, command: Control) -> Applied:
        held = self.rows.get(command.id)
        if held is None:
            return Told(code="execution_unknown", message=f"execution {command.id} is not there"), []
        if command.action == "retry" and self.playbooks.text(held.playbook, held.version) is None:
            message = f"version {held.version} of playbook {held.playbook} is not kept any more; run it anew"
            return Told(code="playbook_unknown", message=message), []
        told, row = controlled(held, command)
        if row is None:
            return told, []
        gone = [] if row.open else self._abandon(held.steps, row.id, command.at)
        return told, gone + self._store(row)

    def _abandon(self, steps: Mapping[str, StepRow], execution_id: str, at: float) -> list[Change]:
        """Cancel the executions that open steps of one that ends wait for."""
        waits = {path for path, step in steps.items() if step.type == "execute_scenario" and step.status in OPEN_STEP}
        if not waits:
            return []
        children = [
            row.id
            for row in self.rows.values()
            if row.open and row.parent is not None and row.parent.execution == execution_id and row.parent.path in waits
        ]
        reason = f"execution {execution_id} has ended"
        cancels = [Control(id=each, action="cancel", comment=reason, at=at) for each in children]
        return [change for cancel in cancels for change in self._control(cancel)[1]]

    # ── Rows ────────────────────────────────

    def _store(self, row: ExecutionRow, steps: tuple[StepRow, ...] = ()) -> list[Change]:
        """Keep the row; what its end makes room for begins. The changes that this makes."""
        before = self.rows.get(row.id)
        row = msgspec.structs.replace(row, changed=self._place)
        self.rows = {**self.rows, row.id: row}
        self._weights.put(before, row, steps)
        changes = [Change("execution.changed", row.id, told_of(row, steps))]
        mates = self._open.setdefault(row.playbook, {})
        if row.open:
            mates[row.id] = None
            self._ended.pop(row.id, None)
            return changes
        mates.pop(row.id, None)
        if before is None or before.open:
            self._ended[row.id] = None
            changes += self._promote(row)
            if not mates:
                self._open.pop(row.playbook, None)
            self.playbooks.released(row.playbook, self._in_use(row.playbook))
            changes += self._forget_oldest()
        return changes

    def _promote(self, ended: ExecutionRow) -> list[Change]:
        mates = [self.rows[each] for each in self._open.get(ended.playbook, ())]
        return [change for row in starting.promoted(mates, at=ended.ended or 0.0) for change in self._store(row)]

    def _forget_oldest(self) -> list[Change]:
        forgotten = []
        # The newest stays, however large it is: somebody may wait for it.
        while len(self._ended) > 1 and (len(self._ended) > ENDED_KEPT_MAX or self._weights.ended > ENDED_BYTES_MAX):
            # A parent that still runs has to see how its child ended.
            gone = next((each for each in self._ended if not self._awaited(self.rows[each])), next(iter(self._ended)))
            del self._ended[gone]
            self._weights.remove(gone)
            rows = dict(self.rows)  # a copy without looking at each: this is done at every end, on every node
            del rows[gone]
            self.rows = rows
            forgotten.append(Change("execution.forgotten", gone, {}))
        return forgotten

    def _awaited(self, row: ExecutionRow) -> bool:
        parent = None if row.parent is None else self.rows.get(row.parent.execution)
        return parent is not None and parent.open

    def _in_use(self, playbook: str) -> set[int]:
        return {self.rows[each].version for each in self._open.get(playbook, ())}


def _marked(held: Mapping[str, str], news: Mapping[str, str]) -> dict[str, str]:
    """Where there is no room for all, those that are held stay: one that was forgotten would set its trigger off again.

    By the commands alone, not by the order in which a node holds them.
    """
    marks = {key: text for key, text in held.items() if news.get(key, text)}
    for key, text in news.items():
        if text and (key in marks or len(marks) < MARKS_MAX):
            marks[key] = text
    return marks


def _refused(step: StepRow, code: str, message: str, at: float) -> StepRow:
    return msgspec.structs.replace(step, status=StepStatus.FAILED, code=code, error=message, ended=at)
