"""Spans of executions: which have ended, whose child each is, and that every leader makes the same ones. Pure."""

import re

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebuffer.models import TraceContext
from framebuffer.tracing import Span
from orchestrator.playbooks.execution import ENDED, ExecutionRow, Parent, Status, StepRow, StepStatus
from orchestrator.playbooks.tracing import (
    RESENT_S,
    context_of,
    ended_spans,
    execution_span_id,
    lately_ended,
    step_context,
)

CAUSE = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"


def step(path: str, status: StepStatus = StepStatus.SUCCEEDED, **fields: object) -> StepRow:
    ended = None if status in (StepStatus.RUNNING, StepStatus.RETRYING) else 12.0
    return StepRow(path=path, **{"type": "send_command", "started": 11.0, "ended": ended, **fields}, status=status)  # type: ignore[arg-type]


def execution(*steps: StepRow, status: Status = Status.RUNNING, **fields: object) -> ExecutionRow:
    values = {
        "id": "e-1",
        "playbook": "startup",
        "version": 3,
        "status": status,
        "steps": {each.path: each for each in steps},
        "created": 9.0,
        "started": 10.0,
        "ended": 13.0 if status in ENDED else None,
        "deadline": 110.0,
        "timeout": 100.0,
        "epoch_unix": 1e9,
        **fields,
    }
    return ExecutionRow(**values)  # type: ignore[arg-type]


def spans(before: ExecutionRow, after: ExecutionRow, *others: ExecutionRow) -> dict[str, Span]:
    """By the step's path; the execution's under its name."""
    found = ended_spans(before, after, {row.id: row for row in (after, *others)})
    named = {str(span.attributes.get("triarch.step.path", span.name)): span for span in found}
    assert len(named) == len(found)
    return named


def test_a_whole_execution_hangs_together() -> None:
    first = execution(step("actions/0", StepStatus.RUNNING, type="parallel"), traceparent=CAUSE)
    second = execution(
        step("actions/0", StepStatus.RUNNING, type="parallel"),
        step("actions/0/left/0", data='{"component": "press", "command": "CMD_START"}', id="press-on"),
        step("actions/0/right/0", StepStatus.FAILED, code="command_failed", error="the belt is torn", attempt=3),
        step("actions/0/right/0/on_failure/0", StepStatus.RUNNING),
        traceparent=CAUSE,
    )
    third = msgspec.structs.replace(
        second,
        status=Status.FAILED,
        ended=13.0,
        code="command_failed",
        error="actions/0/right/0: the belt is torn",
        steps={
            **second.steps,
            "actions/0": step("actions/0", StepStatus.FAILED, type="parallel", code="command_failed"),
            "actions/0/right/0/on_failure/0": step("actions/0/right/0/on_failure/0", StepStatus.CANCELLED),
        },
    )
    assert spans(first, first) == {}
    one, two = spans(first, second), spans(second, third)
    assert set(one) == {"actions/0/left/0", "actions/0/right/0"}
    assert set(two) == {"actions/0", "actions/0/right/0/on_failure/0", "execute_scenario.startup"}
    made = {**one, **two}
    whole = made["execute_scenario.startup"]
    assert (whole.trace_id, whole.parent_span_id) == ("ab" * 16, "cd" * 8)
    assert (whole.start_ns, whole.end_ns) == (int((1e9 + 10) * 1e9), int((1e9 + 13) * 1e9))
    assert (whole.error, whole.exception, whole.ok) == (third.error, "command_failed", False)
    parents = {name: span.parent_span_id for name, span in made.items() if span is not whole}
    assert parents == {
        "actions/0": whole.span_id,
        "actions/0/left/0": made["actions/0"].span_id,
        "actions/0/right/0": made["actions/0"].span_id,
        "actions/0/right/0/on_failure/0": made["actions/0/right/0"].span_id,
    }
    left, right = made["actions/0/left/0"], made["actions/0/right/0"]
    assert (left.ok, left.error, left.exception) == (True, "", "")
    assert (right.ok, right.error, right.exception) == (False, "the belt is torn", "command_failed")
    assert left.attributes["triarch.component"] == "press"
    assert left.attributes["triarch.step.id"] == "press-on"
    assert right.attributes["triarch.step.attempts"] == 3
    sent = step_context(second, "actions/0/left/0", {"e-1": second})
    assert (sent.trace_id, sent.span_id, sent.sampled) == (left.trace_id, left.span_id, True)


def test_what_nobody_caused_has_a_trace_of_its_own_and_a_started_execution_shares_it() -> None:
    parent = execution(step("actions/0", StepStatus.RUNNING, type="execute_scenario", data='{"execution": "e-2"}'))
    child = execution(id="e-2", playbook="stop", parent=Parent(execution="e-1", path="actions/0", depth=1))
    rows = {row.id: row for row in (parent, child)}
    over = msgspec.structs.replace(child, status=Status.SUCCEEDED, ended=12.0)
    (span,) = ended_spans(child, over, {**rows, "e-2": over})
    assert span.trace_id == context_of(parent, rows).trace_id
    assert span.parent_span_id == step_context(parent, "actions/0", rows).span_id
    assert (span.ok, span.name) == (True, "execute_scenario.stop")
    other = execution(id="e-3")
    assert context_of(other, {"e-3": other}).trace_id != span.trace_id
    alone = context_of(child, {"e-2": child})
    assert alone.trace_id == span.trace_id, "also when the parent is forgotten"


def test_who_does_not_record_the_trace_is_followed() -> None:
    row = execution(traceparent=CAUSE.removesuffix("01") + "00")
    assert ended_spans(row, msgspec.structs.replace(row, status=Status.SUCCEEDED, ended=11.0), {"e-1": row}) == []
    assert not step_context(row, "actions/0", {"e-1": row}).sampled
    broken = execution(traceparent="nonsense")
    assert context_of(broken, {"e-1": broken}).sampled


def test_a_retried_execution_is_another_span_in_the_same_trace() -> None:
    failed = execution(step("actions/0", StepStatus.FAILED), status=Status.FAILED)
    again = msgspec.structs.replace(failed, status=Status.RUNNING, ended=None, generation=2, steps={})
    assert execution_span_id(failed) != execution_span_id(again)
    assert context_of(failed, {}).trace_id == context_of(again, {}).trace_id
    assert step_context(failed, "actions/0", {}).span_id != step_context(again, "actions/0", {}).span_id


def test_a_leader_that_takes_over_makes_the_same_spans_of_what_ended_lately() -> None:
    before = execution(step("actions/0", StepStatus.RUNNING))
    after = execution(step("actions/0"), status=Status.SUCCEEDED)
    rows = {"e-1": after}
    assert list(lately_ended(rows, 13.0)) == ended_spans(before, after, rows)
    assert list(lately_ended(rows, 13.0 + RESENT_S + 0.1)) == []
    opened = execution(step("actions/0"), step("actions/1", StepStatus.RUNNING))
    assert [span.attributes["triarch.step.path"] for span in lately_ended({"e-1": opened}, 13.0)] == ["actions/0"]
    # Retried at plant time 12.5 (its deadline less its timeout): what ended before has the ids of then.
    retried = execution(step("actions/0"), step("actions/1", ended=12.6), generation=2, deadline=112.5)
    assert [span.attributes["triarch.step.path"] for span in lately_ended({"e-1": retried}, 13.0)] == ["actions/1"]


PATHS = [f"actions/{a}" for a in range(2)] + [f"actions/{a}/{b}/{c}" for a in range(2) for b in "xy" for c in range(2)]
STATUSES = st.sampled_from(list(StepStatus))


@given(st.lists(st.dictionaries(st.sampled_from(PATHS), STATUSES, max_size=8), max_size=8))
def test_each_span_comes_once_and_its_parent_is_named_rightly(records: list[dict[str, StepStatus]]) -> None:
    """Whatever order steps end in: once all have ended, there is one span for each and no orphan."""
    row = execution()
    found: list[Span] = []

    def record(steps: dict[str, StepRow], status: Status = Status.RUNNING) -> None:
        nonlocal row
        later = msgspec.structs.replace(
            row, steps={**row.steps, **steps}, status=status, ended=13.0 if status in ENDED else None
        )
        found.extend(ended_spans(row, later, {"e-1": later}))
        row = later

    for wanted in records:
        changed = {}
        for path in sorted(wanted):
            held = row.steps.get(path)
            above = path.rsplit("/", 2)[0] if path.count("/") > 1 else None
            if held is not None and held.ended is not None:
                continue  # a step that has ended stays as it is
            if above is not None and above not in row.steps and above not in changed:
                changed[above] = step(above, StepStatus.RUNNING)  # a step begins after what holds it
            changed[path] = step(path, wanted[path])
        record(changed)
    record({path: step(path) for path, each in row.steps.items() if each.ended is None})
    record({}, Status.SUCCEEDED)
    ids = [span.span_id for span in found]
    assert len(set(ids)) == len(ids) == len(row.steps) + 1
    assert {span.parent_span_id for span in found} <= {*ids, None}
    assert [span.parent_span_id for span in found].count(None) == 1
    assert all(re.fullmatch("[0-9a-f]{16}", span.span_id) and span.start_ns <= span.end_ns for span in found)
    assert {span.trace_id for span in found} == {context_of(row, {}).trace_id}


@pytest.mark.parametrize("path", ["actions/0", "actions/10/@press/~2/on_failure/0"])
def test_what_a_command_carries_is_a_traceparent(path: str) -> None:
    row = execution()
    context = step_context(row, path, {"e-1": row})
    assert TraceContext.parse(context.format()) == context
