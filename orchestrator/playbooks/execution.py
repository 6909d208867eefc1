"""An execution as every node knows it, and the commands that change it. Pure data.

Times are seconds of the *plant clock* (`orchestrator.playbooks.clock`): it goes with the leader's monotonic clock and
is carried on by the next leader from what is replicated, so a deadline means the same under every leader. For display
each execution says at which unix time its plant time 0 was (`epoch_unix`).

JSON that the replicated state only keeps (inputs, outcomes, variables) stays the text it came as: what a number means
must not depend on the node that applies it.

    QUEUED ─▶ RUNNING ─▶ SUCCEEDED | FAILED | TIMED_OUT | CANCELLED
                 ▲ ▼
               PAUSED            a FAILED, TIMED_OUT or CANCELLED one goes on by `retry`

A step is named by its *path*: `actions/2/on_failure/0`; a target of one `actions/1/@io`; an item `actions/3/#0/1`; a
branch `actions/4/left/0`; the second attempt of a step that holds others `actions/5/~2/0`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar

import msgspec

STEPS_KEPT_MAX = 5_000
"""Step rows of one execution."""
VALUE_BYTES_MAX = 16 * 1024
"""Of the JSON text of an outcome or a variable."""
TRIGGER_BYTES_MAX = 64 * 1024
ENDED_KEPT_MAX = 1_000
"""Executions that have ended and are still shown; the oldest is forgotten first."""
OPEN_MAX = 10_000
NESTED_MAX = 8
"""How deep executions may start one another."""

Position = tuple[int, int]


class Status(StrEnum):
    """Of an execution."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    CANCELLED = "CANCELLED"


ENDED = frozenset({Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.CANCELLED})


class StepStatus(StrEnum):
    """RUNNING: its effect is under way, or it waits for something. RETRYING: for `next`, after `error`."""

    RUNNING = "RUNNING"
    RETRYING = "RETRYING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


OPEN_STEP = frozenset({StepStatus.RUNNING, StepStatus.RETRYING})
EFFECTS = frozenset({"send_command", "http_request", "send_notification"})
"""Types of steps that do something outside the replicated state."""


class StepRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step. `data` is its resolved intent, `value` its outcome, both JSON text.

    `attempt` counts from 1. `key` is the number in its idempotency key: it grows only when the attempt before ended for
    certain, so an outcome that is unknown (`again`) is asked for again under the same key. `sends` counts how often the
    effect of this key was begun, or how many rounds of a `repeat` have ended. `tolerated`: it failed, and its list went
    on. `code` is empty unless it failed: the error's stable code.
    """

    path: str
    type: str
    status: StepStatus
    id: str = ""
    attempt: int = 1
    key: int = 1
    sends: int = 0
    again: bool = False
    tolerated: bool = False
    started: float = 0.0
    deadline: float | None = None
    next: float | None = None
    ended: float | None = None
    code: str = ""
    error: str = ""
    data: str = ""
    value: str = ""


def unsettled(step: StepRow) -> bool:
    """Whether the effect of an open step may have happened, or may happen still, under the key that it has."""
    running = step.status == StepStatus.RUNNING or step.again or step.code == "outcome_unknown"
    return step.type in EFFECTS and running


def given_up(step: StepRow, at: float) -> StepRow:
    """An open step that is not brought to its end. A key whose outcome is not known is not used up."""
    return msgspec.structs.replace(step, status=StepStatus.CANCELLED, ended=at, next=None, again=unsettled(step))


class Parent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The step that started an execution, and how many executions stand above it."""

    execution: str
    path: str
    depth: int


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    path: str
    approved: bool
    who: str = ""
    comment: str = ""


class ExecutionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one version of a playbook. `revision` grows with each change: what is decided is decided on it.

    `spent`: by path, the key number up to which a step's keys were used up by runs that `retry` has taken back.
    `keep_until` is set when it ended: a parent still has to see it.
    """

    id: str
    playbook: str
    version: int
    status: Status
    revision: int = 1
    priority: int = 5
    trigger: str = "{}"
    inputs: str = "{}"
    variables: Mapping[str, str] = {}
    steps: Mapping[str, StepRow] = {}
    signals: Mapping[str, str] = {}
    approvals: Mapping[str, Approval] = {}
    spent: Mapping[str, int] = {}
    parent: Parent | None = None
    traceparent: str = ""
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    deadline: float | None = None
    timeout: float = 0.0
    paused_at: float | None = None
    cancel: str = ""
    code: str = ""
    error: str = ""
    who: str = ""
    generation: int = 1
    limit: int = 0
    epoch_unix: float = 0.0
    position: Position = (0, 0)
    changed: int = 0
    """where in the log it changed last: who follows it goes on from there"""

    @property
    def open(self) -> bool:
        return self.status not in ENDED


# ── Commands ────────────────────────────────


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the playbook allows. They travel with the start, so that applying it needs no playbook. Lengths in seconds.

    A `limit` of 0 bounds nothing. `throttle_*`, `cooldown` and `dedup_*` hold for starts by triggers only.
    """

    limit: int = 0
    policy: str = "queue"
    queued_max: int = 100
    throttle_count: int = 0
    throttle_per: float = 0.0
    cooldown: float = 0.0
    dedup_key: str = ""
    dedup_window: float = 0.0


class Start(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Starts an execution, or says why not. The same `id` again answers what became of the first.

    Outcome value: `{"id", "status"}`. Refusals: `playbook_unknown`, `execution_exists` (other playbook),
    `executions_full`; not started by a limit: `execution_skipped`, with the reason.
    """

    kind: ClassVar[str] = "execution.start"
    id: str
    playbook: str
    version: int = 0
    """0: the newest"""
    priority: int = 5
    trigger: str = "{}"
    inputs: str = "{}"
    variables: Mapping[str, str] = {}
    timeout: float = 3600.0
    parent: Parent | None = None
    traceparent: str = ""
    limits: Limits = Limits()
    manual: bool = True
    who: str = ""
    at: float = 0.0
    """plant time"""


class VariableSet(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A variable of the cluster that the step at `path` sets with its record; refused, that step has failed."""

    path: str
    name: str
    value: str
    if_revision: int | None = None


class JournalEntry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A line of the plant's event journal. `data` is JSON text."""

    type: str
    source: str
    level: str = "info"
    message: str = ""
    data: str = "{}"
    execution: str = ""
    at: float = 0.0


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the leader decided on one revision of an execution; all of it holds, or nothing.

    Steps replace those of the same path. `starts` begin with it, as do `sets`, `cancels` (executions) and `journal`: an
    effect inside the replicated state happens with its record, exactly once; where one is refused, the step that it
    belongs to has failed. `taken`: signals that steps have used up. Refusals: `execution_unknown`, `execution_changed`
    (another revision), `too_many_steps`.
    """

    kind: ClassVar[str] = "execution.record"
    id: str
    revision: int
    at: float
    steps: tuple[StepRow, ...] = ()
    variables: Mapping[str, str] = {}
    status: Status | None = None
    code: str = ""
    error: str = ""
    starts: tuple[Start, ...] = ()
    sets: tuple[VariableSet, ...] = ()
    cancels: tuple[str, ...] = ()
    taken: tuple[str, ...] = ()
    journal: tuple[JournalEntry, ...] = ()


class Control(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person does to an execution: `pause resume cancel retry signal approve reject`.

    `path`: of the step to approve, or from which to retry (empty: from the first that failed). `name` and `value`: of a
    signal. Refusals: `execution_unknown`, `execution_ended`, `execution_not_ended`, `execution_not_paused`,
    `execution_paused`, `step_unknown`, `step_not_waiting`.
    """

    kind: ClassVar[str] = "execution.control"
    id: str
    action: str
    path: str = ""
    name: str = ""
    value: str = "null"
    who: str = ""
    comment: str = ""
    at: float = 0.0


ExecutionCommand = Start | Record | Control
KINDS: Mapping[str, type[ExecutionCommand]] = {command.kind: command for command in (Start, Record, Control)}


# ── Playbooks ────────────────────────────────


class PlaybookPut(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new version of a playbook, as its YAML text. `if_version`: only while the newest is that one, 0: while none is.

    The same text again makes no new version. Outcome value: `{"name", "version", "created"}`.
    """

    kind: ClassVar[str] = "playbook.put"
    name: str
    text: str
    if_version: int | None = None
    who: str = ""


class PlaybookDelete(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Executions that run go on under the version that they have."""

    kind: ClassVar[str] = "playbook.delete"
    name: str
    if_version: int | None = None


# ── The plant's event journal, and triggers ────────────────────────────────


class EventAccepted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An event from outside that was accepted, with what it starts: one command, so that neither is lost alone.

    A repeat (same command id, made from the event's id) answers what the first one did.
    """

    kind: ClassVar[str] = "event.accepted"
    entry: JournalEntry
    starts: tuple[Start, ...] = ()


class TriggersSeen(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the leader's triggers have seen, with what that starts.

    `index`: all changes of the replicated state up to this place in the log were looked at. `marks`: by trigger
    (`playbook/number/subject`), what it has to remember: JSON text; an empty text forgets.
    """

    kind: ClassVar[str] = "triggers.seen"
    index: int
    at: float
    marks: Mapping[str, str] = {}
    starts: tuple[Start, ...] = ()
    journal: tuple[JournalEntry, ...] = ()
