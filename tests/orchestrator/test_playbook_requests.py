"""What an API of playbooks decides without a node: inputs, cycles, outlines, pages, what a stream of events says."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.execution_shown import rfc3339
from orchestrator.api.paging import cursor_of, page, place_of
from orchestrator.api.problems import Problem
from orchestrator.cli.following import Told, events_of
from orchestrator.lifecycle import State
from orchestrator.playbooks.cycles import cycle_through
from orchestrator.playbooks.inputs import checked_inputs
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.outline import beginning, outline
from orchestrator.playbooks.templates import Templates
from orchestrator.playbooks.world import ComponentFacts, KnownPlaybook, World

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


def playbook(text: str) -> Playbook:
    return load_text(text, file="p.yaml").playbook


def declaring(inputs: str) -> Playbook:
    return playbook(f"name: p\ninputs: {inputs}\nactions: [{{type: log_event, message: hi}}]\n")


# ── Inputs ────────────────────────────────


def test_defaults_are_filled_in_and_faults_are_named() -> None:
    found = declaring("{speed: {type: number, default: 3}, who: {type: string, required: true}, list: {type: list}}")
    assert checked_inputs(found, {"who": "Ada"}) == ({"speed": 3, "who": "Ada", "list": None}, ())
    _, faults = checked_inputs(found, {"speed": True, "color": 1})
    assert {(fault.name, fault.type) for fault in faults} == {
        ("speed", "wrong_type"),
        ("color", "unknown"),
        ("who", "missing"),
    }
    assert "speed, who, list" in next(fault.message for fault in faults if fault.type == "unknown")


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        ("string", "", 1),
        ("number", 1.5, "1.5"),
        ("number", 0, False),
        ("boolean", False, 0),
        ("list", [], {}),
        ("object", {}, []),
    ],
)
def test_types(kind: str, right: Any, wrong: Any) -> None:
    found = declaring(f"{{x: {{type: {kind}, required: true}}}}")
    assert checked_inputs(found, {"x": right}) == ({"x": right}, ())
    for value in (wrong, None):
        assert [fault.type for fault in checked_inputs(found, {"x": value})[1]] == ["wrong_type"]


def test_inputs_that_are_too_large_or_no_json_are_refused_together() -> None:
    found = declaring("{x: {}}")
    assert [fault.type for fault in checked_inputs(found, {"x": "a" * 20_000})[1]] == ["inputs_too_large"]
    assert [fault.type for fault in checked_inputs(found, {"x": float("nan")})[1]] == ["inputs_invalid"]


# ── Cycles ────────────────────────────────


def test_the_shortest_way_back() -> None:
    calls = {"a": frozenset("bc"), "b": frozenset("d"), "c": frozenset("a"), "d": frozenset("a")}
    assert cycle_through("a", calls) == ("a", "c", "a")
    assert cycle_through("d", calls) == ("d", "a", "b", "d")
    assert cycle_through("a", {"a": frozenset("a")}) == ("a", "a")
    assert cycle_through("a", {"a": frozenset("b"), "b": frozenset("x")}) is None


@given(st.dictionaries(st.sampled_from("abcdef"), st.frozensets(st.sampled_from("abcdef")), max_size=6))
def test_a_cycle_is_a_way_that_is_there(calls: dict[str, frozenset[str]]) -> None:
    cycle = cycle_through("a", calls)
    reached, following = set[str](), list(calls.get("a", ()))
    while following:
        at = following.pop()
        if at not in reached:
            reached.add(at)
            following += calls.get(at, ())
    assert (cycle is not None) == ("a" in reached)
    if cycle is not None:
        assert cycle[0] == cycle[-1] == "a"
        assert all(called in calls[at] for at, called in pairwise(cycle))


# ── Outlines ────────────────────────────────

PLAN = """
name: p
inputs: {line: {type: string, default: a}}
actions:
  - type: set_group_state
    group: "line-{{ inputs.line }}"
    target_state: STARTED
  - type: log_event
    id: said
    when: inputs.line == 'b'
    message: "line {{ inputs.line }}"
  - type: send_command
    component: "{{ steps.said.value }}"
    command: CMD_START
  - type: for_each
    items: [x, y]
    actions:
      - {type: send_command, component: "{{ item }}", command: CMD_START}
  - type: execute_scenario
    name: other
    on_failure:
      - {type: fail, message: no}
finally:
  - {type: wait_for_state, target: "@all", target_state: STARTED}
"""


def test_an_outline_says_what_a_run_would_do_and_what_only_a_run_can_know() -> None:
    world = World(
        components={key: ComponentFacts(key, State.READY) for key in ("io", "press")},
        groups={"line-a": ("press", "io")},
        depends_on={"press": ("io",)},
        playbooks={"other": KnownPlaybook(7, playbook("name: other\nactions: [{type: fail, message: x}]\n"))},
    )
    found = playbook(PLAN)
    steps = {
        step["path"]: step for step in outline(found, beginning("x", found, 1, '{"line": "a"}', {}), world, Templates())
    }
    assert list(steps) == [
        *("actions/0", "actions/1", "actions/2", "actions/3", "actions/3/#n/0", "actions/4"),
        *("actions/4/on_failure/0", "finally/0"),
    ]
    assert steps["actions/0"]["components"] == ["io", "press"]
    assert steps["actions/0"]["order"] == [["io"], ["press"]]
    assert (steps["actions/1"]["runs"], steps["actions/1"]["does"]["message"]) == (False, "line a")
    assert steps["actions/2"]["components"] is None
    assert "said" in steps["actions/2"]["problem"]
    assert steps["actions/3/#n/0"]["components"] == ["x"]
    assert "not registered now: x" in steps["actions/3/#n/0"]["problem"]
    assert steps["actions/4"]["does"]["version"] == 7
    assert steps["finally/0"]["components"] == ["io", "press"]
    json.dumps(list(steps.values()))


def test_an_outline_names_what_is_not_there() -> None:
    found = playbook(PLAN)
    steps = outline(found, beginning("x", found, 1, '{"line": "z"}', {}), World(), Templates())
    problems = {step["path"]: step["problem"] for step in steps}
    assert "line-z" in problems["actions/0"]
    assert problems["actions/4"] == "playbook other is not there"


# ── Pages ────────────────────────────────


@given(st.lists(st.integers(0, 5), max_size=20), st.integers(1, 6))
def test_pages_hold_each_row_once_in_order(numbers: list[int], limit: int) -> None:
    rows = [(number, str(at)) for at, number in enumerate(sorted(numbers, reverse=True))]
    found: list[tuple[int, str]] = []
    cursor: str | None = ""
    while cursor is not None:
        part, cursor = page(rows, limit, ("q",), cursor, lambda row: row)
        assert len(part) <= limit
        found += part
    assert found == rows


@pytest.mark.parametrize("cursor", ["x", "%", "é", "e30", "a" * 500, cursor_of(("other",), (1, "a"))])
def test_a_cursor_that_is_none_or_of_another_query_is_refused(cursor: str) -> None:
    with pytest.raises(Problem) as caught:
        place_of(("query",), cursor)
    assert caught.value.code == "invalid_cursor"


# ── Streams of events ────────────────────────────────


def test_events_of_a_stream() -> None:
    text = ': follows\n\nid: 7\nevent: changed\ndata: {"a":\ndata: 1}\n\n: alive\nid: 9\n\nevent: ended\ndata: {}\n\n'
    assert list(events_of(iter(text.splitlines()))) == [
        Told("", "", None),
        Told("7", "changed", {"a": 1}),
        Told("9", "", None),
        Told("9", "ended", {}),
    ]


def test_times_that_no_calendar_holds_are_still_shown() -> None:
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000Z"
    assert rfc3339(1e18).startswith("9999-12-31")
    assert rfc3339(-1e18).startswith("0001-01-01")
