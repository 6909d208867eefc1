"""The spans of executions: which have ended by a record, what they are called, whose child each is. Pure.

    the span that caused it              whoever sent the event or the request, if it brought a traceparent
      └─ execute_scenario.<playbook>     the execution, from its start to its end; OK or ERROR
           └─ <action>                   a step with all its attempts
                ├─ <action>              a step within it: of a block, a branch, an item, a handler
                ├─ handle_command        the component, for each time that the command arrived
                └─ execute_scenario.…    an execution that the step started

Ids follow from what is replicated: the trace's from the root execution where nobody brought one, a span's from
execution, generation (it grows with each `retry`) and path. So whichever leader makes a span makes the same one, and
the traceparent that a component is sent is right before the step's own span exists. A span is exported when the record
that ends it is committed. What the old leader may not have got out any more, the next one exports once more under the
same ids (`lately_ended`).

Times are plant time, carried over to unix time by the execution's `epoch_unix`: for display.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from framebuffer.models import InvalidTraceparent, TraceContext
from framebuffer.tracing import Attribute, Span, finished
from orchestrator.playbooks.execution import OPEN_STEP, ExecutionRow, Status, StepRow, StepStatus
from orchestrator.playbooks.paths import ancestors

__all__ = ["EXECUTION", "context_of", "ended_spans", "execution_span_id", "lately_ended", "step_context"]

EXECUTION = "execute_scenario"
RESENT_S = 15.0
"""A span waits a tenth of a second for others and is tried for five seconds: what ended longer ago is out, or lost."""
TEXT_MAX = 500
DEPTH_MAX = 16

Rows = Mapping[str, ExecutionRow]
_STEP_FAILED = frozenset({StepStatus.FAILED, StepStatus.TIMED_OUT})
_FAILED = frozenset({Status.FAILED, Status.TIMED_OUT})


def context_of(row: ExecutionRow, rows: Rows) -> TraceContext:
    """Trace and span of the execution itself; the flags are those of whoever caused it, else it is recorded."""
    cause = _cause(row)
    trace_id = _digest("trace", _root(row, rows), 16) if cause is None else cause.trace_id
    flags = "01" if cause is None else cause.trace_flags
    return TraceContext(trace_id=trace_id, span_id=execution_span_id(row), trace_flags=flags)


def step_context(row: ExecutionRow, path: str, rows: Rows) -> TraceContext:
    """Trace and span of a step: what a component is sent with its command."""
    whole = context_of(row, rows)
    return TraceContext(trace_id=whole.trace_id, span_id=_step_span_id(row, path), trace_flags=whole.trace_flags)


def ended_spans(before: ExecutionRow, after: ExecutionRow, rows: Rows) -> list[Span]:
    """The spans that have ended between two revisions of an execution of one generation, the inner ones first.

    `rows`: the executions as they are: which step started this one is looked up there.
    """
    steps = [
        step
        for path, step in after.steps.items()
        if step.status not in OPEN_STEP and ((held := before.steps.get(path)) is None or held.status in OPEN_STEP)
    ]
    over = before.open and not after.open
    return _spans(after, steps, over, rows)


def lately_ended(rows: Rows, now: float) -> Iterator[Span]:
    """Spans that a leader which is gone may not have exported. `now`: plant time."""
    for row in rows.values():
        if row.ended is not None and now - row.ended > RESENT_S:
            continue
        since = now - RESENT_S
        if row.generation > 1 and row.deadline is not None:
            # What ended before the execution was retried was exported under the ids of then.
            since = max(since, row.deadline - row.timeout)
        steps = [step for step in row.steps.values() if step.ended is not None and step.ended >= since]
        yield from _spans(row, steps, not row.open, rows)


def execution_span_id(row: ExecutionRow) -> str:
    return _digest("execution", f"{row.id}\n{row.generation}", 8)


def _step_span_id(row: ExecutionRow, path: str) -> str:
    return _digest("step", f"{row.id}\n{row.generation}\n{path}", 8)


def _spans(row: ExecutionRow, steps: Iterable[StepRow], over: bool, rows: Rows) -> list[Span]:
    steps = list(steps)
    if not steps and not over:
        return []
    context = context_of(row, rows)
    if not context.sampled:
        return []
    found = [_step(row, step, context) for step in sorted(steps, key=lambda step: (-step.path.count("/"), step.path))]
    if over:
        found.append(_execution(row, context, rows))
    return found


def _step(row: ExecutionRow, step: StepRow, context: TraceContext) -> Span:
    above = next((path for path in ancestors(step.path) if path in row.steps), None)
    attributes: dict[str, Attribute] = {
        "triarch.execution.id": row.id,
        "triarch.playbook": row.playbook,
        "triarch.step.path": step.path,
        "triarch.step.status": str(step.status),
        "triarch.step.attempts": step.attempt,
    }
    if step.id:
        attributes["triarch.step.id"] = step.id
    intent = _intent(step)
    for member in ("component", "command", "execution"):
        if isinstance(value := intent.get(member), str):
            name = "triarch.started.execution.id" if member == "execution" else f"triarch.{member}"
            attributes[name] = value[:TEXT_MAX]
    failed = step.status in _STEP_FAILED
    return finished(
        step.type,
        "internal",
        context.trace_id,
        _step_span_id(row, step.path),
        context.span_id if above is None else _step_span_id(row, above),
        _unix_ns(row, step.started),
        _unix_ns(row, step.started if step.ended is None else step.ended),
        attributes,
        (step.error or step.code or str(step.status))[:TEXT_MAX] if failed else "",
        exception=step.code or str(step.status) if failed else "",
        ok=step.status == StepStatus.SUCCEEDED,
    )


def _execution(row: ExecutionRow, context: TraceContext, rows: Rows) -> Span:
    failed = row.status in _FAILED
    started = row.created if row.started is None else row.started
    attributes: dict[str, Attribute] = {
        "triarch.execution.id": row.id,
        "triarch.execution.status": str(row.status),
        "triarch.execution.generation": row.generation,
        "triarch.playbook": row.playbook,
        "triarch.playbook.version": row.version,
    }
    return finished(
        f"{EXECUTION}.{row.playbook}",
        "internal",
        context.trace_id,
        context.span_id,
        _above(row, rows),
        _unix_ns(row, started),
        _unix_ns(row, started if row.ended is None else row.ended),
        attributes,
        (row.error or row.code or str(row.status))[:TEXT_MAX] if failed else "",
        exception=row.code or str(row.status) if failed else "",
        ok=row.status == Status.SUCCEEDED,
    )


def _above(row: ExecutionRow, rows: Rows) -> str | None:
    """The span that the execution hangs below: the step that started it, else what caused it."""
    if row.parent is not None and (parent := rows.get(row.parent.execution)) is not None:
        return _step_span_id(parent, row.parent.path)
    cause = _cause(row)
    return None if cause is None else cause.span_id


def _cause(row: ExecutionRow) -> TraceContext | None:
    if not row.traceparent:
        return None
    try:
        return TraceContext.parse(row.traceparent)
    except InvalidTraceparent:
        return None


def _root(row: ExecutionRow, rows: Rows) -> str:
    """The id of the execution that started the one that started … this one."""
    for _ in range(DEPTH_MAX):
        if row.parent is None:
            break
        parent = rows.get(row.parent.execution)
        if parent is None:
            return row.parent.execution
        row = parent
    return row.id


def _intent(step: StepRow) -> Mapping[str, object]:
    try:
        found = json.loads(step.data) if step.data else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _digest(what: str, text: str, length: int) -> str:
    """Hex of `length` bytes; never all zeros, which would be no id."""
    found = hashlib.sha256(f"{what}\n{text}".encode()).hexdigest()[: 2 * length]
    return found if found.strip("0") else f"{1:0{2 * length}x}"


def _unix_ns(row: ExecutionRow, plant_s: float) -> int:
    return max(0, int((row.epoch_unix + plant_s) * 1e9))
