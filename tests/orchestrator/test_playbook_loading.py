"""What is wrong with a playbook is told: all of it, where it stands, and what to do; and nothing else is."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.errors import PlaybookInvalid, from_code
from orchestrator.playbooks.files import check_paths
from orchestrator.playbooks.loading import load_text
from orchestrator.playbooks.mismatches import ACTIONS, TRIGGERS
from orchestrator.playbooks.positions import PROBLEMS_MAX
from orchestrator.playbooks.reading import BYTES_MAX, read
from orchestrator.playbooks.together import check_together, steps_of

HERE = Path(__file__).parent
BAD = sorted((HERE / "bad_playbooks").glob("*.yaml"))
SETS = sorted(path for path in (HERE / "bad_playbooks").iterdir() if path.is_dir())
DOUBTFUL = sorted((HERE / "doubtful_playbooks").glob("*.yaml"))
GOOD = """\
name: recover
description: Brings a component back after an error
priority: 8
concurrency: {limit: 2, policy: skip}
inputs:
  wait_s: {type: number, default: 5}
variables: {tries: 0}
trigger:
  type: event_received
  event: component.error
  condition: trigger.payload.severity == 'critical'
actions:
  - type: log_event
    id: told
    message: "{{ trigger.source }} reported {{ trigger.payload.error_code }}"
  - type: send_command
    component: "{{ trigger.source }}"
    command: CMD_RESET
    timeout: 1m30s
    retry: {attempts: 3, delay: 500ms}
    register: answer
    on_failure:
      - type: execute_scenario
        name: graceful_shutdown.yaml
        inputs: {reason: "{{ error.message }}"}
  - type: for_each
    items: "{{ components | keys }}"
    actions:
      - {type: wait_for_state, component: "{{ item }}", target_state: [READY, STARTED], timeout: 5m}
  - type: parallel
    branches:
      left: [{type: set_variable, name: tries, value: "{{ vars.tries + 1 }}"}]
      right: [{type: delay, duration: "2s"}]
finally:
  - {type: send_notification, message: "done after {{ vars.tries }}: {{ vars.answer }} {{ steps.told.status }}"}
invariants:
  - {name: io stays, never: "components.io.state == 'STOPPED'"}
"""


@dataclass(frozen=True)
class Expected:
    """One line `# expect LINE FIELD | part | part` of a file."""

    line: int
    field: str
    parts: tuple[str, ...]

    def meets(self, problem: dict[str, Any]) -> bool:
        said = f"{problem['message']} {problem['hint']}"
        return (problem["line"], problem["field"]) == (self.line, self.field) and all(
            part in said for part in self.parts
        )


def expected_in(path: Path) -> list[Expected]:
    found = []
    for line in path.read_text().splitlines():
        match = re.fullmatch(r"# expect (\d+) (.+?) \| (.*)", line)
        if match:
            field = "" if match[2] == "-" else match[2]
            found.append(Expected(int(match[1]), field, tuple(part.strip() for part in match[3].split(" | "))))
    return found


def same(expected: list[Expected], problems: list[dict[str, Any]]) -> None:
    """Each expected problem is there, and no other."""
    unmet = [one for one in expected if not any(one.meets(problem) for problem in problems)]
    surplus = [problem for problem in problems if not any(one.meets(problem) for one in expected)]
    assert (unmet, surplus) == ([], [])
    assert len(problems) == len(expected)


def refused(text: str) -> list[dict[str, Any]]:
    with pytest.raises(PlaybookInvalid) as caught:
        load_text(text, file="p.yaml")
    errors: list[dict[str, Any]] = caught.value.details["errors"]
    return errors


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_a_bad_playbook_is_refused_with_all_its_problems(path: Path) -> None:
    problems = refused(path.read_text())
    same(expected_in(path), problems)
    lines = path.read_text().splitlines()
    for problem in problems:
        assert 1 <= problem["line"] <= len(lines) + 1
        assert 1 <= problem["column"] <= len(lines[min(problem["line"], len(lines)) - 1]) + 1


def test_the_suite_is_large_enough() -> None:
    assert len(BAD) >= 30
    assert all(expected_in(path) for path in BAD)


@pytest.mark.parametrize("directory", SETS, ids=lambda path: path.name)
def test_bad_sets_are_refused(directory: Path) -> None:
    checked = check_paths([directory])
    for path in sorted(directory.iterdir()):
        same(expected_in(path), [one.document() for one in checked.problems if one.file == str(path)])


def test_what_stands_elsewhere_is_not_missed(tmp_path: Path) -> None:
    caller = tmp_path / "caller.yaml"
    caller.write_text("name: caller\nactions: [{type: execute_scenario, name: called}]\n")
    for path, missed in ((caller, "warnings"), (tmp_path, "problems")):
        alone = check_paths([path])
        assert ["no playbook 'called'" in str(each) for each in getattr(alone, missed)] == [True]
        assert alone.absent
        found = check_paths([path], ["called"])
        assert (found.problems, found.warnings, found.absent) == ([], [], False)


@pytest.mark.parametrize("path", DOUBTFUL, ids=lambda path: path.stem)
def test_what_is_hardly_meant_is_warned_of(path: Path) -> None:
    loaded = load_text(path.read_text(), file=str(path))
    same(expected_in(path), [warning.document() for warning in loaded.warnings])


def test_a_good_playbook() -> None:
    loaded = load_text(GOOD, file="recover.yaml")
    assert loaded.warnings == ()
    playbook = loaded.playbook
    assert (playbook.name, playbook.priority, playbook.actions[1].timeout) == ("recover", 8, 90.0)
    assert playbook.triggers[0].type == "event_received"
    assert loaded.positions.place(("actions", 1, "command")) == (18, 14)
    assert loaded.positions.place(("actions", 1, "command"), of_name=True) == (18, 5)
    assert loaded.positions.place(("actions", 1, "params")) == (16, 5)  # not given: where it belongs
    places = [loaded.positions.place(loc) for loc, _ in steps_of(playbook)]
    assert places == sorted(places)
    assert len(places) == 9


def test_both_names_of_triggers_are_read() -> None:
    text = "name: a\ntriggers:\n  - {type: schedule, every: 0s}\nactions: [{type: delay, duration: 1s}]\n"
    assert [(one["line"], one["field"]) for one in refused(text)] == [(3, "trigger[0].every")]
    assert len(load_text(text.replace("0s", "5s"), file="a").playbook.triggers) == 1


def test_the_error_is_one_line_a_problem_and_travels() -> None:
    with pytest.raises(PlaybookInvalid) as caught:
        load_text("name: a\nactions:\n  - type: dely\n    duration: 1s\n", file="dir/a.yaml")
    error = caught.value
    assert error.message == "dir/a.yaml:3:11: actions[0].type: there is no action 'dely' (did you mean `delay`?)"
    assert (error.code, error.status, error.exit_code) == ("playbook_invalid", 422, 4)
    again = from_code(error.code, error.message, **error.details)
    assert (type(again), again.details) == (PlaybookInvalid, error.details)


def test_scalars_are_those_of_the_core_schema() -> None:
    text = "a: yes\nb: 12:30\nc: 010\nd: 0x1F\ne: 1e3\nf: ~\ng: 2026-01-01\nh: 'true'\ni: .5\nj:\nk: True\nl: 1_000\n"
    assert read(text, "a").value == {
        "a": "yes",
        "b": "12:30",
        "c": 10,
        "d": 31,
        "e": 1000.0,
        "f": None,
        "g": "2026-01-01",
        "h": "true",
        "i": 0.5,
        "j": None,
        "k": True,
        "l": "1_000",
    }


def test_sizes_are_bounded() -> None:
    assert "at most 65536 bytes, this one has" in refused("a: " + "x" * BYTES_MAX)[0]["message"]
    assert "at most 20000 values" in refused("[" + "1," * 30_000 + "]")[0]["message"]
    many = "name: a\nactions:\n" + "  - {type: dely}\n" * 400
    problems = refused(many)
    assert len(problems) == PROBLEMS_MAX
    with pytest.raises(PlaybookInvalid, match=r"and 300 more$"):
        load_text(many, file="a")
    texts = "".join(f"  - {{type: log_event, message: '{'{{ trigger.x }}' * 90}'}}\n" for _ in range(12))
    assert "at most 1000 expressions" in refused("name: a\nactions:\n" + texts)[0]["message"]
    unknown = "".join(f"  - {{type: log_event, message: '{{{{ a{number} }}}}'}}\n" for number in range(400))
    assert len(refused("name: a\nactions:\n" + unknown)) == PROBLEMS_MAX
    assert refused("a: \ud800")[0]["message"].startswith("not YAML")


# ── Together ────────────────────────────────────────────────────────────────────────────────────────────


def calling(name: str, *called: str) -> str:
    actions = "".join(f"  - {{type: execute_scenario, name: {other}}}\n" for other in called)
    return f"name: {name}\nactions:\n" + (actions or "  - {type: delay, duration: 1s}\n")


def problems_of(**calls: tuple[str, ...]) -> list[str]:
    playbooks = {name: load_text(calling(name, *called), file=name).playbook for name, called in calls.items()}
    return [str(problem) for problem in check_together(playbooks)]


def test_cycles_are_named() -> None:
    assert problems_of(a=("b", "c"), b=("c",), c=()) == []
    found = problems_of(a=("b",), b=("c.yaml",), c=("a.yml", "b"))
    assert [re.search(r"circle: (.*) \(", problem)[1] for problem in found] == [  # type: ignore[index]
        "a → b → c → a",
        "b → c → b",
    ]


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.lists(st.sampled_from("abcdef"), max_size=3, unique=True), min_size=1)
)
def test_a_set_is_right_just_when_its_calls_can_be_put_in_order(calls: dict[str, list[str]]) -> None:
    calls = {name: [other for other in called if other in calls] for name, called in calls.items()}
    left = dict(calls)
    while True:
        free = [name for name, called in left.items() if not any(other in left for other in called)]
        if not free:
            break
        for name in free:
            del left[name]
    assert bool(problems_of(**{name: tuple(called) for name, called in calls.items()})) == bool(left)


def test_a_deep_chain_of_calls_costs_no_stack() -> None:
    names = [f"p{number}" for number in range(1_500)]
    one = load_text(calling("a"), file="a").playbook
    call = load_text(calling("a", "a"), file="a").playbook.actions[0]
    playbooks = {
        name: one.model_copy(update={"actions": (call.model_copy(update={"name": following}),)})
        for name, following in zip(names, [*names[1:], names[0]], strict=True)
    }
    (problem,) = check_together(playbooks)
    assert problem.message.startswith("playbooks call one another in a circle: p0 → p1 → p2")


# ── Fuzz ────────────────────────────────────────────────────────────────────────────────────────────────

_WORDS = st.sampled_from(
    [
        *ACTIONS,
        *TRIGGERS,
        *("name", "actions", "trigger", "type", "component", "on_failure", "branches", "finally", "timeout", "when"),
        *("until", "items", "message", "inputs", "variables", "retry", "invariants", "always", "cron", "timezone"),
        *("target_state", "STARTED", "30s", "0", "{{ trigger.x }}", "{{ item", "@all", "a.b", "", "\n", "ł", "[key]"),
    ]
)
_VALUES = st.recursive(
    _WORDS | st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_WORDS | st.integers(), inner, max_size=5),
    max_leaves=25,
)
_STEPS = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from([*ACTIONS])}, optional={"component": _VALUES, "when": _VALUES}),
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(["block", "parallel", "for_each", "repeat", "delay"])},
        optional={
            "actions": st.lists(inner, max_size=3),
            "on_failure": st.lists(inner, max_size=2),
            "id": _WORDS,
            "branches": st.dictionaries(_WORDS, st.lists(inner, max_size=2), max_size=3),
            "items": _VALUES,
        },
    ),
    max_leaves=8,
)
_LINES = st.lists(
    st.sampled_from(
        [
            *(
                "name: a\n",
                "actions:\n",
                "  - type: delay\n",
                "    duration: 1s\n",
                "  ",
                "- ",
                ": ",
                "{",
                "}",
                "[",
                "]",
            ),
            *(
                "&a ",
                "*a ",
                "!!map ",
                "<<: ",
                "---\n",
                "...\n",
                "? ",
                "| \n",
                "> \n",
                "'",
                '"',
                "#",
                "\t",
                "%",
                "@",
                "`",
            ),
            *("\n", "{{ x }}", "\x00", "\ufeff", "\u2028", "\r", "\\", "trigger: ", "null", "true: ", "1: ", "~"),
        ]
    ),
    max_size=30,
)


def loads_or_is_refused(text: str) -> None:
    try:
        loaded = load_text(text, file="fuzz.yaml")
    except PlaybookInvalid as error:
        problems = error.details["errors"]
        assert 1 <= len(problems) <= PROBLEMS_MAX
        assert all(problem["line"] >= 1 and problem["column"] >= 1 and problem["message"] for problem in problems)
    else:
        assert loaded.playbook.actions


@settings(max_examples=60, deadline=None)
@given(value=st.dictionaries(_WORDS, _VALUES, max_size=6))
def test_any_data_loads_or_is_refused(value: Any) -> None:
    loads_or_is_refused(yaml.safe_dump(value))


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(_STEPS, max_size=4), trigger=_VALUES)
def test_any_steps_load_or_are_refused(steps: Any, trigger: Any) -> None:
    loads_or_is_refused(yaml.safe_dump({"name": "a", "actions": steps, "trigger": trigger}))


@settings(max_examples=200, deadline=None)
@given(lines=_LINES)
def test_any_text_loads_or_is_refused(lines: list[str]) -> None:
    loads_or_is_refused("".join(lines))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_playbook_loads_or_is_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 20)))
    loads_or_is_refused(GOOD[:start] + data.draw(st.text(max_size=6)) + GOOD[end:])
