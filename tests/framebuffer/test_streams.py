"""The way of a frame: publish, dispatch, take, settle."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.errors import CameraSuperseded, InvalidName, NotDurable, RedisRefused, SettlementRefused
from framebuffer.keys import Keys
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame, Settlement
from tests.framebuffer.frames import (
    EPOCH,
    NODE,
    add_copy,
    entries,
    entries_by_id,
    frame,
    frames,
    opened,
    settle_all,
    table,
)
from tests.support import eventually

pytestmark = pytest.mark.anyio


async def test_a_frame_goes_all_the_way(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    assert session.next_sequence == 0
    assert await streams.publish(session, [frame(0)]) == ["ok"]

    report = await streams.dispatch(EPOCH, NODE, table(("p1", "default", 4)))
    assert (report.read, report.routed, report.depths, report.more) == (1, [("p1", "cam", 1)], {"p1": 1}, False)

    (taken,) = await streams.take("p1", "c")
    assert (taken.frame_id, taken.camera_id, taken.sequence) == ("cam-0", "cam", 0)
    assert (taken.payload, taken.event, taken.attempts) == (b"jpeg", b'{"n":1}', 0)
    assert await streams.settle("p1", "c", [Settlement(taken.entry_id, result=b"face")]) == ["settled"]

    (result,) = await entries(redis, streams.keys.results)
    head = result.pop(b"frame").decode().split(" ")
    assert head.pop(6) == str(taken.published_ms)
    assert head == ["cam-0", "cam", "0", "default", "0", "0", "1", "00-trace-0-01"]
    assert result == {b"processor_id": b"p1", b"result": b"face"}
    stats = await streams.stats()
    assert (stats.in_flight, stats.results_len, stats.results_added, stats.dead_len) == (0, 1, 1, 0)
    assert stats.cameras["cam"].settled == stats.cameras["cam"].published == 1
    assert (await verify(streams)).ledger_ok


async def test_large_payloads_travel_beside_the_streams_and_go_when_settled(
    streams: FrameStreams, redis: Redis
) -> None:
    session = await opened(streams)
    large = bytes(range(256)) * 400
    await streams.publish(session, [frame(0, payload=large)])
    (entry,) = await entries(redis, streams.keys.capture)
    assert sum(map(len, entry.values())) < 400
    assert await redis.get(streams.keys.payload("cam", 0)) == large

    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 4)))
    taken = await streams.take("p1", "c")
    assert (taken[0].payload, taken[0].payload_missing) == (large, False)
    await settle_all(streams, "p1", taken)
    assert not await redis.exists(streams.keys.payload("cam", 0))


async def test_a_vanished_payload_is_flagged_and_the_frame_can_be_buried(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, [frame(0, payload=b"x" * 5000)])
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 4)))
    await redis.delete(streams.keys.payload("cam", 0))
    (taken,) = await streams.take("p1", "c")
    assert taken.payload_missing
    buried = Settlement(taken.entry_id, "dead", reason="payload_missing")
    assert await streams.settle("p1", "c", [buried]) == ["dead"]
    (entry,) = await entries(redis, streams.keys.dead)
    assert entry[b"reason"] == b"payload_missing"
    report = await verify(streams)
    assert (report.dead, report.in_flight, report.ledger_ok) == (1, 0, True)


async def test_repeats_are_duplicates_and_odd_frames_are_refused_one_by_one(streams: FrameStreams) -> None:
    session = await opened(streams)
    assert await streams.publish(session, frames(0, 2)) == ["ok", "ok"]
    odd = [
        frame(1),
        OutgoingFrame("", 2, b"{}"),
        OutgoingFrame("f", -1, b"{}"),
        OutgoingFrame("f", 2, b"{}", capability=""),
        OutgoingFrame("f", 2, b"{}", capability="x" * 65),
        OutgoingFrame("f", 2, b"{}", priority=11),
        OutgoingFrame("f", 1 << 40, b"{}"),
        frame(2),
    ]
    assert await streams.publish(session, odd) == [
        "duplicate",
        "refused:frame_id",
        "refused:sequence",
        "refused:capability",
        "refused:capability",
        "refused:priority",
        "refused:sequence_jump",
        "ok",
    ]
    counters = (await streams.stats()).cameras["cam"]
    assert (counters.published, counters.duplicate_publishes, counters.highest) == (3, 1, 2)
    assert await streams.publish(session, []) == []
    with pytest.raises(InvalidName):
        await streams.open_camera("a:b")


async def test_a_second_producer_supersedes_the_first_and_continues_the_sequence(streams: FrameStreams) -> None:
    first = await opened(streams)
    await streams.publish(first, frames(0, 3))
    second = await streams.open_camera("cam")
    assert (second.next_sequence, second.previous) == (3, first.token)
    with pytest.raises(CameraSuperseded) as caught:
        await streams.publish(first, frames(3, 4))
    assert caught.value.current == second.token
    assert await streams.publish(second, frames(3, 4)) == ["ok"]
    # The reply to open was lost and it is repeated: still the session, and the same predecessor.
    again = await streams.open_camera("cam", token=second.token)
    assert (again.token, again.previous, again.next_sequence) == (second.token, first.token, 4)


async def test_a_camera_that_the_server_forgot_resumes_far_ahead(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam", resume_at=5_000_000)
    assert await streams.publish(session, [frame(5_000_000)]) == ["ok"]
    assert (await verify(streams)).lost == 5_000_000


async def test_durability_asks_for_replicas(streams: FrameStreams) -> None:
    session = await opened(streams)
    patient = FrameStreams(streams.redis)
    patient._durable_wait_ms = 20
    with pytest.raises(NotDurable) as caught:
        await patient.publish(session, frames(0, 2), durability=1)
    assert (caught.value.wanted, caught.value.confirmed) == (1, 0)
    assert (await streams.stats()).capture_len == 2
    with pytest.raises(NotDurable):  # known already, and still no replica has it
        await patient.publish(session, frames(0, 2), durability=1)
    other = await streams.open_camera("cam")
    with pytest.raises(CameraSuperseded):
        await patient.publish(session, frames(2, 3), durability=1)
    assert other.next_sequence == 2


async def test_frames_that_none_can_take_wait_in_their_lane_and_block_nobody(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, [frame(0, "face"), frame(1), frame(2, "face"), frame(3)])
    report = await streams.dispatch(EPOCH, NODE, table(("p1", "default", 9)))
    assert (report.routed, report.parked, report.waiting) == ([("p1", "cam", 2)], [("face", 2)], 2)
    assert not report.more
    stats = await streams.stats()
    assert (stats.capture_len, stats.capture_pending, stats.lanes) == (0, 0, {"face": 2})

    # A newer one goes behind those that wait, although by then somebody could take it.
    await streams.publish(session, [frame(4, "face")])
    both = table(("p1", "default", 9), ("p2", "face", 2))
    report = await streams.dispatch(EPOCH, NODE, both)
    assert (report.drained, report.routed, report.parked) == (2, [("p2", "cam", 2)], [("face", 1)])
    taken = await streams.take("p2", "c")
    await settle_all(streams, "p2", taken)
    await streams.dispatch(EPOCH, NODE, both)
    taken += await streams.take("p2", "c")
    assert [one.sequence for one in taken] == [0, 2, 4]
    assert (await streams.stats()).lanes == {}


async def test_nobody_gets_more_than_its_capacity(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 20))
    rows = table(("p1", "default", 2), ("p2", "default", 5))
    report = await streams.dispatch(EPOCH, NODE, rows)
    assert (report.depths, report.waiting, report.more) == ({"p1": 2, "p2": 5}, 13, False)
    # Taken frames count until they are settled.
    taken = await streams.take("p2", "c", count=3)
    assert (await streams.dispatch(EPOCH, NODE, rows)).moved == 0
    await settle_all(streams, "p2", taken)
    report = await streams.dispatch(EPOCH, NODE, rows)
    assert (report.moved, report.depths) == (3, {"p2": 5})  # only queues that it touched


async def test_a_processor_without_capacity_or_with_a_broken_queue_takes_nothing(
    streams: FrameStreams, redis: Redis
) -> None:
    session = await opened(streams)
    await redis.set(streams.keys.ready("odd"), "not a stream")
    await streams.publish(session, frames(0, 3))
    rows = table(("none", "default", 0), ("odd", "default", 9), ("p1", "default", 9))
    report = await streams.dispatch(EPOCH, NODE, rows)
    assert report.routed == [("p1", "cam", 3)]
    report = await streams.dispatch(EPOCH, NODE, table(("none", "default", 0)))
    assert not report.more


@pytest.mark.parametrize("batch", [1, 7, 64])
async def test_equal_processors_share_evenly(streams: FrameStreams, batch: int) -> None:
    session = await opened(streams)
    rows = table(("p1", "default", 100), ("p2", "default", 100), ("p3", "default", 100))
    got: Counter[str] = Counter()
    for start in range(0, 100, batch):
        await streams.publish(session, frames(start, min(start + batch, 100)))
        report = await streams.dispatch(EPOCH, NODE, rows)
        for processor, _, count in report.routed:
            got[processor] += count
        for processor in ("p1", "p2", "p3"):  # emptied at once, so that only the rotation can be fair
            await settle_all(streams, processor, await streams.take(processor, "c", count=100))
    assert sum(got.values()) == 100
    assert min(got.values()) > 20
    assert max(got.values()) - min(got.values()) <= 1


async def test_load_decides_relative_to_capacity(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 60))
    rows = table(("small", "default", 10), ("large", "default", 50), ("both", "default,face", 30))
    await streams.publish(session, frames(60, 70, "face"))
    report = await streams.dispatch(EPOCH, NODE, rows, limit=100)
    assert sum(report.depths.values()) == 70
    loads = [report.depths["small"] / 10, report.depths["large"] / 50]
    assert max(loads) - min(loads) <= 0.1
    assert report.depths["both"] <= 30


async def test_one_call_moves_no_more_than_its_limit_and_says_there_is_more(streams: FrameStreams) -> None:
    session = await opened(streams)
    rows = table(("p1", "default,face", 1000))
    await streams.publish(session, frames(0, 30, "face"))
    await streams.dispatch(EPOCH, NODE, table())
    await streams.publish(session, frames(30, 60))
    report = await streams.dispatch(EPOCH, NODE, rows, limit=16)
    # Three quarters from the lanes, and the frames of others do not starve behind them.
    assert (report.drained, report.read, report.moved, report.more) == (12, 4, 16, True)
    calls = 1
    while report.more:
        report = await streams.dispatch(EPOCH, NODE, rows, limit=16)
        assert report.moved <= 16
        calls += 1
    assert report.depths == {"p1": 60}
    assert calls == 4
    sequences = [one.sequence for one in await streams.take("p1", "c", count=100)]
    assert sorted(sequences) == list(range(60))
    assert [n for n in sequences if n < 30] == list(range(30))


async def test_a_new_frame_does_not_overtake_its_lane_although_there_is_room(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 10))
    await streams.dispatch(EPOCH, NODE, table())
    await streams.publish(session, frames(10, 12))
    rows = table(("p1", "default", 100))
    report = await streams.dispatch(EPOCH, NODE, rows, limit=4)
    assert (report.drained, report.parked, report.more) == (3, [("default", 1)], True)
    while report.more:
        report = await streams.dispatch(EPOCH, NODE, rows, limit=4)
    assert [one.sequence for one in await streams.take("p1", "c", count=100)] == list(range(12))


async def test_lanes_take_turns(streams: FrameStreams) -> None:
    session = await opened(streams)
    for start, capability in ((0, "a"), (40, "b"), (80, "c")):
        await streams.publish(session, frames(start, start + 40, capability))
    while (await streams.dispatch(EPOCH, NODE, table())).more:
        pass
    rows = table(("p1", "a,b,c", 1000))
    for _ in range(3):
        await streams.dispatch(EPOCH, NODE, rows, limit=8)
    taken = await streams.take("p1", "c", count=100)
    assert {one.capability for one in taken} == {"a", "b", "c"}


async def test_errors_retry_and_then_the_frame_is_dead(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, [frame(0, payload=b"y" * 9000)])
    rows = table(("p1", "default", 4))
    outcomes = []
    for attempt in range(5):
        await streams.dispatch(EPOCH, NODE, rows)
        (taken,) = await streams.take("p1", "c")
        assert taken.attempts == attempt
        assert taken.payload == b"y" * 9000
        failed = Settlement(taken.entry_id, "error", reason="it broke")
        outcomes += await streams.settle("p1", "c", [failed])
    assert outcomes == ["retry"] * 4 + ["dead"]
    (entry,) = await entries(redis, streams.keys.dead)
    assert (entry[b"processor_id"], entry[b"reason"]) == (b"p1", b"it broke")
    assert [(dead.attempts, dead.reason) for dead in await streams.dead_list()] == [(5, "it broke")]
    # The dead keep their payload: they can be replayed.
    assert await redis.exists(entry[b"ref"])
    report = await verify(streams)
    assert (report.published, report.dead, report.in_flight, report.ledger_ok) == (1, 1, 0, True)


async def test_a_status_that_nobody_knows_is_no_failed_attempt(streams: FrameStreams) -> None:
    """A processor in another language that writes `OK` would kill one good frame after the other."""
    session = await opened(streams)
    await streams.publish(session, frames(0, 3))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 9)))
    taken = await streams.take("p1", "c")
    said: list[Any] = ["OK", "error", ""]
    settlements = [Settlement(one.entry_id, status) for one, status in zip(taken, said, strict=True)]
    with pytest.raises(SettlementRefused, match="'OK' is none of ok, error, dead and release") as caught:
        await streams.settle("p1", "c", settlements)
    assert caught.value.entry_id == taken[0].entry_id
    assert caught.value.outcomes == ["refused:status", "retry", "refused:status"]
    mine = await streams.take("p1", "c", own=True)
    assert [(one.entry_id, one.attempts) for one in mine] == [(taken[0].entry_id, 0), (taken[2].entry_id, 0)]
    assert await settle_all(streams, "p1", mine) == ["settled", "settled"]
    assert (await verify(streams)).problems == []


async def test_only_who_holds_a_frame_can_settle_it_and_only_once(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 2))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 4)))
    taken = await streams.take("p1", "c", count=1)
    untaken = (await streams.scan("ready:p1"))[1].entry_id
    mine = taken[0].entry_id
    assert await streams.settle("p1", "thief", [Settlement(mine)]) == ["not-owner"]
    assert await streams.settle("p2", "c", [Settlement(mine)]) == ["not-owner"]
    assert await streams.settle("p1", "c", [Settlement(untaken), Settlement("nonsense")]) == ["not-owner"] * 2
    assert await streams.settle("p1", "c", [Settlement(mine), Settlement(mine)]) == ["settled", "not-owner"]
    assert await streams.settle("p1", "c", []) == []
    stats = await streams.stats()
    assert (stats.results_len, stats.ready["p1"].length) == (1, 1)


async def test_a_second_copy_of_a_final_frame_has_no_second_result(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 1))
    (entry,) = await entries(redis, streams.keys.capture)
    rows = table(("p1", "default", 4))
    await streams.dispatch(EPOCH, NODE, rows)
    await settle_all(streams, "p1", await streams.take("p1", "c"))
    await add_copy(redis, streams.keys.ready("p1"), entry)
    assert await settle_all(streams, "p1", await streams.take("p1", "c")) == ["duplicate"]
    stats = await streams.stats()
    assert (stats.results_len, stats.cameras["cam"].duplicate_settles, stats.in_flight) == (1, 1, 0)


async def test_own_pending_frames_can_be_read_again(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 5))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 9)))
    taken = await streams.take("p1", "c", count=3)
    assert [one.sequence for one in await streams.take("p1", "c", own=True)] == [0, 1, 2]
    assert [one.sequence for one in await streams.take("p1", "c", own=True, after=taken[1].entry_id)] == [2]
    assert await streams.take("p1", "other", own=True) == []
    # An entry that somebody deleted is not handed out, and no longer pending.
    await execute(redis, "XDEL", streams.keys.ready("p1"), taken[0].entry_id)
    assert [one.sequence for one in await streams.take("p1", "c", own=True)] == [1, 2]
    assert (await streams.stats()).ready["p1"].pending == 2


@pytest.mark.parametrize("remembered", [True, False])
async def test_a_settlement_for_a_deleted_entry_is_answered_and_forgotten(
    streams: FrameStreams, redis: Redis, remembered: bool
) -> None:
    """Whoever handed the frame out still knows what it was, so the work counts; another server cannot know."""
    session = await opened(streams)
    await streams.publish(session, frames(0, 1))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 9)))
    taken = await streams.take("p1", "c")
    await execute(redis, "XDEL", streams.keys.ready("p1"), taken[0].entry_id)
    if not remembered:
        await execute(redis, "SET", streams.keys.hand, "another server's")
    assert await settle_all(streams, "p1", taken) == ["settled" if remembered else "not-owner"]
    stats = await streams.stats()
    assert stats.ready["p1"].pending == 0
    assert stats.cameras["cam"].settled == remembered


async def test_what_was_handed_out_is_forgotten_with_the_data(streams: FrameStreams, redis: Redis) -> None:
    """The same entry id may stand for another frame then: what is in the stream counts."""
    session = await opened(streams)
    await streams.publish(session, frames(0, 2))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 9)))
    first, second = await streams.take("p1", "c")
    queue = streams.keys.ready("p1")
    kept = dict(await entries_by_id(redis, queue))
    await execute(redis, "DEL", queue, streams.keys.hand)  # as a server that was promoted, with other contents
    fields = [part for pair in kept[second.entry_id].items() for part in pair]
    await execute(redis, "XADD", queue, first.entry_id, *fields)
    [again] = await streams.take("p1", "c")
    assert (again.entry_id, again.sequence) == (first.entry_id, 1)
    assert await settle_all(streams, "p1", [again]) == ["settled"]
    [result] = await entries(redis, streams.keys.results)
    assert result[b"frame"].startswith(b"cam-1 ")


async def test_frames_of_a_crashed_consumer_can_be_claimed(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 4))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 9)))
    lost = await streams.take("p1", "crashed", count=2)
    assert await streams.take("p1", "c", count=0, claim_idle_ms=60_000) != []
    claimed = await streams.take("p1", "c", count=9, claim_idle_ms=0)
    assert {one.sequence for one in claimed} == {0, 1, 2, 3}
    assert await streams.settle("p1", "crashed", [Settlement(lost[0].entry_id)]) == ["not-owner"]


async def test_the_queue_of_a_dead_processor_goes_back(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 600))
    while (await streams.dispatch(EPOCH, NODE, table(("p1", "default", 600)))).more:
        pass
    held = await streams.take("p1", "c", count=5)
    assert await streams.return_queue(EPOCH, "p1") == 600
    assert await streams.return_queue(EPOCH, "p1") == 0
    assert await settle_all(streams, "p1", held) == ["not-owner"] * 5
    assert not await redis.exists(streams.keys.ready("p1"))
    while (await streams.dispatch(EPOCH, NODE, table(("p2", "default", 600)))).more:
        pass
    taken = await streams.take("p2", "c", count=600)
    # Those that were in hand when it died are suspects: they are handed out one by one when nothing else is in hand.
    assert [one.sequence for one in taken] == list(range(5, 600))
    assert {one.attempts for one in taken} == {0}
    assert await streams.take("p2", "c", count=600) == []
    await settle_all(streams, "p2", taken)
    for sequence in range(5):
        (suspect,) = await streams.take("p2", "c", count=600)
        assert (suspect.sequence, suspect.attempts) == (sequence, 1)
        assert await streams.take("p2", "c", count=600) == []
        await settle_all(streams, "p2", [suspect])
    # A processor that comes back finds an empty queue, not an error.
    assert await streams.take("p1", "c") == []


async def test_waiting_ends_when_something_comes(streams: FrameStreams) -> None:
    session, keys = await opened(streams), streams.keys
    report = await streams.dispatch(EPOCH, NODE, table())
    assert not await streams.wait_capture(report, 0.05)
    waiting = asyncio.create_task(streams.wait_capture(report, 5.0))
    await eventually(lambda: _blocked(streams))
    await streams.publish(session, frames(0, 1))
    assert await waiting
    # What came between the call and the wait is not missed either.
    assert await streams.wait_capture(report, 5.0)
    report = await streams.dispatch(EPOCH, NODE, table(("p1", "default", 1)))
    assert not await streams.wait({keys.capture: report.capture_ids["0"]}, 0.05)
    # What is left in capture, as nobody has room, is no news.
    await streams.publish(session, frames(1, 3))
    report = await streams.dispatch(EPOCH, NODE, table(("p1", "default", 1)))
    assert (report.moved, report.capture) == (0, 2)
    assert not await streams.wait_capture(report, 0.05)


async def test_a_settled_frame_wakes_the_dispatcher_while_others_wait(streams: FrameStreams) -> None:
    session = await opened(streams)
    rows = table(("p1", "default", 1))
    await streams.publish(session, frames(0, 2))
    report = await streams.dispatch(EPOCH, NODE, rows)
    position = {streams.keys.wake: report.last_wake_id}
    assert not await streams.wait(position, 0.05)
    taken = await streams.take("p1", "c")
    await settle_all(streams, "p1", taken)
    assert await streams.wait(position, 5.0)
    report = await streams.dispatch(EPOCH, NODE, rows)
    assert (report.moved, report.waiting) == (1, 0)
    position = {streams.keys.wake: report.last_wake_id}
    await settle_all(streams, "p1", await streams.take("p1", "c"))
    assert not await streams.wait(position, 0.05)  # nobody waits: no wake


async def test_a_dispatcher_starts_from_what_was_there_before_the_group(streams: FrameStreams) -> None:
    session = await streams.open_camera("cam")
    await streams.publish(session, frames(0, 3))
    report = await streams.dispatch(EPOCH, NODE, table(("p1", "default", 9)))  # no fence() before
    assert report.moved == 3


async def test_what_another_has_read_from_capture_is_dispatched_all_the_same(
    streams: FrameStreams, redis: Redis
) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 5))
    keys = streams.keys
    await execute(redis, "XREADGROUP", "GROUP", "frame-buffer", "old", "COUNT", 3, "STREAMS", keys.capture, ">")
    rows = table(("p1", "default", 9))
    assert (await streams.dispatch(EPOCH, NODE, rows, limit=2)).moved == 2
    report = await streams.dispatch(EPOCH, NODE, rows, limit=2, claim=True)
    assert (report.moved, report.more) == (2, True)
    assert (await streams.stats()).capture_pending == 0
    assert (await streams.dispatch(EPOCH, NODE, rows, limit=2)).moved == 1
    assert (await verify(streams)).ledger_ok


async def test_keys_of_another_type_are_a_clear_error_and_move_nothing(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    keys = streams.keys
    await redis.set(keys.lane("default"), "x")
    await streams.publish(session, frames(0, 1))
    report = await streams.dispatch(EPOCH, NODE, table())
    assert (report.read, report.parked, report.capture) == (0, [], 1)
    await redis.delete(keys.lane("default"))
    assert (await streams.dispatch(EPOCH, NODE, table(), claim=True)).parked == [("default", 1)]

    await redis.delete(keys.capture)
    await redis.set(keys.capture, "x")
    assert await streams.publish(session, [frame(1, payload=b"z" * 5000)]) == ["refused:capture"]
    assert not await redis.exists(keys.payload("cam", 1))
    with pytest.raises(RedisRefused, match="a key of the frames holds something else"):
        await streams.dispatch(EPOCH, NODE, table())
    await redis.set(keys.ready("p1"), "x")
    with pytest.raises(RedisRefused):
        await streams.take("p1", "c")


async def test_two_prefixes_do_not_know_each_other(streams: FrameStreams) -> None:
    other = FrameStreams(streams.redis, Keys("frames{1}"))
    await streams.publish(await opened(streams), frames(0, 3))
    await other.publish(await opened(other, "cam2"), frames(0, 1))
    assert ((await streams.stats()).capture_len, (await other.stats()).capture_len) == (3, 1)
    assert list((await other.stats()).cameras) == ["cam2"]


async def _blocked(streams: FrameStreams) -> bool:
    info = await streams.redis.info("clients")
    return int(info["blocked_clients"]) > 0
