"""The ledger names what is missing and what is there twice, and agrees with itself while traffic goes on."""

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from framebuffer import bitmaps
from framebuffer.connection import execute
from framebuffer.errors import CameraSuperseded
from framebuffer.ledger import NamedFrame, verify
from framebuffer.streams import FrameStreams
from framebuffer.wire import Given, OutgoingFrame, Settlement
from tests.framebuffer.frames import (
    EPOCH,
    NODE,
    add_copy,
    entries,
    falsify,
    frame,
    frames,
    opened,
    record,
    settle_all,
    table,
)

pytestmark = pytest.mark.anyio

ROWS = table(("p1", "default", 10_000))


async def test_an_empty_ledger_is_right(streams: FrameStreams) -> None:
    report = await verify(streams)
    assert (report.published, report.lost, report.duplicates, report.ledger_ok) == (0, 0, 0, True)
    await streams.open_camera("cam")
    assert (await verify(streams)).ledger_ok


async def test_frames_everywhere_are_in_flight(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 10))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 4)), limit=8)  # 4 queued, 4 in the lane, 2 in capture
    taken = await streams.take("p1", "c", count=3)
    await settle_all(streams, "p1", taken[:1])
    report = await verify(streams)
    assert (report.published, report.settled, report.in_flight) == (10, 1, 9)
    assert (report.lost, report.duplicates, report.ledger_ok, report.problems) == (0, 0, True, [])
    assert report.cameras["cam"].highest == 9


async def test_gaps_are_named(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, [frame(n) for n in (0, 1, 4, 9)])
    report = await verify(streams, named_max=4)
    assert (report.published, report.in_flight, report.lost, report.ledger_ok) == (4, 4, 6, False)
    assert report.lost_frames == [NamedFrame("cam", n, "never_arrived") for n in (2, 3, 5, 6)]
    assert report.problems == ["6 frames are lost"]
    # A late repeat of what was missing heals it.
    await streams.publish(session, [frame(n) for n in (2, 3, 5, 6, 7, 8)])
    assert (await verify(streams)).ledger_ok


@pytest.mark.parametrize("where", ["capture", "lane", "ready"])
async def test_vanished_frames_are_named(streams: FrameStreams, redis: Redis, where: str) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 3))
    keys = streams.keys
    key = {"capture": keys.capture, "lane": keys.lane("default"), "ready": keys.ready("p1")}[where]
    if where != "capture":
        await streams.dispatch(EPOCH, NODE, ROWS if where == "ready" else table())
    (victim,) = await streams.scan(key.removeprefix("frames:"), count=1)
    await redis.xdel(key, victim.entry_id)
    report = await verify(streams)
    assert report.lost_frames == [NamedFrame("cam", 0, "vanished")]
    assert (report.published, report.in_flight, report.lost, report.ledger_ok) == (3, 2, 1, False)


async def test_frames_in_flight_twice_are_named(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 3))
    await add_copy(redis, streams.keys.capture, (await entries(redis, streams.keys.capture))[1])
    report = await verify(streams)
    assert report.duplicate_frames == [NamedFrame("cam", 1, "in_flight_twice")]
    assert (report.duplicates, report.lost, report.ledger_ok) == (1, 0, False)


async def test_frames_that_come_back_after_their_end_are_named(streams: FrameStreams, redis: Redis) -> None:
    small = FrameStreams(streams.redis, segment_size=32)
    session = await opened(small)
    await streams.publish(session, frames(0, 40))
    copies = await entries(redis, streams.keys.capture)
    await streams.dispatch(EPOCH, NODE, ROWS)
    await settle_all(streams, "p1", await streams.take("p1", "c", count=40))
    await add_copy(redis, streams.keys.capture, copies[1])  # of a complete segment
    await add_copy(redis, streams.keys.capture, copies[35])
    report = await verify(streams)
    assert {named.sequence for named in report.duplicate_frames} == {1, 35}
    assert {named.reason for named in report.duplicate_frames} == {"in_flight_after_final"}
    # And they never get a second result.
    await streams.dispatch(EPOCH, NODE, ROWS)
    assert await settle_all(streams, "p1", await streams.take("p1", "c")) == ["duplicate"] * 2
    assert (await verify(streams)).ledger_ok


async def test_two_results_are_named_or_at_least_counted(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 3))
    await streams.dispatch(EPOCH, NODE, ROWS)
    await settle_all(streams, "p1", await streams.take("p1", "c"))
    results = streams.keys.results
    await add_copy(redis, results, (await entries(redis, results))[2])
    report = await verify(streams)
    assert report.duplicate_frames == [NamedFrame("cam", 2, "two_results")]
    assert (report.duplicates, report.ledger_ok) == (1, False)
    await redis.xtrim(results, 0, approximate=False)
    report = await verify(streams)
    assert (report.duplicate_frames, report.duplicates, report.ledger_ok) == ([], 1, False)


async def test_counters_that_disagree_with_the_bitmaps_are_said(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 4))
    await streams.dispatch(EPOCH, NODE, ROWS)
    await settle_all(streams, "p1", (await streams.take("p1", "c"))[:2])
    await falsify(streams, settled=1, results=1)
    report = await verify(streams)
    assert not report.ledger_ok
    assert report.problems == [
        "camera cam: counted 3 final, the bits say 2",
        "1 frames should be in flight, capture, lanes and queues hold 2",
        "3 results were counted, but only 2 were ever written",
    ]
    await falsify(streams, settled=-1, results=-1, dead=1, published=1)
    await execute(redis, "INCR", "frames:dead_owed")
    assert (await verify(streams)).problems == [
        "camera cam: counted 5 published, the bits say 4",
        "camera cam: counted 3 final, the bits say 2",
        "1 dead frames should be kept, 0 are",
    ]


async def test_complete_segments_cost_nothing_and_still_know_their_frames(streams: FrameStreams, redis: Redis) -> None:
    small = FrameStreams(streams.redis, segment_size=32)
    session = await opened(small)
    await streams.publish(session, frames(0, 240))
    await streams.dispatch(EPOCH, NODE, ROWS, limit=240)
    taken = await streams.take("p1", "c", count=240)
    # The third segment ends before the first two.
    assert await settle_all(streams, "p1", taken[64:96]) == ["settled"] * 32
    keys = streams.keys
    assert await redis.smembers(keys.complete("cam")) == {b"2"}
    await settle_all(streams, "p1", taken[:48])
    await settle_all(streams, "p1", taken[48:64])
    assert await redis.smembers(keys.complete("cam")) == set()
    assert (await record(streams))["complete"] == 3
    await settle_all(streams, "p1", taken[96:])
    assert [key async for key in redis.scan_iter(f"{keys.prefix}:ledger:*")] == []
    assert set(await streams.publish(session, frames(0, 240))) == {"duplicate"}
    report = await verify(streams)
    assert (report.published, report.settled, report.in_flight, report.ledger_ok) == (240, 240, 0, True)


async def test_a_segment_with_a_gap_stays_and_names_it(streams: FrameStreams) -> None:
    small = FrameStreams(streams.redis, segment_size=32)
    session = await opened(small)
    await streams.publish(session, [frame(n) for n in range(96) if n != 5])
    await streams.dispatch(EPOCH, NODE, ROWS, limit=96)
    await settle_all(streams, "p1", await streams.take("p1", "c", count=96))
    report = await verify(streams)
    assert report.lost_frames == [NamedFrame("cam", 5, "never_arrived")]
    ledger = await streams.camera_ledger("cam")
    assert (ledger.complete_below, ledger.live, ledger.complete) == (0, (0,), 2)
    assert [bitmaps.count(one) for one in ledger.bits[0]] == [31, 31]


async def test_a_large_segment_rolls_over(streams: FrameStreams, redis: Redis) -> None:
    large = FrameStreams(streams.redis, segment_size=4096)
    session = await opened(large)
    total = 4096 + 100
    for start in range(0, total, 512):
        stop = min(start + 512, total)
        await streams.publish(session, frames(start, stop))
        await streams.dispatch(EPOCH, NODE, ROWS, limit=512)
        await settle_all(streams, "p1", await streams.take("p1", "c", count=512))
    assert not await redis.exists(streams.keys.bits("cam", 0))
    assert (await record(streams))["complete"] == 1
    assert await streams.publish(session, frames(4090, 4100)) == ["duplicate"] * 10
    report = await verify(streams)
    assert (report.published, report.settled, report.lost, report.ledger_ok) == (total, total, 0, True)


async def test_dead_frames_go_again_and_the_books_follow(streams: FrameStreams, redis: Redis) -> None:
    small = FrameStreams(streams.redis, segment_size=32)
    session = await opened(small)
    await streams.publish(session, [*frames(0, 39), frame(39, payload=b"y" * 9000)])
    await streams.dispatch(EPOCH, NODE, ROWS)
    taken = await streams.take("p1", "c", count=40)
    await streams.settle("p1", "c", [Settlement(one.entry_id, "dead", reason="odd") for one in taken])
    assert (await record(streams))["complete"] == 1  # the dead are final
    dead = await streams.dead_list(count=100)
    assert [one.sequence for one in dead] == list(range(40))
    chosen = [dead[3].entry_id, dead[39].entry_id]
    assert await streams.dead_replay([*chosen, "1-1", "odd"]) == ["replayed"] * 2 + ["not-found"] * 2
    assert await streams.dead_drop([dead[4].entry_id, chosen[0]]) == ["dropped", "not-found"]
    report = await verify(streams)
    assert (report.published, report.dead, report.in_flight, report.problems) == (40, 38, 2, [])
    await streams.dispatch(EPOCH, NODE, ROWS)
    again = await streams.take("p1", "c", count=40)
    assert [(one.sequence, one.attempts, len(one.payload)) for one in again] == [(3, 0, 4), (39, 0, 9000)]
    assert await settle_all(streams, "p1", again) == ["settled"] * 2
    assert not await redis.exists(streams.keys.payload("cam", 39))
    report = await verify(streams)
    assert (report.settled, report.dead, report.in_flight, report.problems) == (2, 38, 0, [])
    # A replayed one that vanishes is named, although its final bit is set.
    assert await streams.dead_replay([dead[7].entry_id]) == ["replayed"]
    await redis.delete(streams.keys.lane("default"))
    report = await verify(streams)
    assert report.lost_frames == [NamedFrame("cam", 7, "vanished")]


async def test_what_a_producer_gives_up_is_in_the_books(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 2))
    given = [Given("cam-2", 2, "freshest"), Given("cam-3", 3, "deadline"), Given("cam-9", 1, "freshest")]
    assert await streams.drop(session, given) == ["ok", "ok", "duplicate"]
    assert await streams.drop(session, given[:1]) == ["duplicate"]
    assert await streams.publish(session, [frame(2)]) == ["duplicate"]
    assert await streams.drop(session, [Given("cam-4", 4, "No Reason")]) == ["refused:reason"]
    counters = (await streams.stats()).cameras["cam"]
    assert (counters.published, counters.dropped, counters.dropped_by_reason) == (4, 2, {"freshest": 1, "deadline": 1})
    assert len(await entries(redis, streams.keys.dropped)) == 2
    report = await verify(streams)
    assert (report.dropped, report.in_flight, report.problems) == (2, 2, [])
    await streams.open_camera("cam")
    with pytest.raises(CameraSuperseded):
        await streams.drop(session, [Given("cam-5", 5, "freshest")])


async def test_a_frame_for_several_is_settled_when_each_has_worked_on_it(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    both = OutgoingFrame("cam-0", 0, b"{}", b"y" * 9000, capabilities=("face", "plate"))
    odd = [msgspec.structs.replace(both, sequence=1, capabilities=names) for names in (("a", "a"), ("a", ""), ("*",))]
    assert await streams.publish(session, [both, *odd]) == ["ok"] + ["refused:capability"] * 3
    rows = table(("p1", "face", 5), ("p2", "plate", 5))
    report = await streams.dispatch(EPOCH, NODE, table(("p1", "face", 5)))
    assert (report.routed, report.parked) == ([("p1", "cam", 1)], [("plate", 1)])
    found = await verify(streams)
    assert (found.published, found.in_flight, found.problems) == (1, 1, [])
    assert await settle_all(streams, "p1", await streams.take("p1", "c")) == ["settled"]
    found = await verify(streams)
    assert (found.settled, found.in_flight, found.problems) == (0, 1, [])
    await streams.dispatch(EPOCH, NODE, rows)
    (second,) = await streams.take("p2", "c")
    assert (second.capability, second.parts, len(second.payload)) == ("plate", 2, 9000)
    # One part dies, is sent again and settles: then the whole frame is settled, and its payload goes.
    assert await streams.settle("p2", "c", [Settlement(second.entry_id, "dead", reason="odd")]) == ["dead"]
    found = await verify(streams)
    assert (found.dead, found.in_flight, found.problems) == (1, 0, [])
    await streams.dead_replay([(await streams.dead_list())[0].entry_id])
    await streams.dispatch(EPOCH, NODE, rows)
    assert await settle_all(streams, "p2", await streams.take("p2", "c")) == ["settled"]
    found = await verify(streams)
    assert (found.settled, found.dead, found.in_flight, found.problems) == (1, 0, 0, [])
    assert not await redis.exists(streams.keys.payload("cam", 0), streams.keys.parts("cam", 0))


async def test_many_cameras_are_told_apart(streams: FrameStreams) -> None:
    await streams.fence(EPOCH, NODE)
    for number in range(5):
        session = await streams.open_camera(f"cam{number}")
        await streams.publish(session, [frame(n) for n in range(number, number + 3)])
    report = await verify(streams)
    assert {name: camera.lost for name, camera in report.cameras.items()} == {f"cam{n}": n for n in range(5)}
    assert (report.published, report.lost) == (15, 10)


async def test_it_is_right_at_every_look_while_frames_run_and_bounce(streams: FrameStreams) -> None:
    session = await opened(streams)
    rows = table(("p1", "default,face", 40), ("p2", "default", 40))
    stop = asyncio.Event()

    async def publish() -> None:
        sequence = 0
        while not stop.is_set():
            await streams.publish(session, frames(sequence, sequence + 7, "face" if sequence % 2 else "default"))
            sequence += 7
            await asyncio.sleep(0.001)

    async def lead() -> None:
        while not stop.is_set():
            await streams.dispatch(EPOCH, NODE, rows)
            await asyncio.sleep(0.001)

    async def bounce() -> None:
        while not stop.is_set():
            await streams.return_queue(EPOCH, "p2")
            await asyncio.sleep(0.004)

    async def work(processor: str) -> None:
        while not stop.is_set():
            await settle_all(streams, processor, await streams.take(processor, "c", count=5))
            await asyncio.sleep(0.002)

    work_ = [asyncio.create_task(job) for job in (publish(), lead(), bounce(), work("p1"), work("p2"))]
    try:
        for _ in range(15):
            report = await verify(streams)
            assert (report.problems, report.lost, report.duplicates) == ([], 0, 0)
            assert report.published == report.settled + report.dead + report.dropped + report.in_flight
    finally:
        stop.set()
        await asyncio.gather(*work_)
    assert report.published > 100


@given(st.sets(st.integers(0, 300)), st.sets(st.integers(0, 300)), st.integers(0, 300))
def test_bitmaps_are_sets(these: set[int], without: set[int], number: int) -> None:
    def bits(members: set[int]) -> bytes:
        made = bytearray(max(members) // 8 + 1 if members else 0)
        for member in members:
            made[member // 8] |= 0x80 >> member % 8
        return bytes(made)

    assert list(bitmaps.sequences(bits(these), 1000)) == [1000 + member for member in sorted(these)]
    assert bitmaps.count(bits(these)) == len(these)
    assert list(bitmaps.sequences(bitmaps.and_not(bits(these), bits(without)))) == sorted(these - without)
    assert list(bitmaps.sequences(bitmaps.first(number))) == list(range(number))
