"""The simulator: machines, plants, scripted failures, takeovers, triggers, and what a scenario is verified against."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import SimulationInvalid
from orchestrator.lifecycle import PASSAGES, Command, Refusal, State, transition
from orchestrator.playbooks.effect import Failed, Unknown
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.simulation import SimulatedPlant, Simulator, parse_fault, plant_for
from orchestrator.playbooks.simulation.comparison import Expected
from orchestrator.playbooks.simulation.faults import FaultKind
from orchestrator.playbooks.simulation.machine import Machine, Work
from orchestrator.playbooks.templates import Templates

UP = """
name: up
inputs: {level: {type: string, default: STARTED}}
actions:
  - {type: set_group_state, id: up, target: "@all", target_state: "{{ inputs.level }}", timeout: 20s}
  - {type: log_event, message: all are up}
on_failure:
  - {type: send_notification, message: "not up: {{ error.message }}"}
"""
TWO = {"components": {"io": {}, "conveyor": {"depends_on": ["io"]}}}


def playbook(text: str) -> Playbook:
    return load_text(text, file="p.yaml").playbook


def simulator(*texts: str, plant: Any = TWO, **options: Any) -> Simulator:
    return Simulator([playbook(text) for text in texts], plant, **options)


def counts(made: Simulator) -> dict[str, int]:
    return {name: machine.count for name, machine in made.devices.machines.items()}


# ── Machines ────────────────────────────────


@pytest.mark.parametrize("state", list(State))
@pytest.mark.parametrize("command", list(Command))
def test_a_machine_follows_the_lifecycles_table(state: State, command: Command) -> None:
    machine, refusal = Machine("io", state).receive("k", command)
    target = transition(state, command)
    if isinstance(target, Refusal):
        assert isinstance(refusal, Failed)
        assert (refusal.code, machine.state, machine.count) == ("command_refused", state, 0)
        return
    assert (refusal, machine.working, machine.outcome("k")) == (None, "k", Work.WORKING)
    assert machine.state == (target if target in PASSAGES else state)
    assert machine.finish().outcome("k") is Work.DONE
    assert machine.finish().state not in PASSAGES
    broken = machine.break_down("smoke")
    assert (broken.state, broken.working) == (State.FAULT, "")
    assert isinstance(broken.outcome("k"), Failed)


def test_a_key_is_done_once_and_a_busy_machine_is_asked_again() -> None:
    machine, _ = Machine("io").receive("a", Command.INITIALIZE)
    again, refusal = machine.receive("a", Command.INITIALIZE)
    assert (again, refusal) == (machine, None)
    _, refusal = machine.receive("b", Command.START)
    assert isinstance(refusal, Unknown)
    assert refusal.code == "component_busy"
    _, refusal = machine.receive("a", Command.RESET)
    assert isinstance(refusal, Failed)
    assert refusal.code == "key_reused"
    assert machine.finish().receive("a", Command.INITIALIZE) == (machine.finish(), None)


def test_a_command_of_its_own_needs_started_and_changes_no_state() -> None:
    machine, refusal = Machine("io").receive("a", "RECALIBRATE")
    assert isinstance(refusal, Failed)
    assert "RECALIBRATE is not possible in READY: it needs STARTED" in refusal.message
    machine, refusal = Machine("io", State.STARTED).receive("a", "RECALIBRATE")
    assert refusal is None
    assert (machine.finish().state, machine.finish().outcome("a")) == (State.STARTED, Work.DONE)
    failed = machine.fail("it slipped")
    assert failed.state is State.STARTED
    assert isinstance(failed.outcome("a"), Failed)


# ── Plants ────────────────────────────────


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"components": {"io": {"state": "ASLEEP"}}}, "components.io.state"),
        ({"components": {"io": {"depends_on": ["base"]}}}, "there is no component base"),
        ({"components": {"a": {"depends_on": ["b"]}, "b": {"depends_on": ["a"]}}}, "a → b → a is a cycle"),
        ({"components": {"a": {}}, "groups": {"g": ["a", "h"], "h": ["g"]}}, "is a cycle"),
        ({"groups": {"g": ["nobody"]}}, "nobody is neither a component nor a group"),
        ({"components": {"io": {"takes": {"CMD_DANCE": "3s"}}}}, "unknown command"),
        ({"components": {"io": {"takes": {"CMD_START": "soon"}}}}, "is not a duration"),
        ({"machines": {}}, "machines"),
        ([1], "the plant"),
    ],
)
def test_a_plant_that_cannot_be_says_where(document: Any, says: str) -> None:
    with pytest.raises(SimulationInvalid, match=says):
        SimulatedPlant.of(document)


def test_groups_may_stand_in_groups() -> None:
    plant = SimulatedPlant.of(
        {"components": {"a": {"groups": ["x"]}, "b": {}, "c": {}}, "groups": {"y": ["b", "x"], "z": ["y", "c"]}}
    )
    assert plant.members() == {"x": ("a",), "y": ("a", "b"), "z": ("a", "b", "c")}
    assert plant.facts()["a"].groups == ("x", "y", "z")


def test_a_plant_is_derived_from_what_is_named() -> None:
    text = """
name: p
inputs: {which: {type: string, default: press}}
trigger: {type: component_state, component: drive, state: FAULT}
invariants: [{name: calm, never: "components['lamp-1'].state == 'FAULT'"}]
actions:
  - {type: send_command, components: [io, "{{ inputs.which }}"], command: CMD_START}
  - {type: set_group_state, group: line, target_state: STARTED, when: "components.door.online"}
"""
    plant = plant_for([playbook(text)], Templates(), {}, also=["late", "leader"])
    assert sorted(plant.components) == ["door", "drive", "io", "lamp-1", "late", "line-1", "line-2", "press"]
    assert plant.members() == {"line": ("line-1", "line-2")}


# ── Failures ────────────────────────────────


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("io", "write for example"),
        ("io:MELT@3s", "unknown kind MELT"),
        ("io:TAKEOVER@3s", "happens to `leader`"),
        ("leader:FAULT", "happens to `leader`"),
        ("io:FAULT@soon", "is not a duration"),
        ("io:SLOW", "is not a duration"),
        ("io:REFUSE:CMD_DANCE", "unknown command"),
        ("http:FAULT", "http takes REFUSE"),
        ("io:FAULT:CMD_START", "takes no 'CMD_START'"),
    ],
)
def test_a_failure_that_is_none_says_why(text: str, says: str) -> None:
    with pytest.raises(SimulationInvalid, match=says):
        parse_fault(text)


@pytest.mark.parametrize(
    "text",
    [
        *("io:FAULT@12s", "io:UNRESPONSIVE@5s", "io:RECOVER@40s", "io:REFUSE:CMD_START", "io:FAIL:CMD_START@1s"),
        *("io:SLOW:30s", "io:LOSE_ANSWER@3s", "leader:TAKEOVER@3s", "http:REFUSE", "notify:LOSE_ANSWER@1s"),
    ],
)
def test_a_failure_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_fault(text)) == text
    assert parse_fault(text.replace("CMD_GRACEFUL_STOP", "CMD_STOP")).kind in FaultKind


def test_a_failure_of_a_stranger_is_refused() -> None:
    with pytest.raises(SimulationInvalid, match=r"no component drive; the plant has: conveyor, io"):
        simulator(UP).run("up", faults=["drive:FAULT"])


# ── Runs ────────────────────────────────


def test_time_is_virtual_and_the_order_is_that_of_dependencies() -> None:
    plant = {"components": {"io": {"takes": {"CMD_INITIALIZE": "10s"}}, "conveyor": {"depends_on": ["io"]}}}
    made = simulator(UP, plant=plant)
    run = made.run("up")
    assert run.ok
    assert 13.0 < run.seconds < 13.1
    said = [entry.what for entry in made.timeline]
    assert said.index("io has done CMD_START") < said.index("conveyor takes up CMD_INITIALIZE")
    assert made.devices.states() == {"io": "STARTED", "conveyor": "STARTED"}


@pytest.mark.parametrize(
    ("faults", "status", "says"),
    [
        (["conveyor:FAIL:CMD_START"], "FAILED", "conveyor: CMD_START failed"),
        (["io:REFUSE:CMD_INITIALIZE"], "FAILED", "io refuses CMD_INITIALIZE"),
        (["io:SLOW:30s"], "FAILED", "not done within 20 s"),
        (["io:SLOW:5s"], "SUCCEEDED", "all are up"),
        (["io:UNRESPONSIVE"], "FAILED", "io is UNRESPONSIVE"),
        (["io:UNRESPONSIVE@500ms", "io:RECOVER@8s"], "SUCCEEDED", "io answers again"),
        (["io:LOSE_ANSWER", "conveyor:LOSE_ANSWER@3s"], "SUCCEEDED", "is asked for CMD_INITIALIZE again"),
        (["io:FAULT@500ms"], "FAILED", "a failure of its own"),
    ],
)
def test_scripted_failures(faults: Sequence[str], status: str, says: str) -> None:
    made = simulator(UP)
    run = made.run("up", faults=faults)
    assert run.status == status, run
    assert made.timeline.contains(says), [entry.what for entry in made.timeline]
    assert len(made.devices.notified) == (0 if run.ok else 1)


def test_lost_answers_and_takeovers_have_nothing_done_twice() -> None:
    calm = simulator(UP)
    calm.run("up")
    for tenths in range(1, 60, 4):
        made = simulator(UP)
        run = made.run(
            "up", faults=[f"leader:TAKEOVER@{tenths * 100}ms", "io:LOSE_ANSWER@1s", "leader:TAKEOVER@2500ms"]
        )
        assert run.ok, tenths
        assert counts(made) == counts(calm) == {"io": 2, "conveyor": 2}


FAULTS = st.lists(
    st.builds(
        "{}:{}@{}ms".format,
        st.sampled_from(["io", "conveyor"]),
        st.sampled_from(
            ["FAULT", "UNRESPONSIVE", "RECOVER", "REFUSE:CMD_START", "FAIL:CMD_START", "SLOW:3s", "LOSE_ANSWER"]
        ),
        st.integers(1, 9000),
    )
    | st.builds("leader:TAKEOVER@{}ms".format, st.integers(1, 9000)),
    max_size=6,
)


@settings(max_examples=20, deadline=None)
@given(FAULTS, st.integers(0, 2**32))
def test_whatever_goes_wrong_it_ends_and_the_same_seed_gives_the_same_run(faults: list[str], seed: int) -> None:
    runs = []
    for _ in range(2):
        made = simulator(UP, seed=seed)
        run = made.run("up", faults=faults)
        assert not run.stuck
        assert (
            run.ok == (set(made.devices.states().values()) == {"STARTED"})
            or any("FAULT@" in each for each in faults)
            or any("UNRESPONSIVE" in each for each in faults)
        )
        runs.append((run, made.timeline.rows()))
    assert runs[0] == runs[1]


def test_what_waits_for_ever_is_said_to_be_stuck() -> None:
    made = simulator("name: p\ntimeout: 1h\nactions: [{type: execute_scenario, name: p}]\n")
    run = made.run("p")
    assert (run.status, run.seconds) == ("TIMED_OUT", 3600.0)


@pytest.mark.parametrize(("approvals", "status"), [("approve", "SUCCEEDED"), ("reject", "FAILED"), ("never", "FAILED")])
def test_people_answer_as_they_are_told_to(approvals: str, status: str) -> None:
    text = "name: p\nactions: [{type: approve, message: go?, timeout: 10m}, {type: wait_for_signal, signal: go}]\n"
    made = simulator(text, approvals=approvals)
    assert made.run("p", signals=[(2.0, "go", {"speed": 3})]).status == status


def test_inputs_are_checked() -> None:
    with pytest.raises(SimulationInvalid, match="input speed"):
        simulator(UP).run("up", {"speed": 3})
    with pytest.raises(SimulationInvalid, match="there is no playbook down; there are: up"):
        simulator(UP).run("down")
    assert simulator(UP).run("up", {"level": "INIT_COMPLETE"}).states == {
        "io": "INIT_COMPLETE",
        "conveyor": "INIT_COMPLETE",
    }


# ── Triggers and verification ────────────────────────────────

RECOVER = """
name: recover
trigger:
  - {type: component_state, group: line, state: [FAULT, UNRESPONSIVE]}
  - {type: event_received, event: line.*, condition: trigger.payload.level > 2}
actions:
  - {type: log_event, message: "{{ trigger.source }}"}
  - {type: send_command, component: "{{ trigger.source }}", command: CMD_RESET, when: "trigger.state == 'FAULT'"}
"""
AFTER = """
name: after
trigger: {type: playbook_ended, playbook: recover}
actions: [{type: log_event, message: "after {{ trigger.playbook }}"}]
"""
LINE = {"components": {"io": {"groups": ["line"], "state": "STARTED"}, "lamp": {}}}


def test_a_failure_starts_what_waits_for_it() -> None:
    made = simulator(RECOVER, AFTER, plant=LINE)
    runs = made.simulate_component_failure("io", "FAULT")
    assert [(run.playbook, run.status) for run in runs] == [("recover", "SUCCEEDED"), ("after", "SUCCEEDED")]
    expected: list[Expected] = ["log_event", {"type": "send_command", "component": "io", "command": "CMD_RESET"}]
    assert made.verify_scenario_execution("recover", expected)
    assert made.simulate_component_failure("lamp", "FAULT") == []
    assert [run.playbook for run in made.simulate_component_failure("io", "UNRESPONSIVE")] == ["recover", "after"]


def test_an_event_starts_it_when_its_condition_holds() -> None:
    made = simulator(RECOVER, plant=LINE)
    assert made.send_event("line.jam", "io", {"level": 2}) == []
    assert [run.status for run in made.send_event("line.jam", "io", {"level": 3})] == [
        "FAILED"
    ]  # no `state` in an event
    assert made.send_event("lines.jam", "io", {"level": 3}) == []
    assert made.send_event("line.jam", "io", {}) == []  # a condition that cannot be read starts nothing, and says so
    assert made.timeline.contains("started nothing")


def test_a_difference_can_be_read() -> None:
    made = simulator(UP)
    made.run("up")
    verification = made.verify_scenario_execution(
        "up",
        [
            {"type": "set_group_state", "id": "up"},
            {"type": "send_notification"},
            {"type": "log_event", "message": "up"},
        ],
    )
    assert not verification
    assert str(verification).splitlines()[1:] == [
        "  set_group_state  id=up",
        "- send_notification",
        "- log_event  message=up",
        "+ log_event  message=all are up",
    ]
    assert "up did not run" not in str(verification)
    assert "playbook down did not run; those that ran: up" in str(made.verify_scenario_execution("down", []))
    assert str(made.verify_scenario_execution("up", ["set_group_state", "log_event"])) == "as expected"


def test_the_timeline_shows_all_states_of_a_few_and_only_changes_of_many() -> None:
    few = simulator(UP)
    few.run("up")
    assert all("io=" in line["components"] for line in few.timeline.lines())
    many = simulator(UP, plant={"components": {f"c{number}": {} for number in range(20)}})
    many.run("up")
    assert max(line["components"].count("=") for line in list(many.timeline.lines())[1:]) < 20


HOOK = """
name: hook
trigger: {type: group_state, group: line, state: STARTED}
actions:
  - {type: http_request, id: told, method: POST, url: "http://127.0.0.1/{{ plant.path }}", timeout: 20s}
  - {type: send_notification, message: "told: {{ steps.told.value.status }}", timeout: 20s}
  - {type: set_variable, scope: plant, name: told, value: true}
"""


@pytest.mark.parametrize(
    ("faults", "status", "requests", "notices"),
    [
        ([], "SUCCEEDED", 1, 1),
        (["http:LOSE_ANSWER", "notify:LOSE_ANSWER"], "SUCCEEDED", 1, 1),
        (["http:REFUSE"], "FAILED", 0, 0),
        (["notify:REFUSE"], "FAILED", 1, 0),
    ],
)
def test_requests_and_notifications_arrive_once_or_not_at_all(
    faults: list[str], status: str, requests: int, notices: int
) -> None:
    plant = {"components": {"io": {"groups": ["line"]}}, "variables": {"path": "line"}}
    made = simulator(HOOK, UP, plant=plant)
    made.arm("hook")
    made.script(faults)
    made.run("up")
    [run] = [made.outcome(each) for each in made.records.registry.rows if made.outcome(each).playbook == "hook"]
    assert run.status == status, run
    assert (len(made.devices.requested), len(made.devices.notified)) == (requests, notices)
    assert all(each["url"] == "http://127.0.0.1/line" for each in made.devices.requested)
    assert ("told" in made.records.variables.rows) == (status == "SUCCEEDED")
