"""The event protocol: what travels in the body of `POST /event`, between components and the orchestrator alike.

An event says what happened (`component.state_changed`) or asks for something (`component.command`). `time` is
informational: clocks of two hosts are never compared. `idempotency_key` makes a repeat answer what the first one did.
`epoch` (`"term.index"`) is the leadership under which a command was sent: the receiver refuses an older one than it has
seen.
"""

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator

from orchestrator.errors import EventInvalid
from orchestrator.lifecycle import Command, State, parse_command

P = TypeVar("P", bound=BaseModel)

EVENT_BYTES_MAX = 256 * 1024
REASON_CHARS_MAX = 500
SEQUENCE_MAX = 2**63 - 1
"""What MessagePack carries on every platform."""
FIELDS_AT_FAULT_MAX = 20
"""A body may hold ten thousand mistakes; the answer names the first few."""

COMMAND = "component.command"
HEARTBEAT = "component.heartbeat"
STATE_CHANGED = "component.state_changed"

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
EventType = Annotated[str, Field(max_length=100, pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$")]
Key = Annotated[str, Field(min_length=1, max_length=200)]
Sequence = Annotated[int, Field(ge=0, le=SEQUENCE_MAX)]
EpochText = Annotated[str, Field(max_length=42, pattern=r"^[0-9]{1,20}\.[0-9]{1,20}$")]


class Frozen(BaseModel):
    """Unknown members are refused, so that a misspelt one cannot pass for an absent one."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def _new_id() -> str:
    return uuid.uuid4().hex


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


class CommandPayload(Frozen):
    """Of `component.command`: a lifecycle command, or its alias."""

    command: Command

    @field_validator("command", mode="before")
    @classmethod
    def _alias(cls, value: object) -> object:
        return parse_command(value) if isinstance(value, str) else value


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


class HeartbeatPayload(StateReport):
    """Of `component.heartbeat`: `cpu` is the share of one core (may exceed 1), `memory` the resident size in bytes."""

    cpu: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0
    memory: Annotated[int, Field(ge=0)] = 0


class CommandAnswer(Frozen):
    """What a component answers to a command.

    `completed` is false when the work goes on after the answer (`state` is then a passage such as INITIALIZING).
    `code` is empty for success, else `command_refused` or `command_failed`, with the reason in `message`. Members that
    are unknown here are ignored: what a newer component adds must not turn its answer into an unknown outcome.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    component_id: Id
    command: Command
    key: Key
    state: State
    completed: bool
    incarnation: Annotated[str, Field(max_length=64)] = ""
    sequence: Sequence | None = None
    code: Literal["", "command_refused", "command_failed"] = ""
    message: Annotated[str, Field(max_length=2 * REASON_CHARS_MAX)] = ""
    repeated: bool = False

    @property
    def ok(self) -> bool:
        return not self.code


def fields_at_fault(error: ValidationError) -> list[dict[str, str]]:
    """`[{"field": "payload.command", "message": …}]`, the first few, without the values that were sent."""
    problems = []
    for problem in error.errors(include_url=False, include_input=False, include_context=False)[:FIELDS_AT_FAULT_MAX]:
        # The name of a member that is too many is the sender's, of any length.
        field = ".".join(str(part)[:100] for part in problem["loc"]) or "body"
        problems.append({"field": field, "message": problem["msg"].removeprefix("Value error, ")})
    return problems


def parse_event(body: bytes) -> Event:
    """The event in a request body. Raises `EventInvalid` that names each field at fault."""
    try:
        return Event.model_validate_json(body)
    except ValidationError as error:
        raise invalid_event(error) from None


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
