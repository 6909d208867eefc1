"""Dead frames as an operator handles them: a page of those that match, and all of them a bounded piece at a time."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from framebuffer.errors import InvalidCursor
from framebuffer.reading import newest_id
from framebuffer.streams import FrameStreams
from framebuffer.wire import DeadFrame

__all__ = ["Done", "Page", "Verb", "handle", "handle_all", "page"]

Verb = Literal["replay", "drop"]

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
    """Behind entry ``after``, up to ``until``: what dies meanwhile, perhaps again, is not reached by one pass."""

    after: str = ""
    until: str = ""


def _parsed(cursor: str) -> _Cursor:
    parts = cursor.split("_") if cursor else ["", ""]
    if len(parts) != 2 or not all(_is_id(part) for part in parts if part):
        raise InvalidCursor(cursor)
    return _Cursor(*parts)


def _is_id(text: str) -> bool:
    parts = text.split("-")
    return len(parts) == 2 and all(part.isascii() and part.isdigit() and len(part) <= 19 for part in parts)


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number)


def _matches(frame: DeadFrame, camera: str, reason: str) -> bool:
    return camera in ("", frame.camera_id) and reason in frame.reason


async def page(
    streams: FrameStreams, *, cursor: str = "", limit: int = 100, camera: str = "", reason: str = ""
) -> Page:
    """Up to ``limit`` dead frames, oldest first; only those of ``camera``, whose reason holds ``reason``.

    There may be fewer, or none, and a cursor all the same: then others were in between.
    Errors: InvalidCursor, RedisUnavailable, RedisRefused.
    """
    after, until = _parsed(cursor)
    if not until:
        until = await newest_id(streams, streams.keys.dead)
    frames: list[DeadFrame] = []
    looked_at = 0
    while until and looked_at < _LOOKED_AT_MAX:
        found = await streams.dead_list(after, count=_READ)
        for frame in found:
            if _order(frame.entry_id) > _order(until):
                return Page(frames, "")
            after = frame.entry_id
            looked_at += 1
            if _matches(frame, camera, reason):
                frames.append(frame)
                if len(frames) == limit:
                    return Page(frames, "" if after == until else f"{after}_{until}")
        if len(found) < _READ:
            return Page(frames, "")
    return Page(frames, f"{after}_{until}" if until else "")


async def handle(streams: FrameStreams, verb: Verb, entry_ids: Sequence[str]) -> Done:
    """Replay or drop these. Safe to repeat: what is done is `not-found` the second time.

    Errors: InvalidCursor for what is no entry id, RedisUnavailable, RedisRefused.
    """
    for entry_id in entry_ids:
        if not _is_id(entry_id):
            raise InvalidCursor(entry_id)
    outcomes = await (streams.dead_replay(entry_ids) if verb == "replay" else streams.dead_drop(entry_ids))
    return _done(dict(zip(entry_ids, outcomes, strict=True)))


async def handle_all(
    streams: FrameStreams, verb: Verb, *, cursor: str = "", limit: int = 1000, camera: str = "", reason: str = ""
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
