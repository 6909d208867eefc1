"""What a processor publishes of a frame: one JSON document. Pure, but for the random id of a new span."""

from collections.abc import Mapping

import msgspec

from framebuffer.models import InvalidTraceparent, TraceContext
from framebuffer.wire import TakenFrame

RESULT_BYTES_MAX = 1 << 20


def span_of(frame: TakenFrame) -> tuple[TraceContext | None, TraceContext]:
    """The frame's span and a new one below it. A frame without a valid one starts a trace of its own."""
    try:
        parent = TraceContext.parse(frame.traceparent)
    except InvalidTraceparent:
        return None, TraceContext.new(sampled=False)
    return parent, parent.child()


def encoded(
    processor_id: str, frame: TakenFrame, parent: TraceContext | None, span: TraceContext, found: object
) -> bytes:
    """The result as JSON, with what `process_frame` returned under `result`. Errors: TypeError, ValueError."""
    if found is not None and not isinstance(found, Mapping):
        raise TypeError(f"process_frame must return a dict, returned {type(found).__name__}")
    document = {
        "frame_id": frame.frame_id,
        "camera_id": frame.camera_id,
        "sequence": frame.sequence,
        "processor_id": processor_id,
        "trace_context": span.model_dump(),
        "parent_span_id": parent.span_id if parent else None,
        "attempts": frame.attempts + 1,
        "result": dict(found or {}),
    }
    result = msgspec.json.encode(document, enc_hook=_plain)
    if len(result) > RESULT_BYTES_MAX:
        raise ValueError(f"the result is {len(result)} bytes of JSON; at most {RESULT_BYTES_MAX} are allowed")
    return result


def _plain(value: object) -> object:
    """What has `tolist`, as the arrays and numbers of numpy have, without importing it."""
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return to_list()
    raise TypeError(f"process_frame returned a {type(value).__name__}, which is not JSON")
