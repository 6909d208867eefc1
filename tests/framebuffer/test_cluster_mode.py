"""A real cluster of three primaries: shards that lie on all of them, one leader, cameras and processors of all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from framebuffer.backpressure import Backpressure, CrowdedLane
from framebuffer.cameras import cameras, last_picture
from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary
from framebuffer.embedded_cluster import EmbeddedCluster
from framebuffer.errors import Fenced, InvalidName, RedisUnavailable
from framebuffer.keys import Keys
from framebuffer.latency import latency
from framebuffer.processor import ProcessorClient
from framebuffer.producer import FrameProducer
from framebuffer.sharding import keys_of_shard, report_of_all, shard_of, share_of, slot_of
from framebuffer.shards import ShardedStreams, verify_shards
from framebuffer.wire import DispatchReport, RoutingRow, RoutingTable, Settlement, TakenFrame
from tests.framebuffer.frames import EPOCH, NODE, frame, table
from tests.framebuffer.tiny_orchestrator import TinyOrchestrator
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

IMAGE = {"width": 4, "height": 3, "format": "jpeg"}
CAMERAS = [f"cam{number}" for number in range(6)]
ROWS = table(("p1", "default", 3000), ("p2", "default", 3000))


@pytest.fixture(scope="module")
async def cluster(
    valkey_binary: Binary, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[EmbeddedCluster]:
    ports, bus = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    directory = tmp_path_factory.mktemp("cluster")
    async with EmbeddedCluster(directory, ports, bus=bus, binary=valkey_binary) as running:
        yield running


@pytest.fixture
async def shards(cluster: EmbeddedCluster) -> AsyncIterator[ShardedStreams]:
    for at in range(len(cluster.servers)):
        await cluster.ask(at, "FLUSHALL", "SYNC")
    opened = ShardedStreams.connect(cluster.url)
    await opened.ready()
    yield opened
    await opened.aclose()


async def _dispatched(shards: ShardedStreams) -> int:
    moved = 0
    for at, part in enumerate(shards.parts):
        moved += (await part.dispatch(EPOCH, NODE, share_of(ROWS, at, len(shards)), limit=1000)).moved
    return moved


async def test_frames_go_through_every_primary(cluster: EmbeddedCluster, shards: ShardedStreams) -> None:
    owners = {await cluster.owner_of(slot_of(part.keys.prefix)) for part in shards.parts}
    assert owners == {0, 1, 2}
    assert {shard_of(camera, 3) for camera in CAMERAS} == {0, 1, 2}
    await shards.fence(EPOCH, NODE)
    for camera in CAMERAS:
        async with FrameProducer(camera, cluster.url) as producer:
            for _ in range(10):
                await producer.publish(b"x" * 5000, **IMAGE)
    assert await _dispatched(shards) == 60
    settled = 0
    for part in shards.parts:
        for processor in ("p1", "p2"):
            taken = await part.take(processor, "c", count=100)
            assert all(len(one.payload) == 5000 for one in taken)
            outcomes = await part.settle(processor, "c", [Settlement(one.entry_id, result=b"{}") for one in taken[1:]])
            settled += outcomes.count("settled")
    stats = await shards.stats()
    assert (len(stats.cameras), stats.results_added, stats.in_flight) == (6, settled, 60 - settled)
    assert stats.fence is not None
    assert (stats.fence.epoch, stats.fence.frames) == (EPOCH, 60)
    report = await verify_shards(shards)
    assert (report.published, report.settled, report.in_flight, report.ledger_ok) == (60, settled, 60 - settled, True)
    assert await shards.return_queue(EPOCH, "p1") + await shards.return_queue(EPOCH, "p2") == 60 - settled
    assert (await verify_shards(shards)).ledger_ok


async def test_pictures_and_latency_are_those_of_all_shards(cluster: EmbeddedCluster, shards: ShardedStreams) -> None:
    await shards.fence(EPOCH, NODE)
    for camera in CAMERAS:
        async with FrameProducer(camera, cluster.url) as producer:
            await producer.publish(b"\xff\xd8\xff" + camera.encode(), **IMAGE)

            async def kept(camera: str = camera) -> bool:
                picture = await last_picture(shards, camera)
                return picture is not None and picture.image.endswith(camera.encode())

            await eventually(kept, deadline_s=10)
    await _dispatched(shards)
    for part in shards.parts:
        for processor in ("p1", "p2"):
            taken = await part.take(processor, "c", count=100)
            await part.settle(processor, "c", [Settlement(one.entry_id, result=b"{}") for one in taken])
    first, more = await cameras(shards, limit=4)
    rest, last = await cameras(shards, after=first[-1].id, limit=4)
    assert [one.id for one in (*first, *rest)] == CAMERAS
    assert (more, last) == (True, False)
    assert [one.shard for one in first] == [shard_of(camera, 3) for camera in CAMERAS[:4]]
    assert all(one.picture is not None for one in (*first, *rest))
    told = await latency(shards, window_s=300)
    assert (told.results, told.complete) == (6, True)


async def test_one_processor_works_at_its_queues_in_all_shards(
    cluster: EmbeddedCluster, shards: ShardedStreams
) -> None:
    at_once, most, seen = 0, 0, set()

    async def work(frame: TakenFrame) -> None:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.002)
        at_once -= 1
        seen.add((frame.camera_id, frame.sequence))

    await shards.fence(EPOCH, NODE)
    for camera in CAMERAS:
        part = shards.of_camera(camera)
        frames = [frame(number) for number in range(20)]
        assert await part.publish(await part.open_camera(camera), frames) == ["ok"] * 20
    assert await _dispatched(shards) == 120
    with TinyOrchestrator(cluster.url).running() as node:
        client = ProcessorClient("p1", ["default"], node.url, work=work, concurrency=2, exists_wait_s=0.0)
        running = asyncio.create_task(client.start())
        mine = sum([(await part.stats()).ready["p1"].length for part in shards.parts])
        await eventually(lambda: client.counters.settled == mine)
        await client.stop()
        await running
        assert (client.counters.taken, client.counters.in_flight, len(seen)) == (mine, 0, mine)
        assert most == 2  # of all shards together
        assert {shard_of(camera, 3) for camera, _ in seen} == {0, 1, 2}

        async with aclosing(ProcessorClient("p2", ["default"], node.url, exists_wait_s=0.0).frames()) as handles:
            outcomes = []
            async for handle in handles:
                outcomes.append(await handle.accept())
                if len(outcomes) == 120 - mine:
                    break
    assert set(outcomes) == {"settled"}
    report = await verify_shards(shards)
    assert (report.settled, report.duplicates, report.ledger_ok) == (120, 0, True)


async def test_every_shard_is_fenced(shards: ShardedStreams) -> None:
    await shards.fence((4, 1), "n2")
    for part in shards.parts:
        with pytest.raises(Fenced):
            await part.dispatch(EPOCH, NODE, ROWS)
    with pytest.raises(Fenced):
        await shards.set_pressure(EPOCH, 1)
    await shards.set_pressure((4, 1), Backpressure(2, {"face": 3}))
    assert await shards.pressure() == 2
    assert await shards.backpressure() == Backpressure(2, {"face": 3})


async def test_the_dead_of_all_shards(shards: ShardedStreams) -> None:
    await shards.fence(EPOCH, NODE)
    for camera in CAMERAS[:4]:
        part = shards.of_camera(camera)
        await part.publish(await part.open_camera(camera), [frame(0)])
    await _dispatched(shards)
    for part in shards.parts:
        for processor in ("p1", "p2"):
            taken = await part.take(processor, "c", count=100)
            await part.settle(processor, "c", [Settlement(one.entry_id, "dead", reason="blurred") for one in taken])
    first = await shards.dead_list(count=3)
    rest = await shards.dead_list(first[-1].entry_id)
    assert sorted(one.camera_id for one in (*first, *rest)) == CAMERAS[:4]
    ids = [one.entry_id for one in (*first, *rest)]
    assert await shards.dead_replay([ids[3], ids[0]]) == ["replayed", "replayed"]
    assert await shards.dead_drop([*ids[:3], "0/1-1"]) == ["not-found", "dropped", "dropped", "not-found"]
    with pytest.raises(InvalidName):
        await shards.dead_list("7/1-1")
    assert (await shards.stats()).dead_len == 0


async def test_a_slot_that_moves_takes_its_frames_along(cluster: EmbeddedCluster, shards: ShardedStreams) -> None:
    """Calls fail while its keys are under way, and go on behind them: also the read that waits."""
    await shards.fence(EPOCH, NODE)
    part = shards.parts[0]
    session = await part.open_camera("cam")
    await part.publish(session, [frame(0), frame(1)])
    slot = slot_of(part.keys.prefix)
    source = await cluster.owner_of(slot)
    target = (source + 1) % 3
    waiting = asyncio.create_task(part.wait({part.keys.results: "$"}, 20))
    ids = [(await cluster.ask(at, "CLUSTER", "MYID")).decode() for at in (source, target)]
    await cluster.ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[0])
    await cluster.ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[1])
    with pytest.raises(RedisUnavailable) as unavailable:
        await part.publish(session, [frame(2)])
    assert unavailable.value.reason == "moved"
    keys = [key.decode() for key in await cluster.ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 1000)]
    await cluster.ask(source, "MIGRATE", "127.0.0.1", cluster.servers[target].port, "", 0, 5000, "KEYS", *keys)
    for at in (target, source, 3 - source - target):
        await cluster.ask(at, "CLUSTER", "SETSLOT", slot, "NODE", ids[1])

    async def published() -> bool:
        try:
            return await part.publish(session, [frame(2)]) == ["ok"]
        except RedisUnavailable:
            return False

    await eventually(published)
    with pytest.raises(RedisUnavailable):
        await waiting
    assert (await part.stats()).capture_len == 3
    assert (await verify_shards(shards)).ledger_ok
    assert await cluster.owner_of(slot) == target


async def test_one_shard_speaks_to_one_primary_only(cluster: EmbeddedCluster) -> None:
    """A plain client of a cluster is bound to the slot of its keys, wherever it asks first."""
    owner = await cluster.owner_of(slot_of("frames"))
    redis = connect(cluster.url)
    assert (await redis.info("server"))["tcp_port"] == cluster.servers[owner].port
    await execute(redis, "SET", "{frames}:x", "1")
    await redis.aclose()


def test_shards_lie_evenly_and_for_ever() -> None:
    assert [keys_of_shard(shard).prefix for shard in range(3)] == PREFIXES
    for shards in (3, 6, 9, 12):
        places = [slot_of(keys_of_shard(shard).prefix) * 3 // 16384 for shard in range(shards)]
        assert [places.count(third) for third in range(3)] == [shards // 3] * 3
    assert [shard_of(camera, 3) for camera in CAMERAS] == SHARDS_OF_CAMERAS
    counts = [[shard_of(f"c{number}", 3) for number in range(3000)].count(shard) for shard in range(3)]
    assert min(counts) > 900


PREFIXES = ["frames{0.17}", "frames{1.19}", "frames{2.39}"]
SHARDS_OF_CAMERAS = [0, 1, 2, 1, 1, 0]


def test_a_report_has_the_figures_of_all_shards() -> None:
    def report(scale: int, *lanes: CrowdedLane) -> DispatchReport:
        ids: dict[str, str] = {}
        return DispatchReport(
            scale,
            0,
            [],
            [],
            {},
            2 * scale,
            False,
            ids,
            "0-0",
            0,
            3 * scale,
            4 * scale,
            5 * scale,
            lanes,
            {"dog": scale},
        )

    first = report(1, CrowdedLane("face", 1, 2, 3), CrowdedLane("cat", 1, 1, 1))
    every = (first, report(10, CrowdedLane("face", 10, 20, 30)))
    joined = report_of_all(first, every)
    assert (joined.read, joined.waiting, joined.capture, joined.outstanding, joined.capacity) == (1, 22, 33, 44, 55)
    assert joined.crowded == (CrowdedLane("face", 11, 22, 33), CrowdedLane("cat", 1, 1, 1))
    assert joined.unserved == {"dog": 11}


def test_capacity_is_shared_out() -> None:
    whole = RoutingTable(rows=tuple(RoutingRow(f"p{n}", ("face",), n) for n in (1, 2, 3, 7, 32)))
    shares = [share_of(whole, shard, 3) for shard in range(3)]
    sums = [sum(share.rows[at].capacity for share in shares) for at in range(5)]
    assert sums == [3, 3, 3, 7, 32]
    assert share_of(whole, 0, 1) is whole
    assert Keys().prefix == "frames"
