"""The spans of a frame's way: what they are called, what they hold, and whose child each is. No SDK is imported here.

    publish                                     the producer; root, or child of a span of the camera's program
      └─ frame_buffer_orchestrator_received     the leader: from the server's receipt until a processor was chosen
           ├─ route_frame                       the leader: which processor, and how loaded it was
           └─ dispatch_to_processor             the leader: into that processor's queue
                └─ process_frame                the processor

Routing happens inside the server, and the leader never holds a frame. So that the processor's span has the right
parent without anybody asking, the server's function gives a sampled frame a new span id as it puts it in a queue, and
reports the frame to the leader, who makes the same id (`tracing_dispatch.dispatch_span_id`): the traceparent that the
processor takes is that of `dispatch_to_processor`. It does so only for a leader that traces, and only for the frames
that it reports, so no span has a parent that nobody made. A frame that comes back and is routed again hangs below the
dispatch that failed.

The server keeps each report until its spans are exported, so that a leader that dies leaves no gap: the next one makes
the spans.

Every frame carries its trace context; whether spans are made of it is decided once, by the producer (`sample_ratio`).
"""

import random
import time
from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from framebuffer.keys import Keys
from framebuffer.models import FrameReadyEvent, InvalidTraceparent, TraceContext
from framebuffer.wire import OutgoingFrame, Settlement, TakenFrame

__all__ = [
    "DISPATCH",
    "PROCESS",
    "PUBLISH",
    "RECEIVED",
    "ROUTE",
    "Attribute",
    "Kind",
    "OpenSpan",
    "ProducerTracing",
    "Span",
    "SpanSink",
    "export_process",
    "finished",
    "frame_attributes",
    "process_span",
    "publish_span",
]

PUBLISH = "publish"
RECEIVED = "frame_buffer_orchestrator_received"
ROUTE = "route_frame"
DISPATCH = "dispatch_to_processor"
PROCESS = "process_frame"

Kind: TypeAlias = Literal["internal", "producer", "consumer"]
Attribute: TypeAlias = str | int | float | bool


class Span(msgspec.Struct, frozen=True):
    """One finished span. Ids in hex; times in nanoseconds since 1970; ``error`` is empty where all went well.

    ``exception``: the kind of what went wrong, recorded as an exception of the span with ``error`` as its message.
    ``ok``: it is said of the span that all went well; else nothing is said.
    """

    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_span_id: str | None
    start_ns: int
    end_ns: int
    attributes: dict[str, Attribute]
    error: str = ""
    exception: str = ""
    ok: bool = False


class SpanSink(Protocol):
    """Where finished spans go."""

    def export(self, spans: Sequence[Span], done: Callable[[], None] | None = None) -> None:
        """Never blocks, never raises; what cannot be kept is dropped and counted.

        ``done`` is called, in whatever thread, when these and all before them were sent or dropped.
        """


# -- the producer ----


class OpenSpan(msgspec.Struct, frozen=True):
    """A `publish` span that has begun: its parent's id, None for the root of a trace."""

    parent_span_id: str | None
    start_ns: int


class ProducerTracing:
    """What a camera's producer traces with: ``sample_ratio`` (0 to 1) of the traces that begin with it are recorded.

    A frame that brings the trace context of the camera's own program keeps that decision, and its `publish` span hangs
    below it.
    """

    def __init__(self, sink: SpanSink, *, sample_ratio: float = 1.0, keys: Keys | None = None) -> None:
        if not 0.0 <= sample_ratio <= 1.0:
            raise ValueError(f"sample_ratio must be from 0 to 1, is {sample_ratio}")
        self._sink = sink
        self._ratio = sample_ratio
        self._destination = (keys or Keys()).capture

    def root(self) -> TraceContext:
        """A new trace, recorded or not."""
        return TraceContext.new(sampled=random.random() < self._ratio)  # noqa: S311 (chance, not a secret)

    def begin(self, event: FrameReadyEvent, *, root: bool) -> tuple[FrameReadyEvent, OpenSpan | None]:
        """The event as it is to be published, and its span; None where the trace is not recorded.

        ``root``: its trace context came from `root`, and not from the camera's program.
        """
        context = event.trace_context
        if not context.sampled:
            return event, None
        now = time.time_ns()
        if root:
            return event, OpenSpan(None, now)
        return event.model_copy(update={"trace_context": context.child()}), OpenSpan(context.span_id, now)

    def end(self, camera_id: str, frame: OutgoingFrame, span: OpenSpan, error: str = "") -> None:
        """The server has the frame, or ``error`` says why it never will."""
        made = publish_span(camera_id, frame, span, time.time_ns(), self._destination, error)
        if made is not None:
            self._sink.export([made])


def publish_span(
    camera_id: str, frame: OutgoingFrame, span: OpenSpan, end_ns: int, destination: str, error: str
) -> Span | None:
    """The span of a published frame; None where its trace context is not valid."""
    try:
        context = TraceContext.parse(frame.traceparent)
    except InvalidTraceparent:
        return None
    attributes = frame_attributes(frame.frame_id, camera_id, frame.priority, frame.capability) | {
        "frame.sequence": frame.sequence,
        "frame.size_bytes": len(frame.payload),
        "messaging.destination.name": destination,
        "messaging.operation.type": "send",
        "messaging.operation.name": PUBLISH,
    }
    return finished(
        PUBLISH,
        "producer",
        context.trace_id,
        context.span_id,
        span.parent_span_id,
        span.start_ns,
        end_ns,
        attributes,
        error,
    )


# -- the processor ----


def export_process(
    spans: SpanSink | None,
    processor_id: str,
    frame: TakenFrame,
    parent: TraceContext | None,
    context: TraceContext,
    start_ns: int,
    settlement: Settlement,
) -> None:
    """Export the span of the work on a frame, if its trace is recorded; what comes of it is known by now."""
    if spans is None or not context.sampled:
        return
    error = settlement.reason or settlement.status if settlement.status in ("error", "dead") else ""
    spans.export([process_span(processor_id, frame, parent, context, start_ns, error)])


def process_span(
    processor_id: str,
    frame: TakenFrame,
    parent: TraceContext | None,
    context: TraceContext,
    start_ns: int,
    error: str = "",
    *,
    keys: Keys | None = None,
) -> Span:
    """The span of the work on a frame, which ends now. ``parent``: what the frame came with, if that is valid."""
    queue = (keys or Keys()).ready(processor_id)
    attributes = frame_attributes(frame.frame_id, frame.camera_id, frame.priority, frame.capability) | {
        "frame.sequence": frame.sequence,
        "frame.attempts": frame.attempts,
        "processor.id": processor_id,
        "queue.name": queue,
        "messaging.destination.name": queue,
        "messaging.consumer.group.name": f"{processor_id}-group",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
    }
    parent_id = None if parent is None else parent.span_id
    return finished(
        PROCESS, "consumer", context.trace_id, context.span_id, parent_id, start_ns, time.time_ns(), attributes, error
    )


def frame_attributes(frame_id: str, camera_id: str, priority: int, capability: str) -> dict[str, Attribute]:
    return {
        "frame.id": frame_id,
        "frame.camera_id": camera_id,
        "frame.priority": priority,
        "frame.capability": capability,
        "messaging.system": "redis",
        "messaging.message.id": frame_id,
    }


def finished(
    name: str,
    kind: Kind,
    trace_id: str,
    span_id: str,
    parent_span_id: str | None,
    start_ns: int,
    end_ns: int,
    attributes: dict[str, Attribute],
    error: str = "",
    *,
    exception: str = "",
    ok: bool = False,
) -> Span:
    # Clocks of several machines are in play: a span never ends before it began.
    return Span(
        name,
        kind,
        trace_id,
        span_id,
        parent_span_id,
        start_ns,
        max(start_ns, end_ns),
        attributes,
        error,
        exception,
        ok,
    )
