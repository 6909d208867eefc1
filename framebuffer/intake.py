"""From what a camera hands over to a frame on its way: validation, with the field at fault in each refusal. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from framebuffer.errors import InvalidFrame
from framebuffer.models import FrameReadyEvent, TraceContext, age_s, problems
from framebuffer.wire import OutgoingFrame

__all__ = ["default_frame_id", "event_of", "outgoing"]


def default_frame_id(camera_id: str, sequence: int) -> str:
    """The name of a frame whose producer gives none."""
    return f"{camera_id}-{sequence}"


def event_of(
    camera_id: str, sequence: int, payload: object, fields: Mapping[str, Any], *, now: datetime, max_payload: int
) -> tuple[FrameReadyEvent, float]:
    """The event of a frame, what ``fields`` lacks filled in, and its age in seconds.

    ``now``: with its offset. ``max_payload``: bytes. Errors: InvalidFrame.
    """
    if not isinstance(payload, (bytes, bytearray, memoryview)):
        raise InvalidFrame("payload", f"must be bytes, is {type(payload).__name__}")
    size = memoryview(payload).nbytes
    if size > max_payload:
        raise InvalidFrame("payload", f"{size} bytes, at most {max_payload} are allowed")
    if fields.get("camera_id", camera_id) != camera_id:
        raise InvalidFrame("camera_id", f"this producer is camera {camera_id}")
    filled = {
        "frame_id": default_frame_id(camera_id, sequence),
        "timestamp": now,
        "size_bytes": size,
        **fields,
        "camera_id": camera_id,
    }
    if "trace_context" not in filled:
        filled["trace_context"] = TraceContext.new(sampled=False)
    try:
        event = FrameReadyEvent.model_validate(filled)
    except ValidationError as error:
        first = problems(error)[0]
        raise InvalidFrame(first.field, first.reason) from None
    if size and event.size_bytes != size:  # without a payload the bytes may be elsewhere
        raise InvalidFrame("size_bytes", f"says {event.size_bytes}, and the payload has {size} bytes")
    try:
        return event, age_s(event.timestamp, now)
    except ValueError as error:
        raise InvalidFrame("timestamp", str(error)) from None


def outgoing(event: FrameReadyEvent, sequence: int, payload: bytes) -> OutgoingFrame:
    """The frame as it is published."""
    several = event.capabilities
    return OutgoingFrame(
        frame_id=event.frame_id,
        sequence=sequence,
        event=event.to_json().encode(),
        payload=payload,
        capability=several[0],
        priority=event.priority,
        traceparent=event.trace_context.format(),
        capabilities=several if len(several) > 1 else (),
    )
