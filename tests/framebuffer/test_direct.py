"""The server routes while it publishes, by the table that the leader lends: the same choices, order and books."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.dispatcher import Dispatcher
from framebuffer.errors import Fenced
from framebuffer.inquiry import trace
from framebuffer.ledger import verify
from framebuffer.library import library
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, DispatchReport, OutgoingFrame, RoutingTable
from tests.framebuffer.frames import EPOCH, NODE, frame, frames, opened, settle_all, table
from tests.support import eventually

pytestmark = pytest.mark.anyio

LENT_MS = 9_000
TWO = table(("p1", "default,a", 100), ("p2", "default", 100))


async def lend(streams: FrameStreams, rows: RoutingTable = TWO, lend_ms: int = LENT_MS) -> DispatchReport:
    return await streams.dispatch(EPOCH, NODE, rows, lend_ms=lend_ms)


async def lengths(streams: FrameStreams) -> tuple[int, dict[str, int], dict[str, int]]:
    """In capture, in lanes, in queues."""
    stats = await streams.stats()
    return stats.capture_len, stats.lanes, {name: queue.length for name, queue in stats.ready.items() if queue.length}


async def settled(streams: FrameStreams, processor: str) -> list[int]:
    """Takes and settles all that the processor has; the sequences in their order."""
    seen = []
    while taken := await streams.take(processor, "c"):
        seen += [one.sequence for one in taken]
        assert set(await settle_all(streams, processor, taken)) == {"settled"}
    return seen


async def test_frames_go_where_dispatch_would_put_them(streams: FrameStreams) -> None:
    session = await opened(streams)
    await lend(streams)
    assert await streams.publish(session, frames(0, 9)) == ["ok"] * 9
    assert await lengths(streams) == (0, {}, {"p1": 5, "p2": 4})
    assert await streams.publish(session, frames(0, 9)) == ["duplicate"] * 9
    stats = await streams.stats()
    assert stats.fence is not None
    assert (stats.fence.epoch, stats.fence.frames) == (EPOCH, 9)
    assert 0 < stats.fence.first_us <= stats.fence.last_us

    report = await lend(streams)
    assert sorted(report.routed) == [("p1", "cam", 5), ("p2", "cam", 4)]
    assert (report.depths, report.read, report.outstanding) == ({"p1": 5, "p2": 4}, 0, 9)
    assert (await lend(streams)).routed == []  # told once

    story = await trace(ShardedStreams([streams]), "cam-3")
    assert story is not None
    [step] = [step for step in story.steps if step.what == "dispatched"]
    assert (step.node, step.processor_id, step.strategy) == (NODE, "p2", "least_loaded")
    assert [one["processor_id"] for one in step.candidates] == ["p1", "p2"]
    assert sorted(await settled(streams, "p1") + await settled(streams, "p2")) == list(range(9))
    assert (await verify(streams)).ledger_ok


@pytest.mark.parametrize(("processors", "cameras"), [(1, 15), (1, 16), (3, 100), (300, 220)])
async def test_the_report_has_a_row_for_each_processor_and_camera(
    streams: FrameStreams, processors: int, cameras: int
) -> None:
    """Of any number: arrays of 16 and of 65,536 have other heads than shorter ones."""
    names = [f"p{number}" for number in range(processors)]
    rows = table(*((name, "default", 1_000) for name in names))
    await lend(streams, rows)
    for number in range(cameras):
        session = await opened(streams, f"cam{number}")
        assert set(await streams.publish(session, frames(0, processors))) == {"ok"}
    report = await lend(streams, rows)
    assert sorted(report.routed) == sorted((name, f"cam{number}", 1) for name in names for number in range(cameras))


async def test_without_a_table_and_after_its_time_they_wait_in_capture(streams: FrameStreams) -> None:
    session = await opened(streams)
    await lend(streams, lend_ms=0)
    await streams.publish(session, frames(0, 1))
    assert (await lengths(streams))[0] == 1
    await lend(streams, lend_ms=1)

    async def over() -> bool:
        return await _left_ms(streams) <= 0

    await eventually(over)
    await streams.publish(session, frames(1, 2))
    assert (await lengths(streams))[0] == 1
    await lend(streams)
    await lend(streams, lend_ms=0)  # taken back
    await streams.publish(session, frames(2, 3))
    assert await lengths(streams) == (1, {}, {"p1": 1, "p2": 1})


async def _left_ms(streams: FrameStreams) -> int:
    seconds, micros = await execute(streams.redis, "TIME")
    until = await execute(streams.redis, "HGET", streams.keys.fence, "direct_until")
    return int(until) - (int(seconds) * 1000 + int(micros) // 1000)


async def test_a_table_that_is_lent_for_years_is_not_believed(streams: FrameStreams) -> None:
    """The server's clock has jumped back since."""
    session = await opened(streams)
    await lend(streams, lend_ms=10**9)
    await streams.publish(session, frames(0, 1))
    assert (await lengths(streams))[0] == 1


async def test_a_newer_leader_ends_it_and_an_older_one_cannot_begin_it(streams: FrameStreams) -> None:
    session = await opened(streams)
    await lend(streams)
    newer = (EPOCH[0] + 1, 1)
    await streams.fence(newer, "n2")
    await streams.publish(session, frames(0, 1))
    with pytest.raises(Fenced):
        await lend(streams)
    await streams.publish(session, frames(1, 2))
    assert await lengths(streams) == (2, {}, {})
    await streams.dispatch(newer, "n2", table(("p3", "default", 9)), lend_ms=LENT_MS)
    await streams.publish(session, frames(2, 3))
    stats = await streams.stats()
    assert stats.ready["p3"].length == 3
    assert stats.fence is not None
    assert (stats.fence.epoch, stats.fence.frames) == (newer, 3)


async def test_nothing_overtakes_what_waits(streams: FrameStreams) -> None:
    session = await opened(streams)
    full = table(("p1", "default", 2), ("p2", "b", 9))
    await lend(streams, full)
    await streams.publish(session, frames(0, 4))  # two fit, two wait in capture
    assert await lengths(streams) == (2, {}, {"p1": 2})
    assert await settled(streams, "p1") == [0, 1]
    await streams.publish(session, frames(4, 5))  # there is room, but others were first
    assert (await lengths(streams))[0] == 3
    await lend(streams, full)
    assert await settled(streams, "p1") == [2, 3]
    await streams.publish(session, [frame(5), frame(6, "b"), frame(7)])  # one waits in its lane
    await lend(streams, full)
    seen = []
    while more := await settled(streams, "p1"):
        seen += more
        await lend(streams, full)
    assert seen == [4, 5, 7]
    assert await settled(streams, "p2") == [6]


async def test_a_lane_holds_up_its_capability_and_no_other(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 1, "a"))
    await lend(streams, table(("p2", "default", 9)))  # nobody for "a": it waits in its lane
    await streams.publish(session, [frame(1), frame(2, "a"), frame(3)])
    capture, lanes, queues = await lengths(streams)
    assert (capture, lanes, queues) == (2, {"a": 1}, {"p2": 1})  # what comes behind the second must not overtake it
    await lend(streams)
    assert await settled(streams, "p1") == [0, 2]


async def test_frames_for_several_capabilities_go_the_long_way(streams: FrameStreams) -> None:
    session = await opened(streams)
    await lend(streams)
    several = OutgoingFrame("cam-0", 0, b"{}", capabilities=("default", "a"))
    assert await streams.publish(session, [several, frame(1)]) == ["ok", "ok"]
    assert (await lengths(streams))[0] == 2
    await lend(streams)
    assert await lengths(streams) == (0, {}, {"p1": 2, "p2": 1})


async def test_another_table_holds_from_the_next_call_on(streams: FrameStreams) -> None:
    session = await opened(streams)
    await lend(streams)
    await lend(streams, table(("p9", "default", 100)))
    await streams.publish(session, frames(0, 4))
    assert await lengths(streams) == (0, {}, {"p9": 4})
    await lend(streams, table())  # nobody is left
    await streams.publish(session, frames(4, 5))
    assert (await lengths(streams))[0] == 1


async def test_each_strategy_is_followed(streams: FrameStreams) -> None:
    session, other = await opened(streams), await streams.open_camera("other")
    rows = table(("p1", "default", 10), ("p2", "default", 1000)).rows
    await lend(streams, RoutingTable("affinity", rows))
    for at in range(3):
        await streams.publish(session, frames(at, at + 1))
        await streams.publish(other, [OutgoingFrame(f"other-{at}", at, b"{}")])
    homes = await streams.redis.hgetall(streams.keys.affinity)
    assert set(homes) == {b"default cam", b"default other"}
    assert (await lengths(streams))[2] == {"p1": 3, "p2": 3}
    await lend(streams, RoutingTable("round_robin", rows))
    await streams.publish(session, frames(3, 7))
    assert (await lengths(streams))[2] == {"p1": 5, "p2": 5}


async def test_a_lost_library_or_table_costs_nothing_but_the_long_way(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await lend(streams)
    await execute(redis, "FUNCTION", "LOAD", "REPLACE", library().code)  # what it remembered is gone
    await streams.publish(session, frames(0, 2))
    assert await lengths(streams) == (0, {}, {"p1": 1, "p2": 1})
    await execute(redis, "DEL", streams.keys.table)
    await execute(redis, "FUNCTION", "LOAD", "REPLACE", library().code)
    await streams.publish(session, frames(2, 3))
    assert (await lengths(streams))[0] == 1
    await lend(streams)
    await streams.publish(session, frames(3, 4))
    assert await lengths(streams) == (0, {}, {"p1": 2, "p2": 2})


async def test_keys_that_are_not_what_they_should_be(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await lend(streams)
    await redis.set(streams.keys.ready("p1"), "no stream")
    assert await streams.publish(session, frames(0, 2)) == ["ok", "ok"]
    assert (await lengths(streams))[2] == {"p2": 2}
    await redis.delete(streams.keys.fence)
    await redis.set(streams.keys.fence, "no hash")
    assert await streams.publish(session, frames(2, 3)) == ["ok"]
    assert await redis.xlen(streams.keys.capture) == 1


async def test_large_payloads_and_priorities(streams: FrameStreams) -> None:
    session = await opened(streams)
    await lend(streams, table(("p1", "default", 100)))
    large = b"x" * (streams.inline_bytes_max + 1)
    sent = [OutgoingFrame(f"cam-{at}", at, b"{}", large, priority=at % 3) for at in range(6)]
    assert await streams.publish(session, sent) == ["ok"] * 6
    taken = await streams.take("p1", "c", count=6)
    assert [one.priority for one in taken] == [2, 2, 1, 1, 0, 0]
    assert {one.payload for one in taken} == {large}
    await settle_all(streams, "p1", taken)
    assert await streams.redis.keys(f"{streams.keys.prefix}:payload:*") == []


async def test_the_leader_hears_of_a_crowd_at_once(streams: FrameStreams) -> None:
    """Its passes are half a minute apart here: what it tells publishers must not wait for them."""
    session = await opened(streams)
    reports: list[DispatchReport] = []
    rows = table(("p1", "default", 10))
    dispatcher = Dispatcher(
        streams, epoch=EPOCH, node_id=NODE, table=lambda: rows, on_report=reports.append, direct=True, block_s=30
    )
    running = asyncio.create_task(dispatcher.run())
    try:
        await eventually(lambda: reports)
        await streams.publish(session, frames(0, 6))
        await eventually(lambda: reports[-1].outstanding == 6, message="a report of the crowd")
        assert sum(report.moved for report in reports) == 6
    finally:
        running.cancel()
        await asyncio.wait({running})


async def test_a_dispatcher_lends_its_table_unless_a_router_decides(streams: FrameStreams) -> None:
    session = await opened(streams)

    async def led(**options: Any) -> tuple[int, dict[str, int], dict[str, int]]:
        dispatcher = Dispatcher(streams, epoch=EPOCH, node_id=NODE, table=lambda: TWO, **options)
        running = asyncio.create_task(dispatcher.run())

        async def fenced() -> bool:
            lent = await execute(streams.redis, "HGET", streams.keys.fence, "direct_until")
            return (lent is not None) == (options == {"direct": True})

        await eventually(fenced)
        running.cancel()
        await asyncio.wait({running})
        await _publish_next(streams, session)
        return await lengths(streams)

    assert await led(direct=True) == (0, {}, {"p1": 1})
    assert (await led(direct=True, router=lambda _frames, _processors: []))[0] == 1
    assert (await led())[0] >= 1


async def _publish_next(streams: FrameStreams, session: CameraSession) -> None:
    highest = (await streams.stats()).cameras["cam"].highest
    assert await streams.publish(session, frames(highest + 1, highest + 2)) == ["ok"]
