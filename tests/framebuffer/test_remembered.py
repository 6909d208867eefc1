"""What the library remembers of frames in hand and of the ledger changes nothing: who holds one, what is final."""

import asyncio
import random

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from framebuffer import bitmaps
from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.library import library
from framebuffer.streams import FrameStreams
from framebuffer.wire import Settlement, TakenFrame
from tests.framebuffer.frames import EPOCH, NODE, add_copy, entries, frame, frames, opened, record, settle_all, table
from tests.support import eventually

MANY = 12  # more than the few whose holders are looked up one by one
ROWS = table(("p1", "default", 1_000))


async def in_queue(streams: FrameStreams, number: int) -> None:
    """So many new frames in the queue of p1."""
    session = await opened(streams)
    first = session.next_sequence
    await streams.publish(session, frames(first, first + number))
    await streams.dispatch(EPOCH, NODE, ROWS, limit=number)


def settlements(taken: list[TakenFrame]) -> list[Settlement]:
    return [Settlement(one.entry_id, result=b"{}") for one in taken]


@pytest.mark.anyio
async def test_only_who_holds_them_settles_many(streams: FrameStreams) -> None:
    await in_queue(streams, 2 * MANY)
    mine = await streams.take("p1", "c", count=MANY)
    assert await streams.settle("p1", "thief", settlements(mine)) == ["not-owner"] * MANY
    others = await streams.take("p1", "other", count=MANY)
    mixed = [*mine[:6], *others[:6]]
    assert await streams.settle("p1", "c", settlements(mixed)) == ["settled"] * 6 + ["not-owner"] * 6
    assert await streams.settle("p1", "other", settlements(others)) == ["settled"] * MANY
    assert await settle_all(streams, "p1", [*mine[6:], *mine]) == ["settled"] * 6 + ["not-owner"] * MANY
    report = await verify(streams)
    assert (report.settled, report.in_flight, report.ledger_ok) == (2 * MANY, 0, True)
    assert len(await entries(streams.redis, streams.keys.results)) == 2 * MANY


@pytest.mark.anyio
async def test_the_same_frame_many_times_in_one_call_is_settled_once(streams: FrameStreams) -> None:
    await in_queue(streams, MANY)
    (one, *_) = await streams.take("p1", "c", count=MANY)
    assert await settle_all(streams, "p1", [one] * MANY) == ["settled"] + ["not-owner"] * (MANY - 1)
    assert (await verify(streams)).settled == 1


@pytest.mark.anyio
async def test_a_lease_that_ran_out_is_out_of_hand(streams: FrameStreams) -> None:
    await in_queue(streams, MANY)
    taken = await streams.take("p1", "c", count=MANY)
    moved = 0

    async def all_moved() -> bool:
        nonlocal moved
        moved += await streams.expire(EPOCH, "p1", 1)
        return moved == MANY

    await eventually(all_moved, deadline_s=20)
    assert await settle_all(streams, "p1", taken) == ["not-owner"] * MANY
    await streams.dispatch(EPOCH, NODE, ROWS, limit=MANY)
    report = await verify(streams)
    assert (report.settled, report.in_flight, report.ledger_ok) == (0, MANY, True)


@pytest.mark.anyio
async def test_an_entry_that_vanished_leaves_the_hand_with_its_lease(streams: FrameStreams, redis: Redis) -> None:
    """Else nobody's frames in that queue would be known by memory again: there would always be one too few."""
    await in_queue(streams, MANY)
    taken = await streams.take("p1", "c", count=MANY)
    queue, victim = streams.keys.ready("p1"), taken[3].entry_id
    await execute(redis, "XCLAIM", queue, "p1-group", "c", 0, victim, "IDLE", 3_600_000)
    await execute(redis, "XDEL", queue, victim)
    assert await streams.expire(EPOCH, "p1", 1_800_000) == 0
    await execute(redis, "CONFIG", "RESETSTAT")
    assert await settle_all(streams, "p1", [one for one in taken if one.entry_id != victim]) == ["settled"] * (MANY - 1)
    commands: dict[str, dict[str, int]] = await redis.info("commandstats")
    assert commands["cmdstat_xpending"]["calls"] == 1  # the short question


@pytest.mark.anyio
@pytest.mark.parametrize("harm", ["claimed", "acknowledged", "forgotten"])
async def test_what_others_did_to_the_queue_is_seen(streams: FrameStreams, redis: Redis, harm: str) -> None:
    await in_queue(streams, MANY)
    taken = await streams.take("p1", "c", count=MANY)
    queue, victim = streams.keys.ready("p1"), taken[3].entry_id
    if harm == "claimed":
        await execute(redis, "XCLAIM", queue, "p1-group", "thief", 0, victim)
    elif harm == "acknowledged":
        await execute(redis, "XACK", queue, "p1-group", victim)
    else:
        await execute(redis, "FUNCTION", "LOAD", "REPLACE", library().code)
    expected = ["settled"] * MANY
    if harm != "forgotten":
        expected[3] = "not-owner"
    assert await settle_all(streams, "p1", taken) == expected
    assert len(await entries(redis, streams.keys.results)) == expected.count("settled")


@pytest.mark.anyio
async def test_final_bits_that_lie_far_apart_are_each_found(streams: FrameStreams) -> None:
    """A call reads them a page of 2,048 sequences at a time."""
    session = await opened(streams)
    far = [number * 700 + number % 3 for number in range(2 * MANY)]
    assert await streams.publish(session, [frame(number) for number in far]) == ["ok"] * len(far)
    await streams.dispatch(EPOCH, NODE, ROWS, limit=len(far))
    copies = await entries(streams.redis, streams.keys.ready("p1"))
    taken = await streams.take("p1", "c", count=len(far))
    order = random.Random(11).sample(range(len(far)), len(far))
    done: set[int] = set()
    for chosen in (order[:5], order[5:6], order[6:20]):
        assert await settle_all(streams, "p1", [taken[at] for at in chosen]) == ["settled"] * len(chosen)
        done |= {far[at] for at in chosen}
        ledger = await streams.camera_ledger("cam")
        assert {one for one in range(far[-1] + 1) if bitmaps.is_set(ledger.bits[0][1], one)} == done
    # Those that come again are known, and the others beside them are not taken for them.
    again, rest = order[:12], order[20:]
    for at in again:
        await add_copy(streams.redis, streams.keys.ready("p1"), copies[at])
    mixed = [*(taken[at] for at in rest), *await streams.take("p1", "c", count=len(again))]
    assert await settle_all(streams, "p1", mixed) == ["settled"] * len(rest) + ["duplicate"] * len(again)
    row = await record(streams)
    assert (row["settled"], row["finals"], row["final_max"]) == (len(far), 0, far[-1])


@pytest.mark.anyio
async def test_whole_words_of_final_bits_are_passed_at_once(streams: FrameStreams) -> None:
    number = 4 * 32 + 7
    await in_queue(streams, number)
    taken = await streams.take("p1", "c", count=number)
    for first, last, finals in ((1, 64, -1), (65, number, -1), (0, 1, 63), (64, 65, number - 1)):
        assert await settle_all(streams, "p1", taken[first:last]) == ["settled"] * (last - first)
        assert (await record(streams))["finals"] == finals
    report = await verify(streams)
    assert (report.settled, report.in_flight, report.ledger_ok) == (number, 0, True)


@pytest.mark.anyio
@pytest.mark.parametrize("lend_ms", [0, 5_000])
async def test_sequences_of_one_call_in_any_order(streams: FrameStreams, lend_ms: int) -> None:
    session = await opened(streams)
    await streams.dispatch(EPOCH, NODE, ROWS, lend_ms=lend_ms)
    sent = [0, 1, 1, 0, 3, 5, 2, 4, 6, 5, 2**53, 7]
    statuses = await streams.publish(session, [frame(number) for number in sent])
    refused = {2: "duplicate", 3: "duplicate", 9: "duplicate", 10: "refused:sequence"}
    assert statuses == [refused.get(at, "ok") for at in range(len(sent))]
    odd = [msgspec.structs.replace(frame(8), frame_id="a b"), msgspec.structs.replace(frame(8), priority=11), frame(8)]
    assert await streams.publish(session, odd) == ["refused:frame_id", "refused:priority", "ok"]
    row = await record(streams)
    assert (row["published"], row["highest"], row["contiguous"], row["republished"]) == (9, 8, 8, 3)
    assert (await verify(streams)).ledger_ok


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), forgets=st.sampled_from([0.0, 0.3]), segment=st.sampled_from([32, 96, 65_536]))
def test_what_is_final_is_what_was_settled_in_any_order(
    server: EmbeddedServer, seed: int, forgets: float, segment: int
) -> None:
    """``forgets``: how often the library knows nothing before a call."""
    rng, number = random.Random(seed), 160

    async def run() -> None:
        async with connect(server.url) as redis:
            await execute(redis, "FLUSHALL")  # leaves the library, and all that it remembers
            streams = FrameStreams(redis, segment_size=segment)
            await streams.ready()
            await in_queue(streams, number)
            taken = await streams.take("p1", "c", count=number)
            rng.shuffle(taken)
            done: set[int] = set()
            while taken:
                if rng.random() < forgets:
                    await execute(redis, "FUNCTION", "LOAD", "REPLACE", library().code)
                size = rng.randint(1, 60)
                batch, taken = taken[:size], taken[size:]
                assert await settle_all(streams, "p1", batch) == ["settled"] * len(batch)
                done |= {one.sequence for one in batch}
                row = await record(streams)
                first = min(set(range(number + 1)) - done)
                assert (row["settled"], row["finals"], row["final_max"]) == (len(done), first - 1, max(done))
                if rng.random() < 0.3 or not taken:
                    report = await verify(streams)
                    assert (report.settled, report.in_flight, report.lost) == (len(done), number - len(done), 0)
                    assert report.ledger_ok, report.problems

    asyncio.run(run())


@pytest.mark.anyio
async def test_databases_of_one_server_have_ledgers_of_their_own(server: EmbeddedServer, redis: Redis) -> None:
    """They have one library, and records of the same bytes; what is final is not the same."""
    async with connect(f"{server.url.removesuffix('/0')}/1") as beside:
        both = [FrameStreams(redis), FrameStreams(beside)]
        taken = []
        for streams in both:
            await streams.ready()
            await in_queue(streams, 4)
            taken.append(await streams.take("p1", "c", count=4))
        for at, database in ((3, 1), (2, 1), (3, 0), (1, 0), (1, 1), (2, 0), (0, 1), (0, 0)):
            assert await settle_all(both[database], "p1", [taken[database][at]]) == ["settled"]
        for streams in both:
            report = await verify(streams)
            assert (report.settled, report.in_flight, report.ledger_ok) == (4, 0, True)
            await streams.aclose()
