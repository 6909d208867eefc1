"""What sets triggers off: pure rounds, one after the other, over the marks that the round before left."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.lifecycle import State
from orchestrator.playbooks.execution import JournalEntry, Start
from orchestrator.playbooks.marks import MARKS_MAX, Level, arming_of, judged, level_of
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.templates import Templates
from orchestrator.playbooks.trigger_round import STARTS_MAX, Round, Seen
from orchestrator.playbooks.triggering import armed_by, execution_id, hears, portions, set_off
from orchestrator.playbooks.triggers import EventReceived
from orchestrator.playbooks.world import ComponentFacts, World

ACTIONS = "actions: [{type: log_event, message: hello}]\n"


def playbook(trigger: str, more: str = "") -> Playbook:
    return Playbook.model_validate(yaml.safe_load(f"name: p\ntrigger: {trigger}\n{more}\n{ACTIONS}"))


class Watched:
    """A plant, one playbook, and the marks as they are replicated."""

    def __init__(self, trigger: str, more: str = "", **states: str) -> None:
        self.armed = armed_by(playbook(trigger, more), 3)
        self.marks: dict[str, str] = {}
        self.states = dict(states)
        self.metrics: dict[str, dict[str, float]] = {}
        self.groups: dict[str, tuple[str, ...]] = {}
        self.at, self.now, self.index = 100.0, 1_770_000_000.0, 10
        self.round().arm()
        self.settle(self.last)
        self.last.starts.clear()

    def world(self) -> World:
        facts = {
            key: ComponentFacts(key, State(state), metrics=self.metrics.get(key, {}))
            for key, state in self.states.items()
        }
        return World(components=facts, groups=self.groups)

    def round(self) -> Round:
        self.last = Round(self.armed, self.marks, self.world(), Templates(), at=self.at, now=self.now, index=self.index)
        return self.last

    def settle(self, turn: Round) -> list[Start]:
        """Replicate what the round came to."""
        self.marks = {key: text for key, text in {**self.marks, **turn.changed}.items() if text}
        return turn.starts

    def becomes(self, component: str, state: str, previous: str = "", **members: Any) -> list[Start]:
        """A component's state changes."""
        self.states[component], self.index = state, self.index + 1
        data = {"state": state, "presence": "ONLINE", "health": "OK", "reason": "so", **members}
        turn = self.round()
        turn.look_at(Seen(self.index, "component.state_changed", component, data), previous)
        turn.groups()
        return self.settle(turn)

    def passes(self, seconds: float) -> list[Start]:
        self.at, self.now = self.at + seconds, self.now + seconds
        turn = self.round()
        turn.schedules()
        turn.holds()
        turn.groups()
        turn.metrics()
        return self.settle(turn)


def told(start: Start) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(start.trigger)
    return found


# ── States of components ────────────────────────────────


def test_a_component_that_comes_into_a_state() -> None:
    plant = Watched("{type: component_state, component: io, state: FAULT}", io="STARTED", press="STARTED")
    assert plant.becomes("press", "FAULT") == []
    (start,) = plant.becomes("io", "FAULT", "STARTED")
    assert told(start) == {
        "type": "component_state",
        "source": "io",
        "state": "FAULT",
        "previous": "STARTED",
        "reason": "so",
    }
    assert (start.playbook, start.version, start.manual, start.at) == ("p", 3, False, plant.at)


def test_it_goes_off_again_only_after_it_had_left() -> None:
    plant = Watched("{type: component_state, state: [FAULT, STOPPED]}", io="STARTED")
    (first,) = plant.becomes("io", "FAULT")
    assert plant.becomes("io", "STOPPED") == []
    assert plant.becomes("io", "READY") == []
    (second,) = plant.becomes("io", "FAULT")
    assert first.id != second.id


def test_where_nothing_more_can_be_remembered_nothing_new_goes_off() -> None:
    """Else it would go off with every look."""
    plant = Watched("{type: component_state, component: io, state: FAULT}", io="STARTED")
    plant.marks |= {f"other/0/c{number}": "{}" for number in range(MARKS_MAX)}
    assert plant.becomes("io", "FAULT", "STARTED") == []
    assert "are watched by triggers" in plant.last.problems["p/0"]
    for number in range(5):
        del plant.marks[f"other/0/c{number}"]
    assert len(plant.becomes("io", "FAULT", "STARTED")) == 1
    assert plant.becomes("io", "FAULT", "STARTED") == []


def test_what_holds_already_when_it_is_armed_does_not_set_it_off() -> None:
    plant = Watched("{type: component_state, state: FAULT}", io="FAULT")
    assert plant.becomes("io", "FAULT", reason="the same, told again") == []
    assert plant.becomes("io", "READY") == []
    assert len(plant.becomes("io", "FAULT")) == 1


@pytest.mark.parametrize(
    ("state", "members"),
    [
        ("OFFLINE", {"presence": "OFFLINE", "health": "UNRESPONSIVE"}),
        ("UNRESPONSIVE", {"presence": "OFFLINE", "health": "UNRESPONSIVE"}),
        ("DEGRADED", {"health": "DEGRADED"}),
    ],
)
def test_presence_and_health_are_states_too(state: str, members: dict[str, str]) -> None:
    plant = Watched(f"{{type: component_state, state: {state}}}", io="STARTED")
    assert plant.becomes("io", "STARTED") == []
    (start,) = plant.becomes("io", "STARTED", **members)
    assert told(start)["state"] == state


def test_hold_waits_and_a_state_that_passes_is_forgotten() -> None:
    plant = Watched("{type: component_state, state: FAULT, hold: 5s}", io="STARTED")
    assert plant.becomes("io", "FAULT") == []
    assert plant.passes(4.9) == []
    assert plant.becomes("io", "READY") == []
    assert plant.passes(10) == []
    assert plant.becomes("io", "FAULT") == []
    assert len(plant.passes(5)) == 1
    assert plant.passes(60) == []


def test_only_members_of_the_group() -> None:
    plant = Watched("{type: component_state, group: cams, state: FAULT}", cam1="STARTED", io="STARTED")
    plant.groups = {"cams": ("cam1",)}
    assert plant.becomes("io", "FAULT") == []
    assert len(plant.becomes("cam1", "FAULT")) == 1


def test_one_that_is_gone_is_forgotten() -> None:
    plant = Watched("{type: component_state, state: FAULT}", io="STARTED")
    plant.becomes("io", "FAULT")
    assert any(key.endswith("/io") for key in plant.marks)
    del plant.states["io"]
    turn = plant.round()
    turn.look_at(Seen(50, "component.unregistered", "io", {}), "FAULT")
    plant.settle(turn)
    assert not any(key.endswith("/io") for key in plant.marks)


def test_where_changes_are_not_held_any_more_states_are_compared() -> None:
    plant = Watched("{type: component_state, state: FAULT}", io="STARTED", press="STARTED")
    plant.becomes("press", "FAULT")
    plant.states["io"] = "FAULT"
    turn = plant.round()
    turn.compare()
    assert [told(start)["source"] for start in plant.settle(turn)] == ["io"]


def test_a_change_from_before_a_trigger_was_armed_is_not_for_it() -> None:
    plant = Watched("{type: component_state, state: FAULT}", io="STARTED")
    turn = plant.round()
    turn.since = {"p/0": 40}
    turn.look_at(Seen(40, "component.state_changed", "io", {"state": "FAULT", "presence": "ONLINE"}), "")
    assert turn.starts == []


# ── Groups ────────────────────────────────


def test_all_of_a_group_and_again_only_after_it_had_ceased() -> None:
    plant = Watched("{type: group_state, group: cams, state: STARTED}", a="READY", b="READY")
    plant.groups = {"cams": ("a", "b")}
    assert plant.becomes("a", "STARTED") == []
    (first,) = plant.becomes("b", "STARTED")
    assert told(first) == {"type": "group_state", "source": "cams", "state": "STARTED"}
    assert plant.passes(60) == []
    assert plant.becomes("a", "STOPPED") == []
    assert len(plant.becomes("a", "STARTED")) == 1


def test_any_of_a_group_for_long_enough() -> None:
    plant = Watched('{type: group_state, group: "@all", state: FAULT, match: any, hold: 2s}', a="READY", b="READY")
    assert plant.becomes("a", "FAULT") == []
    assert plant.passes(1.9) == []
    assert len(plant.passes(0.2)) == 1


def test_a_group_without_members_is_in_no_state() -> None:
    plant = Watched("{type: group_state, group: nobody, state: STARTED}")
    assert plant.passes(1) == []


# ── Metrics ────────────────────────────────


def test_a_bound_with_hysteresis() -> None:
    plant = Watched("{type: metric, metric: temperature, above: 80, reset: 70}", io="STARTED")
    found = []
    for value in (79, 81, 75, 82, 70, 85):
        plant.metrics = {"io": {"temperature": value}}
        found.append(len(plant.passes(1)))
    assert found == [0, 1, 0, 0, 0, 1]


def test_a_bound_that_is_crossed_already_does_not_set_it_off() -> None:
    plant = Watched("{type: metric, metric: temperature, above: 80, reset: 70}")
    plant.states, plant.metrics, plant.marks = {"io": "STARTED", "press": "STARTED"}, {"io": {"temperature": 90}}, {}
    plant.round().arm()
    assert plant.settle(plant.last) == []
    found = []
    for value in (91, 75, 90, 69, 85):
        plant.metrics = {"io": {"temperature": value}}
        found.append(len(plant.passes(1)))
    assert found == [0, 0, 0, 0, 1]
    turn = plant.round()
    turn.look_at(Seen(plant.index, "component.unregistered", "io", {}), "STARTED")
    plant.settle(turn)
    assert not [key for key in plant.marks if key.endswith("/io")], "one that is gone is forgotten"


def test_below_and_held() -> None:
    plant = Watched("{type: metric, metric: pressure, below: 2, reset: 3, component: io, hold: 3s}", io="STARTED")
    plant.metrics = {"io": {"pressure": 1.0}}
    assert plant.passes(1) == []
    plant.metrics = {"io": {"pressure": 2.5}}
    assert plant.passes(3) == []
    plant.metrics = {"io": {"pressure": 1.0}}
    assert plant.passes(1) == []
    (start,) = plant.passes(3)
    assert told(start) == {"type": "metric", "source": "io", "metric": "pressure", "value": 1.0}


def test_a_component_without_the_figure_changes_nothing() -> None:
    plant = Watched("{type: metric, metric: temperature, above: 80}", io="STARTED")
    assert plant.passes(1) == []


# ── Time ────────────────────────────────


def test_a_schedule_is_due_once_also_for_a_leader_whose_clock_is_behind() -> None:
    plant = Watched("{type: schedule, every: 60s}")
    assert plant.passes(59) == []
    (start,) = plant.passes(2)
    assert told(start)["missed"] == 0
    plant.now -= 30
    assert plant.passes(0) == []
    assert len(plant.passes(95)) == 1


def test_a_schedule_that_cannot_be_followed_is_told() -> None:
    plant = Watched('{type: schedule, cron: "0 0 31 2 *"}')
    turn = plant.round()
    turn.schedules()
    assert "p/0" in turn.problems
    assert turn.starts == []


# ── Ends, conditions, limits ────────────────────────────────


def test_the_end_of_another_playbook() -> None:
    plant = Watched("{type: playbook_ended, playbook: q, status: [FAILED]}")
    turn = plant.round()
    for index, status in enumerate(("RUNNING", "SUCCEEDED", "FAILED"), start=20):
        data = {"playbook": "q", "status": status, "error": "why"}
        turn.look_at(Seen(index, "execution.changed", f"x{index}", data), "")
    (start,) = turn.starts
    assert told(start) == {
        "type": "playbook_ended",
        "playbook": "q",
        "execution": "x22",
        "status": "FAILED",
        "error": "why",
    }


def test_a_condition_that_does_not_hold_starts_nothing_and_is_not_asked_again() -> None:
    condition = "components['press'].state == 'STARTED'"
    plant = Watched(f'{{type: component_state, state: FAULT, condition: "{condition}"}}', io="READY", press="READY")
    assert plant.becomes("io", "FAULT") == []
    plant.states["press"] = "STARTED"
    assert plant.passes(10) == []


def test_a_condition_that_cannot_be_judged_is_told_in_the_journal() -> None:
    plant = Watched('{type: component_state, state: FAULT, condition: "trigger.nothing > 3"}', io="READY")
    assert plant.becomes("io", "FAULT") == []
    (line,) = plant.last.journal
    assert (line.type, line.level) == ("playbook.trigger_failed", "error")
    assert "trigger 0 (component_state) started nothing" in line.message


def test_limits_travel_with_the_start() -> None:
    more = (
        "cooldown: 10s\nthrottle: {count: 3, per: 1m}\npriority: 7\nvariables: {n: 1}\n"
        'concurrency: {limit: 2, policy: skip}\ndeduplicate: {key: "{{ trigger.source }}", window: 30s}'
    )
    (start,) = Watched("{type: component_state, state: FAULT}", more, io="READY").becomes("io", "FAULT")
    limits = start.limits
    assert (limits.cooldown, limits.throttle_count, limits.throttle_per) == (10.0, 3, 60.0)
    assert (limits.limit, limits.policy, limits.dedup_key, limits.dedup_window) == (2, "skip", "io", 30.0)
    assert (start.priority, start.variables) == (7, {"n": "1"})


def test_a_playbook_that_needs_inputs_cannot_be_started_by_a_trigger() -> None:
    plant = Watched("{type: component_state, state: FAULT}", "inputs: {speed: {required: true}}", io="READY")
    assert plant.becomes("io", "FAULT") == []
    assert "needs inputs that no trigger gives: speed" in plant.last.journal[0].message


def test_what_is_too_large_is_told() -> None:
    (armed,) = armed_by(playbook("{type: event_received, event: a.b}"), 1)
    off = set_off(armed, {"payload": "x" * 70_000}, "1", at=0.0, world=World(), templates=Templates())
    assert isinstance(off, JournalEntry)
    assert "the limit is 65536" in off.message


def test_more_than_fit_into_one_command_go_off_in_the_next_round() -> None:
    plant = Watched("{type: metric, metric: t, above: 1}", **{f"c{n}": "STARTED" for n in range(STARTS_MAX + 5)})
    plant.metrics = {key: {"t": 2.0} for key in plant.states}
    assert (len(plant.passes(1)), len(plant.passes(1)), len(plant.passes(1))) == (STARTS_MAX, 5, 0)


# ── Versions ────────────────────────────────


def test_a_new_version_that_says_the_same_is_not_armed_anew() -> None:
    plant = Watched("{type: component_state, state: FAULT}", io="READY")
    (first,) = plant.becomes("io", "FAULT")
    plant.armed = armed_by(playbook("{type: component_state, state: FAULT}", "priority: 9"), 4)
    turn = plant.round()
    assert turn.arm() == []
    assert turn.changed == {}
    plant.becomes("io", "READY")
    (second,) = plant.becomes("io", "FAULT")
    assert (second.version, second.priority) == (4, 9)
    assert first.id != second.id


def test_other_words_are_armed_anew_and_what_is_gone_is_forgotten() -> None:
    plant = Watched("{type: component_state, state: FAULT}", io="READY")
    plant.becomes("io", "FAULT")
    plant.armed = armed_by(playbook("{type: component_state, state: [FAULT, STOPPED]}"), 4)
    turn = plant.round()
    assert turn.arm() == ["p/0"]
    plant.settle(turn)
    assert level_of(plant.marks["p/0/io"]) == Level(since=plant.at, index=plant.index, fired=True)
    plant.armed = ()
    turn = plant.round()
    turn.arm()
    plant.settle(turn)
    assert plant.marks == {}


def test_marks_that_cannot_be_read_are_as_none() -> None:
    assert level_of("{") is None
    assert arming_of('{"digest": 3}') is None


# ── Events ────────────────────────────────


@pytest.mark.parametrize(
    ("event", "source", "heard"),
    [
        ("door.opened", None, True),
        ("door.*", None, True),
        ("door.*", "gate", True),
        ("door.opened", "other", False),
        ("door", None, False),
        ("doo.*", None, False),
    ],
)
def test_which_events_are_heard(event: str, source: str | None, heard: bool) -> None:
    assert hears(EventReceived(type="event_received", event=event, source=source), "door.opened", "gate") is heard


def test_the_same_cause_has_the_same_execution() -> None:
    (armed,) = armed_by(playbook("{type: event_received, event: a.b}"), 1)
    (newer,) = armed_by(playbook("{type: event_received, event: a.b}"), 2)
    assert execution_id(armed, "1") == execution_id(newer, "1") != execution_id(armed, "2")


@given(st.lists(st.tuples(st.sampled_from([True, False, None]), st.floats(min_value=0, max_value=20)), max_size=40))
def test_it_goes_off_once_for_each_time_that_it_held(looks: list[tuple[bool | None, float]]) -> None:
    mark, at, fired_for = None, 0.0, 0
    for index, (holds, passed) in enumerate(looks):
        at += passed
        before = mark
        mark, fires = judged(mark, holds, hold_s=5.0, at=at, index=index)
        if fires:
            assert before is not None
            assert not before.fired
            assert holds
            assert at - before.since >= 5.0
            fired_for += 1
        if holds is False:
            assert mark is None
    assert fired_for <= len(looks)


def test_portions_keep_the_order_and_fit_into_a_command() -> None:
    starts = [Start(id=str(number), playbook="p", trigger="x" * 60_000) for number in range(10)]
    found = portions(starts)
    assert [start for some in found for start in some] == starts
    assert all(0 < sum(len(start.trigger) for start in some) <= 192 * 1024 for some in found)
    assert portions([]) == [()]
