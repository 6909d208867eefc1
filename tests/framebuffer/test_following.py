"""Who follows what ends is told what came too late for it."""

from typing import Any

import pytest
from redis.asyncio import Redis

from framebuffer.following import BEGINNING, Positions, follow, newest, positions_of
from framebuffer.keys import Keys
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, Given
from tests.framebuffer.frames import EPOCH, NODE, frames, opened, settle_all, table

pytestmark = pytest.mark.anyio

TABLE = table(("p1", "default", 100_000))
NOTHING: dict[str, Any] = {}


async def settled(streams: FrameStreams, session: CameraSession, start: int, stop: int) -> None:
    for first in range(start, stop, 50):
        await streams.publish(session, frames(first, min(first + 50, stop)))
        await streams.dispatch(EPOCH, NODE, TABLE, limit=100)
        await settle_all(streams, "p1", await streams.take("p1", "c", count=50))


async def all_of(every: ShardedStreams, positions: Positions) -> tuple[int, list[dict[str, Any]], Positions]:
    """How many frames there are behind the positions, what was said of those that are not kept, and the end."""
    number, said = 0, []
    while True:
        found = await follow(every, positions, limit=70)
        if found.not_kept:
            said.append(dict(found.not_kept))
        if not found.frames and not found.not_kept:
            return number, said, found.positions
        number, positions = number + len(found.frames), found.positions


async def test_from_the_beginning_the_number_is_known(streams: FrameStreams) -> None:
    streams.results_maxlen = 100
    every, session = ShardedStreams([streams]), await opened(streams)
    await settled(streams, session, 0, 50)
    number, said, after = await all_of(every, positions_of("0", 1))
    assert (number, said) == (50, [])
    await settled(streams, session, 50, 1000)
    kept, said, _ = await all_of(every, positions_of("0", 1))
    assert 100 <= kept < 1000
    assert said == [{"results": 1000 - kept}]
    # From anywhere else it is not: an id has no number.
    assert (await all_of(every, after))[:2] == (kept, [{"results": "some"}])


async def test_who_keeps_up_is_told_nothing(streams: FrameStreams) -> None:
    streams.results_maxlen = 100
    every, session = ShardedStreams([streams]), await opened(streams)
    positions, seen = await newest(every), 0
    for first in range(0, 1000, 50):
        await settled(streams, session, first, first + 50)
        number, said, positions = await all_of(every, positions)
        assert said == []
        seen += number
    assert seen == 1000


async def test_a_stream_that_was_emptied_is_told_of_once(streams: FrameStreams, redis: Redis) -> None:
    every, session = ShardedStreams([streams]), await opened(streams)
    assert [await streams.drop(session, [Given("x", at, "deadline")]) for at in range(3)] == [["ok"]] * 3
    number, _, after = await all_of(every, positions_of("0", 1))
    await redis.xtrim(streams.keys.dropped, 0, approximate=False)
    assert (await follow(every, after)).not_kept == NOTHING
    await streams.drop(session, [Given("x", 3, "deadline")])
    await redis.xtrim(streams.keys.dropped, 0, approximate=False)
    assert (number, (await all_of(every, after))[:2]) == (3, (0, [{"dropped": "some"}]))
    assert (await all_of(every, positions_of("0", 1)))[:2] == (0, [{"dropped": 4}])


async def test_what_shards_do_not_keep_is_added_up(streams: FrameStreams, redis: Redis) -> None:
    parts = [FrameStreams(redis, Keys(f"frames{{{number}}}")) for number in range(2)]
    every = ShardedStreams(parts)
    for number, part in enumerate(parts):
        session = await opened(part, f"cam{number}")
        await settled(part, session, 0, 10 + number)
        await redis.xtrim(part.keys.results, 4, approximate=False)
    found = await follow(every, positions_of("0", 2))
    assert (len(found.frames), found.not_kept) == (8, {"results": 6 + 7})
    one_known = [{**found.positions[0], "results": BEGINNING}, {**found.positions[1], "results": "1-1"}]
    assert (await follow(every, one_known)).not_kept == {"results": "some"}
