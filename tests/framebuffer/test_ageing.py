"""What waits rises: ten seconds are worth one level of priority, in capture, in lanes and in a processor's queue."""

import msgspec
import pytest
from redis.asyncio import Redis

from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame
from tests.framebuffer.frames import EPOCH, NODE, age, frame, opened, settle_all, table

pytestmark = pytest.mark.anyio

LOW, HIGH = 2, 3
FOR_ONE = table(("p1", "default,other", 1))
WAITED = pytest.mark.parametrize(("seconds", "first"), [(9.0, HIGH), (21.0, LOW)], ids=["too short", "long enough"])
"""How long the lower one has waited, and which of the two goes first then."""


def ranked(sequence: int, priority: int, capability: str = "default") -> OutgoingFrame:
    return msgspec.structs.replace(frame(sequence, capability), priority=priority)


async def _taken(streams: FrameStreams) -> list[int]:
    """The priorities in hand, once the processor has been given the one frame that it has room for."""
    assert (await streams.dispatch(EPOCH, NODE, FOR_ONE)).moved == 1
    return [one.priority for one in await streams.take("p1", "c")]


@WAITED
async def test_in_capture(streams: FrameStreams, redis: Redis, seconds: float, first: int) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, LOW), ranked(1, HIGH)])
    await age(redis, streams.keys.level(streams.keys.capture, str(LOW)), seconds)
    assert await _taken(streams) == [first]


@WAITED
async def test_in_a_lane(streams: FrameStreams, redis: Redis, seconds: float, first: int) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, LOW), ranked(1, HIGH)])
    await streams.dispatch(EPOCH, NODE, table())
    await age(redis, streams.keys.level(streams.keys.lane("default"), str(LOW)), seconds)
    assert await _taken(streams) == [first]


@WAITED
async def test_between_capture_and_a_lane(streams: FrameStreams, redis: Redis, seconds: float, first: int) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, HIGH)])
    await streams.dispatch(EPOCH, NODE, table())
    await streams.publish(session, [ranked(1, LOW, "other")])
    await age(redis, streams.keys.level(streams.keys.capture, str(LOW)), seconds)
    assert await _taken(streams) == [first]


@WAITED
async def test_in_the_queue_of_a_processor(streams: FrameStreams, redis: Redis, seconds: float, first: int) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, LOW), ranked(1, HIGH)])
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 2)))
    await age(redis, streams.keys.level(streams.keys.ready("p1"), str(LOW)), seconds)
    (one,) = await streams.take("p1", "c", count=1)
    assert one.priority == first
    # It is the same frame under another entry: settled like any other, and the ledger closes.
    assert await settle_all(streams, "p1", [one]) == ["settled"]


async def test_as_a_router_outside_is_shown_them(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, LOW), ranked(1, HIGH)])
    assert [one.place for one in await streams.peek(EPOCH, NODE)] == [f"capture:p{HIGH}", f"capture:p{LOW}"]
    await age(redis, streams.keys.level(streams.keys.capture, str(LOW)), 21)
    assert [one.place for one in await streams.peek(EPOCH, NODE)] == [f"capture:p{LOW}", f"capture:p{HIGH}"]


async def test_a_short_wait_does_not_pass_a_priority(streams: FrameStreams, redis: Redis) -> None:
    """Turn after turn, where nothing waits in a lane: but for each sixteenth, which belongs to the oldest."""
    session = await opened(streams)
    turns = 32
    await streams.publish(session, [ranked(sequence, LOW) for sequence in range(turns)])
    await age(redis, streams.keys.level(streams.keys.capture, str(LOW)), 1)
    firsts = []
    for turn in range(turns):
        await streams.publish(session, [ranked(turns + turn, HIGH)])
        report = await streams.dispatch(EPOCH, NODE, table(("p1", "default", 1000)), limit=1)
        assert report.moved == 1
        (one,) = await streams.take("p1", "c", count=1)
        await settle_all(streams, "p1", [one])
        firsts.append(one.priority)
    assert [turn for turn, priority in enumerate(firsts, 1) if priority == LOW] == [16, 32]
