"""Rules held against what is seen: pending, firing, resolved; hysteresis, grouping, a takeover. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator.monitoring.alert_commands import MEMBERS_MAX, AlertRow, Record, Report
from orchestrator.monitoring.alert_rules import ConditionSpec, Rule, RuleSpec, default_rules
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.monitoring.evaluation import ComponentSeen, Evaluating, Seen, Watch, evaluate, resumed
from orchestrator.monitoring.trends import Forecast, Outlook


def rule(kind: str, *, for_s: float = 0.0, clear_s: float = 0.0, **options: Any) -> dict[str, Rule]:
    outer = {name: options.pop(name) for name in ("target", "group_by", "severity", "enabled") if name in options}
    spec = RuleSpec(condition=ConditionSpec(kind=kind, **options), for_s=for_s, clear_s=clear_s, **outer)
    return {"r": spec.rule("r")}


def component(name: str = "press", state: str = "STARTED", health: str = "OK", *groups: str) -> ComponentSeen:
    return ComponentSeen(name, groups, state, health, "torn")


class Leader:
    """Looks, and has what it reports recorded, as the duty and the cluster do."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self.rules = rules
        self.registry = AlertRegistry()
        self.watch = Watch()
        self._index = 0

    def look(self, seen: Seen, now: float, *, recorded: bool = True) -> tuple[Report, ...]:
        reports, self.watch = evaluate(self.rules, seen, now, self.registry.firing, self.watch)
        if reports and recorded:
            self._index += 1
            body = msgspec.msgpack.encode(Record(reports=reports))
            self.registry.apply(Record.kind, body, time=now, position=(1, self._index))
        return reports

    def taken_over(self) -> None:
        self.watch = resumed(self.registry.firing)

    @property
    def firing(self) -> dict[str, list[str]]:
        return {row.group: [member.subject for member in row.members] for row in self.registry.firing.values()}

    @property
    def pending(self) -> list[str]:
        return [subject for _, subject in sorted(self.watch.pending)]

    def only(self) -> AlertRow:
        (row,) = self.registry.firing.values()
        return row


def measured(values: Mapping[str, float | None]) -> Callable[[str, str], float | None]:
    return lambda name, _metric: values.get(name)


def hot(value: float | None) -> Seen:
    return Seen(components=[component()], metric=lambda _component, _name: value)


def test_it_is_pending_first_then_fires_then_is_resolved() -> None:
    leader = Leader(rule("state", values=("FAULT",), for_s=10, clear_s=5))
    ill, well = Seen(components=[component(state="FAULT")]), Seen(components=[component()])
    assert leader.look(ill, 100.0) == ()
    assert leader.pending == ["press"]
    assert leader.look(ill, 109.9) == ()
    (fired,) = leader.look(ill, 110.0)
    assert (fired.total, fired.members[0].reason, fired.summary) == (1, "FAULT: torn", "r: press")
    assert (leader.firing, leader.pending) == ({"": ["press"]}, [])
    assert leader.look(ill, 111.0) == (), "nothing changes, so nothing is recorded"
    assert leader.look(well, 112.0) == ()
    assert leader.look(ill, 113.0) == (), "it was not well for long enough"
    assert leader.look(well, 114.0) == ()
    assert leader.look(well, 118.9) == ()
    (over,) = leader.look(well, 119.0)
    assert (over.members, leader.firing) == ((), {})


def test_being_well_for_a_moment_begins_the_waiting_anew() -> None:
    leader = Leader(rule("state", values=("FAULT",), for_s=10))
    ill, well = Seen(components=[component(state="FAULT")]), Seen(components=[component()])
    for now, seen in ((0.0, ill), (9.0, well), (9.5, ill), (19.0, ill)):
        assert leader.look(seen, now) == ()
    assert leader.look(ill, 19.5) != ()


@pytest.mark.parametrize(
    ("bounds", "values"),
    [
        (
            {"above": 250.0, "reset": 240.0},
            [(250.0, False), (250.1, True), (245.0, True), (240.1, True), (240.0, False), (249.0, False)],
        ),
        ({"above": 250.0}, [(250.1, True), (250.0, False)]),
        ({"below": 10.0, "reset": 12.0}, [(10.0, False), (9.9, True), (11.9, True), (12.0, False), (11.0, False)]),
    ],
)
def test_hysteresis(bounds: dict[str, float], values: list[tuple[float, bool]]) -> None:
    leader = Leader(rule("metric", name="temperature", **bounds))
    for now, (value, fires) in enumerate(values):
        leader.look(hot(value), float(now))
        assert bool(leader.firing) == fires, value


def test_what_is_not_known_changes_nothing() -> None:
    leader = Leader(rule("metric", name="temperature", above=250.0, for_s=10))
    leader.look(hot(300.0), 0.0)
    assert leader.pending == ["press"]
    leader.look(hot(None), 5.0)
    assert leader.pending == [], "it was not seen to be so all the time"
    leader.look(hot(300.0), 6.0)
    leader.look(hot(300.0), 16.0)
    assert leader.firing == {"": ["press"]}
    assert leader.look(hot(None), 17.0) == ()
    assert leader.firing == {"": ["press"]}


def test_a_takeover_keeps_what_fires_and_begins_anew_what_is_pending() -> None:
    leader = Leader(rule("metric", name="temperature", above=250.0, for_s=10, clear_s=10))
    both = [component("oven"), component("press")]
    values = {"oven": 300.0, "press": 0.0}
    seen = Seen(components=both, metric=measured(values))
    leader.look(seen, 0.0)
    leader.look(seen, 10.0)
    before = leader.only()
    values["press"] = 300.0
    leader.look(seen, 15.0)
    assert (leader.firing, leader.pending) == ({"": ["oven"]}, ["press"])

    leader.taken_over()
    blind = Seen(components=both)
    assert leader.look(blind, 1_000.0) == (), "a leader that has heard nothing yet resolves nothing"
    assert leader.look(seen, 1_001.0) == ()
    assert leader.only() == before
    assert leader.look(seen, 1_010.9) == ()
    leader.look(seen, 1_011.0)
    assert leader.firing == {"": ["oven", "press"]}
    assert leader.only().id == before.id


def test_a_report_that_was_not_recorded_comes_again() -> None:
    leader = Leader(rule("state", values=("FAULT",)))
    ill = Seen(components=[component(state="FAULT")])
    assert leader.look(ill, 0.0, recorded=False) == leader.look(ill, 1.0)
    assert leader.firing == {"": ["press"]}


def test_groups() -> None:
    ill = [component(name, "FAULT", "OK", *groups) for name, groups in (("a", ("x",)), ("b", ("x", "y")), ("c", ()))]
    seen = Seen(components=ill)
    for by, expected in (
        ("rule", {"": ["a", "b", "c"]}),
        ("group", {"": ["c"], "x": ["a", "b"]}),
        ("subject", {"a": ["a"], "b": ["b"], "c": ["c"]}),
    ):
        leader = Leader(rule("state", values=("FAULT",), group_by=by))
        leader.look(seen, 0.0)
        assert leader.firing == expected
    for target, expected_members in (("group:x", ["a", "b"]), ("group:y", ["b"]), ("component:c", ["c"])):
        leader = Leader(rule("state", values=("FAULT",), target=target))
        leader.look(seen, 0.0)
        assert leader.firing == {"": expected_members}


def test_more_members_than_are_named_are_counted_and_reported_once() -> None:
    leader = Leader(rule("health", values=("UNRESPONSIVE",)))
    many = [component(f"c{number:04}", "STARTED", "UNRESPONSIVE") for number in range(MEMBERS_MAX + 50)]
    leader.look(Seen(components=many), 0.0)
    assert leader.only().members_total == MEMBERS_MAX + 50
    assert leader.only().summary == f"r: c0000, c0001, c0002 and {MEMBERS_MAX + 47} more"
    assert leader.look(Seen(components=many), 1.0) == ()
    leader.taken_over()
    leader.look(Seen(components=many), 2.0)
    assert leader.only().members_total == MEMBERS_MAX + 50
    leader.look(Seen(components=many[:2]), 3.0)
    assert leader.firing == {"": ["c0000", "c0001"]}


def test_a_component_or_a_rule_that_is_gone_resolves_its_alerts() -> None:
    for change in ("component", "rule", "disabled"):
        leader = Leader(rule("state", values=("FAULT",), clear_s=60))
        ill = Seen(components=[component(state="FAULT")])
        leader.look(ill, 0.0)
        assert leader.firing
        if change == "rule":
            leader.rules = {}
        elif change == "disabled":
            leader.rules = rule("state", values=("FAULT",), enabled=False)
        leader.look(Seen() if change == "component" else ill, 1.0)
        assert not leader.firing


def test_figures_of_the_frames() -> None:
    leader = Leader(rule("figure", name="unserved_frames", above=0.0))
    assert leader.look(Seen(), 0.0) == ()
    leader.look(Seen(figures={"unserved_frames": {"faces": 3.0, "plates": 0.0}}), 1.0)
    assert leader.firing == {"": ["faces"]}
    assert leader.only().members[0].value == 3.0
    assert leader.look(Seen(), 2.0) == (), "not measured yet, by a leader that has just taken over"
    leader.look(Seen(figures={"unserved_frames": {}}), 3.0)
    assert not leader.firing


def test_an_increase_waits_for_its_window() -> None:
    leader = Leader(rule("increase", name="dead_letters", above=5.0, window_s=60.0))
    figures = {"dead_letters": {"-": 100.0}}
    assert leader.look(Seen(figures=figures), 0.0) == ()
    leader.look(Seen(figures=figures, increases={("r", "-"): 6.0}), 1.0)
    assert leader.firing == {"": ["-"]}
    assert leader.look(Seen(figures=figures), 2.0) == ()
    leader.look(Seen(figures=figures, increases={("r", "-"): 0.0}), 3.0)
    assert not leader.firing


@pytest.mark.parametrize(
    ("found", "fires"),
    [
        (Forecast(Outlook.EXPECTED, 3_000.0, 2_900.0, 3_100.0), True),
        (Forecast(Outlook.EXPECTED, 4_000.0, 3_900.0, 4_100.0), False),
        (Forecast(Outlook.REACHED), True),
        (Forecast(Outlook.NEVER), False),
        (Forecast(Outlook.UNCERTAIN), False),
        (Forecast(Outlook.INSUFFICIENT_DATA), False),
        (None, False),
    ],
)
def test_trends(found: Forecast | None, fires: bool) -> None:
    leader = Leader(rule("trend", name="memory", above=4e9, within_s=3_600.0))
    forecasts = {} if found is None else {("r", "press"): found}
    leader.look(Seen(components=[component()], forecasts=forecasts), 0.0)
    assert bool(leader.firing) == fires


def test_the_shipped_rules_see_what_they_are_for() -> None:
    leader = Leader(default_rules())
    seen = Seen(
        components=[
            component("a", "FAULT"),
            component("b", "STARTED", "UNRESPONSIVE"),
            component("c", "STARTED", "DEGRADED"),
            component("d"),
        ],
        forecasts={("memory-trend", "d"): Forecast(Outlook.EXPECTED, 60.0, 50.0, 70.0)},
        figures={
            "frames_lost": {"-": 1.0},
            "backpressure_level": {"-": 3.0},
            "unserved_frames": {"faces": 1.0},
            "dead_letters": {"-": 1.0},
            "unhealthy_processors": {"faces-1": 1.0, "faces-2": 0.0},
            "dispatch_p95_s": {"-": 0.2},
        },
        increases={("dead-letters-growing", "-"): 1.0},
    )
    for now in (0.0, 61.0):
        leader.look(seen, now)
    assert {row.rule: [each.subject for each in row.members] for row in leader.registry.firing.values()} == {
        "component-fault": ["a"],
        "component-unresponsive": ["b"],
        "component-degraded": ["c"],
        "memory-trend": ["d"],
        "frames-lost": ["-"],
        "backpressure-critical": ["-"],
        "capability-unknown": ["faces"],
        "processor-unhealthy": ["faces-1"],
        "dead-letters-growing": ["-"],
        "dispatch-slow": ["-"],
    }


SUBJECTS = ["a", "b", "c"]
LOOKS = st.lists(
    st.tuples(
        st.floats(0.1, 20.0),
        st.dictionaries(st.sampled_from(SUBJECTS), st.none() | st.floats(0, 400), max_size=3),
        st.sampled_from(["", "", "", "taken over", "not recorded"]),
    ),
    max_size=30,
)


@given(LOOKS, st.sampled_from([0.0, 5.0, 30.0]), st.sampled_from([0.0, 5.0]), st.sampled_from(["rule", "subject"]))
def test_what_fires_was_active_for_so_long(
    looks: list[tuple[float, dict[str, float | None], str]], for_s: float, clear_s: float, by: str
) -> None:
    """A new member was seen above the threshold at every look for `for_s`; one that is not above `reset` any more for
    `clear_s` is none; a second look at the same reports nothing.
    """
    leader = Leader(rule("metric", name="t", above=250.0, reset=200.0, for_s=for_s, clear_s=clear_s, group_by=by))
    now = 0.0
    active_since: dict[str, float] = {}
    members: set[str] = set()
    for delay, values, what in looks:
        now += delay
        if what == "taken over":
            leader.taken_over()
            active_since = {}
        seen = Seen(components=[component(name) for name in SUBJECTS], metric=measured(values))
        for name in SUBJECTS:
            value = values.get(name)
            if value is not None and value > 250.0:
                active_since.setdefault(name, now)
            else:
                active_since.pop(name, None)
        leader.look(seen, now, recorded=what != "not recorded")
        found = {subject for group in leader.firing.values() for subject in group}
        for name in found - members:
            if what != "not recorded" and name in active_since:
                assert now - active_since[name] >= for_s
        if what != "not recorded":
            assert leader.look(seen, now) == ()
            for name in SUBJECTS:
                value = values.get(name)
                if value is not None and value > 250.0 and now - active_since[name] >= for_s:
                    assert name in found
                if clear_s == 0.0 and value is not None and value <= 200.0:
                    assert name not in found
        members = found


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"kind": "state"}, "values"),
        ({"kind": "state", "values": ["WELL"]}, "values"),
        ({"kind": "health", "values": ["STARTED"]}, "values"),
        ({"kind": "state", "values": ["FAULT"], "above": 1}, "above"),
        ({"kind": "metric", "above": 1}, "name"),
        ({"kind": "metric", "name": "cpu"}, "above, below"),
        ({"kind": "metric", "name": "cpu", "above": 1, "below": 0}, "above, below"),
        ({"kind": "metric", "name": "cpu", "above": 1, "reset": 2}, "reset"),
        ({"kind": "metric", "name": "cpu", "below": 1, "reset": 0}, "reset"),
        ({"kind": "metric", "name": "cpu", "above": 1, "within_s": 5}, "within_s"),
        ({"kind": "trend", "name": "memory", "above": 1}, "within_s"),
        ({"kind": "figure", "name": "happiness", "above": 1}, "name"),
        ({"kind": "increase", "name": "dead_letters", "above": 0}, "window_s"),
        ({"kind": "increase", "name": "dead_letters", "below": 0, "window_s": 5}, "below"),
        ({"kind": "metric", "name": "cpu", "above": float("nan")}, "above"),
        ({"kind": "anything"}, "kind"),
        ({"kind": "state", "values": ["FAULT"], "colour": "red"}, "colour"),
    ],
)
def test_a_rule_that_means_nothing_is_refused_by_its_member(condition: dict[str, Any], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        RuleSpec(condition=condition)
    (error,) = refused.value.errors()
    assert field in (*error["loc"], error["msg"].removeprefix("Value error, ").partition(":")[0])


def test_many_components_are_judged_in_portions() -> None:
    rules = {
        **rule("state", values=["FAULT"]),
        "h": RuleSpec(condition=ConditionSpec(kind="health", values=["DEGRADED"])).rule("h"),
    }
    many = [component(f"c{at:04}", "FAULT" if at % 500 == 0 else "STARTED") for at in range(1_000)]
    evaluating = Evaluating(rules, Seen(components=many), 1.0, {}, Watch())
    assert len(list(evaluating)) == 8
    assert evaluating.found == evaluate(rules, Seen(components=many), 1.0, {}, Watch())
    assert [member.subject for report in evaluating.found[0] for member in report.members] == ["c0000", "c0500"]
