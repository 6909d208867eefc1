"""Looking for one frame: who asks for its story, or how far behind each place is. Changes nothing."""

import re
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import redis.exceptions as redis_errors

from framebuffer import bitmaps
from framebuffer.calls import call
from framebuffer.connection import translate
from framebuffer.errors import FrameUnknown
from framebuffer.keys import Keys
from framebuffer.reading import entries, info
from framebuffer.records import Found, Record, head_of, record_of
from framebuffer.shards import ShardedStreams
from framebuffer.story import FrameStory, Kept, State, Waiting, told
from framebuffer.streams import FrameStreams
from framebuffer.wire import StreamStats

__all__ = ["PlaceLag", "lag", "lags", "trace"]

_PAGE = 2000  # entries that the server looks at in one call: a few milliseconds
_STORY_PAGE = 100
_LOOKS = 3
"""A frame that is nowhere was perhaps on its way from one place to the next when these were read."""
_BY_SEQUENCE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63}):([0-9]{1,16})", re.ASCII)
_BY_DEFAULT_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,63})-([0-9]{1,16})", re.ASCII)


async def trace(streams: ShardedStreams, frame: str) -> FrameStory:
    """The story of a frame, named by its id or as CAMERA:SEQUENCE.

    Errors: FrameUnknown, RedisUnavailable, RedisRefused. An id that is not the default one (camera and sequence with a
    `-` between) is found only while an entry of the frame is kept.
    """
    for part in streams.parts:
        story = await _named(part, frame)
        if story is not None:
            return story
    for part in streams.parts:
        async for found in _entries(part, await part.stats(leaders=1), "", frame):
            return await _story(part, found.head.camera_id, found.head.sequence)
    raise FrameUnknown(frame, "no entry with this id is kept; CAMERA:SEQUENCE finds more")


async def _named(streams: FrameStreams, frame: str) -> FrameStory | None:
    """The story, if the name says camera and sequence, and the camera is one of this shard."""
    cameras = (await streams.stats(leaders=1)).cameras
    if (match := _BY_SEQUENCE.fullmatch(frame)) and match[1] in cameras:
        if int(match[2]) > cameras[match[1]].highest:
            raise FrameUnknown(frame, f"camera {match[1]} has not come so far")
        return await _story(streams, match[1], int(match[2]))
    match = _BY_DEFAULT_ID.fullmatch(frame)
    if match and match[1] in cameras and int(match[2]) <= cameras[match[1]].highest:
        story = await _story(streams, match[1], int(match[2]))
        if story.frame_id in (frame, None):
            return story
    return None


async def _story(streams: FrameStreams, camera_id: str, sequence: int) -> FrameStory:
    for _ in range(_LOOKS):
        stats = await streams.stats(leaders=1)
        found = [one async for one in _entries(streams, stats, camera_id, str(sequence))]
        waits = [one for each in found if (one := await _waiting(streams, each)) is not None]
        state = await _state(streams, camera_id, sequence)
        records = [one async for one in _records(streams, camera_id)]
        story = told(
            camera_id, sequence, state=state, found=found, waits=waits, records=records, kept=await _kept(streams)
        )
        if story.status not in ("lost", "ended"):
            break
    return story


def _streams_of(stats: StreamStats) -> list[str]:
    """Where a frame may be, in the order in which frames go, so that none overtakes the reading."""
    places = sorted(stats.places)
    return [
        *(place for kind in ("capture", "lane", "ready") for place in places if place.partition(":")[0] == kind),
        *("results", "dead", "dropped"),
    ]


async def _entries(streams: FrameStreams, stats: StreamStats, camera_id: str, name: str) -> AsyncIterator[Found]:
    """The frame's entries; ``name`` is its sequence, or where ``camera_id`` is empty its id."""
    for stream in _streams_of(stats):
        after = "-"
        while True:
            last, *rows = await call(streams.redis, "find", streams.keys.prefix, stream, after, _PAGE, camera_id, name)
            for entry, *flat in rows:
                fields = {key.decode(): value for key, value in zip(flat[::2], flat[1::2], strict=True)}
                head = head_of(fields.pop("frame").decode("ascii", "replace"))
                if head is not None:
                    yield Found(stream, entry.decode(), head, fields)
            if not last:
                break
            after = f"({last.decode()}"


async def _waiting(streams: FrameStreams, found: Found) -> Waiting | None:
    kind, _, rest = found.stream.partition(":")
    if kind not in ("capture", "lane", "ready"):
        return None
    consumer, idle_ms = "", 0
    if kind == "ready":
        processor = re.sub(r":p[0-9s]+$", "", rest)
        key, group = f"{streams.keys.prefix}:{found.stream}", streams.keys.ready_group(processor)
        for row in await _pending(streams, key, group, found.entry_id):
            consumer, idle_ms = row["consumer"].decode(), int(row["time_since_delivered"])
    return Waiting(
        found.stream, found.entry_id, found.head.capability, found.head.attempts, found.at_ms, consumer, idle_ms
    )


async def _pending(streams: FrameStreams, key: str, group: str, entry_id: str) -> list[dict[str, Any]]:
    try:
        found: list[dict[str, Any]] = await streams.redis.xpending_range(key, group, entry_id, entry_id, 1)
        return found
    except redis_errors.ResponseError as error:
        if str(error).startswith("NOGROUP"):  # nobody has taken from it yet
            return []
        raise translate(error) from error
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error


async def _state(streams: FrameStreams, camera_id: str, sequence: int) -> State:
    ledger = await streams.camera_ledger(camera_id)
    bits = await streams.segment_bits(camera_id, sequence // ledger.segment_size, ledger.segment_size)
    at = sequence % ledger.segment_size
    if not bits.complete and not bitmaps.is_set(bits.published, at):
        return "never_arrived"
    if not bits.complete and not bitmaps.is_set(bits.final, at):
        return "open"
    return "open" if ledger.replaying and sequence in await streams.replaying(camera_id) else "final"


async def _records(streams: FrameStreams, camera_id: str) -> AsyncIterator[Record]:
    """The records of the story that may be about the camera, oldest first."""
    after, wanted = "-", camera_id.encode()
    while True:
        page = await entries(streams, streams.keys.story, after, _STORY_PAGE)
        for entry, fields in page:
            if any(wanted in value for value in fields.values()) and (record := record_of(entry.decode(), fields)):
                yield record
        if len(page) < _STORY_PAGE:
            return
        after = f"({page[-1][0].decode()}"


async def _kept(streams: FrameStreams) -> Kept:
    """From when on the trimmed streams have everything."""
    oldest = {}
    keys = streams.keys
    for key in (keys.story, keys.results, keys.dropped):
        facts = await info(streams, key)
        trimmed = int(facts.get(b"entries-added", 0)) > int(facts.get(b"length", 0))
        page = await entries(streams, key, "-", 1) if trimmed else []
        oldest[key] = int(page[0][0].decode().partition("-")[0]) if page else 0
    return Kept(oldest[keys.story], oldest[keys.results], oldest[keys.dropped])


class PlaceLag(msgspec.Struct, frozen=True):
    """A place where frames wait.

    ``oldest_s``: age of the frame that is next, None where there is none; ``pending``: frames of a queue that are in
    hand; ``levels``: frames by priority, `s` for those that failed before.
    """

    place: str
    length: int
    oldest_s: float | None
    pending: int | None
    levels: dict[str, int]


async def lags(streams: ShardedStreams) -> list[PlaceLag]:
    """`lag` of every shard; where there are several, a place has its shard in front (``2/lane:face``)."""
    found = []
    for number, part in enumerate(streams.parts):
        shard = f"{number}/" if len(streams) > 1 else ""
        rows = lag(await part.stats(leaders=1))
        found += [msgspec.structs.replace(row, place=shard + row.place) for row in rows]
    return found


def lag(stats: StreamStats) -> list[PlaceLag]:
    """Capture, each lane and each queue, of one instant. Pure."""
    names = [
        "capture",
        *(f"lane:{name}" for name in sorted(stats.lanes)),
        *(f"ready:{name}" for name in sorted(stats.ready)),
    ]
    return [_lag_of(stats, name) for name in names]


def _lag_of(stats: StreamStats, name: str) -> PlaceLag:
    levels: dict[str, int] = {}
    ages = []
    for level in (*map(str, range(10, -1, -1)), "s"):
        streams = Keys.level(name, level), Keys.level(name, f"{level}.5")  # of a lane: those that came back to it
        found = [stats.places[stream] for stream in streams if stream in stats.places]
        if found:
            levels[level] = sum(place.length for place in found)
            ages += [(stats.server_ms - place.oldest_ms) / 1000 for place in found if place.oldest_ms]
    kind, _, rest = name.partition(":")
    return PlaceLag(
        place=name,
        length=sum(levels.values()),
        oldest_s=max(ages) if ages else None,
        pending=stats.ready[rest].pending if kind == "ready" else None,
        levels=levels,
    )
