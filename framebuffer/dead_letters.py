"""Dead frames as an operator handles them: a page of those that match, and all of them a bounded piece at a time."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from framebuffer.errors import InvalidCursor
from framebuffer.reading import newest_id
from framebuffer.shards import ShardedStreams
from framebuffer.wire import DeadFrame

__all__ = ["Done", "Page", "Verb", "handle", "handle_all", "page"]

Verb = Literal["replay", "drop"]

_ENTRY = re.compile(r"(?:[0-9]{1,5}/)?[0-9]{1,19}-[0-9]{1,19}", re.ASCII)
_READ = 200
"""Frames read at once: each may carry a small payload."""
_LOOKED_AT_MAX = 5_000
"""Frames looked at in one call, whether they match or not; the cursor goes on from there."""


class Page(NamedTuple):
    """``cursor``: where the next page begins; empty after the last."""

    frames: list[DeadFrame]
    cursor: str


class Done(msgspec.Struct, frozen=True):
    """``done``: frames replayed, or dropped. ``outcomes``: by entry id, where ids were given."""

    done: int
    not_found: int
    refused: int
    outcomes: dict[str, str]
    cursor: str = ""


class _Cursor(NamedTuple):
    """Behind entry ``after``, in each shard up to ``until``: what dies meanwhile, perhaps again, is not reached.

    ``query``: a digest of what is asked for. With another camera or reason, frames before ``after`` would be left out.
    """

    after: str
    until: tuple[str, ...]
    query: str

    def __str__(self) -> str:
        return "_".join((self.after, *self.until, self.query))


def _parsed(cursor: str, shards: int, query: str) -> _Cursor:
    after, *until = cursor.split("_")
    asked = until.pop() if until else ""
    if len(until) != shards or not is_entry(after, shards) or not all(is_entry(one, 1) for one in until):
        raise InvalidCursor(cursor)
    if asked != query:
        raise InvalidCursor(cursor, "belongs to a query with other filters; begin that one anew")
    return _Cursor(after, tuple(until), query)


def _query(camera: str, reason: str) -> str:
    return hashlib.sha256(f"{camera}\n{reason}".encode()).hexdigest()[:8]


def is_entry(text: str, shards: int) -> bool:
    """Whether it may be the id of a dead frame's entry: `1764-0`, or `2/1764-0` where there are several shards."""
    if _ENTRY.fullmatch(text) is None:
        return False
    shard, found, _ = text.partition("/")
    return int(shard) < shards if found and shards > 1 else not found and shards == 1


def _place(entry_id: str) -> tuple[int, tuple[int, int]]:
    """The shard and the order within it."""
    shard, _, within = entry_id.rpartition("/")
    milliseconds, _, number = within.partition("-")
    return int(shard or 0), (int(milliseconds), int(number))


def _matches(frame: DeadFrame, camera: str, reason: str) -> bool:
    return camera in ("", frame.camera_id) and reason in frame.reason


async def page(
    streams: ShardedStreams, *, cursor: str = "", limit: int = 100, camera: str = "", reason: str = ""
) -> Page:
    """Up to ``limit`` dead frames, oldest first; only those of ``camera``, whose reason holds ``reason``.

    There may be fewer, or none, and a cursor all the same: then others were in between. A cursor is for the same
    ``camera`` and ``reason``. Errors: InvalidCursor, RedisUnavailable, RedisRefused.
    """
    query = _query(camera, reason)
    at = _parsed(cursor, len(streams), query) if cursor else _Cursor("", await _newest(streams), query)
    until = [_place(one)[1] for one in at.until]
    frames: list[DeadFrame] = []
    looked_at = 0
    while looked_at < _LOOKED_AT_MAX:
        found = await streams.dead_list(at.after, count=_READ)
        for number, frame in enumerate(found, 1):
            at = at._replace(after=frame.entry_id)
            looked_at += 1
            shard, order = _place(frame.entry_id)
            if order <= until[shard] and _matches(frame, camera, reason):
                frames.append(frame)
                if len(frames) == limit:
                    return Page(frames, "" if number == len(found) < _READ else str(at))
        if len(found) < _READ:
            return Page(frames, "")
    return Page(frames, str(at))


async def _newest(streams: ShardedStreams) -> tuple[str, ...]:
    return tuple([await newest_id(part, part.keys.dead) or "0-0" for part in streams.parts])


async def handle(streams: ShardedStreams, verb: Verb, entry_ids: Sequence[str]) -> Done:
    """Replay or drop these. Safe to repeat: what is done is `not-found` the second time.

    Errors: InvalidCursor for what is no entry id, RedisUnavailable, RedisRefused.
    """
    for entry_id in entry_ids:
        if not is_entry(entry_id, len(streams)):
            raise InvalidCursor(entry_id, "is no entry of a dead frame; `triarch frames dead list` shows them (ENTRY)")
    outcomes = await (streams.dead_replay(entry_ids) if verb == "replay" else streams.dead_drop(entry_ids))
    return _done(dict(zip(entry_ids, outcomes, strict=True)))


async def handle_all(
    streams: ShardedStreams, verb: Verb, *, cursor: str = "", limit: int = 1000, camera: str = "", reason: str = ""
) -> Done:
    """The same for all that match, up to ``limit`` in this call; go on with the answer's cursor until it is empty.

    One pass reaches what was dead when it began. Errors: as ``page``.
    """
    found = await page(streams, cursor=cursor, limit=limit, camera=camera, reason=reason)
    done = await handle(streams, verb, [frame.entry_id for frame in found.frames])
    return msgspec.structs.replace(done, outcomes={}, cursor=found.cursor)


def _done(outcomes: Mapping[str, str]) -> Done:
    said = list(outcomes.values())
    return Done(
        done=said.count("replayed") + said.count("dropped"),
        not_found=said.count("not-found"),
        refused=said.count("refused"),
        outcomes=dict(outcomes),
    )
