"""What an alert rule is: as it is replicated (`Rule`), and as it is checked before that (`RuleSpec`). Pure.

    condition   active when                                                       subjects
    state       the component's lifecycle state is one of `values`                components of `target`
    health      the component's health is one of `values`                         components of `target`
    metric      its metric `name` is above / below, until `reset` is passed       components of `target`
    trend       its metric `name` will be above / below within `within_s`         components of `target`
    figure      a figure of the frames is above / below, until `reset` is passed  the figure's: `-`, or capabilities
    increase    a figure of the frames grew by more than `above` in `window_s`    the same

A subject has to be active for `for_s` until it is a member of the rule's alert, and inactive for `clear_s` until it is
none any more. What is not known now (nothing was heard of the metric lately) counts as neither.

What may stand in a rule is checked once, at the proposer, and not again here: a stricter rule of a later release must
not change what an old log says. A condition of an unknown kind is never active.
"""

import functools
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from pydantic import Field, model_validator

from orchestrator.events import Frozen
from orchestrator.lifecycle import State

__all__ = [
    "FIGURES",
    "HEALTH",
    "NAME_PATTERN",
    "SEVERITIES",
    "Condition",
    "ConditionSpec",
    "Rule",
    "RuleSpec",
    "Severity",
]

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"
SECONDS_MAX = 24 * 3600.0
SEVERITIES = ("info", "warning", "error", "critical")
"""The least severe first."""
HEALTH = ("OK", "DEGRADED", "UNRESPONSIVE")
FIGURES: Mapping[str, str] = {
    "backpressure_level": "0 normal, 1 low, 2 high, 3 critical",
    "unserved_frames": "frames that wait for a capability that no healthy processor offers; a subject each",
    "dead_letters": "dead frames that are kept",
    "frames_lost": "frames that the ledger misses",
    "oldest_frame_s": "age of the frame that is next in capture, lane or ready; a subject each",
    "unhealthy_processors": "1 for each processor that is not heard, or that is kept away from; a subject each",
    "dispatch_p95_s": "95th percentile of a dispatch call over the last minute",
}
"""Figures of the frames that a rule may be about."""

Severity = Literal["info", "warning", "error", "critical"]
Number = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=SECONDS_MAX, allow_inf_nan=False)]
Target = Annotated[str, Field(max_length=80, pattern=r"^(@all|(group|component):[A-Za-z0-9][A-Za-z0-9._-]{0,63})$")]


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As replicated; see the table above. Seconds and the metric's own units."""

    kind: str
    values: tuple[str, ...] = ()
    name: str = ""
    above: float | None = None
    below: float | None = None
    reset: float | None = None
    within_s: float = 0.0
    window_s: float = 0.0


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As replicated. Make with `RuleSpec.rule`."""

    name: str
    condition: Condition
    severity: str = "warning"
    for_s: float = 0.0
    clear_s: float = 0.0
    target: str = "@all"
    group_by: str = "rule"
    enabled: bool = True
    summary: str = ""


class ConditionSpec(Frozen):
    """When a subject is active. Which members belong to which `kind` is said by the error when one is amiss."""

    kind: Literal["state", "health", "metric", "trend", "figure", "increase"]
    values: tuple[Annotated[str, Field(max_length=40)], ...] = Field(
        default=(), max_length=10, description="With `state` (lifecycle states) and `health`."
    )
    name: str = Field(default="", max_length=64, description="Of the metric or figure.")
    above: Number | None = Field(default=None, description="Active above this.")
    below: Number | None = Field(default=None, description="Active below this. One of the two.")
    reset: Number | None = Field(
        default=None,
        description="With `metric` and `figure`: active until the value is back at this. Default: the threshold.",
    )
    within_s: Seconds = Field(default=0.0, description="With `trend`: the threshold will be reached within so long.")
    window_s: Seconds = Field(
        default=0.0, description="With `trend`: looks back so long (default 3,600). With `increase`: over so long."
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "ConditionSpec":
        allowed = _MEMBERS[self.kind]
        given = {name for name in _ALL if getattr(self, name) != ConditionSpec.model_fields[name].default}
        if extra := sorted(given - allowed):
            raise ValueError(f"{extra[0]}: means nothing with kind {self.kind}; it takes {', '.join(sorted(allowed))}")
        if self.kind in ("state", "health"):
            known = tuple(State) if self.kind == "state" else HEALTH
            if not self.values:
                raise ValueError(f"values: at least one of {', '.join(known)}")
            if wrong := [value for value in self.values if value not in known]:
                raise ValueError(f"values: {wrong[0]!r} is no {self.kind}; known: {', '.join(known)}")
            return self
        if not self.name:
            raise ValueError(f"name: kind {self.kind} needs one")
        if self.kind in ("figure", "increase") and self.name not in FIGURES:
            raise ValueError(f"name: {self.name!r} is no figure; known: {', '.join(FIGURES)}")
        if (self.above is None) == (self.below is None):
            raise ValueError("above, below: exactly one of the two")
        self._check_reset()
        if self.kind == "trend" and not self.within_s:
            raise ValueError("within_s: a trend needs it, above 0")
        if self.kind == "increase" and not self.window_s:
            raise ValueError("window_s: an increase needs it, above 0")
        return self

    def _check_reset(self) -> None:
        if self.reset is None:
            return
        if self.above is not None and self.reset > self.above:
            raise ValueError(f"reset: must not be higher than above ({self.above:g}), is {self.reset:g}")
        if self.below is not None and self.reset < self.below:
            raise ValueError(f"reset: must not be lower than below ({self.below:g}), is {self.reset:g}")


_ALL = ("values", "name", "above", "below", "reset", "within_s", "window_s")
_MEMBERS: Mapping[str, frozenset[str]] = {
    "state": frozenset({"values"}),
    "health": frozenset({"values"}),
    "metric": frozenset({"name", "above", "below", "reset"}),
    "trend": frozenset({"name", "above", "below", "within_s", "window_s"}),
    "figure": frozenset({"name", "above", "below", "reset"}),
    "increase": frozenset({"name", "above", "window_s"}),
}


class RuleSpec(Frozen):
    """What a rule says, without its name."""

    condition: ConditionSpec
    severity: Severity = "warning"
    for_s: Seconds = Field(default=0.0, description="A subject must be active for so long.")
    clear_s: Seconds = Field(default=0.0, description="And inactive for so long until it counts as well again.")
    target: Target = Field(default="@all", description="Which components: `@all`, `group:NAME` or `component:ID`.")
    group_by: Literal["rule", "group", "subject"] = Field(
        default="rule", description="One alert for the whole rule, for each group of components, or for each subject."
    )
    enabled: bool = True
    summary: str = Field(default="", max_length=200, description="What it means, for people.")

    def rule(self, name: str) -> Rule:
        """As it is replicated."""
        fields = self.model_dump()
        return Rule(name=name, **{**fields, "condition": Condition(**fields["condition"])})


def default_rules() -> dict[str, Rule]:
    """The rules that are shipped, by name. One of the same name that is set takes its place."""
    return dict(_shipped())


@functools.cache
def _shipped() -> dict[str, Rule]:
    specs: dict[str, RuleSpec] = {
        "component-fault": RuleSpec(
            condition=ConditionSpec(kind="state", values=("FAULT",)),
            severity="error",
            summary="Components are in FAULT; only CMD_RESET leads out of it",
        ),
        "component-unresponsive": RuleSpec(
            condition=ConditionSpec(kind="health", values=("UNRESPONSIVE",)),
            severity="error",
            summary="Components are not heard any more",
        ),
        "component-degraded": RuleSpec(
            condition=ConditionSpec(kind="health", values=("DEGRADED",)),
            severity="warning",
            for_s=10.0,
            clear_s=10.0,
            summary="Components say that they work below their best",
        ),
        "memory-trend": RuleSpec(
            condition=ConditionSpec(
                kind="trend", name="memory", above=float(4 << 30), within_s=3600.0, window_s=3600.0
            ),
            severity="warning",
            for_s=60.0,
            clear_s=300.0,
            summary="Memory grows so that it reaches 4 GiB within the hour",
        ),
        "frames-lost": RuleSpec(
            condition=ConditionSpec(kind="figure", name="frames_lost", above=0.0),
            severity="critical",
            for_s=10.0,
            summary="The ledger misses frames; triarch frames verify names them",
        ),
        "backpressure-critical": RuleSpec(
            condition=ConditionSpec(kind="figure", name="backpressure_level", above=2.0, reset=1.0),
            severity="critical",
            clear_s=5.0,
            summary="The plant is so full that producers pause",
        ),
        "capability-unknown": RuleSpec(
            condition=ConditionSpec(kind="figure", name="unserved_frames", above=0.0),
            severity="warning",
            for_s=10.0,
            clear_s=5.0,
            summary="Frames wait for a capability that no healthy processor offers",
        ),
        "processor-unhealthy": RuleSpec(
            condition=ConditionSpec(kind="figure", name="unhealthy_processors", above=0.0),
            severity="warning",
            for_s=10.0,
            clear_s=5.0,
            summary="Processors are not heard, or fail so often that they are kept away from",
        ),
        "dead-letters-growing": RuleSpec(
            condition=ConditionSpec(kind="increase", name="dead_letters", above=0.0, window_s=300.0),
            severity="warning",
            summary="Frames were given up within the last five minutes; triarch frames dead list has the reasons",
        ),
        "dispatch-slow": RuleSpec(
            condition=ConditionSpec(kind="figure", name="dispatch_p95_s", above=0.1, reset=0.05),
            severity="warning",
            for_s=30.0,
            clear_s=30.0,
            summary="A dispatch call takes over 100 ms in one case of twenty",
        ),
    }
    return {name: spec.rule(name) for name, spec in specs.items()}
