"""What starts a playbook, checked member by member. Pure."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.playbooks.fields import PLAYBOOK_PATTERN, Duration, Expression, Short, Strict


class Manual(Strict):
    """A person or a program starts it."""

    type: Literal["manual"]


class EventReceived(Strict):
    """An event that the orchestrator accepted. `trigger`: `type source payload id time`."""

    type: Literal["event_received"]
    event: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?$", max_length=100)]
    source: Short | None = None
    condition: Expression | None = None


class ComponentState(Strict):
    """A component came into a state, or its presence or health did (OFFLINE, UNRESPONSIVE, DEGRADED).

    `trigger`: `source state previous reason`. `hold`: only when it lasted that long.
    """

    type: Literal["component_state"]
    component: Short | None = None
    group: Short | None = None
    state: tuple[Short, ...] | Short
    hold: Duration | None = None
    condition: Expression | None = None


class GroupState(Strict):
    """All (or any) components of a group came to be in a state; again only after that had ceased to hold."""

    type: Literal["group_state"]
    group: Short
    state: tuple[Short, ...] | Short
    match: Literal["all", "any"] = "all"
    hold: Duration | None = None


class MetricThreshold(Strict):
    """A metric went above (or below) a bound; again only after it was back beyond `reset`.

    `trigger`: `source metric value`.
    """

    type: Literal["metric"]
    metric: Short
    component: Short | None = None
    group: Short | None = None
    above: float | None = None
    below: float | None = None
    reset: float | None = None
    hold: Duration | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        if (self.above is None) == (self.below is None):
            raise ValueError("exactly one of above and below is needed")
        if self.reset is not None and self.above is not None and self.reset > self.above:
            raise ValueError(f"reset {self.reset:g} lies above {self.above:g}: it would never re-arm")
        if self.reset is not None and self.below is not None and self.reset < self.below:
            raise ValueError(f"reset {self.reset:g} lies below {self.below:g}: it would never re-arm")
        return self


class Schedule(Strict):
    """By a cron line (five fields, in `timezone`), or `every` so long. `missed`: runs that nobody could start in time.

    `skip` drops them, `once` makes one up, `all` makes up each, at most 100. `trigger`: `due` (RFC 3339) `missed`.
    """

    type: Literal["schedule"]
    cron: Short | None = None
    every: Duration | None = None
    timezone: Short = "UTC"
    missed: Literal["skip", "once", "all"] = "once"

    @model_validator(mode="after")
    def _one_rhythm(self) -> Self:
        if (self.cron is None) == (self.every is None):
            raise ValueError("exactly one of cron and every is needed")
        return self


class PlaybookEnded(Strict):
    """Another playbook's execution ended. `trigger`: `playbook execution status error`."""

    type: Literal["playbook_ended"]
    playbook: Annotated[str, Field(pattern=PLAYBOOK_PATTERN)]
    status: tuple[Literal["SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT"], ...] = ("SUCCEEDED",)


Trigger = Annotated[
    Manual | EventReceived | ComponentState | GroupState | MetricThreshold | Schedule | PlaybookEnded,
    Field(discriminator="type"),
]
