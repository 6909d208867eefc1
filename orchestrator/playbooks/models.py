"""A playbook as its YAML says it, checked member by member. Pure.

A *template* is text with `{{ expression }}` in it; text that is one expression alone keeps the expression's type.
Fields that name a thing (a component, a state, a command) may be templates; what they give is checked when the step
begins. A `when`, `until`, `condition`, `always` or `never` is one bare expression, with or without the braces.

What an expression sees: `trigger`, `inputs`, `vars`, `steps` (by `id`: `status`, `value`, `error`), `item` and
`index` (in `for_each`), `error` (in `on_failure` and `on_timeout`: `step`, `code`, `message`), `execution` (`id`,
`playbook`, `version`), `components` (by id: `state`, `online`, `health`, `maintenance`, `groups`, `metrics`,
`depends_on`, `dependents`), `plant` (the variables of the cluster). An invariant sees `execution.status` too.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from orchestrator.playbooks.actions import Action
from orchestrator.playbooks.fields import (
    EXECUTION_TIMEOUT_S,
    PLAYBOOK_PATTERN,
    STEPS_MAX,
    Duration,
    Expression,
    Name,
    Short,
    Strict,
    Text,
)
from orchestrator.playbooks.triggers import Trigger


class Concurrency(Strict):
    """At most `limit` executions at once; one more waits (`queue`, at most `queued_max`), is not started (`skip`), or
    takes the oldest one's place (`replace`: that one is cancelled).
    """

    limit: int = Field(default=1, ge=1, le=1_000)
    policy: Literal["queue", "skip", "replace"] = "queue"
    queued_max: int = Field(default=100, ge=0, le=10_000)


class Throttle(Strict):
    """At most `count` starts by triggers in `per`; more are not started."""

    count: int = Field(ge=1, le=1_000)
    per: Duration


class Deduplicate(Strict):
    """A trigger whose key (a template) started an execution within `window` starts none."""

    key: Text
    window: Duration


class Input(Strict):
    """What an execution may be given. One that is not given is its default, or null; `required` refuses that."""

    type: Literal["string", "number", "boolean", "list", "object", "any"] = "any"
    default: Any = None
    required: bool = False
    description: str = Field(default="", max_length=500)


class Invariant(Strict):
    """What must hold, or must never hold, while the playbook runs. The checker tries to break it."""

    name: Short
    always: Expression | None = None
    never: Expression | None = None

    @model_validator(mode="after")
    def _one_sense(self) -> Self:
        if (self.always is None) == (self.never is None):
            raise ValueError("exactly one of always and never is needed")
        return self


def _as_list(value: object) -> object:
    return [value] if isinstance(value, dict) else value


class Playbook(Strict):
    """`on_failure` and `on_timeout` run when `actions` failed, `finally` at the end in any case, also when cancelled.

    `priority` 0–10: of those that wait, the greater starts first. `timeout` ends the whole execution.
    """

    name: Annotated[str, Field(pattern=PLAYBOOK_PATTERN)]
    description: str = Field(default="", max_length=2_000)
    priority: int = Field(default=5, ge=0, le=10)
    timeout: Duration = EXECUTION_TIMEOUT_S
    concurrency: Concurrency = Concurrency()
    throttle: Throttle | None = None
    cooldown: Duration | None = None
    deduplicate: Deduplicate | None = None
    inputs: dict[Name, Input] = Field(default_factory=dict, max_length=100)
    variables: dict[Name, Any] = Field(default_factory=dict, max_length=100)
    triggers: Annotated[tuple[Trigger, ...], BeforeValidator(_as_list)] = Field(
        default=(), alias="trigger", max_length=20
    )
    actions: tuple[Action, ...] = Field(min_length=1, max_length=STEPS_MAX)
    on_failure: tuple[Action, ...] = ()
    on_timeout: tuple[Action, ...] = ()
    finally_: tuple[Action, ...] = Field(default=(), alias="finally")
    invariants: tuple[Invariant, ...] = Field(default=(), max_length=50)
