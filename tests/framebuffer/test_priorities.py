"""Who goes first: priorities in capture, lanes and queues; suspects alone; leases; strategies; routers outside."""

import asyncio
import itertools
from collections import Counter, defaultdict

import msgspec
import pytest
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.errors import Fenced, RedisUnsupported
from framebuffer.following import follow, positions_of
from framebuffer.inquiry import lags, trace
from framebuffer.latency import latency
from framebuffer.ledger import verify
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, OutgoingFrame, RoutingTable, Settlement, TakenFrame, WaitingFrame
from tests.framebuffer.frames import EPOCH, NODE, frame, frames, opened, settle_all, table
from tests.support import eventually

pytestmark = pytest.mark.anyio

ONE = table(("p1", "default", 3))


def ranked(sequence: int, priority: int, capability: str = "default") -> OutgoingFrame:
    return msgspec.structs.replace(frame(sequence, capability), priority=priority)


async def _worked(streams: FrameStreams, rows: RoutingTable, processor: str = "p1") -> list[TakenFrame]:
    """Dispatch, take and settle one by one until nothing is left."""
    found: list[TakenFrame] = []
    while (await streams.stats()).in_flight:
        await streams.dispatch(EPOCH, NODE, rows)
        taken = await streams.take(processor, "c", count=1)
        await settle_all(streams, processor, taken)
        found += taken
    return found


async def test_priorities_hold_in_capture_lane_and_queue(streams: FrameStreams) -> None:
    session = await opened(streams)
    # Into the lane (nobody is there), then capture, then the queue.
    await streams.publish(session, [ranked(0, 0), ranked(1, 5)])
    await streams.dispatch(EPOCH, NODE, table())
    await streams.publish(session, [ranked(2, 0), ranked(3, 10), ranked(4, 5), ranked(5, 10)])
    stats = await streams.stats()
    assert {name: place.length for name, place in stats.places.items()} == {
        "capture": 1,
        "capture:p5": 1,
        "capture:p10": 2,
        "lane:default": 1,
        "lane:default:p5": 1,
    }
    assert (stats.capture_len, stats.lanes, stats.in_flight) == (4, {"default": 2}, 6)
    found = await _worked(streams, ONE)
    assert [one.sequence for one in found] == [3, 5, 1, 4, 0, 2]
    assert (await verify(streams)).ledger_ok
    assert (await streams.stats()).places == {}


async def test_within_a_level_the_first_in_is_the_first_out(streams: FrameStreams) -> None:
    session = await opened(streams)
    levels = [sequence * 7 % 11 for sequence in range(90)]
    await streams.publish(session, [ranked(sequence, level) for sequence, level in enumerate(levels)])
    by_level: dict[int, list[int]] = defaultdict(list)
    found = await _worked(streams, ONE)
    for one in found:
        by_level[one.priority].append(one.sequence)
    assert all(order == sorted(order) for order in by_level.values())
    # Every sixteenth goes to who has waited longest, so that nobody starves; the others are in order.
    inversions = sum(left.priority < right.priority for left, right in itertools.pairwise(found))
    assert inversions <= 2 * 90 // 16 + 3


async def test_what_a_dead_processor_never_took_leaves_before_younger_frames(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, 5), ranked(1, 0), ranked(2, 5), ranked(3, 0)])
    await streams.dispatch(EPOCH, NODE, table(("gone", "default", 4)))
    await streams.publish(session, [ranked(4, 0), ranked(5, 6), ranked(6, 5), ranked(7, 5), ranked(8, 10)])
    await streams.dispatch(EPOCH, NODE, table())  # into the lanes, before the others come back
    (failed,) = await streams.take("gone", "c", count=1)
    assert await streams.return_queue(EPOCH, "gone") == 4
    _, lane = await lags(ShardedStreams([streams]))
    assert (lane.place, lane.length, lane.levels) == ("lane:default", 9, {"10": 1, "6": 1, "5": 4, "0": 3})
    await streams.publish(session, [ranked(9, 5)])
    found = [one.sequence for one in await _worked(streams, ONE)]
    # One that failed goes behind those that did not, or it would hold them up.
    assert failed.sequence == 0
    assert [one for one in found if one] == [8, 5, 2, 6, 7, 9, 1, 3, 4]
    assert found.index(0) > found.index(7)
    assert (await verify(streams)).ledger_ok
    stats = await streams.stats()
    assert (stats.places, stats.lanes) == ({}, {})


async def test_an_old_frame_leaves_within_fifty_others(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, 0)])
    for turn in range(50):
        await streams.publish(session, [ranked(2 * turn + 1, 10), ranked(2 * turn + 2, 10)])
        await streams.dispatch(EPOCH, NODE, table(("p1", "default", 1000)))
        (taken,) = await streams.take("p1", "c", count=1)
        await settle_all(streams, "p1", [taken])
        if taken.sequence == 0:
            break
    assert taken.sequence == 0


async def test_a_high_priority_passes_a_full_lane(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 20))
    await streams.dispatch(EPOCH, NODE, table())
    await streams.dispatch(EPOCH, NODE, ONE)
    taken = await streams.take("p1", "c", count=1)
    await streams.publish(session, [ranked(20, 10)])
    await settle_all(streams, "p1", taken)
    report = await streams.dispatch(EPOCH, NODE, ONE)
    assert (report.moved, report.waiting) == (1, 17)
    (first,) = await streams.take("p1", "c", count=1)
    assert (first.sequence, first.entry_id[:3]) == (20, "10:")


async def test_waiting_for_a_queue_sees_every_level(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, 0), ranked(1, 7)])
    await streams.dispatch(EPOCH, NODE, ONE)
    seen = {}
    for one in await streams.take("p1", "c"):
        level, _, entry = one.entry_id.rpartition(":")
        seen[level or "0"] = entry
    assert sorted(seen) == ["0", "7"]
    assert not await streams.wait_queue("p1", seen, 0.05)
    waiting = asyncio.create_task(streams.wait_queue("p1", seen, 5.0))
    await streams.publish(session, [ranked(2, 9)])
    await streams.dispatch(EPOCH, NODE, ONE)
    assert await waiting
    # Own ones are found at every level, page after page.
    own: list[TakenFrame] = []
    after = "0"
    while page := await streams.take("p1", "c", count=1, own=True, after=after):
        own += page
        after = page[-1].entry_id
    assert [one.sequence for one in own] == [1, 0]


async def test_a_frame_that_failed_is_handed_out_alone(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 3))
    rows = table(("p1", "default", 10))
    await streams.dispatch(EPOCH, NODE, rows)
    first, second, third = await streams.take("p1", "c")
    await streams.settle("p1", "c", [Settlement(first.entry_id, "error", reason="odd")])
    await streams.publish(session, frames(3, 5))
    await streams.dispatch(EPOCH, NODE, rows)
    assert [one.sequence for one in await streams.take("p1", "c")] == [3, 4]  # not the suspect: others are in hand
    own = await streams.take("p1", "c", own=True)
    await settle_all(streams, "p1", own)
    (suspect,) = await streams.take("p1", "c")
    assert (suspect.sequence, suspect.attempts, suspect.entry_id[:2]) == (0, 1, "s:")
    await streams.publish(session, frames(5, 6))
    await streams.dispatch(EPOCH, NODE, rows)
    assert await streams.take("p1", "c") == []  # while it is in hand, nothing else is
    assert await settle_all(streams, "p1", [suspect]) == ["settled"]
    assert [one.sequence for one in await streams.take("p1", "c")] == [5]
    assert second.sequence < third.sequence


async def test_a_frame_that_kills_its_processors_dies_alone(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 6))
    settled: list[int] = []
    for number in range(8):
        rows = table((f"w{number}", "default", 10))
        while True:
            await streams.dispatch(EPOCH, NODE, rows)
            taken = await streams.take(f"w{number}", "c")
            if not taken or any(one.sequence == 2 for one in taken):
                break
            settled += [one.sequence for one in taken]
            await settle_all(streams, f"w{number}", taken)
        await streams.return_queue(EPOCH, f"w{number}")
    (dead,) = await streams.dead_list()
    assert (dead.sequence, dead.reason, dead.attempts) == (2, "processor_died", 5)
    assert sorted(settled) == [0, 1, 3, 4, 5]
    assert (await verify(streams)).ledger_ok


async def test_a_lease_ends_unless_it_is_renewed(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, 0), ranked(1, 4), ranked(2, 0)])
    await streams.dispatch(EPOCH, NODE, ONE)
    taken = {one.sequence: one for one in await streams.take("p1", "c")}
    assert await streams.expire(EPOCH, "p1", 60_000) == 0
    ids = [taken[1].entry_id, taken[2].entry_id, "1-1", "x"]

    async def only_one_is_old() -> bool:
        assert await streams.renew("p1", "c", ids) == [True, True, False, False]
        return await streams.expire(EPOCH, "p1", 100) == 1

    await eventually(only_one_is_old)
    assert await streams.renew("p1", "thief", ids[:2]) == [False, False]
    assert await streams.renew("p1", "c", [taken[0].entry_id]) == [False]
    outcomes = dict(zip(taken, await settle_all(streams, "p1", taken.values()), strict=True))
    assert outcomes == {1: "settled", 0: "not-owner", 2: "settled"}
    stats = await streams.stats()
    assert (stats.cameras["cam"].settled, stats.lanes) == (2, {"default": 1})
    with pytest.raises(Fenced):
        await streams.expire((1, 1), "p1", 100)


async def test_what_is_released_has_not_failed(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 2))
    await streams.dispatch(EPOCH, NODE, ONE)
    taken = await streams.take("p1", "c")
    released = [Settlement(one.entry_id, "release") for one in taken]
    assert await streams.settle("p1", "c", released) == ["released"] * 2
    await streams.dispatch(EPOCH, NODE, ONE)
    again = await streams.take("p1", "c")
    assert [(one.sequence, one.attempts) for one in again] == [(0, 0), (1, 0)]


async def test_round_robin_does_not_look_at_loads(streams: FrameStreams) -> None:
    session = await opened(streams)
    rows = msgspec.structs.replace(
        table(("p1", "default", 100), ("p2", "default", 10), ("p3", "default", 2)), strategy="round_robin"
    )
    await streams.publish(session, frames(0, 12))
    assert (await streams.dispatch(EPOCH, NODE, rows)).depths == {"p1": 5, "p2": 5, "p3": 2}
    await streams.publish(session, frames(12, 13))
    first = (await streams.dispatch(EPOCH, NODE, rows)).routed[0][0]
    await streams.publish(session, frames(13, 14))
    assert {first, (await streams.dispatch(EPOCH, NODE, rows)).routed[0][0]} == {"p1", "p2"}


async def test_affinity_keeps_a_camera_where_it_was_until_that_goes(streams: FrameStreams) -> None:
    await streams.fence(EPOCH, NODE)
    rows = msgspec.structs.replace(table(*((f"p{number}", "default", 20) for number in (1, 2, 3))), strategy="affinity")
    sessions = [await streams.open_camera(f"cam{number}") for number in range(6)]
    homes: dict[str, set[str]] = defaultdict(set)
    for start in (0, 2, 4):
        for session in sessions:
            await streams.publish(session, frames(start, start + 2))
        report = await streams.dispatch(EPOCH, NODE, rows)
        for processor, camera, _ in report.routed:
            homes[camera].add(processor)
        for processor in ("p1", "p2", "p3"):
            await settle_all(streams, processor, await streams.take(processor, "c", count=100))
    assert all(len(found) == 1 for found in homes.values())
    assert set(Counter(home for found in homes.values() for home in found).values()) == {2}
    # Its processor goes: the camera moves, once, and the others stay.
    fewer = msgspec.structs.replace(rows, rows=rows.rows[1:])
    moved: dict[str, set[str]] = defaultdict(set)
    for start in (6, 8):
        for session in sessions:
            await streams.publish(session, frames(start, start + 2))
        for processor, camera, _ in (await streams.dispatch(EPOCH, NODE, fewer)).routed:
            moved[camera].add(processor)
    assert all(len(found) == 1 for found in moved.values())
    assert all(moved[camera] == found for camera, found in homes.items() if found != {"p1"})


async def test_homes_at_processors_that_are_gone_are_forgotten(streams: FrameStreams) -> None:
    session = await opened(streams)
    both = msgspec.structs.replace(table(("p1", "default,a", 20), ("p2", "b", 20)), strategy="affinity")
    await streams.publish(session, [*frames(0, 1, "a"), *frames(1, 2, "b")])
    await streams.dispatch(EPOCH, NODE, both)
    homes = {b"a cam": b"p1", b"b cam": b"p2"}
    for rows, claim, left in (
        (both, True, homes),
        (RoutingTable("affinity"), True, homes),  # a leader that knows nobody yet
        (RoutingTable("affinity", both.rows[:1]), False, homes),
        (RoutingTable("affinity", both.rows[:1]), True, {b"a cam": b"p1"}),
        (RoutingTable("least_loaded", both.rows[:1]), True, {}),
    ):
        await streams.dispatch(EPOCH, NODE, rows, claim=claim)
        assert await streams.redis.hgetall(streams.keys.affinity) == left


async def test_affinity_goes_elsewhere_for_a_while_when_its_own_is_full(streams: FrameStreams) -> None:
    session = await opened(streams)
    rows = msgspec.structs.replace(table(("p1", "default", 2), ("p2", "default", 2)), strategy="affinity")
    await streams.publish(session, frames(0, 3))
    report = await streams.dispatch(EPOCH, NODE, rows)
    assert sorted(report.depths.values()) == [1, 2]
    home = max(report.depths, key=lambda name: report.depths[name])
    await settle_all(streams, home, await streams.take(home, "c"))
    await streams.publish(session, frames(3, 4))
    assert [row[0] for row in (await streams.dispatch(EPOCH, NODE, rows)).routed] == [home]


async def test_a_router_outside_decides_and_the_server_moves(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    both = OutgoingFrame("cam-3", 3, b"{}", capabilities=("face", "plate"))
    await streams.publish(session, [ranked(0, 0), ranked(1, 9), ranked(2, 0), both])
    rows = table(("p1", "default,face,plate", 2), ("p2", "default", 9))
    waiting = await streams.peek(EPOCH, NODE, limit=10)
    assert [one.head.split(" ")[2] for one in waiting] == ["1", "0", "2", "3"]
    assert (waiting[0].place, waiting[1].place) == ("capture:p9", "capture")
    odd = WaitingFrame("capture", "1-1", "")
    decisions = [(waiting[0], "p1"), (waiting[1], "p1"), (waiting[2], "p1"), (odd, "p1"), (waiting[3], "p2")]
    assert await streams.place(EPOCH, NODE, rows, decisions) == ["placed", "placed", "full", "gone", "parked"]
    assert await streams.place(EPOCH, NODE, rows, [(waiting[0], "p2"), (waiting[2], "nobody")]) == ["gone", "unknown"]
    assert await streams.place(EPOCH, NODE, rows, [(waiting[2], None)]) == ["parked"]
    stats = await streams.stats()
    assert (stats.capture_len, stats.lanes) == (0, {"default": 1, "face": 1, "plate": 1})
    await settle_all(streams, "p1", await streams.take("p1", "c"))
    parts = [one for one in await streams.peek(EPOCH, NODE) if one.place.startswith("lane:")]
    chosen = [(one, "p2" if "default" in one.place else "p1") for one in parts]
    assert await streams.place(EPOCH, NODE, rows, chosen) == ["placed"] * 3
    await settle_all(streams, "p1", await streams.take("p1", "c"))
    await settle_all(streams, "p2", await streams.take("p2", "c"))
    report = await verify(streams)
    assert (report.settled, report.in_flight, report.problems) == (4, 0, [])
    assert not await redis.exists(streams.keys.lanes)
    with pytest.raises(Fenced):
        await streams.place((1, 1), "n2", rows, [])


async def test_a_router_outside_is_shown_what_came_back_first(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, [ranked(0, 5), ranked(1, 0)])
    await streams.dispatch(EPOCH, NODE, table(("gone", "default", 4)))
    await streams.publish(session, [ranked(2, 5), ranked(3, 0)])
    await streams.dispatch(EPOCH, NODE, table())
    assert await streams.return_queue(EPOCH, "gone") == 2
    shown = await streams.peek(EPOCH, NODE)
    assert [int(one.head.split(" ")[2]) for one in shown] == [0, 2, 1, 3]
    assert shown[0].place == "lane:default:p5.5"
    rows = table(("p1", "default", 9))
    assert await streams.place(EPOCH, NODE, rows, [(one, "p1") for one in shown]) == ["placed"] * 4
    stats = await streams.stats()
    assert (stats.lanes, stats.in_flight) == ({}, 4)
    assert not await redis.exists(streams.keys.lanes, streams.keys.lane("default") + ":levels")


async def test_publishers_are_told_the_level_of_backpressure(streams: FrameStreams) -> None:
    session = await opened(streams)
    assert (await streams.publish_batch([(session, frame(0))])).pressure == 0
    await streams.set_pressure(EPOCH, 2)
    assert (await streams.publish_batch([(session, frame(1))])).pressure == await streams.pressure() == 2
    with pytest.raises(Fenced):
        await streams.set_pressure((1, 1), 0)


async def test_many_cameras_in_one_call(streams: FrameStreams) -> None:
    sessions = [await streams.open_camera(f"cam{number}") for number in range(40)]
    stolen = await streams.open_camera("cam7")
    batch = [(session, frame(sequence)) for sequence in range(3) for session in sessions]
    report = await streams.publish_batch(batch)
    assert Counter(report.statuses) == {"ok": 39 * 3, f"superseded:{stolen.token}": 3}
    assert set((await streams.publish_batch(batch)).statuses) == {"duplicate", f"superseded:{stolen.token}"}
    ledger = await verify(streams)
    assert (ledger.published, ledger.in_flight, ledger.problems) == (117, 117, [])


async def test_any_number_of_cameras_in_one_call(streams: FrameStreams, redis: Redis) -> None:
    """More than Lua's stack holds. They are opened by what `open` leaves behind: calls would take a second."""
    number = 9000
    await streams.open_camera("cam0")
    record = await execute(redis, "HGET", streams.keys.ledgers, "cam0")
    sessions = [CameraSession(f"cam{at}", f"token{at}", 0) for at in range(number)]
    for key, value in ((streams.keys.sessions, ""), (streams.keys.ledgers, record)):
        pairs = ((one.camera_id, value or f"{one.token} ") for one in sessions)
        await execute(redis, "HSET", key, *(part for pair in pairs for part in pair))
    batch = [(session, frame(0, payload=b"")) for session in sessions]
    assert Counter((await streams.publish_batch(batch)).statuses) == {"ok": number}
    assert Counter((await streams.publish_batch(batch)).statuses) == {"duplicate": number}
    stats = await streams.stats()
    assert {row.published for row in stats.cameras.values()} == {1}
    assert (len(stats.cameras), stats.in_flight) == (number, number)


async def test_data_of_a_newer_library_is_left_alone(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 1))
    await execute(redis, "SET", streams.keys.format, 3)
    every = ShardedStreams([streams])
    for call in (
        verify(streams),
        trace(every, "cam:0"),
        lags(every),
        latency(every),
        follow(every, positions_of("0", 1)),
        streams.stats(),
        streams.camera_ledger("cam"),
        streams.segment_bits("cam", 0, 65536),
        streams.replaying("cam"),
        streams.missing([("cam", 0)]),
        streams.scan("capture"),
        streams.dead_list(),
        streams.dead_drop(["1-1"]),
        streams.publish(session, frames(1, 2)),
        streams.take("p1", "c"),
        streams.settle("p1", "c", [Settlement("1-1")]),
        streams.dispatch(EPOCH, NODE, ONE),
        streams.fence(EPOCH, NODE),
    ):
        with pytest.raises(RedisUnsupported, match="format 3"):
            await call
