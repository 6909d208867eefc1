"""The replicated executions: the same commands lead to the same state, also on a node that came by a snapshot."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.api.execution_shown import ERROR_CHARS_MAX, at_unix, detail, summary
from orchestrator.lifecycle import State
from orchestrator.playbooks import journal, registry, starting
from orchestrator.playbooks.engine import Done, Failed
from orchestrator.playbooks.execution import (
    OPEN_STEP,
    Control,
    EventAccepted,
    JournalEntry,
    Limits,
    Parent,
    PlaybookDelete,
    PlaybookPut,
    Record,
    Start,
    Status,
    StepRow,
    StepStatus,
    TriggersSeen,
    VariableSet,
)
from orchestrator.playbooks.marks import MARKS_MAX
from orchestrator.state import PlantState
from tests.orchestrator.playbook_runs import Run

IDS = [f"x{number}" for number in range(6)]
NAMES = ["a", "b"]
AT = st.sampled_from([1.0, 1.0, 2.0, 3.5, 10.0])
LIMITS = st.builds(
    Limits,
    limit=st.integers(0, 2),
    policy=st.sampled_from(["queue", "skip", "replace"]),
    queued_max=st.integers(0, 2),
    throttle_count=st.integers(0, 2),
    throttle_per=st.just(2.0),
    cooldown=st.sampled_from([0.0, 1.0]),
    dedup_key=st.sampled_from(["", "k", "l"]),
    dedup_window=st.just(2.0),
)
STARTS = st.builds(
    Start,
    id=st.sampled_from(IDS),
    playbook=st.sampled_from(NAMES),
    version=st.integers(0, 2),
    priority=st.integers(4, 6),
    limits=LIMITS,
    manual=st.booleans(),
    parent=st.none() | st.builds(Parent, execution=st.sampled_from(IDS), path=st.just("actions/0"), depth=st.just(1)),
    at=AT,
)
STEPS = st.builds(
    StepRow,
    path=st.sampled_from(["actions/0", "actions/1", "actions/1/a/0"]),
    type=st.sampled_from(["send_command", "block", "execute_scenario", "approve"]),
    status=st.sampled_from(list(StepStatus)),
    again=st.booleans(),
    key=st.integers(1, 3),
    deadline=st.none() | AT,
)
RECORDS = st.builds(
    Record,
    id=st.sampled_from(IDS),
    revision=st.integers(1, 4),
    at=AT,
    steps=st.lists(STEPS, max_size=2).map(tuple),
    variables=st.dictionaries(st.sampled_from(["v", "w"]), st.just("1"), max_size=2),
    status=st.none() | st.sampled_from([Status.SUCCEEDED, Status.FAILED]),
    starts=st.lists(STARTS, max_size=2).map(tuple),
    sets=st.lists(
        st.builds(
            VariableSet, path=st.just("actions/0"), name=st.just("v"), value=st.just("1"), if_revision=AT.map(int)
        ),
        max_size=1,
    ).map(tuple),
    cancels=st.lists(st.sampled_from(IDS), max_size=1).map(tuple),
    journal=st.lists(st.builds(JournalEntry, type=st.just("t"), source=st.just("s"), at=AT), max_size=2).map(tuple),
)
CONTROLS = st.builds(
    Control,
    id=st.sampled_from(IDS),
    action=st.sampled_from(["pause", "resume", "cancel", "retry", "retry", "signal", "approve"]),
    name=st.sampled_from(["", "force"]),
    at=AT,
)
COMMANDS = st.one_of(
    STARTS,
    STARTS,
    RECORDS,
    CONTROLS,
    st.builds(
        EventAccepted, entry=st.just(JournalEntry(type="e", source="s")), starts=st.lists(STARTS, max_size=3).map(tuple)
    ),
    st.builds(
        TriggersSeen,
        index=st.integers(0, 9),
        at=AT,
        marks=st.dictionaries(st.sampled_from("fedcba"), st.sampled_from(["", "1", "2"]), max_size=4),
        starts=st.lists(STARTS, max_size=3).map(tuple),
    ),
    st.builds(PlaybookPut, name=st.sampled_from(NAMES), text=st.sampled_from(["1", "2"])),
    st.builds(PlaybookDelete, name=st.sampled_from(NAMES)),
)


@settings(max_examples=40, deadline=None)
@given(st.lists(COMMANDS, min_size=4, max_size=30), st.sets(st.integers(0, 29), min_size=1, max_size=3))
def test_who_came_by_a_snapshot_goes_on_as_who_was_there(commands: list[Any], snapshots: set[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "MARKS_MAX", 3)
        patch.setattr(registry, "ENDED_KEPT_MAX", 3)
        patch.setattr(registry, "ENDED_BYTES_MAX", 3_400)
        patch.setattr(registry, "ROW_BYTES_MAX", 1_450)
        patch.setattr(journal, "ENTRIES_MAX", 4)
        patch.setattr(starting, "KEYS_MAX", 1)
        there = PlantState()
        came = [PlantState()]
        for index, command in enumerate([PlaybookPut(name=name, text="0") for name in NAMES] + commands, start=1):
            body = msgspec.msgpack.encode(command)
            answers = {_applied(state, command.kind, body, index) for state in (there, *came)}
            assert len(answers) == 1
            assert len({state.snapshot() for state in (there, *came)}) == 1
            if index in snapshots:
                other = PlantState()
                other.restore(there.snapshot())
                came.append(other)
        for row in there.executions.rows.values():
            assert row.open or not [step for step in row.steps.values() if step.status in OPEN_STEP]


def _applied(state: PlantState, kind: str, body: bytes, index: int) -> str:
    told, changes = state.executions.apply(kind, body, time=100.0, position=(1, index))
    return repr((told, changes))


def test_of_two_that_began_by_one_command_every_node_replaces_the_same() -> None:
    """Also where the first of them has ended and was taken up again: a restored node holds it in another place."""
    run = Run("name: p\nactions: [{type: approve, message: may it}]")
    limits = Limits(limit=2, policy="replace")
    starts = tuple(Start(id=each, playbook="p", limits=limits, at=1.0, timeout=60.0) for each in ("x", "y"))
    run.apply(TriggersSeen(index=1, at=1.0, starts=starts))
    run.control("cancel", name="force")
    assert not run.control("retry").code
    came = Run()
    came.registry.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(run.registry.snapshot())))
    came.index = run.index
    for each in (run, came):
        each.apply(Start(id="z", playbook="p", limits=limits, at=2.0))
    assert run.registry.snapshot() == came.registry.snapshot()


def test_marks_that_are_held_stay_where_there_is_no_room_for_others() -> None:
    run = Run()
    run.apply(TriggersSeen(index=1, at=1.0, marks={f"p/0/c{number}": "1" for number in range(MARKS_MAX)}))
    run.apply(TriggersSeen(index=2, at=1.0, marks={"p/0/a": "1", "p/0/c0": "2"}))
    marks = run.registry.marks
    assert len(marks) == MARKS_MAX
    assert marks["p/0/c0"] == "2"
    assert "p/0/a" not in marks
    run.apply(TriggersSeen(index=3, at=1.0, marks={"p/0/a": "1", "p/0/c1": ""}))
    assert "p/0/a" in run.registry.marks


def test_what_is_kept_is_bounded_in_bytes() -> None:
    run = Run("name: p\nactions: [{type: approve, message: may it}]")
    for number in range(9):
        run.start("p", f"x{number}")
        steps = tuple(
            StepRow(path=f"actions/{each}", type="delay", status=StepStatus.SUCCEEDED, value="x" * (1 << 20))
            for each in range(5)
        )
        assert not run.apply(Record(id=f"x{number}", revision=2, at=1.0, steps=steps, status=Status.SUCCEEDED)).code
    assert list(run.registry.rows) == [f"x{number}" for number in range(3, 9)]
    assert len(msgspec.msgpack.encode(run.registry.snapshot())) < 33 << 20


def test_an_execution_that_keeps_too_much_is_refused_more() -> None:
    run = Run("name: p\nactions: [{type: approve, message: may it}]")
    run.start("p")
    large = StepRow(path="actions/1", type="delay", status=StepStatus.SUCCEEDED, value="x" * (8 << 20))
    told = run.apply(Record(id="x", revision=run.row().revision, at=1.0, steps=(large,)))
    assert told.code == "execution_too_large"
    ends = Record(id="x", revision=run.row().revision, at=1.0, status=Status.FAILED, code="execution_too_large")
    assert not run.apply(ends).code


# ── What is done, and what is left behind ────────────────────────────────

TUNE = """
name: p
variables: {v: null}
actions: [{type: send_command, component: io, command: TUNE, register: v, retry: {attempts: 3, delay: 1s}}]
"""


@pytest.mark.parametrize("value", [{"result": "x" * 20_000}, {"result": float("nan")}, {"result": "\ud800"}])
def test_an_outcome_that_cannot_be_kept_is_an_outcome(value: Any) -> None:
    """The component has done it: to fail the step would have it done again under another key."""
    run = Run(TUNE, components={"io": State.STARTED}, answer=lambda _effect: Done(value))
    run.start("p")
    run.go()
    assert run.row().status == Status.SUCCEEDED
    assert len({effect.key for effect in run.sent}) == 1
    assert "the outcome of actions/0" in json.loads(run.row().variables["v"])["left_out"]


def test_a_command_to_a_thousand_has_an_outcome() -> None:
    components = {f"component-number-{number}": State.STARTED for number in range(1000)}
    run = Run(
        "name: p\nactions: [{type: send_command, target: '@all', command: TUNE},"
        " {type: wait_for_state, target: '@all', target_state: STARTED}]",
        components=components,
    )
    run.start("p")
    run.go()
    assert run.row().status == Status.SUCCEEDED, run.row().error
    assert len(run.sent) == 1000


def test_forced_to_end_it_leaves_nothing_open() -> None:
    run = Run(
        "name: p\nactions: [{type: execute_scenario, name: q}]",
        "name: q\nactions: [{type: send_command, component: io, command: TUNE}]",
        components={"io": State.STARTED},
        answer=lambda _effect: None,
    )
    run.start("p")
    run.go(until=101.0)
    (child,) = [row.id for row in run.registry.rows.values() if row.parent is not None]
    run.control("cancel", name="force")
    assert run.step("actions/0").status == StepStatus.CANCELLED
    assert run.row(child).cancel
    run.go(until=102.0)
    assert run.row(child).status == Status.CANCELLED
    run.control("retry", child)
    run.answer = run.obey
    run.go()
    assert run.row(child).status == Status.SUCCEEDED
    assert len({effect.key for effect in run.sent}) == 1


def test_one_that_is_retried_out_of_its_queue_says_when_it_began() -> None:
    run = Run(TUNE, components={"io": State.STARTED})
    run.start("p", "first", limits=Limits(limit=1))
    run.start("p", limits=Limits(limit=1))
    assert run.row().status == Status.QUEUED
    run.control("cancel")
    assert (summary(run.row())["started"], summary(run.row())["duration_s"]) == (None, None)
    run.go()
    run.now += 7.0
    run.control("retry")
    run.go()
    assert run.row().status == Status.SUCCEEDED
    shown = summary(run.row())
    assert shown["created"] < shown["started"] <= shown["ended"]
    assert shown["started"] == at_unix(run.row(), run.now)
    assert shown["duration_s"] == 0.0


def test_between_two_attempts_no_key_is_kept_for_later() -> None:
    """What has failed for certain would be answered as the first time."""
    run = Run(TUNE, components={"io": State.STARTED}, answer=lambda _effect: Failed("command_failed", "no"))
    run.start("p")
    run.go(until=100.5)
    assert run.step("actions/0").status == StepStatus.RETRYING
    run.control("cancel")
    run.go(until=100.6)
    run.answer = run.obey
    run.control("retry")
    run.go()
    assert run.row().status == Status.SUCCEEDED
    assert len({effect.key for effect in run.sent}) == 2


def test_a_list_tells_what_waits_to_be_tried_again_and_the_newest_error() -> None:
    answers = iter(("first", "second " + "x" * 500))
    run = Run(
        "name: p\nactions: [{type: parallel, branches: {a: [TUNE], b: [TUNE]}}]".replace(
            "TUNE", "{type: send_command, component: io, command: T, retry: {attempts: 9, delay: 60s}}"
        ),
        components={"io": State.STARTED},
        answer=lambda _effect: Failed("command_failed", next(answers)),
    )
    run.start("p")
    assert (summary(run.row())["retrying"], summary(run.row())["error"]) == (0, "")
    run.go(until=run.now + 1.0)
    shown, whole = summary(run.row()), detail(run.row())
    assert (shown["status"], shown["retrying"], shown["code"]) == ("RUNNING", 2, "")
    assert shown["error"].startswith("second x")
    assert len(shown["error"]) == ERROR_CHARS_MAX
    assert (whole["retrying"], whole["error"]) == (2, "")
    run.control("cancel", name="force")
    ended = summary(run.row())
    assert (ended["retrying"], ended["error"]) == (0, "cancelled by a person")


def test_what_an_execution_starts_in_its_own_place_cancels_it() -> None:
    run = Run(
        "name: p\nvariables: {who: p}\nconcurrency: {limit: 1, policy: replace}\n"
        "actions: [{type: execute_scenario, name: '{{ vars.who }}'}]",
    )
    run.start("p", limits=Limits(limit=1, policy="replace"))
    run.go(until=100.5)
    assert run.row().status == Status.CANCELLED
    assert run.row().cancel == "replaced by a newer execution"


def test_large_intents_go_into_several_records() -> None:
    sizes: list[int] = []
    run = Run(
        "name: p\nvariables: {a: ''}\nactions: [{type: for_each, items: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],"
        " parallel: 12, actions: [{type: send_command, component: io, command: T,"
        " params: {a: '{{ vars.a }}', b: '{{ vars.a }}', c: '{{ vars.a }}', d: '{{ vars.a }}'}}]}]",
        components={"io": State.STARTED},
    )
    commit = run.commit

    def weighed(record: Record) -> Any:
        sizes.append(len(msgspec.msgpack.encode(record)))
        return commit(record)

    run.commit = weighed  # type: ignore[method-assign]
    run.start("p")
    run.registry.rows = {"x": msgspec.structs.replace(run.row(), variables={"a": json.dumps("x" * 15_000)})}
    run.answer = lambda _effect: None
    run.go(until=100.01)
    assert len({effect.key for effect in run.sent}) == 12
    assert max(sizes) < 512 * 1024


HALF = r"{{ '\\ud800' }}"


@pytest.mark.parametrize(
    "action",
    [
        f'{{type: log_event, message: "{HALF}"}}',
        f'{{type: fail, message: "{HALF}"}}',
        f'{{type: approve, message: "{HALF}"}}',
        f'{{type: set_variable, name: "{HALF}", value: 1, scope: plant}}',
        f'{{type: execute_scenario, name: "{HALF}"}}',
        "{type: send_command, component: io, command: TUNE}",
    ],
)
def test_half_a_character_fails_the_step_and_no_more(action: str) -> None:
    """A record that cannot be written at all would end the node that leads, and the next one, and the next."""
    run = Run(
        f"name: p\nactions: [{action}]",
        components={"io": State.STARTED},
        answer=lambda _effect: Failed("refused", "says \ud800"),
    )
    run.start("p")
    run.go(until=101.0)
    assert run.row().status == Status.FAILED
    assert run.row().error.encode()
