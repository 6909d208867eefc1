"""Which alerts fire: rules held against what is seen now. Pure; the leader's duty proposes what comes out of it.

    evaluate(rules, seen, now, rows, watch) -> (reports, watch)      `Evaluating`: the same in portions

`now` is the leader's monotonic clock, by which `for_s` and `clear_s` are measured. `rows` are the alerts that fire by
the replicated state; a report says what one of them is from now on. `watch` is what a leader remembers between two
looks. A new leader begins with `resumed(rows)`: what fires goes on firing, what was pending begins anew, and so does
the `clear_s` of what was about to be resolved.

A subject of which nothing is known now neither begins nor ends anything: a leader that has just taken over does not
resolve what it has not looked at yet.
"""

import math
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from orchestrator.monitoring.alert_commands import AlertRow, Member, Report
from orchestrator.monitoring.alert_reports import reports_of
from orchestrator.monitoring.alert_rules import Condition, Rule
from orchestrator.monitoring.trends import Forecast, Outlook

__all__ = ["ComponentSeen", "Evaluating", "Pending", "Seen", "Watch", "evaluate", "resumed"]

PENDING_MAX = 10_000
JUDGED_AT_ONCE = 250

Subject = tuple[str, str]
"""(rule, subject)."""


class ComponentSeen(NamedTuple):
    """As it is now. `reason` is of its `state`, `health_reason` of `health`: OK, DEGRADED, UNRESPONSIVE."""

    id: str
    groups: tuple[str, ...]
    state: str
    health: str
    reason: str = ""
    health_reason: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """Everything that rules look at.

    Args:
        components: all that are registered.
        metric: the newest value of a component's metric; None when nothing was heard of it lately.
        forecasts: by (rule, component), of the trend rules; absent while none was made yet.
        figures: values by subject; a figure that is absent was not measured yet. A subject that is absent has 0.
        increases: by (rule, subject), of the increase rules; absent while its window is not covered.
    """

    components: Sequence[ComponentSeen] = ()
    metric: Callable[[str, str], float | None] = lambda _component, _name: None
    forecasts: Mapping[Subject, Forecast] = field(default_factory=dict)
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    increases: Mapping[Subject, float] = field(default_factory=dict)


class Pending(NamedTuple):
    """A subject that is active and not yet a member of an alert. `since` by the leader's monotonic clock."""

    rule: str
    subject: str
    since: float
    fires_at: float
    reason: str


class Held(NamedTuple):
    """A member of an alert that fires."""

    group: str
    member: Member


@dataclass(frozen=True, slots=True)
class Watch:
    """What one leader remembers. Never altered."""

    pending: Mapping[Subject, Pending] = field(default_factory=dict)
    firing: Mapping[Subject, Held] = field(default_factory=dict)
    clearing: Mapping[Subject, float] = field(default_factory=dict)


class _Judged(NamedTuple):
    subject: str
    group: str
    active: bool | None
    value: float | None = None
    reason: str = ""


def resumed(rows: Mapping[tuple[str, str], AlertRow]) -> Watch:
    """What a new leader begins with."""
    return Watch(
        firing={(row.rule, member.subject): Held(row.group, member) for row in rows.values() for member in row.members}
    )


def evaluate(
    rules: Mapping[str, Rule],
    seen: Seen,
    now: float,
    rows: Mapping[tuple[str, str], AlertRow],
    watch: Watch,
) -> tuple[tuple[Report, ...], Watch]:
    """What has to be recorded, at most `REPORTS_MAX` at once, and what to remember."""
    evaluating = Evaluating(rules, seen, now, rows, watch)
    for _ in evaluating:
        pass
    return evaluating.found


class Evaluating:
    """`evaluate` in portions, for whoever has other things to do in between: iterate, then take `found`.

    What it is given must stay as it is until then.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        seen: Seen,
        now: float,
        rows: Mapping[tuple[str, str], AlertRow],
        watch: Watch,
    ) -> None:
        self._given = (rules, seen, now, rows, watch)
        self.found: tuple[tuple[Report, ...], Watch] = ((), watch)

    def __iter__(self) -> Iterator[None]:
        """One turn for each `JUDGED_AT_ONCE` components that a rule looks at."""
        self.found = yield from _evaluated(*self._given)


def _evaluated(
    rules: Mapping[str, Rule],
    seen: Seen,
    now: float,
    rows: Mapping[tuple[str, str], AlertRow],
    watch: Watch,
) -> Generator[None, None, tuple[tuple[Report, ...], Watch]]:
    pending: dict[Subject, Pending] = {}
    firing: dict[Subject, Held] = {}
    clearing: dict[Subject, float] = {}
    # Members of rules that are gone or disabled are in none of these any more: their alerts are resolved.
    by_rule: dict[str, dict[str, Held]] = {}
    for (name, subject), held in watch.firing.items():
        by_rule.setdefault(name, {})[subject] = held
    for _, rule in sorted(rules.items()):
        if not rule.enabled:
            continue
        members = by_rule.get(rule.name, {})
        for judged in _judge(rule, seen, members):
            if judged is None:
                yield
                continue
            key = (rule.name, judged.subject)
            held_before = members.get(judged.subject)
            if held_before is not None:
                _held(rule, judged, now, held_before, watch.clearing.get(key), (firing, clearing))
            elif judged.active:
                before = watch.pending.get(key)
                since = now if before is None else before.since
                if now - since >= rule.for_s:
                    firing[key] = Held(judged.group, _member(judged))
                elif len(pending) < PENDING_MAX:
                    pending[key] = Pending(rule.name, judged.subject, since, since + rule.for_s, judged.reason)
    return reports_of(rules, firing, rows), Watch(pending, firing, clearing)


def _held(
    rule: Rule,
    judged: _Judged,
    now: float,
    held: Held,
    cleared: float | None,
    into: tuple[dict[Subject, Held], dict[Subject, float]],
) -> None:
    """One that is a member: whether it stays one."""
    firing, clearing = into
    key = (rule.name, judged.subject)
    if judged.active is False:
        since = now if cleared is None else cleared
        if now - since >= rule.clear_s:
            return
        clearing[key] = since
    firing[key] = held._replace(group=judged.group) if judged.active is not None else held


def _member(judged: _Judged) -> Member:
    value = judged.value if judged.value is not None and math.isfinite(judged.value) else None
    return Member(subject=judged.subject, value=value, reason=judged.reason)


# -- judging ----


def _judge(rule: Rule, seen: Seen, members: Mapping[str, Held]) -> Iterator[_Judged | None]:
    """Those that are active, or were; None where a portion of components ends."""
    condition = rule.condition
    match condition.kind:
        case "state" | "health" | "metric" | "trend":
            everyone = rule.target == "@all"
            for at, component in enumerate(seen.components, 1):
                member = component.id in members
                # Nearly every one is well, and was: of that nothing has to be said.
                if (everyone or _is_target(rule.target, component)) and (
                    member or _may_be_active(rule, component, seen)
                ):
                    group = _group(rule, component.id, component.groups)
                    yield _component(rule, component, seen, group, member)
                if at % JUDGED_AT_ONCE == 0:
                    yield None
        case "figure":
            values = seen.figures.get(condition.name)
            for subject in _subjects(None if values is None else values.keys(), members):
                value = None if values is None else values.get(subject, 0.0)
                text = f"{condition.name} {_number(value)}"
                active = _beyond(condition, value, subject in members)
                yield _Judged(subject, _group(rule, subject, ()), active, value, text)
        case "increase":
            values = seen.figures.get(condition.name)
            for subject in _subjects(None if values is None else values.keys(), members):
                grown = seen.increases.get((rule.name, subject))
                text = f"{condition.name} grew by {_number(grown)} in {condition.window_s:g} s"
                active = None if grown is None or condition.above is None else grown > condition.above
                yield _Judged(subject, _group(rule, subject, ()), active, grown, text)


def _may_be_active(rule: Rule, component: ComponentSeen, seen: Seen) -> bool:
    """False where `_component` would find a component that is no member not active."""
    match rule.condition.kind:
        case "state":
            return component.state in rule.condition.values
        case "health":
            return component.health in rule.condition.values
        case "trend":
            return (rule.name, component.id) in seen.forecasts
    return True


def _component(rule: Rule, component: ComponentSeen, seen: Seen, group: str, member: bool) -> _Judged:
    condition = rule.condition
    name = component.id
    match condition.kind:
        case "state":
            because = f": {component.reason}" if component.reason else ""
            return _Judged(name, group, component.state in condition.values, None, component.state + because)
        case "health":
            because = f": {component.health_reason}" if component.health_reason else ""
            return _Judged(name, group, component.health in condition.values, None, component.health + because)
        case "metric":
            value = seen.metric(name, condition.name)
            active = _beyond(condition, value, member)
            return _Judged(name, group, active, value, f"{condition.name} {_number(value)}")
    found = seen.forecasts.get((rule.name, name))
    if found is None or found.outlook is Outlook.INSUFFICIENT_DATA:
        return _Judged(name, group, None)
    soon = found.outlook is Outlook.EXPECTED and (found.in_s or 0.0) <= condition.within_s
    text = f"{condition.name} reaches {_number(_threshold(condition))} in {found.in_s or 0.0:.0f} s"
    return _Judged(name, group, soon or found.outlook is Outlook.REACHED, found.in_s, text)


def _beyond(condition: Condition, value: float | None, member: bool) -> bool | None:
    """Whether a threshold is passed, or for a member whether it is not yet back at `reset`."""
    if value is None:
        return None
    reset = condition.reset
    if condition.above is not None:
        return value > (condition.above if not member or reset is None else reset)
    if condition.below is not None:
        return value < (condition.below if not member or reset is None else reset)
    return False


def _threshold(condition: Condition) -> float:
    return condition.above if condition.above is not None else condition.below or 0.0


def _subjects(known: Iterable[str] | None, members: Mapping[str, Held]) -> list[str]:
    """Those that have a value, and those that fire: they are judged too when they have none any more."""
    return sorted({*(known or ()), *members})


def _is_target(target: str, component: ComponentSeen) -> bool:
    kind, _, name = target.partition(":")
    match kind:
        case "@all":
            return True
        case "group":
            return name in component.groups
        case "component":
            return name == component.id
    return False


def _group(rule: Rule, subject: str, groups: tuple[str, ...]) -> str:
    match rule.group_by:
        case "subject":
            return subject
        case "group":
            return groups[0] if groups else ""
    return ""


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.6g}"
