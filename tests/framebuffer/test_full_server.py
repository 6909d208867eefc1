"""A server that has reached its memory limit is emptied, not deadlocked."""

import pytest
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.errors import RedisUnavailable, RedisUnsupported
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from tests.framebuffer.frames import EPOCH, frames, opened, settle_all, table

pytestmark = pytest.mark.anyio

ONE = table(("p1", "default", 100))


async def test_a_full_server_takes_no_frames_and_finishes_those_it_has(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 20))
    await execute(redis, "CONFIG", "SET", "maxmemory", "1")
    try:
        with pytest.raises(RedisUnavailable, match="out_of_memory"):
            await streams.publish(session, frames(20, 21))
        await streams.fence((EPOCH[0] + 1, 1), "n2")  # leadership changes meanwhile
        assert (await streams.dispatch((EPOCH[0] + 1, 1), "n2", ONE, claim=True)).moved == 20
        assert await streams.return_queue((EPOCH[0] + 1, 1), "p1") == 20
        assert (await streams.dispatch((EPOCH[0] + 1, 1), "n2", ONE)).drained == 20
        assert await settle_all(streams, "p1", await streams.take("p1", "c", count=20)) == ["settled"] * 20
    finally:
        await execute(redis, "CONFIG", "SET", "maxmemory", "0")
    assert await streams.publish(session, frames(20, 21)) == ["ok"]
    report = await verify(streams)
    assert (report.ledger_ok, report.settled, report.in_flight) == (True, 20, 1)


async def test_a_server_that_evicts_keys_without_expiry_is_refused(streams: FrameStreams, redis: Redis) -> None:
    try:
        await execute(redis, "CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        await streams.ready()  # without a limit nothing is evicted
        await execute(redis, "CONFIG", "SET", "maxmemory", "1gb")
        with pytest.raises(RedisUnsupported, match="use noeviction"):
            await streams.ready()
        await execute(redis, "CONFIG", "SET", "maxmemory-policy", "volatile-lru")  # no frame's key has an expiry
        await streams.ready()
    finally:
        await execute(redis, "CONFIG", "SET", "maxmemory-policy", "noeviction")
        await execute(redis, "CONFIG", "SET", "maxmemory", "0")
