"""Orders of dependencies and plans. Pure."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.components import ComponentRow
from orchestrator.errors import DependencyCycle
from orchestrator.lifecycle import Command, State
from orchestrator.topology.ordering import Graph, cycle, dependents, needs, start_order, stop_order
from orchestrator.topology.planning import DOWN, TARGETS, Plan, commands_to, plan

LINE: Graph = {"supervisor": ("io",), "kds": ("supervisor",), "camera": ("io",)}
NAMES = "abcdefgh"


def row(component_id: str, state: State = State.READY, *, online: bool = True) -> ComponentRow:
    return ComponentRow(
        id=component_id,
        name="",
        address="http://127.0.0.1:1",
        groups=(),
        state=state,
        online=online,
        reason="",
        incarnation="i",
        sequence=1,
        registered_time=0.0,
        position=(1, 1),
        absence="" if online else "no heartbeat for 3.0 s",
    )


def rows(**states: State) -> dict[str, ComponentRow]:
    return {name: row(name, state) for name, state in states.items()}


# A graph without cycles: each name needs only earlier ones.
ACYCLIC = st.fixed_dictionaries(
    {
        name: st.lists(st.sampled_from(NAMES[:at] or "z"), max_size=3, unique=True).map(tuple)
        for at, name in enumerate(NAMES)
    }
)
ANY = st.dictionaries(
    st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple), max_size=8
)
SELECTION = st.sets(st.sampled_from(NAMES))


@given(ACYCLIC, SELECTION)
def test_a_component_starts_after_all_that_it_needs_and_as_early_as_can_be(graph: Graph, selection: set[str]) -> None:
    waves = start_order(selection, graph)
    placed = {each: number for number, wave in enumerate(waves) for each in wave}
    assert sorted(each for wave in waves for each in wave) == sorted(selection), "each exactly once"
    for each in selection:
        before = [placed[other] for other in needs(each, graph) if other in selection]
        assert placed[each] == max(before, default=-1) + 1
    assert stop_order(selection, graph) == waves[::-1]


@given(ACYCLIC)
def test_who_needs_and_who_is_needed_mirror_each_other(graph: Graph) -> None:
    for each in NAMES:
        assert set(dependents(each, graph)) == {other for other in NAMES if each in needs(other, graph)}


@given(ANY)
def test_a_cycle_is_named_arrow_by_arrow_or_there_is_an_order(graph: Graph) -> None:
    circle = cycle(graph)
    if not circle:
        assert sorted(each for wave in start_order(NAMES, graph) for each in wave) == list(NAMES)
        return
    assert circle[0] == circle[-1]
    assert len(set(circle)) == len(circle) - 1
    assert all(after in graph[before] for before, after in pairwise(circle))
    with pytest.raises(DependencyCycle, match=" → ") as found:
        start_order(circle, graph)
    assert set(found.value.details["cycle"]) <= set(NAMES)


def test_independent_ones_go_side_by_side() -> None:
    assert start_order(["kds", "camera", "io", "supervisor"], LINE) == [("io",), ("camera", "supervisor"), ("kds",)]
    assert stop_order(["kds", "io"], LINE) == [("kds",), ("io",)], "also when what links them is not selected"
    assert dependents("io", LINE) == ("camera", "kds", "supervisor")
    assert dependents("nobody", LINE) == ()


def test_a_chain_as_long_as_the_registry_is_ordered() -> None:
    chain = {f"c{number:05d}": (f"c{number - 1:05d}",) for number in range(1, 10_000)}
    assert len(start_order(["c00000", "c09999"], chain)) == 2
    assert len(dependents("c00000", chain)) == 9_999
    closed = {**chain, "c00000": ("c09999",)}
    assert len(cycle(closed)) == 10_001


# ── Plans ────────────────────────────────


@pytest.mark.parametrize(
    ("state", "target", "commands"),
    [
        (State.READY, State.STARTED, (Command.INITIALIZE, Command.START)),
        (State.INITIALIZING, State.STARTED, (Command.START,)),
        (State.STOPPED, State.STARTED, (Command.RESET, Command.INITIALIZE, Command.START)),
        (State.FAULT, State.STARTED, (Command.RESET, Command.INITIALIZE, Command.START)),
        (State.STOPPING, State.READY, (Command.RESET,)),
        (State.STARTED, State.READY, (Command.GRACEFUL_STOP, Command.RESET)),
        (State.STARTED, State.STARTED, ()),
    ],
)
def test_commands_are_the_shortest_way_through_the_table(
    state: State, target: State, commands: tuple[Command, ...]
) -> None:
    assert commands_to(state, target) == commands


def shown(found: Plan) -> list[tuple[int, str, str]]:
    return [(step.wave, step.component_id, " ".join(step.commands)) for step in found.steps]


def test_a_plan_to_start_and_one_to_stop() -> None:
    still = rows(io=State.FAULT, supervisor=State.READY, kds=State.STOPPED, camera=State.READY)
    found = plan(State.STARTED, still, still, LINE)
    assert shown(found) == [
        (1, "io", "CMD_RESET CMD_INITIALIZE CMD_START"),
        (2, "camera", "CMD_INITIALIZE CMD_START"),
        (2, "supervisor", "CMD_INITIALIZE CMD_START"),
        (3, "kds", "CMD_RESET CMD_INITIALIZE CMD_START"),
    ]
    assert found.complete
    going = rows(io=State.STARTED, supervisor=State.STARTED, kds=State.STARTED, camera=State.READY)
    found = plan(State.STOPPED, going, going, LINE)
    assert shown(found) == [
        (number, each, "CMD_GRACEFUL_STOP") for number, each in enumerate(("kds", "supervisor", "io"), 1)
    ]
    assert [(skip.component_id, skip.blocked) for skip in found.skipped] == [("camera", False)]


def test_what_is_not_selected_stands_in_the_way_and_is_named() -> None:
    still = rows(io=State.READY, supervisor=State.READY)
    found = plan(State.STARTED, ["supervisor"], still, LINE)
    assert (found.steps, found.complete) == ((), False)
    assert "needs io, which is READY" in found.skipped[0].reason
    assert [each for _, each, _ in shown(plan(State.STARTED, ["supervisor"], still, LINE, related=True))] == [
        "io",
        "supervisor",
    ]
    going = rows(io=State.STARTED, supervisor=State.STARTED)
    found = plan(State.STOPPED, ["io"], going, LINE)
    assert "supervisor needs it, is STARTED" in found.skipped[0].reason
    assert [each for _, each, _ in shown(plan(State.STOPPED, ["io"], going, LINE, related=True))] == [
        "supervisor",
        "io",
    ]


def test_who_is_excused_blocks_those_behind() -> None:
    still = rows(io=State.READY, supervisor=State.READY, kds=State.READY)
    found = plan(State.STARTED, still, still, LINE, excused={"io": "is in maintenance: new valve"})
    assert {skip.component_id: skip.reason.partition(",")[0] for skip in found.skipped} == {
        "io": "is in maintenance: new valve",
        "supervisor": "needs io",
        "kds": "needs supervisor",
    }
    away = {"io": row("io", online=False)}
    found = plan(State.STARTED, ["io", "ghost"], away, {})
    assert {skip.component_id: skip.reason for skip in found.skipped} == {
        "io": "is OFFLINE: no heartbeat for 3.0 s",
        "ghost": "is not registered",
    }


def test_a_plan_has_a_target_that_can_be_commanded() -> None:
    with pytest.raises(ValueError, match="READY, INIT_COMPLETE, STARTED, STOPPED"):
        plan(State.FAULT, ["io"], rows(io=State.READY), {})
    with pytest.raises(DependencyCycle, match="a → b → a"):
        plan(State.STARTED, ["a"], {}, {"a": ("b",), "b": ("a",)})


@given(
    ACYCLIC,
    st.fixed_dictionaries({name: st.sampled_from(State) for name in NAMES}),
    st.sets(st.sampled_from(NAMES), min_size=1),
    st.sampled_from(TARGETS),
    st.booleans(),
    st.sets(st.sampled_from(NAMES), max_size=2),
)
def test_a_plan_that_is_carried_out_never_leaves_anybody_without_a_footing(
    graph: Graph, states: dict[str, State], selection: set[str], target: State, related: bool, tired: set[str]
) -> None:
    known = {name: row(name, state) for name, state in states.items()}
    found = plan(target, selection, known, graph, excused=dict.fromkeys(tired, "rests"), related=related)
    told = [step.component_id for step in found.steps] + [skip.component_id for skip in found.skipped]
    assert len(set(told)) == len(told)
    assert set(told) >= selection
    assert not {step.component_id for step in found.steps} & tired
    now = dict(states)
    for step in found.steps:
        up = target in (State.STARTED, State.INIT_COMPLETE)
        if up:
            assert all(now.get(other) in (State.STARTED, target) for other in graph[step.component_id])
        else:
            needing = [other for other in NAMES if step.component_id in graph[other]]
            assert all(now[other] in DOWN for other in needing)
        now[step.component_id] = target
    assert [step.wave for step in found.steps] == sorted(step.wave for step in found.steps)
