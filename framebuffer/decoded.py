"""Entries of the streams as the server returns them, decoded. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from framebuffer.wire import DeadFrame, TakenFrame

__all__ = ["dead", "taken"]

_HEAD_PARTS = 9
_DEAD_FIELDS = 6


def taken(row: Sequence[Any]) -> TakenFrame:
    """A row of ``take``: handle, head, event, payload (None when it is gone)."""
    handle, head, event, payload = row
    frame, camera, sequence, capability, priority, attempts, published, parts, trace = head.decode("ascii").split(" ")
    return TakenFrame(
        handle.decode(),
        frame,
        camera,
        int(sequence),
        capability,
        int(priority),
        int(attempts),
        "" if trace == "-" else trace,
        event,
        payload or b"",
        payload is None,
        int(published),
        int(parts),
    )


def dead(entry: bytes, fields: Mapping[bytes, bytes]) -> DeadFrame | None:
    """An entry of the stream of dead frames; None for one that no function wrote."""
    head = fields.get(b"frame", b"").decode("ascii", "replace").split(" ")
    if len(head) != _HEAD_PARTS or len(fields) != _DEAD_FIELDS:
        return None
    frame, camera, sequence, capability, priority, attempts, published, _, trace = head
    return DeadFrame(
        entry_id=entry.decode(),
        frame_id=frame,
        camera_id=camera,
        sequence=int(sequence),
        capability=capability,
        priority=int(priority),
        attempts=int(attempts),
        published_ms=int(published),
        traceparent="" if trace == "-" else trace,
        processor_id=fields[b"processor_id"].decode(),
        reason=fields[b"reason"].decode("utf-8", "replace"),
        died_ms=int(fields[b"dead_ms"]),
        event=fields[b"event"],
    )
