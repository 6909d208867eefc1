"""The span of a component's work on a command: a child of the step, or of whatever else, that sent it."""

import asyncio
import time

from framebuffer.models import InvalidTraceparent, TraceContext
from framebuffer.tracing import Attribute, SpanSink, finished
from orchestrator.events import CommandAnswer

__all__ = ["HANDLE", "export_handled"]

HANDLE = "handle_command"


def export_handled(
    spans: SpanSink | None,
    component_id: str,
    command: str,
    key: str,
    traceparent: str | None,
    began_ns: int,
    task: asyncio.Task[CommandAnswer],
) -> None:
    """The work has ended, in `task`. Nothing is made of a command without a trace, or of one that is not recorded."""
    if spans is None or traceparent is None:
        return
    try:
        context = TraceContext.parse(traceparent)
    except InvalidTraceparent:
        return
    if not context.sampled:
        return
    attributes: dict[str, Attribute] = {
        "triarch.component": component_id,
        "triarch.command": str(command),
        "messaging.operation.type": "process",
        "messaging.message.id": key,
    }
    if task.cancelled():
        kind, error = "cancelled", "the work was cancelled"
    elif (raised := task.exception()) is not None:
        kind, error = type(raised).__name__, str(raised)[:500]
    else:
        answer = task.result()
        kind, error = answer.code, answer.message[:500]
        attributes["triarch.state"] = str(answer.state)
    own = context.child()
    span = finished(
        HANDLE,
        "consumer",
        own.trace_id,
        own.span_id,
        context.span_id,
        began_ns,
        time.time_ns(),
        attributes,
        (error or kind) if kind else "",
        exception=kind,
        ok=not kind,
    )
    spans.export([span])
