"""What tried to hold up, hide or misname frames, or to keep the server busy, and must not."""

import pytest
from msgspec.structs import replace
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.errors import RedisRefused
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from framebuffer.wire import Given, Settlement
from tests.framebuffer.frames import (
    EPOCH,
    NODE,
    add_copy,
    entries,
    frame,
    frames,
    opened,
    record,
    settle_all,
    table,
)
from tests.support import eventually

pytestmark = pytest.mark.anyio

ONE = table(("p1", "default", 100))
TWO = table(("p1", "a", 10), ("p2", "b", 10))


async def test_suspects_and_others_take_turns(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 4))
    await streams.dispatch(EPOCH, NODE, ONE)
    taken = await streams.take("p1", "c")
    await streams.settle("p1", "c", [Settlement(one.entry_id, "error", reason="odd") for one in taken])
    published_ms = (await streams.stats()).places["lane:default"].oldest_ms
    await eventually(lambda: _later(streams, published_ms + 1_001))
    await streams.publish(session, [replace(one, priority=10) for one in frames(4, 7)])
    await streams.dispatch(EPOCH, NODE, ONE)
    turns: list[list[int]] = []
    while taken := await streams.take("p1", "c", count=2):
        turns.append([one.sequence for one in taken])
        assert await streams.take("p1", "c", count=2) == []  # the oldest suspect comes next, alone
        await settle_all(streams, "p1", taken)
    assert turns == [[0], [4, 5], [1], [6], [2], [3]]
    assert (await verify(streams)).problems == []


async def _later(streams: FrameStreams, than_ms: int) -> bool:
    return (await streams.stats()).server_ms >= than_ms


async def test_a_frame_in_the_wrong_lane_holds_up_nobody(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, [*frames(0, 3), frame(3, "ghost")])
    await streams.dispatch(EPOCH, NODE, table())
    (ghost,) = await entries(redis, streams.keys.lane("ghost"))
    others = await entries(redis, streams.keys.lane("default"))
    await execute(redis, "DEL", streams.keys.lane("default"), streams.keys.lane("ghost"))
    for one in (ghost, *others):
        await add_copy(redis, streams.keys.lane("default"), one)
    await streams.dispatch(EPOCH, NODE, ONE)
    assert [one.sequence for one in await streams.take("p1", "c")] == [0, 1, 2]
    assert (await streams.stats()).lanes == {"ghost": 1}
    assert (await verify(streams)).problems == []


async def test_a_key_of_another_type_holds_up_nobody_elses_frames(streams: FrameStreams, redis: Redis) -> None:
    """A lane, and a level of a queue that goes back, are taken for empty until they are what they should be again."""
    session = await opened(streams)
    both = table(("p1", "default,ghost", 100))
    await streams.publish(session, [frame(0, "ghost"), *frames(1, 4)])
    await streams.dispatch(EPOCH, NODE, table())
    await redis.rename(streams.keys.lane("ghost"), "aside")
    await redis.set(streams.keys.lane("ghost"), "no stream")
    assert (await streams.dispatch(EPOCH, NODE, both)).drained == 3
    odd = streams.keys.level(streams.keys.ready("p1"), "5")
    await redis.set(odd, "no stream")
    await execute(redis, "SADD", f"{streams.keys.ready('p1')}:levels", "5")
    assert await streams.return_queue(EPOCH, "p1") == 3
    await redis.rename("aside", streams.keys.lane("ghost"))
    assert (await streams.dispatch(EPOCH, NODE, both)).drained == 4
    await redis.set(odd, "no stream")
    await execute(redis, "SADD", f"{streams.keys.ready('p1')}:levels", "5")
    assert [one.sequence for one in await streams.take("p1", "c")] == [0, 1, 2, 3]
    await redis.delete(odd)
    assert (await verify(streams)).problems == []


async def test_a_queue_of_another_type_is_not_deleted_with_its_processor(streams: FrameStreams, redis: Redis) -> None:
    await opened(streams)
    await redis.set(streams.keys.ready("p1"), "somebody's")
    assert await streams.return_queue(EPOCH, "p1") == 0
    assert await redis.get(streams.keys.ready("p1")) == b"somebody's"


async def test_a_queue_that_was_counted_anew_is_seen(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await execute(redis, "XADD", streams.keys.ready("p1"), "*", "a", "b")  # before the library ever wrote there
    await streams.dispatch(EPOCH, NODE, ONE, claim=True)
    await streams.publish(session, frames(0, 3))
    await streams.dispatch(EPOCH, NODE, ONE)
    assert (await streams.stats()).ready["p1"].length == 4
    await streams.take("p1", "c")  # sets the foreign entry aside
    assert (await verify(streams)).problems == []


@pytest.mark.parametrize("payload", [b"jpeg", b"x" * 5_000])
async def test_a_part_whose_bytes_were_deleted_stays_dead(streams: FrameStreams, redis: Redis, payload: bytes) -> None:
    session = await opened(streams)
    await streams.publish(session, [replace(frame(0, payload=payload), capabilities=("a", "b"))])
    await streams.dispatch(EPOCH, NODE, TWO)
    (first,) = await streams.take("p1", "c")
    await streams.settle("p1", "c", [Settlement(first.entry_id, "dead", reason="odd")])
    (dead,) = await streams.dead_list()
    assert await streams.dead_drop([dead.entry_id]) == ["dropped"]
    (second,) = await streams.take("p2", "c")
    assert second.payload == payload
    await settle_all(streams, "p2", [second])
    counters = (await streams.stats()).cameras["cam"]
    assert (counters.settled, counters.dead, counters.results) == (0, 1, 1)
    assert await redis.keys("frames:parts:*") + await redis.keys("frames:payload:*") == []
    assert (await verify(streams)).problems == []


async def test_a_gap_is_filled_at_once_however_much_lies_behind_it(streams: FrameStreams) -> None:
    small = FrameStreams(streams.redis, segment_size=1024)
    session = await opened(small)
    behind = [Given(f"f-{sequence}", sequence, "freshest") for sequence in range(1, 10_000) if sequence != 9_000]
    for at in range(0, len(behind), 1_000):
        await small.drop(session, behind[at : at + 1_000])
    assert (await record(small))["contiguous"] == -1
    await execute(streams.redis, "CONFIG", "RESETSTAT")
    assert await small.publish(session, [frame(0)]) == ["ok"]
    commands: dict[str, dict[str, int]] = await streams.redis.info("commandstats")
    assert sum(one["calls"] for one in commands.values()) < 100
    assert (await record(small))["contiguous"] == 8_999
    await small.publish(session, [frame(9_000)])
    assert (await record(small))["contiguous"] == 9_999
    await small.dispatch(EPOCH, NODE, ONE)
    await settle_all(small, "p1", await small.take("p1", "c"))
    assert (await record(small))["finals"] == 9_999
    assert (await verify(small)).problems == []
    await small.aclose()


async def test_nobody_resumes_so_far_ahead_that_reading_the_ledger_would_never_end(streams: FrameStreams) -> None:
    session = await opened(streams)
    for far in (65_536 * 65_536, 2**53 - 1):
        with pytest.raises(RedisRefused, match="too far ahead"):
            await streams.open_camera("cam", token="other", resume_at=far)
    assert await streams.publish(session, [frame(0)]) == ["ok"]  # it is its session still
