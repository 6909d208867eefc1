"""Sentinel: real servers and sentinels, a primary that dies, one that hands over, and what redis-py would do then."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest

from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary
from framebuffer.embedded_set import PORTS
from framebuffer.errors import NotDurable, RedisFailure, RedisRefused, RedisUnavailable
from framebuffer.following import Ended, follow, positions_of
from framebuffer.ledger import verify
from framebuffer.pressure import Level
from framebuffer.producer import FrameProducer
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import Given
from tests.framebuffer.frames import EPOCH, NODE, frames, opened, settle_all, table
from tests.framebuffer.sentinel_set import LinkedSet
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

PASSWORD = "p/w@ é"
ROWS = table(("p1", "default", 10_000))
IMAGE = {"width": 4, "height": 3, "format": "jpeg"}


@pytest.fixture(autouse=True)
def no_processes_left() -> None:
    """In place of the one of all suites: servers of the set that a test starts again live on until `sentinels` ends."""


@pytest.fixture(scope="module")
async def sentinels(
    valkey_binary: Binary, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[LinkedSet]:
    """One laggard, so that a frame which only the other replica has is a risk. Healthy before each test."""
    async with LinkedSet(tmp_path_factory.mktemp("set"), valkey_binary, (0.0, 0.0, 0.06), PASSWORD) as running:
        yield running
    assert [process.pid for process in (*running.set.servers, *running.set.sentinels)] == [None] * PORTS


@pytest.fixture
async def streams(sentinels: LinkedSet) -> AsyncIterator[FrameStreams]:
    await sentinels.set.healthy()
    redis = connect(sentinels.url)
    await execute(redis, "FLUSHALL")
    ready = FrameStreams(redis)
    await ready.ready()
    yield ready
    await ready.aclose()
    await redis.aclose()


async def test_a_lost_reply_writes_nothing_twice(sentinels: LinkedSet, streams: FrameStreams) -> None:
    """redis-py would repeat the command by itself, up to ten times."""
    async with FrameProducer("cam", sentinels.url, durability="majority") as producer:
        link = sentinels.links[await sentinels.lose_reply_to(b"_publish")]
        await producer.publish(b"jpeg", **IMAGE)
        await producer.flush()
        counters = producer.counters
    assert (counters.published, counters.duplicates, link.lost[b"_publish"]) == (0, 1, 1)
    assert counters.retries >= 1  # it was the producer that repeated, and nobody below it
    stats = await streams.stats()
    assert (stats.capture_len, stats.cameras["cam"].published) == (1, 1)


async def test_a_cancelled_take_leaves_nothing_undelivered(streams: FrameStreams) -> None:
    session = await opened(streams)
    for round_ in range(10):
        await streams.publish(session, frames(round_, round_ + 1))
        await streams.dispatch(EPOCH, NODE, ROWS)
        take = asyncio.create_task(streams.take("p1", "c"))
        await asyncio.sleep(0.0004 * round_)  # before it is sent, on its way, and answered
        take.cancel()
        await asyncio.wait({take})
    again = await streams.take("p1", "c", own=True)
    again += await streams.take("p1", "c")
    assert sorted(frame.sequence for frame in again) == list(range(10))
    assert set(await settle_all(streams, "p1", again)) == {"settled"}
    assert (await verify(streams)).ledger_ok


async def test_what_cannot_be_confirmed_is_not_durable(sentinels: LinkedSet, streams: FrameStreams) -> None:
    session = await opened(streams)
    assert await streams.publish(session, frames(0, 1), durability="majority") == ["ok"]
    primary = await sentinels.set.primary()
    dead = (primary + 1) % 3
    await sentinels.set.servers[dead].kill()
    with pytest.raises(NotDurable, match="1 of 2 replicas"):
        await streams.publish(session, frames(1, 2), durability="majority")
    assert await streams.publish(session, frames(1, 2), durability=1) == ["duplicate"]
    given = [Given("cam-2", 2, "freshest")]
    with pytest.raises(NotDurable, match="1 of 2 replicas"):
        await streams.drop(session, given, durability="majority")
    assert await streams.drop(session, given, durability=1) == ["duplicate"]
    await sentinels.set.restart(dead)
    assert await _repeated(lambda: streams.publish(session, frames(1, 2), durability="majority")) == ["duplicate"]
    assert await streams.drop(session, given, durability="majority") == ["duplicate"]
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.dropped) == (True, 3, 1)


async def test_a_primary_that_loses_power_is_replaced(sentinels: LinkedSet, streams: FrameStreams) -> None:
    """Nothing that was acknowledged is lost, the library is there, and nobody waits at the dead server."""
    session = await opened(streams)
    await streams.publish(session, frames(0, 99), durability="majority")
    await streams.dispatch(EPOCH, NODE, ROWS)
    taken = await streams.take("p1", "c", count=50)
    # Who has taken what is replicated in its time. What is confirmed after it confirms it, too: else it may be lost
    # with the server, and the frames are given out again.
    await streams.publish(session, frames(99, 100), durability="majority")
    waiting = asyncio.create_task(streams.wait({streams.keys.results: "$"}, 30))
    await eventually(lambda: _blocked(streams))
    at = await sentinels.lose_power()
    with pytest.raises(RedisUnavailable):
        await waiting
    # No function is loaded again: the library came by replication. Where a call was done and its answer lost, on a
    # machine that stood still meanwhile, the repeat finds the frames gone: whether they are settled the ledger says.
    assert set(await _repeated(lambda: settle_all(streams, "p1", taken))) in ({"settled"}, {"not-owner"})
    assert await sentinels.failed_over(at) != at
    report = await verify(streams)
    assert (report.published, report.settled, report.ledger_ok) == (100, 50, True), report.problems


async def test_what_was_given_up_is_not_lost_with_the_primary(valkey_binary: Binary, tmp_path: Path) -> None:
    """Nor twice. All replicas lag, so that whichever is promoted lacks what was not waited for."""
    async with LinkedSet(tmp_path, valkey_binary, (0.2, 0.2, 0.2)) as lagging:
        redis = connect(lagging.url)
        streams = FrameStreams(redis)
        await streams.ready()
        await streams.fence(EPOCH, NODE)
        await streams.set_pressure(EPOCH, Level.CRITICAL)
        async with FrameProducer("cam", lagging.url, policy="freshest", durability="majority", drain_s=20) as producer:

            async def film() -> None:
                while True:
                    await producer.publish(b"jpeg", **IMAGE)
                    await asyncio.sleep(0.005)

            for _ in range(20):
                await producer.publish(b"jpeg", **IMAGE)
            await eventually(lambda: not producer.unrecorded)
            recorded = producer.counters.freshest
            filming = asyncio.create_task(film())
            await eventually(lambda: producer.unrecorded > 10)  # written and under way, some of them
            at = await lagging.lose_power()
            await lagging.failed_over(at)
            assert (await streams.stats()).cameras["cam"].dropped >= recorded == 19
            filming.cancel()
            await asyncio.wait({filming})
            await _repeated(lambda: streams.set_pressure(EPOCH, Level.NORMAL))
            await producer.flush()
            counters = producer.counters
        report = await verify(streams)
        assert (report.ledger_ok, report.lost, report.dropped) == (True, 0, counters.freshest), report.problems
        assert report.published == counters.accepted
        await streams.aclose()
        await redis.aclose()


async def test_a_result_that_was_read_may_come_again_and_counts_once(valkey_binary: Binary, tmp_path: Path) -> None:
    """Settlements are not waited for. Who keeps camera and sequence (docs/frames.md) uses each result once."""
    async with LinkedSet(tmp_path, valkey_binary, (1.0, 1.0, 1.0)) as lagging:
        redis = connect(lagging.url, timeout_s=6.0)  # it waits for half as long for the laggards
        streams = FrameStreams(redis)
        await streams.ready()
        session = await opened(streams)
        await _repeated(lambda: streams.publish(session, frames(0, 5), durability="majority"))
        shards, results, used = ShardedStreams((streams,)), list[Ended](), Counter[tuple[str, int]]()
        seen: dict[str, set[int]] = defaultdict(set)
        positions = positions_of("0", 1)

        async def settled_and_read() -> None:
            nonlocal positions
            await streams.fence(EPOCH, NODE)
            await streams.dispatch(EPOCH, NODE, ROWS)
            taken = await streams.take("p1", "c", own=True) + await streams.take("p1", "c")
            assert await settle_all(streams, "p1", taken) == ["settled"] * 5
            found, positions, _ = await follow(shards, positions)
            for result in found:
                results.append(result)
                if result.sequence not in seen[result.camera_id]:
                    seen[result.camera_id].add(result.sequence)
                    used[result.camera_id, result.sequence] += 1

        await settled_and_read()
        await lagging.failed_over(await lagging.lose_power())
        await _repeated(settled_and_read)
        assert len(results) == 10
        assert used == {("cam", number): 1 for number in range(5)}
        report = await verify(streams)
        assert (report.settled, report.duplicates, report.ledger_ok) == (5, 0, True), report.problems
        await streams.aclose()
        await redis.aclose()


async def test_a_planned_failover_loses_nothing(sentinels: LinkedSet, streams: FrameStreams) -> None:
    async with FrameProducer("cam", sentinels.url, durability="majority", buffer=8) as producer:

        async def film() -> None:
            while True:
                await producer.publish(b"jpeg", **IMAGE)

        filming = asyncio.create_task(film())
        at = await sentinels.set.primary()
        await eventually(lambda: producer.counters.published > 20)
        await sentinels.set.failover()
        assert await sentinels.set.moved_from(at) != at
        confirmed = producer.counters.published
        await eventually(lambda: producer.counters.published > confirmed + 20, deadline_s=20)
        filming.cancel()
        await asyncio.wait({filming})
        await producer.flush()
        counters = producer.counters
    report = await verify(streams)
    assert report.lost == 0
    assert report.published == counters.published + counters.duplicates == counters.accepted
    assert counters.rollbacks == 0


async def test_without_sentinels_it_says_what_is_missing() -> None:
    port = free_port()
    redis = connect(f"redis+sentinel://127.0.0.1:{port}/frames", timeout_s=0.5)
    with pytest.raises(RedisUnavailable, match=f"no sentinel names a primary 'frames'.*{port}") as missing:
        await FrameStreams(redis).ready()
    assert missing.value.reason == "no_primary"
    await redis.aclose()


async def test_a_wrong_password_is_refused_and_not_shown(sentinels: LinkedSet) -> None:
    redis = connect(sentinels.set.url, password="guessed", sentinel_password=f"S{PASSWORD}")
    with pytest.raises(RedisRefused, match=r"(?i)password") as refused:
        await FrameStreams(redis).ready()
    assert "guessed" not in str(refused.value)
    await redis.aclose()


async def test_a_name_that_no_sentinel_knows_is_said_so(sentinels: LinkedSet) -> None:
    redis = connect(sentinels.url.replace("/frames", "/films"))
    with pytest.raises(RedisUnavailable, match=r"no sentinel names a primary 'films'.*No such master"):
        await FrameStreams(redis).ready()
    await redis.aclose()


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://h1,h2",
        "redis+sentinel://h1:x/frames",
        "redis+sentinel:///frames",
        "redis+sentinel://h1/frames/a",
        "redis+sentinel://h1/frames?retry=3",
        "redis+queue://h1/frames",
    ],
)
async def test_odd_urls_are_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(RedisRefused, match="not a Redis URL") as refused:
        connect(url.replace("//", "//user:pa55@"))
    assert "pa55" not in str(refused.value)


async def _blocked(streams: FrameStreams) -> bool:
    return int((await streams.redis.info("clients"))["blocked_clients"]) > 0


T = TypeVar("T")


async def _repeated(call: Callable[[], Awaitable[T]], deadline_s: float = 15.0) -> T:
    """As every loop of ours does: again until the server answers."""
    async with asyncio.timeout(deadline_s):
        while True:
            try:
                return await call()
            except (RedisFailure, NotDurable):
                await asyncio.sleep(0.02)
