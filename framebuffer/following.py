"""Following what ends: results, dead and dropped frames as they come. Changes nothing.

Whoever follows keeps a position in each of the three streams of each shard. It goes on from there after a lost
connection, so that nothing is skipped that the streams still hold.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from framebuffer.errors import InvalidCursor
from framebuffer.reading import entries, newest_id
from framebuffer.records import head_of
from framebuffer.shards import ShardedStreams
from framebuffer.tasks import ended

__all__ = ["Ended", "Positions", "cursor_of", "follow", "newest", "positions_of"]

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


Positions = list[dict[str, str]]
"""For each shard the id of the last entry seen in each of `STREAMS`."""


def cursor_of(positions: Positions) -> str:
    """Positions as one text, for whoever asks again."""
    return "_".join(shard[stream] for shard in positions for stream in STREAMS)


def positions_of(cursor: str, shards: int) -> Positions:
    """The other way round; "0" is the beginning of everything. Errors: InvalidCursor."""
    if cursor == "0":
        return [dict.fromkeys(STREAMS, "0-0") for _ in range(shards)]
    ids = cursor.split("_")
    numbers = [number for one in ids for number in one.split("-")]
    sound = len(ids) == 3 * shards and len(numbers) == 6 * shards
    if not sound or not all(one.isascii() and one.isdigit() and len(one) <= 19 for one in numbers):
        raise InvalidCursor(cursor)
    return [dict(zip(STREAMS, ids[at : at + 3], strict=True)) for at in range(0, len(ids), 3)]


async def newest(streams: ShardedStreams) -> Positions:
    """The positions behind everything that is there now."""
    return [
        {name: await newest_id(part, f"{part.keys.prefix}:{name}") or "0-0" for name in STREAMS}
        for part in streams.parts
    ]


async def follow(
    streams: ShardedStreams, positions: Positions, *, limit: int = 500, wait_s: float = 0.0
) -> tuple[list[Ended], Positions]:
    """What came behind the positions, at most ``limit`` of each stream, and the positions behind that.

    Where there is nothing yet, it waits up to ``wait_s``. Errors: RedisUnavailable, RedisRefused.
    """
    found, after = await _read(streams, positions, limit)
    if not found and wait_s > 0 and await _news(streams, after, wait_s):
        found, after = await _read(streams, after, limit)
    return found, after


async def _news(streams: ShardedStreams, positions: Positions, wait_s: float) -> bool:
    """Whether one of the shards has something within the time."""
    waiting = [
        asyncio.create_task(part.wait({f"{part.keys.prefix}:{name}": shard[name] for name in STREAMS}, wait_s))
        for part, shard in zip(streams.parts, positions, strict=True)
    ]
    try:
        done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        return any(task.result() for task in done)
    finally:
        await ended(*waiting)


async def _read(streams: ShardedStreams, positions: Positions, limit: int) -> tuple[list[Ended], Positions]:
    found: list[Ended] = []
    after = [dict(shard) for shard in positions]
    for number, part in enumerate(streams.parts):
        shard = f"{number}/" if len(streams) > 1 else ""
        for name in STREAMS:
            page = await entries(part, f"{part.keys.prefix}:{name}", f"({after[number][name]}", limit)
            for entry, fields in page:
                after[number][name] = entry.decode()
                one = _ended(name, shard, entry.decode(), fields)
                if one is not None:
                    found.append(one)
    return sorted(found, key=lambda one: one.at_ms), after


def _ended(stream: str, shard: str, entry_id: str, fields: Mapping[bytes, bytes]) -> Ended | None:
    head = head_of(fields.get(b"frame", b"").decode("ascii", "replace"))
    if head is None:
        return None
    return Ended(
        what=_WHAT[stream],
        at_ms=int(entry_id.partition("-")[0]),
        entry_id=shard + entry_id,
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
