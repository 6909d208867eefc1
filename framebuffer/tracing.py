"""The spans of a frame's way: what they are called, what they hold, and whose child each is. No SDK is imported here.

    publish                                     the producer; root, or child of a span of the camera's program
      └─ frame_buffer_orchestrator_received     the leader: from the server's receipt until a processor was chosen
           ├─ route_frame                       the leader: which processor, and how loaded it was
           └─ dispatch_to_processor             the leader: into that processor's queue
                └─ process_frame                the processor

Routing happens inside the server, and the leader never holds a frame. So that the processor's span has the right
parent without anybody asking, the server's function gives a sampled frame a new span id as it puts it in a queue, and
reports the frame to the leader, who makes the same id (`dispatch_span_id`): the traceparent that the processor takes
is that of `dispatch_to_processor`. It does so only for a leader that traces, and only for the frames that it reports,
so no span has a parent that nobody made. A frame that comes back and is routed again hangs below the dispatch that
failed.

The server keeps each report until its spans are exported, so that a leader that dies leaves no gap: the next one makes
the spans.

Every frame carries its trace context; whether spans are made of it is decided once, by the producer (`sample_ratio`).
"""

import hashlib
import random
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

import msgspec

from framebuffer.keys import CAPTURE_GROUP, Keys
from framebuffer.models import FrameReadyEvent, InvalidTraceparent, TraceContext
from framebuffer.wire import DispatchReport, OutgoingFrame, SampledRoute, Settlement, TakenFrame

__all__ = [
    "DISPATCH",
    "PROCESS",
    "PUBLISH",
    "RECEIVED",
    "ROUTE",
    "DispatchTracing",
    "OpenSpan",
    "ProducerTracing",
    "Span",
    "SpanSink",
    "dispatch_span_id",
    "dispatch_spans",
    "export_process",
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
    """One finished span. Ids in hex; times in nanoseconds since 1970; ``error`` is empty where all went well."""

    name: str
    kind: Kind
    trace_id: str
    span_id: str
    parent_span_id: str | None
    start_ns: int
    end_ns: int
    attributes: dict[str, Attribute]
    error: str = ""


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
    attributes = _of_frame(frame.frame_id, camera_id, frame.priority, frame.capability) | {
        "frame.sequence": frame.sequence,
        "frame.size_bytes": len(frame.payload),
        "messaging.destination.name": destination,
        "messaging.operation.type": "send",
        "messaging.operation.name": PUBLISH,
    }
    return _span(
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


# -- the leader ----


def dispatch_span_id(traceparent: str, capability: str) -> str:
    """The id of the `dispatch_to_processor` span of a frame that came with ``traceparent``.

    `functions/router.lua` makes the same one. It differs each time that a frame is routed, since a frame that was
    routed before comes with the id of that time, and for each part of a frame that asks for several capabilities.
    """
    return hashlib.sha1(f"{traceparent} {capability}".encode(), usedforsecurity=False).hexdigest()[:16]


class DispatchTracing:
    """Makes the leader's spans of one shard, from what the dispatch calls report.

    The server keeps each report until it hears with a later call that its spans are exported: what a leader leaves
    behind as it dies, and what was lost on the way to it, is made up for by ``recovered``.
    """

    def __init__(self, sink: SpanSink, *, node_id: str, keys: Keys) -> None:
        self._sink = sink
        self._node_id = node_id
        self._keys = keys
        self._under_way: set[str] = set()
        self.exported = "0-0"
        """The id up to which all is exported, for the next call."""

    def dispatched(self, report: DispatchReport, duration_s: float) -> None:
        """A call that ended now and took ``duration_s`` routed these frames."""
        end_ns = time.time_ns()
        self._export(report.sampled_id, self._node_id, report.sampled, end_ns - int(duration_s * 1e9), end_ns)

    def recovered(self, entry_id: str, fields: Mapping[bytes, bytes]) -> None:
        """An entry of the stream of what is not exported; nothing happens where it is on its way already."""
        if entry_id in self._under_way or _order(entry_id) <= _order(self.exported):
            return
        try:
            node_id, routes = _sampled.decode(fields[b"routes"])
        except (msgspec.DecodeError, KeyError):
            return  # not ours, or of a later version: it is trimmed with the others
        at_ns = int(entry_id.partition("-")[0]) * 1_000_000  # how long that call took is not known any more
        self._export(entry_id, node_id, routes, at_ns, at_ns)

    def _export(self, entry_id: str, node_id: str, routes: Sequence[SampledRoute], start_ns: int, end_ns: int) -> None:
        def done() -> None:
            self.exported = max(self.exported, entry_id, key=_order)
            self._under_way.discard(entry_id)

        self._under_way.add(entry_id)
        spans = [span for route in routes for span in dispatch_spans(route, node_id, self._keys, start_ns, end_ns)]
        self._sink.export(spans, done)


_sampled = msgspec.msgpack.Decoder(tuple[str, tuple[SampledRoute, ...]])


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds or 0), int(number or 0)


def dispatch_spans(route: SampledRoute, node_id: str, keys: Keys, start_ns: int, end_ns: int) -> list[Span]:
    """The leader's three spans of a routed frame; none where its trace context is not valid.

    One call routes a whole batch, so the routing and the dispatch of each frame in it take as long as the call. What a
    frame waited before, in capture and in its lane, is in the first span.
    """
    frame_id, camera_id, sequence, capability, priority, attempts, published_ms, _, traceparent = route.head.split(" ")
    try:
        came = TraceContext.parse(traceparent)
    except InvalidTraceparent:
        return []
    dispatch_id = dispatch_span_id(traceparent, capability)
    received_id, route_id = dispatch_span_id(dispatch_id, RECEIVED), dispatch_span_id(dispatch_id, ROUTE)
    frame = _of_frame(frame_id, camera_id, int(priority), capability) | {
        "frame.sequence": int(sequence),
        "frame.attempts": int(attempts),
        "node.id": node_id,
    }
    received_ns = min(int(published_ms) * 1_000_000, start_ns)
    queue = keys.ready(route.processor_id)
    load = round(route.outstanding / route.capacity, 4) if route.capacity > 0 else 0.0
    received = _span(
        RECEIVED,
        "consumer",
        came.trace_id,
        received_id,
        came.span_id,
        received_ns,
        end_ns,
        frame
        | {
            "messaging.destination.name": keys.capture,
            "messaging.consumer.group.name": CAPTURE_GROUP,
            "messaging.operation.type": "receive",
            "messaging.operation.name": "dispatch",
        },
    )
    routed = _span(
        ROUTE,
        "internal",
        came.trace_id,
        route_id,
        received_id,
        start_ns,
        end_ns,
        frame
        | {
            "selected_processor": route.processor_id,
            "processor_load": load,
            "processor.outstanding": route.outstanding,
            "processor.capacity": route.capacity,
        },
    )
    dispatched = _span(
        DISPATCH,
        "producer",
        came.trace_id,
        dispatch_id,
        received_id,
        start_ns,
        end_ns,
        frame
        | {
            "processor.id": route.processor_id,
            "queue.name": queue,
            "messaging.destination.name": queue,
            "messaging.operation.type": "send",
            "messaging.operation.name": "dispatch",
        },
    )
    return [received, routed, dispatched]


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
    attributes = _of_frame(frame.frame_id, frame.camera_id, frame.priority, frame.capability) | {
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
    return _span(
        PROCESS, "consumer", context.trace_id, context.span_id, parent_id, start_ns, time.time_ns(), attributes, error
    )


def _of_frame(frame_id: str, camera_id: str, priority: int, capability: str) -> dict[str, Attribute]:
    return {
        "frame.id": frame_id,
        "frame.camera_id": camera_id,
        "frame.priority": priority,
        "frame.capability": capability,
        "messaging.system": "redis",
        "messaging.message.id": frame_id,
    }


def _span(
    name: str,
    kind: Kind,
    trace_id: str,
    span_id: str,
    parent_span_id: str | None,
    start_ns: int,
    end_ns: int,
    attributes: dict[str, Attribute],
    error: str = "",
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
    )
