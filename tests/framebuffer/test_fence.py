"""An older leader dispatches nothing, returns nothing, and is told who leads."""

import asyncio
import json

import pytest
from redis.asyncio import Redis

from framebuffer.errors import Fenced, InvalidName
from framebuffer.streams import FrameStreams
from tests.framebuffer.frames import frames, settle_all, table

pytestmark = pytest.mark.anyio

OLD, NEW = (3, 17), (4, 2)
ROWS = table(("p1", "default", 100))


async def test_dispatch_of_an_older_epoch_is_refused_and_moves_nothing(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.fence(OLD, "n1")
    await streams.fence(NEW, "n2")
    await streams.publish(session, frames(0, 3))
    with pytest.raises(Fenced) as caught:
        await streams.dispatch(OLD, "n1", ROWS)
    assert (caught.value.current, caught.value.node_id, caught.value.code) == (NEW, "n2", "fenced")
    stats = await streams.stats()
    assert (stats.capture_len, stats.capture_pending, stats.ready) == (3, 0, {})
    assert (await streams.dispatch(NEW, "n2", ROWS)).moved == 3


async def test_return_and_fence_of_an_older_epoch_are_refused(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.publish(session, frames(0, 3))
    await streams.dispatch(NEW, "n2", ROWS)
    with pytest.raises(Fenced):
        await streams.return_queue(OLD, "p1")
    with pytest.raises(Fenced):
        await streams.fence(OLD, "n1")
    stats = await streams.stats()
    assert (stats.ready["p1"].length, stats.lanes) == (3, {})
    assert stats.fence is not None
    assert stats.fence.epoch == NEW
    assert await streams.return_queue(NEW, "p1") == 3


@pytest.mark.parametrize(
    ("current", "other", "refused"),
    [
        ((3, 17), (3, 16), True),
        ((3, 17), (2, 99), True),
        ((10, 1), (9, 9), True),  # numbers, not texts: "10" < "9"
        ((3, 100), (3, 99), True),
        ((3, 17), (3, 18), False),
        ((3, 17), (4, 0), False),
        ((9, 9), (10, 1), False),
        ((1, 2**53 - 2), (1, 2**53 - 1), False),
    ],
)
async def test_epochs_compare_by_term_then_index(
    streams: FrameStreams, current: tuple[int, int], other: tuple[int, int], refused: bool
) -> None:
    await streams.fence(current, "n1")
    if refused:
        with pytest.raises(Fenced):
            await streams.fence(other, "n2")
    else:
        await streams.fence(other, "n2")
    fence = (await streams.stats()).fence
    assert fence is not None
    assert fence.epoch == max(current, other)


async def test_fencing_twice_is_harmless_but_an_epoch_has_one_leader(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.fence(OLD, "n1")
    await streams.publish(session, frames(0, 1))
    await streams.dispatch(OLD, "n1", ROWS)
    await streams.fence(OLD, "n1")
    stats = await streams.stats()
    assert stats.fence is not None
    assert (stats.fence.frames, stats.leaders) == (1, [])
    with pytest.raises(Fenced):
        await streams.dispatch(OLD, "n2", ROWS)


async def test_a_newer_epoch_takes_over_in_dispatch_when_its_fence_was_rolled_back(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.publish(session, frames(0, 2))
    await streams.fence(OLD, "n1")
    assert (await streams.dispatch(NEW, "n2", ROWS)).moved == 2
    with pytest.raises(Fenced):
        await streams.dispatch(OLD, "n1", ROWS)


async def test_returning_a_queue_does_not_take_the_epoch_away_from_its_leader(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.publish(session, frames(0, 1))
    assert await streams.return_queue(NEW, "p1") == 0  # before the fence: it does not say who leads
    assert (await streams.dispatch(NEW, "n2", ROWS)).moved == 1
    fence = (await streams.stats()).fence
    assert fence is not None
    assert fence.node == "n2"
    assert await streams.return_queue(NEW, "p1") == 1


async def test_the_records_of_leaders_give_the_time_of_a_takeover(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.fence(OLD, "n1")
    for sequence in range(3):
        await streams.publish(session, frames(sequence, sequence + 1))
        await streams.dispatch(OLD, "n1", ROWS)
    await streams.dispatch(OLD, "n1", ROWS)  # moves nothing: not a sign of life
    before = (await streams.stats()).fence
    assert before is not None
    assert before.frames == 3
    assert 0 < before.first_us < before.last_us

    await streams.fence(NEW, "n2")
    stats = await streams.stats()
    assert stats.fence is not None
    assert (stats.fence.first_us, stats.fence.last_us, stats.fence.frames) == (0, 0, 0)
    assert stats.leaders == [before]
    await streams.publish(session, frames(3, 4))
    await streams.dispatch(NEW, "n2", ROWS)
    after = (await streams.stats()).fence
    assert after is not None
    assert 0 < after.first_us - before.last_us < 60_000_000
    assert after.first_us == after.last_us


async def test_the_list_of_leaders_is_bounded(streams: FrameStreams, redis: Redis) -> None:
    await streams.fence((1, 1), "n1")
    await redis.rpush(
        streams.keys.leaders,
        *(json.dumps({"term": 0, "index": n, "node": "n0"}) for n in range(1500)),
    )
    await streams.fence((2, 1), "n2")
    assert await redis.llen(streams.keys.leaders) == 1000
    assert [record.epoch for record in (await streams.stats(leaders=2)).leaders] == [(1, 1), (0, 0)]


async def test_two_leaders_at_once_move_each_frame_once(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.publish(session, frames(0, 200))
    await streams.fence(OLD, "n1")
    fenced = 0

    async def lead(epoch: tuple[int, int], node: str) -> None:
        nonlocal fenced
        try:
            for _ in range(60):
                await streams.dispatch(epoch, node, table(("p1", "default", 1000)), limit=8)
        except Fenced:
            fenced += 1

    old = asyncio.create_task(lead(OLD, "n1"))
    while (await streams.stats()).capture_len == 200:
        await asyncio.sleep(0)
    await asyncio.gather(old, lead(NEW, "n2"))
    assert fenced == 1
    taken = await streams.take("p1", "c", count=1000)
    assert [one.sequence for one in taken] == list(range(200))
    assert set(await settle_all(streams, "p1", taken)) == {"settled"}


async def test_a_node_must_have_a_name(streams: FrameStreams) -> None:
    with pytest.raises(InvalidName):
        await streams.fence(OLD, "n 1")
