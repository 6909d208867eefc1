"""What the supervision decides, carried out on components that follow the lifecycle's table. Pure: virtual time.

`World` holds a real `PlantState` and components that are nothing but their state and the table of the lifecycle. One
`step` is a tick of a leader: it decides, commits, and sends; each component remembers the keys it was sent.
"""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster import Command as Proposal
from cluster import Position
from orchestrator.components import Observe, Presence, Register
from orchestrator.lifecycle import PASSAGES, Command, Signal, State, transition
from orchestrator.state import PlantState
from orchestrator.topology import resolving
from orchestrator.topology.models import GroupModel, PolicyModel, RestartModel, Strategy
from orchestrator.topology.planning import DOWN
from orchestrator.topology.rows import Acknowledge, DeletePolicy, Desire, Maintain, PutGroup, SetPolicy
from orchestrator.topology.supervising import Decision, Plant, decide

LINE = {"io": (), "supervisor": ("io",), "kds": ("supervisor",)}
TICK_S = 0.25


class World:
    """`breaks`: commands that a component fails at. `slow`: components that stay in passages until they are let go."""

    def __init__(self, **depends_on: tuple[str, ...]) -> None:
        self.state = PlantState()
        self.now = 1000.0
        self.index = 0
        self.states: dict[str, State] = {}
        self.sequences: Counter[str] = Counter()
        self.incarnations: Counter[str] = Counter()
        self.done: list[tuple[str, str]] = []
        self.keys: set[str] = set()
        self.breaks: set[tuple[str, Command]] = set()
        self.slow: set[str] = set()
        self.held: dict[str, str] = {}
        for each, needed in depends_on.items():
            self.join(each)
            if needed:
                self.policy(each, depends_on=needed)

    def apply(self, body: Any) -> bool:
        self.index += 1
        proposal = Proposal(body.kind, msgspec.msgpack.encode(body), id=str(self.index), time=self.now)
        outcome, _ = self.state.apply(proposal, Position(1, self.index))
        return outcome.ok

    def join(self, component_id: str) -> None:
        """A new process."""
        self.incarnations[component_id] += 1
        self.sequences[component_id] = 0
        self.states[component_id] = State.READY
        assert self.apply(
            Register(
                id=component_id,
                address=f"http://{component_id}",
                incarnation=str(self.incarnations[component_id]),
                sequence=0,
            )
        )

    def policy(self, component_id: str, *, depends_on: tuple[str, ...] | None = None, **restart: Any) -> None:
        held = self.state.topology.control(component_id)
        model = PolicyModel(
            depends_on=held.depends_on if depends_on is None else depends_on,
            restart=RestartModel(**restart) if restart else RestartModel(**msgspec.to_builtins(held.restart)),
        )
        assert self.apply(SetPolicy.of(component_id, model))

    def desire(self, state: str, *ids: str) -> None:
        assert self.apply(Desire(ids=ids or tuple(self.states), state=state))

    def becomes(self, component_id: str, state: State, reason: str = "") -> None:
        self.states[component_id] = state
        self.sequences[component_id] += 1
        assert self.apply(
            Observe(
                id=component_id,
                state=state,
                reason=reason,
                incarnation=str(self.incarnations[component_id]),
                sequence=self.sequences[component_id],
            )
        )

    def fault(self, component_id: str) -> None:
        self.becomes(component_id, State.FAULT, "the belt is torn")

    def presence(self, component_id: str, online: bool) -> None:
        assert self.apply(Presence(id=component_id, online=online, reason="" if online else "no heartbeat for 3.0 s"))

    def command(self, component_id: str, command: Command, key: str) -> None:
        if key in self.keys:
            return
        target = transition(self.states[component_id], command)
        assert isinstance(target, State), f"{component_id}: {target.reason}"
        self.keys.add(key)
        self.done.append((component_id, command.removeprefix("CMD_")))
        if (component_id, command) in self.breaks:
            self.becomes(component_id, State.FAULT, f"{command} failed")
        else:
            self.becomes(component_id, target)

    def decisions(self) -> list[Decision]:
        state = self.state
        strategies = {
            name: (str(row.strategy), resolving.members(state, name))
            for name, row in state.topology.groups.items()
            if row.strategy != Strategy.ONE_FOR_ONE
        }
        depends_on = resolving.dependencies(state)
        plant = Plant(state.components.rows, state.topology.controls, depends_on, strategies, dict(self.held))
        return decide(plant, self.now)

    def step(self, *, lost: bool = False) -> list[Decision]:
        """One tick. `lost`: the leader dies before it sends, after it has committed."""
        found = self.decisions()
        for decision in found:
            if decision.propose is not None:
                self.apply(decision.propose)
            elif decision.command is not None and not lost:
                self.command(decision.component_id, decision.command, decision.key)
        for each, state in self.states.items():
            if state in PASSAGES and each not in self.slow:
                following = transition(state, Signal.DONE)
                assert isinstance(following, State)
                self.becomes(each, following)
        self.now += TICK_S
        return found

    def settle(self, ticks: int = 400) -> None:
        """Until there is nothing to act on or to wait for by the clock."""
        for _ in range(ticks):
            before = self.index
            if not any(each.acts or each.due for each in self.step()) and self.index == before:
                return
        raise AssertionError(f"not at rest after {ticks} ticks: {self.decisions()}")

    def at(self, component_id: str) -> State:
        return self.states[component_id]

    def reason(self, component_id: str) -> str:
        return next(each.reason for each in self.decisions() if each.component_id == component_id)


def started(**restart: Any) -> World:
    world = World(**LINE)
    for each in LINE:
        if restart:
            world.policy(each, **restart)
    world.desire("STARTED")
    world.settle()
    assert set(world.states.values()) == {State.STARTED}
    world.done.clear()
    return world


def test_a_plant_of_which_nobody_spoke_is_left_alone() -> None:
    world = World()
    world.join("io")
    world.becomes("io", State.FAULT, "torn")
    assert world.decisions() == []


def test_what_is_desired_comes_up_in_order_and_goes_down_in_reverse() -> None:
    world = World(**LINE)
    world.desire("STARTED")
    world.settle()
    assert world.done == [(each, command) for each in LINE for command in ("INITIALIZE", "START")]
    world.done.clear()
    world.desire("STOPPED")
    world.settle()
    assert world.done == [(each, "GRACEFUL_STOP") for each in reversed(LINE)]
    assert "it is STOPPED" in world.reason("io")
    world.desire("STARTED")
    world.settle()
    assert world.at("kds") == State.STARTED
    assert world.state.topology.control("io").restarts == (), "who was stopped on purpose has not failed"


def test_independent_ones_go_side_by_side() -> None:
    world = World(io=(), left=("io",), right=("io",))
    world.desire("STARTED", "left", "right")
    world.becomes("io", State.STARTED)
    world.step()
    world.step()
    assert world.done == [("left", "INITIALIZE"), ("right", "INITIALIZE")]


def test_a_base_that_is_needed_is_not_stopped_under_those_that_need_it() -> None:
    world = started()
    world.desire("", "supervisor", "kds")
    world.desire("STOPPED", "io")
    world.settle()
    assert world.done == []
    assert "waits for kds, which needs it, to stop" in world.reason("io")


@pytest.mark.parametrize("how", ["fault", "silence"])
def test_those_that_need_a_failed_component_stop_in_reverse_order(how: str) -> None:
    world = started()
    if how == "fault":
        world.fault("io")
    else:
        world.presence("io", online=False)
    world.settle()
    assert world.done == [("kds", "GRACEFUL_STOP"), ("supervisor", "GRACEFUL_STOP")]
    assert {world.states["kds"], world.states["supervisor"]} == {State.STOPPED}
    assert "io, which it needs, is " in world.reason("kds")
    if how == "fault":
        assert "its policy is never to restart it" in world.reason("io")
        world.becomes("io", State.READY)  # somebody resets it
    else:
        world.presence("io", online=True)
    world.settle()
    assert set(world.states.values()) == {State.STARTED}, "what is desired comes back with its base"


def test_dependencies_alone_are_enough_for_the_cascade() -> None:
    world = World(**LINE)
    for each in LINE:
        world.becomes(each, State.STARTED)
    world.fault("io")
    world.settle()
    assert world.states == {"io": State.FAULT, "supervisor": State.STOPPED, "kds": State.STOPPED}
    world.becomes("io", State.STARTED)
    world.settle()
    assert world.at("kds") == State.STOPPED, "nobody desires it, and its policy is never"


def test_one_that_ignores_what_it_needs_goes_on_and_shields_those_behind() -> None:
    world = started()
    world.apply(SetPolicy.of("supervisor", PolicyModel(depends_on=("io",), on_dependency_failure="ignore")))
    world.fault("io")
    world.settle()
    assert world.done == []


def test_a_cascade_waits_for_a_passage_to_end() -> None:
    world = World(**LINE)
    world.becomes("io", State.STARTED)
    world.slow.add("supervisor")
    world.desire("STARTED", "supervisor")
    world.step()
    world.step()
    assert {world.states["supervisor"]} == {State.INITIALIZING}
    world.fault("io")
    world.settle()
    assert "INITIALIZING: that is waited for" in world.reason("supervisor")
    world.slow.clear()
    world.settle()
    assert world.at("supervisor") == State.STOPPED


# ── Restarts ────────────────────────────────


def test_a_fault_is_followed_by_a_restart_after_a_pause_and_the_others_return() -> None:
    world = started(when="on_failure", backoff_initial_s=2)
    world.fault("io")
    world.step()
    assert "restart 1 of 5 in 300 s, after 2 s: it is FAULT (the belt is torn)" in world.reason("io")
    began = world.now
    while ("io", "RESET") not in world.done:
        world.step()
    assert 2 <= world.now - began <= 3
    world.settle()
    assert world.done == [
        ("kds", "GRACEFUL_STOP"),
        ("supervisor", "GRACEFUL_STOP"),
        *[(each, command) for each in LINE for command in ("RESET", "INITIALIZE", "START")],
    ]


def test_a_base_does_not_restart_under_those_that_have_to_stop() -> None:
    world = started(when="on_failure", backoff_initial_s=0)
    world.slow.add("kds")
    world.fault("io")
    world.settle()
    assert world.states == {"io": State.FAULT, "supervisor": State.STARTED, "kds": State.STOPPING}
    assert "waits for kds, which needs it and has to stop first" in world.reason("io")
    world.slow.clear()
    world.settle()
    assert set(world.states.values()) == {State.STARTED}


def test_after_too_many_restarts_it_stops_and_says_why() -> None:
    world = World(io=())
    world.policy("io", when="on_failure", limit=3, window_s=60, backoff_initial_s=1)
    world.breaks.add(("io", Command.START))
    world.fault("io")
    world.settle()
    assert Counter(command for _, command in world.done) == {"RESET": 3, "INITIALIZE": 3, "START": 3}
    row = world.state.topology.control("io")
    assert row.exhausted == world.reason("io")
    assert "FAULT (CMD_START failed) after 3 restarts within 60 s, its limit is 3" in row.exhausted
    pauses = [later - earlier for earlier, later in zip(row.restarts, row.restarts[1:], strict=False)]
    assert pauses == sorted(pauses), "the pauses grow"
    world.now += 1000
    world.settle()
    assert len(world.done) == 9, "also after the window it stays so until somebody says otherwise"
    world.breaks.clear()
    assert world.apply(Acknowledge(id="io", by="ada"))
    world.settle()
    assert len(world.done) == 9
    assert world.apply(Acknowledge(id="io", by="ada", retry=True))
    world.settle()
    assert world.at("io") == State.STARTED


def test_who_gave_up_begins_anew_once_somebody_else_has_started_it() -> None:
    world = World(io=())
    world.policy("io", when="on_failure", limit=1, backoff_initial_s=0)
    world.breaks.add(("io", Command.START))
    world.fault("io")
    world.settle()
    assert world.state.topology.control("io").exhausted
    world.desire("STARTED")
    world.settle()
    assert world.state.topology.control("io").exhausted, "desired, and it still breaks"
    world.breaks.clear()
    world.becomes("io", State.STARTED)
    world.settle()
    row = world.state.topology.control("io")
    assert (row.exhausted, row.restarts) == ("", ())


def test_a_process_that_is_back_after_a_crash_counts_as_a_restart() -> None:
    world = started(when="on_failure", limit=2, backoff_initial_s=0)
    for _ in range(2):
        world.join("io")
        world.settle()
        assert world.at("io") == State.STARTED
    assert len(world.state.topology.control("io").restarts) == 2
    world.join("io")
    world.settle()
    assert world.at("io") == State.READY
    assert "it is back in READY after 2 restarts" in world.reason("io")


def test_a_policy_of_always_needs_no_desire() -> None:
    world = World(io=())
    world.policy("io", when="always", backoff_initial_s=0)
    world.settle()
    assert world.at("io") == State.STARTED
    world.becomes("io", State.STOPPED)
    world.settle()
    assert world.at("io") == State.STARTED
    world.desire("STOPPED")
    world.settle()
    assert world.at("io") == State.STOPPED


def test_a_component_that_was_stopped_by_hand_is_not_started_by_a_policy_of_on_failure() -> None:
    world = World(io=())
    world.policy("io", when="on_failure", backoff_initial_s=0)
    world.fault("io")
    world.settle()
    assert world.at("io") == State.STARTED
    world.becomes("io", State.STOPPED)
    world.settle()
    assert world.at("io") == State.STOPPED


def test_a_new_leader_waits_for_the_pause_that_the_old_one_began() -> None:
    world = World(io=())
    world.policy("io", when="on_failure", backoff_initial_s=60)
    world.fault("io")
    world.step(lost=True)
    began = world.now
    while not world.done:
        world.step()
    assert world.now - began >= 59
    world.settle()
    assert Counter(world.done) == Counter([("io", "RESET"), ("io", "INITIALIZE"), ("io", "START")])


# ── Strategies ────────────────────────────────


@pytest.mark.parametrize(
    ("strategy", "stopped"),
    [
        (Strategy.ONE_FOR_ONE, []),
        (Strategy.REST_FOR_ONE, ["c"]),
        (Strategy.ALL_FOR_ONE, ["a", "c"]),
    ],
)
def test_who_is_restarted_with_a_member_that_failed(strategy: Strategy, stopped: list[str]) -> None:
    world = World(a=(), b=(), c=())
    for each in "abc":
        world.policy(each, when="on_failure", backoff_initial_s=1)
    assert world.apply(PutGroup.of("line", GroupModel(components=("a", "b", "c"), strategy=strategy)))
    world.desire("STARTED")
    world.settle()
    world.done.clear()
    world.fault("b")
    world.settle()
    assert [each for each, command in world.done if command == "GRACEFUL_STOP"] == stopped
    assert set(world.states.values()) == {State.STARTED}
    assert [command for each, command in world.done if each == "b"] == ["RESET", "INITIALIZE", "START"]
    restarted = {each for each, row in world.state.topology.controls.items() if row.restarts}
    assert restarted == {"b"}, "those that were taken along have not failed"


def test_the_order_of_a_group_is_that_of_its_dependencies_first() -> None:
    world = World(z=(), a=("z",), m=())
    for each in "zam":
        world.policy(each, when="on_failure", backoff_initial_s=0)
    world.apply(PutGroup.of("line", GroupModel(components=("a", "m", "z"), strategy=Strategy.REST_FOR_ONE)))
    world.desire("STARTED")
    world.settle()
    world.done.clear()
    world.fault("m")  # the order is m, z, a
    world.settle()
    assert [each for each, command in world.done if command == "GRACEFUL_STOP"] == ["a", "z"]


def test_a_member_that_is_never_restarted_takes_nobody_along() -> None:
    world = World(a=(), b=())
    world.apply(PutGroup.of("line", GroupModel(components=("a", "b"), strategy=Strategy.ALL_FOR_ONE)))
    world.desire("STARTED")
    world.settle()
    world.done.clear()
    world.fault("a")
    world.settle()
    assert world.done == []


# ── Left alone ────────────────────────────────


def test_maintenance_and_playbooks_are_left_alone() -> None:
    world = started(when="on_failure", backoff_initial_s=0)
    world.apply(Maintain(ids=("io",), on=True, reason="new valve", by="ada"))
    world.held["kds"] = "execution e1 of playbook mend"
    world.fault("io")
    world.settle()
    assert world.done == [("supervisor", "GRACEFUL_STOP")]
    assert world.reason("io") == "is in maintenance, says ada: new valve"
    assert world.reason("kds") == "is held by execution e1 of playbook mend"
    world.apply(Maintain(ids=("io",), on=False))
    world.held.clear()
    world.settle()
    assert set(world.states.values()) == {State.STARTED}


def test_dependencies_that_circle_are_a_problem_that_is_named() -> None:
    world = World(a=(), b=("a",))
    row = world.state.topology.control("a")
    # A policy would be refused; two registrations may say so.
    world.state.topology.controls = {
        **world.state.topology.controls,
        "a": msgspec.structs.replace(row, depends_on=("b",)),
    }
    world.desire("STARTED")
    world.settle()
    assert world.done == []
    assert "these need one another: a → b → a" in world.reason("a")
    for each in "ab":
        world.becomes(each, State.STARTED)
    world.fault("a")
    world.settle()
    assert world.at("b") == State.STOPPED


def test_what_is_not_there_is_said() -> None:
    world = World(io=("plc",))
    world.desire("STARTED", "io", "ghost")
    world.settle()
    assert world.reason("ghost") == "is not registered"
    assert "waits for plc, which it needs and which is not registered" in world.reason("io")
    world.presence("io", online=False)
    assert "READY and OFFLINE" in world.reason("io")


# ── Anything may happen ────────────────────────────────

HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(
            ["fault", "away", "back", "join", "lost", "up", "down", "none", "maintain", "forget", "tick", "hand"]
        ),
        st.sampled_from(sorted(LINE)),
    ),
    max_size=25,
)


def happen(world: World, what: str, component_id: str) -> None:
    match what:
        case "fault":
            world.fault(component_id)
        case "away" | "back":
            world.presence(component_id, online=what == "back")
        case "join":
            world.presence(component_id, online=False)
            world.join(component_id)
        case "lost":
            world.step(lost=True)
        case "up" | "down" | "none":
            world.desire({"up": "STARTED", "down": "STOPPED", "none": ""}[what], component_id)
        case "maintain":
            on = world.state.topology.control(component_id).maintenance is None
            world.apply(Maintain(ids=(component_id,), on=on))
        case "forget":
            world.apply(DeletePolicy(id=component_id))
        case "hand" if world.states[component_id] not in PASSAGES:
            world.becomes(component_id, State.READY)
        case "tick":
            world.step()


@settings(max_examples=60, deadline=None)
@given(HAPPENINGS, st.sampled_from(Strategy))
def test_whatever_happens_it_comes_to_rest_as_desired(happenings: list[tuple[str, str]], strategy: Strategy) -> None:
    """And no command is ever sent that the lifecycle refuses, nor one twice: `World.command` would fail."""
    world = World(**LINE)
    for each in LINE:
        world.policy(each, when="on_failure", backoff_initial_s=0.5, limit=100)
    world.apply(PutGroup.of("line", GroupModel(components=tuple(LINE), strategy=strategy)))
    for what, component_id in happenings:
        happen(world, what, component_id)
    for each in LINE:
        if not world.state.components.rows[each].online:
            world.presence(each, online=True)
        world.apply(Maintain(ids=(each,), on=False))
    world.settle(2000)
    for each, control in world.state.topology.controls.items():
        assert control.exhausted == ""
        if control.desired == "STOPPED" and not any(
            world.states[other] not in DOWN for other, needed in LINE.items() if each in needed
        ):
            assert world.states[each] in DOWN
    for each, needed in LINE.items():
        world.policy(each, depends_on=needed, when="on_failure", backoff_initial_s=0.5, limit=100)
    world.desire("STARTED")
    world.settle(2000)
    assert set(world.states.values()) == {State.STARTED}
