"""The event protocol: what travels in the body of `POST /event`, between components and the orchestrator alike.

An event says what happened (`component.state_changed`) or asks for something (`component.command`). What orders reports
of a component is its `sequence`, never `time`: clocks of two hosts differ. `idempotency_key` makes a repeat answer what
the first one did. `epoch` (`"term.index"`) is the leadership under which a command was sent: the receiver refuses an
older one than it has seen. `traceparent` (W3C) is the span that caused the event.

Types below `component.`, `orchestrator.` and `playbook.` are the product's own; any other is the application's.
"""

import json
import math
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)

from orchestrator.errors import EventInvalid, EventUnknown
from orchestrator.ids import new_id
from orchestrator.lifecycle import Command, State, parse_any_command
from orchestrator.looks import in_words

P = TypeVar("P", bound=BaseModel)

EVENT_BYTES_MAX = 256 * 1024
REASON_CHARS_MAX = 500
SEQUENCE_MAX = 2**63 - 1
"""What MessagePack carries on every platform."""
FIELDS_AT_FAULT_MAX = 20
"""A body may hold ten thousand mistakes; the answer names the first few."""

METRICS_MAX = 50
"""Figures in one heartbeat."""
METADATA_BYTES_MAX = 16 * 1024
"""Of an error's metadata, as JSON."""

COMMAND = "component.command"
HEARTBEAT = "component.heartbeat"
STATE_CHANGED = "component.state_changed"
ERROR = "component.error"
REPORTS = (ERROR, HEARTBEAT, STATE_CHANGED)
"""What components tell the orchestrator, beside events of the applications' own types."""
RESERVED = ("component", "orchestrator", "playbook")
"""Namespaces of the product's own types."""

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
EventType = Annotated[str, Field(max_length=100, pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Sequence = Annotated[int, Field(ge=0, le=SEQUENCE_MAX)]
MetricName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")]
EpochText = Annotated[str, Field(max_length=42, pattern=r"^[0-9]{1,20}\.[0-9]{1,20}$")]


def _traceparent(value: str) -> str:
    version, trace, span, _ = value.split("-")
    if version == "ff" or not trace.strip("0") or not span.strip("0"):
        raise ValueError("a traceparent has a version other than ff, and a trace and a span that are not all zeros")
    return value


TraceParent = Annotated[
    str, Field(pattern=r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$"), AfterValidator(_traceparent)
]
"""https://www.w3.org/TR/trace-context/#traceparent-header"""


def _command(value: object) -> Command | str:
    if not isinstance(value, str):
        raise ValueError("a command is a text such as CMD_START")  # noqa: TRY004 - pydantic takes only this one
    return parse_any_command(value)


CommandName = Annotated[
    Command | str,
    PlainValidator(_command),
    WithJsonSchema({"type": "string", "examples": [*Command, "RECALIBRATE"], "pattern": "^[A-Z][A-Z0-9_]{0,63}$"}),
]
"""A lifecycle command (or its alias), or a command of the component's own."""


class Frozen(BaseModel):
    """Unknown members are refused, so that a misspelt one cannot pass for an absent one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _new_id() -> str:
    return new_id()


def _now() -> datetime:
    return datetime.now(UTC)


class Event(Frozen):
    """One event. `source` is the id of the sender, `target` that of the receiver when it is meant for one."""

    id: Key = Field(default_factory=_new_id)
    type: EventType
    source: Id
    target: Id | None = None
    time: AwareDatetime = Field(default_factory=_now)
    payload: dict[str, Any] = Field(default_factory=dict)
    idempotency_key: Key | None = None
    epoch: EpochText | None = None
    traceparent: TraceParent | None = None


class CommandPayload(Frozen):
    """Of `component.command`: a lifecycle command (or its alias), or one of the component's own with its `params`."""

    command: CommandName
    params: dict[str, Any] = Field(default_factory=dict)


class StateReport(Frozen):
    """What a component says of its state. `sequence` grows with each change within one `incarnation` (one process).

    A component that keeps neither sends an empty `incarnation` and no `sequence`: its reports count as they come.
    """

    state: State
    reason: Annotated[str, Field(max_length=REASON_CHARS_MAX)] = ""
    incarnation: Annotated[str, Field(max_length=64)] = ""
    sequence: Sequence | None = None


class StateChangedPayload(StateReport):
    """Of `component.state_changed`."""

    previous: State | None = None


HealthWord = Literal["OK", "DEGRADED"]
"""What a component says of itself. UNRESPONSIVE is the leader's verdict, FAULT a state of the lifecycle."""


class HeartbeatPayload(StateReport):
    """Of `component.heartbeat`: `cpu` is the share of one core (may exceed 1), `memory` the resident size in bytes.

    `health` is what the component finds of itself while it works; `metrics` are figures of its own, each finite.
    """

    cpu: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    memory: Annotated[int, Field(ge=0, le=SEQUENCE_MAX)] = 0
    health: HealthWord = "OK"
    health_reason: Annotated[str, Field(max_length=REASON_CHARS_MAX)] = ""
    metrics: Annotated[
        dict[MetricName, Annotated[float, Field(allow_inf_nan=False)]], Field(max_length=METRICS_MAX)
    ] = Field(default_factory=dict)


def _metadata(value: dict[str, Any]) -> dict[str, Any]:
    if len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace")) > METADATA_BYTES_MAX:
        raise ValueError(f"metadata has at most {METADATA_BYTES_MAX} bytes as JSON")
    return value


class ErrorPayload(Frozen):
    """Of `component.error`: something went wrong that an operator or a playbook should know.

    It changes no state: a component that cannot go on reports FAULT. `can_recover`: it will go on by itself.
    """

    severity: Literal["info", "warning", "error", "critical"]
    error_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$")]
    message: Annotated[str, Field(max_length=2_000)] = ""
    can_recover: bool = True
    metadata: Annotated[dict[str, Any], AfterValidator(_metadata)] = Field(default_factory=dict)


class CommandAnswer(Frozen):
    """What a component answers to a command.

    `completed` is false when the work goes on after the answer (`state` is then a passage such as INITIALIZING).
    `code` is empty for success, else `command_refused`, `command_failed` or `command_interrupted` (begun before the
    process was started again, and not known to be finished), with the reason in `message`. `result` is what a
    command of the component's own gave. Members that are unknown here are ignored: what a newer component adds must
    not turn its answer into an unknown outcome.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    component_id: Id
    command: CommandName
    key: Key
    state: State
    completed: bool
    incarnation: Annotated[str, Field(max_length=64)] = ""
    sequence: Sequence | None = None
    code: Literal["", "command_refused", "command_failed", "command_interrupted"] = ""
    message: Annotated[str, Field(max_length=2 * REASON_CHARS_MAX)] = ""
    repeated: bool = False
    result: dict[str, Any] = Field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.code


def is_reserved(event_type: str) -> bool:
    """Whether a type is the product's own."""
    return event_type.partition(".")[0] in RESERVED


def check_known(event_type: str, known: Iterable[str], *, taker: str) -> None:
    """Raises `EventUnknown` for a type of the product's namespaces that `taker` does not take; it lists those."""
    taken = sorted(known)
    if is_reserved(event_type) and event_type not in taken:
        spaces = ", ".join(f"{name}." for name in RESERVED)
        raise EventUnknown(
            f"{taker} takes no events of type {event_type}; below {spaces} it takes: {', '.join(taken) or 'none'}"
        )


def fields_at_fault(error: ValidationError) -> list[dict[str, str]]:
    """`[{"field": "payload.command", "message": …}]`, the first few, without the values that were sent."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:FIELDS_AT_FAULT_MAX]:
        # The name of a member that is too many is the sender's, of any length.
        field = ".".join(str(part)[:100] for part in problem["loc"]) or "body"
        problems.append({"field": field, "message": in_words(problem["msg"].removeprefix("Value error, "))})
    return problems


def parse_event(body: bytes) -> Event:
    """The event in a request body. Raises `EventInvalid` that names each field at fault."""
    try:
        event = Event.model_validate_json(body)
    except ValidationError as error:
        raise invalid_event(error) from None
    if field := _not_finite(event.payload):
        message = "a number must be finite: JSON has neither NaN nor Infinity, and 1e999 is too large"
        raise EventInvalid(f"{field}: {message}", errors=[{"field": field, "message": message}])
    return event


class _Place(NamedTuple):
    """Where in a payload: names are joined only when one is to be said, a payload has many and of any length."""

    parent: "_Place | None"
    name: str | int

    def path(self) -> str:
        names: list[str] = []
        place: _Place | None = self
        while place is not None:
            names.append(str(place.name)[:100])
            place = place.parent
        return ".".join(reversed(names))


def _not_finite(payload: dict[str, Any]) -> str:
    """Where a number stands that JSON does not have and the parser takes all the same; "" without one."""
    waiting: list[tuple[_Place, dict[str, Any] | list[Any]]] = [(_Place(None, "payload"), payload)]
    while waiting:
        parent, holder = waiting.pop()
        for name, value in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(value, float):
                if not math.isfinite(value):
                    return _Place(parent, name).path()
            elif isinstance(value, dict | list) and value:
                waiting.append((_Place(parent, name), value))
    return ""


def parse_payload(event: Event, model: type[P]) -> P:
    """The payload of `event` as `model`. Raises `EventInvalid`; the fields' names start with `payload.`."""
    try:
        return model.model_validate(event.payload)
    except ValidationError as error:
        raise invalid_event(error, prefix="payload") from None


def invalid_event(error: ValidationError, *, prefix: str = "") -> EventInvalid:
    problems = [
        {**problem, "field": f"{prefix}.{problem['field']}" if prefix else problem["field"]}
        for problem in fields_at_fault(error)
    ]
    first = problems[0]
    return EventInvalid(f"{first['field']}: {first['message']}", errors=problems)
