"""The actions of a playbook, checked member by member. Pure. What expressions see: `orchestrator.playbooks.models`."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from orchestrator.lifecycle import State
from orchestrator.playbooks.fields import (
    APPROVE_TIMEOUT_S,
    DEFAULT_TIMEOUT_S,
    ITEMS_MAX,
    TARGET_STATES,
    Duration,
    Expression,
    Name,
    Severity,
    Short,
    Strict,
    Text,
)


class Retry(Strict):
    """`attempts` in all; the n-th wait is `delay * factor ** (n - 1)`, at most `max_delay`."""

    attempts: int = Field(default=3, ge=1, le=100)
    delay: Duration = 1.0
    factor: float = Field(default=2.0, ge=1.0, le=10.0)
    max_delay: Duration = 60.0

    def wait_s(self, failed: int) -> float:
        """Seconds to wait after the attempt `failed` (1, 2, …) has failed."""
        return float(min(self.max_delay, self.delay * self.factor ** min(failed - 1, 64)))


class Step(Strict):
    """What every action may say beside its own members.

    `timeout` bounds one attempt; its end is fixed when the attempt begins and holds through a takeover. A step that
    fails for good runs `on_failure`, or `on_timeout` when it ran out of time and has one; then its list of actions
    stops and fails, unless `after_failure` is `continue`. `register` keeps the outcome as a variable.
    """

    container: ClassVar[bool] = False

    id: Name | None = None
    description: str = Field(default="", max_length=500)
    when: Expression | None = None
    timeout: Duration | None = None
    retry: Retry | None = None
    on_failure: tuple["Action", ...] = ()
    on_timeout: tuple["Action", ...] = ()
    after_failure: Literal["stop", "continue"] = "stop"
    register_as: Name | None = Field(default=None, alias="register")

    @property
    def timeout_s(self) -> float | None:
        """Seconds that one attempt may take; None: only the execution's own end bounds it."""
        return self.timeout if self.timeout is not None or self.container else DEFAULT_TIMEOUT_S


class Selecting(Step):
    """Exactly one of `component`, `components`, `group`, `groups`, `target: "@all"`."""

    component: Short | None = None
    components: tuple[Short, ...] | Short | None = None
    group: Short | None = None
    groups: tuple[Short, ...] | None = None
    target: Short | None = None
    on_empty: Literal["fail", "skip"] = "fail"

    @model_validator(mode="after")
    def _one_selector(self) -> Self:
        fault = selector_fault({name: getattr(self, name) for name in SELECTORS})
        if fault:
            raise ValueError(fault)
        return self

    @property
    def selector(self) -> dict[str, Any]:
        """The one member that selects, for example `{"group": "cameras"}`; a template is not rendered yet."""
        return {name: getattr(self, name) for name in SELECTORS if getattr(self, name) is not None}


SELECTORS = ("component", "components", "group", "groups", "target")


def selector_fault(members: Mapping[str, Any]) -> str:
    """What is wrong with the selectors among the members of a step; empty when nothing is."""
    given = [name for name in SELECTORS if members.get(name) is not None]
    if len(given) != 1:
        return f"exactly one of {', '.join(SELECTORS)} is needed, found {' and '.join(given) or 'none'}"
    target = members.get("target")
    if isinstance(target, str) and "{{" not in target and target != "@all":
        return f'target: only "@all" is known, not {target!r}; a component goes into `component`'
    return ""


class LogEvent(Step):
    """Writes to the plant's event journal."""

    type: Literal["log_event"]
    message: Text
    level: Severity = "info"
    data: dict[str, Any] = Field(default_factory=dict)


class SendCommand(Selecting):
    """Sends a command to each component selected, side by side, once under one key each.

    Done when each has taken it up; with `wait: true` when each has finished it.
    """

    type: Literal["send_command"]
    command: Short
    params: dict[str, Any] = Field(default_factory=dict)
    wait: bool = False


class WaitForState(Selecting):
    """Waits until all (or any) of the components selected are in one of the states.

    One that enters a state of `fail_on` ends the wait at once: FAULT, unless that is what is waited for.
    """

    type: Literal["wait_for_state"]
    target_state: tuple[Short, ...] | Short
    match: Literal["all", "any"] = "all"
    fail_on: tuple[State, ...] | None = None

    @field_validator("target_state")
    @classmethod
    def _known_states(cls, value: tuple[str, ...] | str) -> tuple[str, ...] | str:
        for state in (value,) if isinstance(value, str) else value:
            if "{{" not in state and state not in set(State):
                raise ValueError(f"{state!r} is not a state; known: {', '.join(State)}")
        return value


class SetGroupState(Selecting):
    """Leads each component selected to the state by the commands of its lifecycle, in the order of dependencies.

    Upwards what others depend on goes first, downwards last; independent ones move side by side.
    """

    type: Literal["set_group_state"]
    target_state: Short

    @field_validator("target_state")
    @classmethod
    def _reachable(cls, value: str) -> str:
        if "{{" not in value and value not in TARGET_STATES:
            raise ValueError(f"{value!r} cannot be aimed at; known: {', '.join(TARGET_STATES)}")
        return value


class ExecuteScenario(Step):
    """Runs another playbook, and waits for its end unless `wait` is false."""

    type: Literal["execute_scenario"]
    name: Short
    inputs: dict[str, Any] = Field(default_factory=dict)
    wait: bool = True

    container: ClassVar[bool] = True


class SendNotification(Step):
    """Tells people by a channel of the settings (`notifications.channels`)."""

    type: Literal["send_notification"]
    channel: Short = "default"
    message: Text
    severity: Severity = "info"
    data: dict[str, Any] = Field(default_factory=dict)


class HttpRequest(Step):
    """Sends an HTTP request, with the step's key as `Idempotency-Key`. Its value: `status`, `headers`, `body`.

    The same key goes with each repeat of one attempt. `safe: false` says that the receiver knows no keys: then an
    unknown outcome is not repeated but fails the step as `outcome_unknown`.
    """

    type: Literal["http_request"]
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    url: Text
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    expect: tuple[int, ...] = Field(default=(200, 201, 202, 204), min_length=1)
    safe: bool = True


class Delay(Step):
    """Lets time pass."""

    type: Literal["delay"]
    duration: Duration

    container: ClassVar[bool] = True


class Approve(Step):
    """Waits until a person approves; a rejection fails the step."""

    type: Literal["approve"]
    message: Text

    @property
    def timeout_s(self) -> float | None:
        return self.timeout if self.timeout is not None else APPROVE_TIMEOUT_S


class WaitForSignal(Step):
    """Waits until a signal of this name was sent to the execution; its value is what came with it."""

    type: Literal["wait_for_signal"]
    signal: Name


class SetVariable(Step):
    """Sets a variable of this execution (`vars`), or of the whole cluster (`plant`).

    `if_revision` (cluster only): set only while the variable has that revision, 0 while it does not exist; else the
    step fails as `precondition_failed`.
    """

    type: Literal["set_variable"]
    name: Short
    value: Any
    scope: Literal["execution", "plant"] = "execution"
    if_revision: int | Text | None = None


class Fail(Step):
    """Fails, with a message."""

    type: Literal["fail"]
    message: Text


class Block(Step):
    """Actions one after another, as one step."""

    type: Literal["block"]
    actions: tuple["Action", ...] = Field(min_length=1)

    container: ClassVar[bool] = True


class Parallel(Step):
    """Branches side by side, at most `limit` at a time. A failed branch lets the others end, and fails the step."""

    type: Literal["parallel"]
    branches: dict[Name, tuple["Action", ...]] = Field(min_length=1, max_length=100)
    limit: int | None = Field(default=None, ge=1, le=100)

    container: ClassVar[bool] = True


class ForEach(Step):
    """The actions once an item; `item` and `index` (from 0) are seen in them. `parallel` items at a time."""

    type: Literal["for_each"]
    items: Text | list[Any]
    actions: tuple["Action", ...] = Field(min_length=1)
    parallel: int = Field(default=1, ge=1, le=100)

    container: ClassVar[bool] = True


class Repeat(Step):
    """The actions again and again, until the expression holds after a round. It fails after `limit` rounds."""

    type: Literal["repeat"]
    until: Expression
    limit: int = Field(ge=1, le=ITEMS_MAX)
    delay: Duration | None = None
    actions: tuple["Action", ...] = Field(min_length=1)

    container: ClassVar[bool] = True


Action = Annotated[
    LogEvent
    | SendCommand
    | WaitForState
    | SetGroupState
    | ExecuteScenario
    | SendNotification
    | HttpRequest
    | Delay
    | Approve
    | WaitForSignal
    | SetVariable
    | Fail
    | Block
    | Parallel
    | ForEach
    | Repeat,
    Field(discriminator="type"),
]
