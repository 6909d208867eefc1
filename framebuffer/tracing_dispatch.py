"""The leader's spans of routed frames, made from what the dispatch calls report (see `framebuffer.tracing`)."""

import hashlib
import time
from collections.abc import Mapping, Sequence

import msgspec

from framebuffer.keys import CAPTURE_GROUP, Keys
from framebuffer.models import InvalidTraceparent, TraceContext
from framebuffer.tracing import DISPATCH, RECEIVED, ROUTE, Span, SpanSink, finished, frame_attributes
from framebuffer.wire import DispatchReport, SampledRoute

__all__ = ["DispatchTracing", "dispatch_span_id", "dispatch_spans"]


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
    frame = frame_attributes(frame_id, camera_id, int(priority), capability) | {
        "frame.sequence": int(sequence),
        "frame.attempts": int(attempts),
        "node.id": node_id,
    }
    received_ns = min(int(published_ms) * 1_000_000, start_ns)
    queue = keys.ready(route.processor_id)
    load = round(route.outstanding / route.capacity, 4) if route.capacity > 0 else 0.0
    received = finished(
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
    routed = finished(
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
    dispatched = finished(
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
