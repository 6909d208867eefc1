"""The playbooks that come with Triarch, simulated: when all goes well, when something fails, and through takeovers."""

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.cli.playbook_files import playbooks_in
from orchestrator.lifecycle import State
from orchestrator.playbooks.checker.search import check, lines
from orchestrator.playbooks.checker.starts import Wanted
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.simulation import Simulator
from orchestrator.playbooks.simulation.plant import SimulatedPlant

DIRECTORY = Path(__file__).parents[2] / "playbooks"
NAMES = sorted(file.stem for file in DIRECTORY.glob("*.yaml"))
ORDER = ("base", "io", "conveyor")
"""Each depends on the one before it."""


@functools.cache
def shipped() -> tuple[Playbook, ...]:
    asked, _ = playbooks_in(sorted(DIRECTORY.glob("*.yaml")))
    return tuple(asked)


def plant(state: State, **states: State) -> SimulatedPlant:
    components: dict[str, dict[str, Any]] = {
        "base": {},
        "io": {"depends_on": ["base"]},
        "conveyor": {"depends_on": ["io"]},
        "hall-1": {"groups": ["cameras"]},
        "extra-1": {"groups": ["spare"]},
    }
    return SimulatedPlant.of(
        {
            "components": {
                name: {**row, "state": states.get(name.replace("-", "_"), state)} for name, row in components.items()
            }
        }
    )


def simulator(state: State, **states: State) -> Simulator:
    return Simulator(shipped(), plant(state, **states))


def order_of(made: Simulator, command: str) -> list[str]:
    """The components, in the order in which they took up the command."""
    said = [entry.what for entry in made.timeline if entry.what.endswith(f" takes up {command}")]
    return [what.partition(" ")[0] for what in said]


def counts(made: Simulator) -> dict[str, int]:
    return {name: machine.count for name, machine in made.devices.machines.items()}


def states(made: Simulator) -> dict[str, str]:
    return made.devices.states()


def test_all_eight_are_there() -> None:
    assert NAMES == [
        "backpressure_critical",
        "camera_lost",
        "cascade_failure",
        "component_fault_recovery",
        "graceful_shutdown",
        "rolling_restart",
        "startup",
        "ups_power_loss",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_the_checker_finds_nothing_in_it(name: str) -> None:
    """Every run with one failure. With a takeover at any point of it too: `tests/chaos/test_shipped_playbooks.py`."""
    [playbook], called = playbooks_in([DIRECTORY / f"{name}.yaml"])
    where = None
    if name == "backpressure_critical":  # it moves only those of its groups
        where = SimulatedPlant.of({"components": {"x": {"groups": ["spare"]}, "z": {}}})
    report = check(playbook, called, Wanted(where, faults=1, takeovers=0))
    assert report.ok, "\n".join(lines(report))
    assert report.complete, report.cut
    assert report.states > 20


# ── startup ────────────────────────────────


def test_startup_goes_from_the_base_upwards() -> None:
    made = simulator(State.READY)
    assert made.run("startup").ok
    assert set(states(made).values()) == {"STARTED"}
    begun = order_of(made, "CMD_START")
    assert [name for name in begun if name in ORDER] == list(ORDER)
    expected = ["log_event", "block", "set_group_state", "log_event"]
    assert made.verify_scenario_execution("startup", expected), made.verify_scenario_execution("startup", expected)


def test_startup_resets_what_is_in_fault() -> None:
    made = simulator(State.READY, io=State.FAULT)
    assert made.run("startup").ok
    assert order_of(made, "CMD_RESET") == ["io"]


def test_a_startup_that_fails_takes_the_plant_down_again() -> None:
    made = simulator(State.READY)
    run = made.run("startup", faults=["conveyor:FAIL:CMD_START"])
    assert run.status == "FAILED"
    assert states(made)["conveyor"] == "FAULT"
    assert not {"STARTED", "INIT_COMPLETE"} & set(states(made).values())
    stopped = order_of(made, "CMD_GRACEFUL_STOP")
    assert stopped.index("io") < stopped.index("base")
    assert made.devices.notified[-1]["severity"] == "error"


def test_startup_of_one_group_leaves_the_others_alone() -> None:
    made = simulator(State.READY)
    assert made.run("startup", {"group": "cameras"}).ok
    assert {name for name, state in states(made).items() if state == "STARTED"} == {"hall-1"}


# ── graceful_shutdown ────────────────────────────────


def test_shutdown_goes_from_the_top_down() -> None:
    made = simulator(State.STARTED)
    assert made.run("graceful_shutdown").ok
    assert set(states(made).values()) == {"STOPPED"}
    stopped = order_of(made, "CMD_GRACEFUL_STOP")
    assert [name for name in stopped if name in ORDER] == list(reversed(ORDER))


def test_shutdown_goes_past_one_that_does_not_answer() -> None:
    made = simulator(State.STARTED)
    run = made.run("graceful_shutdown", faults=["conveyor:UNRESPONSIVE"])
    assert run.status == "FAILED"
    assert "conveyor" in run.error
    left = states(made)
    assert {name: left[name] for name in ("base", "io", "hall-1")} == dict.fromkeys(("base", "io", "hall-1"), "STOPPED")
    assert made.devices.notified


def test_shutdown_leaves_a_component_in_fault_as_it_is() -> None:
    made = simulator(State.STARTED, io=State.FAULT)
    assert made.run("graceful_shutdown").ok
    assert states(made) == {**dict.fromkeys(states(made), "STOPPED"), "io": "FAULT"}


# ── ups_power_loss ────────────────────────────────


def test_power_that_stays_away_shuts_the_plant_down_in_reverse_order() -> None:
    made = simulator(State.STARTED)
    made.arm("ups_power_loss")
    [run, child] = made.send_event("ups.power_lost", "ups-1", {"charge": 0.8})
    assert (run.playbook, run.ok, child.playbook, child.ok) == ("ups_power_loss", True, "graceful_shutdown", True)
    assert set(states(made).values()) == {"STOPPED"}
    stopped = [name for name in order_of(made, "CMD_GRACEFUL_STOP") if name in ORDER]
    assert stopped == list(reversed(ORDER))
    assert run.seconds > 30


def test_power_that_returns_in_time_changes_nothing() -> None:
    made = simulator(State.STARTED)
    run = made.run("ups_power_loss", signals=[(12.0, "power_restored", True)])
    assert run.ok
    assert set(states(made).values()) == {"STARTED"}
    assert made.timeline.contains("power has returned in time")


def test_a_ups_that_repeats_itself_starts_one_execution() -> None:
    made = simulator(State.STARTED)
    made.arm("ups_power_loss")
    made.time.after(5.0, lambda: made.happen("ups.power_lost", "ups-1", {}))
    assert len([run for run in made.send_event("ups.power_lost", "ups-1") if run.playbook == "ups_power_loss"]) == 1


def test_a_plant_that_cannot_be_stopped_before_the_batteries_end_says_so() -> None:
    made = simulator(State.STARTED)
    run = made.run("ups_power_loss", faults=["io:UNRESPONSIVE@31s"])
    assert run.status == "FAILED"
    assert [note["severity"] for note in made.devices.notified][-1] == "critical"


# ── component_fault_recovery ────────────────────────────────


def test_a_component_in_fault_is_recovered() -> None:
    made = simulator(State.STARTED)
    made.arm("component_fault_recovery")
    [run] = made.simulate_component_failure("conveyor", "FAULT")
    assert run.ok
    assert states(made) == dict.fromkeys(states(made), "STARTED")


def test_one_that_fails_each_time_is_given_up_and_told_about() -> None:
    made = simulator(State.STARTED)
    made.arm("component_fault_recovery")
    runs = made.await_triggers(["conveyor:FAIL:CMD_START", "conveyor:FAULT@1s"])
    assert [run.status for run in runs] == ["FAILED"]
    assert order_of(made, "CMD_RESET") == ["conveyor"] * 3
    assert made.devices.notified[-1]["severity"] == "critical"


def test_recovery_may_end_in_a_shutdown() -> None:
    made = simulator(State.STARTED, conveyor=State.FAULT)
    inputs = {"component": "conveyor", "shutdown_on_failure": True}
    assert made.run("component_fault_recovery", inputs, faults=["conveyor:FAIL:CMD_INITIALIZE"]).status == "FAILED"
    assert "STARTED" not in states(made).values()


# ── cascade_failure ────────────────────────────────


def test_dependents_of_a_failed_base_stop_and_come_back_with_it() -> None:
    made = simulator(State.STARTED)
    made.arm("cascade_failure")
    [run] = made.simulate_component_failure("base", "FAULT")
    assert run.ok
    assert [name for name in order_of(made, "CMD_GRACEFUL_STOP") if name in ORDER] == ["conveyor", "io"]
    assert order_of(made, "CMD_START") == list(ORDER)
    assert states(made) == dict.fromkeys(states(made), "STARTED")


def test_dependents_of_a_base_that_cannot_be_recovered_stay_at_rest() -> None:
    made = simulator(State.STARTED)
    made.arm("cascade_failure")
    [run] = made.await_triggers(["base:FAIL:CMD_START", "base:FAULT@1s"])
    assert run.status == "FAILED"
    left = states(made)
    assert left["base"] == "FAULT"
    assert {left["io"], left["conveyor"]} <= {"STOPPING", "STOPPED", "FAULT"}
    assert left["hall-1"] == "STARTED"
    assert made.devices.notified[-1]["severity"] == "critical"


# ── rolling_restart ────────────────────────────────


def test_a_rolling_restart_takes_one_at_a_time() -> None:
    made = simulator(State.STARTED)
    assert made.run("rolling_restart").ok
    assert counts(made) == dict.fromkeys(states(made), 4)  # stop, reset, initialize, start
    away = [sum(not state.startswith("STARTED") for state in entry.components.values()) for entry in made.timeline]
    assert max(away) == 1


def test_a_rolling_restart_ends_with_one_that_does_not_come_back() -> None:
    made = simulator(State.STARTED)
    run = made.run("rolling_restart", faults=["conveyor:FAIL:CMD_INITIALIZE"])
    assert run.status == "FAILED"
    # In the order of their names, those after it were not touched.
    untouched = {name: count for name, count in counts(made).items() if name != "conveyor"}
    assert untouched == {"base": 4, "extra-1": 0, "hall-1": 0, "io": 0}


# ── camera_lost ────────────────────────────────


def test_a_lost_camera_is_restarted() -> None:
    made = simulator(State.STARTED)
    made.arm("camera_lost")
    [run] = made.send_event("camera.lost", "processor-7", {"camera": "hall-1"})
    assert run.ok
    assert counts(made) == {**dict.fromkeys(states(made), 0), "hall-1": 4}


def test_a_camera_that_comes_back_by_itself_is_waited_for() -> None:
    made = simulator(State.STARTED)
    run = made.run("camera_lost", {"camera": "hall-1"}, faults=["hall-1:UNRESPONSIVE", "hall-1:RECOVER@20s"])
    assert run.ok
    assert states(made)["hall-1"] == "STARTED"


def test_a_camera_that_does_not_come_back_is_told_about() -> None:
    made = simulator(State.STARTED)
    run = made.run("camera_lost", {"camera": "hall-1"}, faults=["hall-1:UNRESPONSIVE"])
    assert run.status == "FAILED"
    assert made.devices.notified[-1]["message"].startswith("camera not brought back")
    assert made.run("camera_lost", {"camera": "yard-9"}).error.endswith("nobody can restart it from here")


# ── backpressure_critical ────────────────────────────────


def test_critical_backpressure_starts_the_spare_ones() -> None:
    made = simulator(State.STARTED, extra_1=State.READY)
    made.arm("backpressure_critical")
    [run] = made.send_event("frames.backpressure", "orchestrator", {"level": 3, "usage": 0.97})
    assert run.ok
    assert states(made)["extra-1"] == "STARTED"
    assert made.timeline.contains("usage 0.97")


def test_lower_levels_and_repeats_start_nothing() -> None:
    made = simulator(State.STARTED)
    made.arm("backpressure_critical")
    assert made.send_event("frames.backpressure", "orchestrator", {"level": 2}) == []
    assert len(made.send_event("frames.backpressure", "orchestrator", {"level": 3})) == 1
    assert made.send_event("frames.backpressure", "orchestrator", {"level": 3}) == []  # its cooldown
    assert made.timeline.contains("cooldown")


def test_what_can_be_done_without_is_stopped_and_a_spare_one_that_fails_is_passed_over() -> None:
    made = simulator(State.STARTED, extra_1=State.READY)
    inputs = {"shed": "cameras"}
    assert made.run("backpressure_critical", inputs, faults=["extra-1:REFUSE:CMD_INITIALIZE"]).ok
    assert (states(made)["extra-1"], states(made)["hall-1"]) == ("READY", "STOPPED")


# ── Takeovers ────────────────────────────────

SCENARIOS: Mapping[str, tuple[State, dict[str, Any], dict[str, State]]] = {
    "backpressure_critical": (State.STARTED, {"shed": "cameras"}, {"extra_1": State.READY}),
    "camera_lost": (State.STARTED, {"camera": "hall-1"}, {}),
    "cascade_failure": (State.STARTED, {"component": "base"}, {"base": State.FAULT}),
    "component_fault_recovery": (State.STARTED, {"component": "io"}, {"io": State.FAULT}),
    "graceful_shutdown": (State.STARTED, {}, {}),
    "rolling_restart": (State.STARTED, {}, {}),
    "startup": (State.READY, {}, {}),
    "ups_power_loss": (State.STARTED, {}, {}),
}


@pytest.mark.parametrize("name", NAMES)
def test_takeovers_change_nothing_and_no_command_is_done_twice(name: str) -> None:
    state, inputs, others = SCENARIOS[name]
    calm = simulator(state, **others)
    run = calm.run(name, inputs)
    assert run.ok
    for number in range(4):
        made = simulator(state, **others)
        # Spread over the whole run, two close together, so that the second finds the first one's successor at work.
        at = run.seconds * number / 4
        after = made.run(
            name, inputs, faults=[f"leader:TAKEOVER@{at + 0.001:.3f}s", f"leader:TAKEOVER@{at + 0.7:.3f}s"]
        )
        assert after.ok, after
        assert (counts(made), states(made)) == (counts(calm), states(calm))
        assert len(made.devices.notified) == len(calm.devices.notified)


# ── Against the checker's verdict ────────────────────────────────

HARM = ("FAULT", "UNRESPONSIVE", "REFUSE:CMD_START", "REFUSE:CMD_GRACEFUL_STOP", "FAIL:CMD_INITIALIZE", "LOSE_ANSWER")


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=6, deadline=None)
@given(
    victim=st.sampled_from(["base", "io", "conveyor", "hall-1", "extra-1"]),
    harm=st.sampled_from(HARM),
    at=st.integers(1, 12_000),
    takeover=st.integers(1, 15_000),
    seed=st.integers(0, 1_000),
)
def test_no_sound_component_is_left_in_the_middle(
    name: str, victim: str, harm: str, at: int, takeover: int, seed: int
) -> None:
    """What the checker says of every order of events holds for those that a clock brings about."""
    state, inputs, others = SCENARIOS[name]
    made = Simulator(shipped(), plant(state, **others), seed=seed)
    run = made.run(name, inputs, faults=[f"{victim}:{harm}@{at}ms", f"leader:TAKEOVER@{takeover}ms"])
    assert not run.stuck
    [end] = [entry for entry in made.timeline if entry.execution == run.id and entry.what.startswith(f"{name}: ")]
    left = {other for other, found in end.components.items() if found in ("INITIALIZING", "STOPPING")}
    assert left <= {victim}, (run, end)
