"""Following what ends: results, dead and dropped frames as they come. Changes nothing.

Whoever follows keeps a position in each of the three streams. It goes on from there after a lost connection, so that
nothing is skipped that the streams still hold.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from framebuffer.errors import InvalidCursor
from framebuffer.reading import entries, newest_id
from framebuffer.records import head_of
from framebuffer.streams import FrameStreams

__all__ = ["Ended", "cursor_of", "follow", "newest", "positions_of"]

STREAMS = ("results", "dead", "dropped")


class Ended(msgspec.Struct, frozen=True, omit_defaults=True):
    """A frame that came to its end. ``what``: settled, dead or dropped. ``result`` is the JSON that was published."""

    what: str
    at_ms: int
    entry_id: str
    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    processor_id: str = ""
    reason: str = ""
    result: Any = None


_WHAT = {"results": "settled", "dead": "dead", "dropped": "dropped"}


def cursor_of(positions: Mapping[str, str]) -> str:
    """Positions as one text, for whoever asks again."""
    return "_".join(positions[stream] for stream in STREAMS)


def positions_of(cursor: str) -> dict[str, str]:
    """The other way round. Errors: InvalidCursor."""
    parts = cursor.split("_")
    numbers = [number for part in parts for number in part.split("-")]
    if len(parts) != 3 or len(numbers) != 6 or not all(one.isascii() and one.isdigit() for one in numbers):
        raise InvalidCursor(cursor)
    return dict(zip(STREAMS, parts, strict=True))


async def newest(streams: FrameStreams) -> dict[str, str]:
    """The positions behind everything that is there now."""
    found = {}
    for stream in STREAMS:
        found[stream] = await newest_id(streams, f"{streams.keys.prefix}:{stream}") or "0-0"
    return found


async def follow(
    streams: FrameStreams, positions: Mapping[str, str], *, limit: int = 500, wait_s: float = 0.0
) -> tuple[list[Ended], dict[str, str]]:
    """What came behind the positions, at most ``limit`` of each stream, and the positions behind that.

    Where there is nothing yet, it waits up to ``wait_s``. Errors: RedisUnavailable, RedisRefused.
    """
    found, after = await _read(streams, positions, limit)
    if not found and wait_s > 0:
        keys = {f"{streams.keys.prefix}:{stream}": after[stream] for stream in STREAMS}
        if await streams.wait(keys, wait_s):
            found, after = await _read(streams, after, limit)
    return found, after


async def _read(streams: FrameStreams, positions: Mapping[str, str], limit: int) -> tuple[list[Ended], dict[str, str]]:
    ended: list[Ended] = []
    after = dict(positions)
    for stream in STREAMS:
        page = await entries(streams, f"{streams.keys.prefix}:{stream}", f"({after[stream]}", limit)
        for entry, fields in page:
            after[stream] = entry.decode()
            one = _ended(stream, after[stream], fields)
            if one is not None:
                ended.append(one)
    return sorted(ended, key=lambda one: one.at_ms), after


def _ended(stream: str, entry_id: str, fields: Mapping[bytes, bytes]) -> Ended | None:
    head = head_of(fields.get(b"frame", b"").decode("ascii", "replace"))
    if head is None:
        return None
    return Ended(
        what=_WHAT[stream],
        at_ms=int(entry_id.partition("-")[0]),
        entry_id=entry_id,
        frame_id=head.frame_id,
        camera_id=head.camera_id,
        sequence=head.sequence,
        capability="" if head.capability == "-" else head.capability,
        priority=head.priority,
        attempts=head.attempts,
        processor_id=fields.get(b"processor_id", b"").decode("utf-8", "replace"),
        reason=fields.get(b"reason", b"").decode("utf-8", "replace"),
        result=_json(fields[b"result"]) if b"result" in fields else None,
    )


def _json(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data.decode("utf-8", "replace")
