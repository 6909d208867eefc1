"""Following what ends: results, dead and dropped frames as they come. Changes nothing.

Whoever follows keeps a position in each of the three streams of each shard. It goes on from there after a lost
connection, so that nothing is skipped that the streams still hold. Results and dropped frames are kept only up to a
number: who comes too late for some is told so.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

import msgspec

from framebuffer.connection import translate
from framebuffer.errors import InvalidCursor
from framebuffer.reading import Entry, facts_of, newest_id
from framebuffer.records import head_of
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended

__all__ = ["Ended", "Followed", "Missed", "Positions", "cursor_of", "follow", "newest", "positions_of"]

STREAMS = ("results", "dead", "dropped")
TRIMMED = ("results", "dropped")
BEGINNING = "0-0"


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

Missed: TypeAlias = int | Literal["some"]
"""Entries that were trimmed before they were read: a position does not tell the number, unless it is the beginning."""


class Followed(NamedTuple):
    """``frames`` behind the positions that were asked with, in order of time, and the ``positions`` behind these.

    ``not_kept``: by stream (``results``, ``dropped``) what came in between and is not kept any more; empty where that
    is nothing.
    """

    frames: list[Ended]
    positions: Positions
    not_kept: dict[str, Missed]


def cursor_of(positions: Positions) -> str:
    """Positions as one text, for whoever asks again."""
    return "_".join(shard[stream] for shard in positions for stream in STREAMS)


def positions_of(cursor: str, shards: int) -> Positions:
    """The other way round; "0" is the beginning of everything. Errors: InvalidCursor."""
    if cursor == "0":
        return [dict.fromkeys(STREAMS, BEGINNING) for _ in range(shards)]
    ids = cursor.split("_")
    numbers = [number for one in ids for number in one.split("-")]
    sound = len(ids) == 3 * shards and len(numbers) == 6 * shards
    if not sound or not all(one.isascii() and one.isdigit() and len(one) <= 19 for one in numbers):
        raise InvalidCursor(cursor)
    return [dict(zip(STREAMS, ids[at : at + 3], strict=True)) for at in range(0, len(ids), 3)]


async def newest(streams: ShardedStreams) -> Positions:
    """The positions behind everything that is there now."""
    return [
        {name: await newest_id(part, f"{part.keys.prefix}:{name}") or BEGINNING for name in STREAMS}
        for part in streams.parts
    ]


async def follow(streams: ShardedStreams, positions: Positions, *, limit: int = 500, wait_s: float = 0.0) -> Followed:
    """What came behind the positions, at most ``limit`` of each stream, and the positions behind that.

    Where there is nothing yet, it waits up to ``wait_s``. Errors: RedisUnavailable, RedisUnsupported, RedisRefused.
    """
    found = await _read(streams, positions, limit)
    if not found.frames and not found.not_kept and wait_s > 0 and await _news(streams, found.positions, wait_s):
        found = await _read(streams, found.positions, limit)
    return found


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


async def _read(streams: ShardedStreams, positions: Positions, limit: int) -> Followed:
    found: list[Ended] = []
    not_kept: dict[str, Missed] = {}
    after = [dict(shard) for shard in positions]
    for number, part in enumerate(streams.parts):
        shard = f"{number}/" if len(streams) > 1 else ""
        for name in STREAMS:
            page, missed, newest = await _page(part, name, after[number][name], limit)
            if missed:
                not_kept[name] = _sum(not_kept.get(name, 0), missed)
                after[number][name] = newest if not page else after[number][name]  # said once
            for entry, fields in page:
                after[number][name] = entry.decode()
                one = _ended(name, shard, entry.decode(), fields)
                if one is not None:
                    found.append(one)
    return Followed(sorted(found, key=lambda one: one.at_ms), after, not_kept)


async def _page(part: FrameStreams, name: str, position: str, limit: int) -> tuple[list[Entry], Missed, str]:
    """A page of the stream from behind the position, what is not kept in between, and the id that was given last.

    All at one instant: between two calls more could be trimmed.
    """
    key = f"{part.keys.prefix}:{name}"
    reading = ("XRANGE", key, f"({position}", "+", "COUNT", limit)
    about = [("XINFO", "STREAM", key)] if name in TRIMMED else []
    page, *told = await part.look(reading, *about)
    if isinstance(page, Exception):
        raise translate(page) from page
    facts = facts_of(told[0]) if told else {}
    if not facts:
        return page, 0, position
    newest = facts[b"last-generated-id"].decode()
    oldest = facts[b"first-entry"][0].decode() if facts[b"first-entry"] else newest
    trimmed = int(facts[b"entries-added"]) - int(facts[b"length"])
    if trimmed <= 0 or _order(position) >= _order(oldest):
        return page, 0, newest
    return page, trimmed if position == BEGINNING else "some", newest


def _sum(one: Missed, other: Missed) -> Missed:
    return "some" if one == "some" or other == "some" else one + other


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


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
