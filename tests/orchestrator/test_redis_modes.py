"""A node whose frames are in a real cluster, or behind sentinels: dispatched from every shard, and after a failover."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from framebuffer.embedded_cluster import EmbeddedCluster
from framebuffer.embedded_set import PORTS, EmbeddedSet
from framebuffer.errors import RedisFailure
from framebuffer.gateway import FrameGateway
from framebuffer.producer import FrameProducer
from framebuffer.shards import ShardedStreams
from framebuffer.wire import Settlement
from tests.orchestrator.api_nodes import serving
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

IMAGE = {"width": 4, "height": 3, "format": "jpeg"}
CAMERAS = [f"cam{number}" for number in range(6)]


@asynccontextmanager
async def one_node(directory: Path, redis: dict[str, Any]) -> AsyncIterator[tuple[httpx.AsyncClient, dict[str, Any]]]:
    """A node with these settings of `redis`, and what it has answered to a processor that registered."""

    def rewrite(_: int, tree: dict[str, Any]) -> None:
        tree["redis"] = redis

    async with serving(1, directory, rewrite=rewrite, frames={"heartbeat_timeout_s": 60}) as nodes:
        client = nodes.clients[0]

        async def registered() -> httpx.Response | None:
            body = {"id": "p1", "capabilities": ["default"], "capacity": 300}
            answer = await client.post("/processors/register", json=body)
            return answer if answer.status_code == 201 else None

        answer = await eventually(registered, deadline_s=10)
        assert answer is not None
        yield client, answer.json()


async def _filmed(url: str, frames: int, **options: Any) -> None:
    async with FrameGateway(url, **options) as gateway:
        for camera in CAMERAS:
            async with FrameProducer(camera, gateway) as producer:
                for _ in range(frames):
                    await producer.publish(b"jpeg", **IMAGE)


async def _queued(shards: ShardedStreams, wanted: int) -> bool:
    queue = (await shards.stats()).ready.get("p1")
    return queue is not None and queue.length == wanted


async def _settled(shards: ShardedStreams, wanted: int) -> None:
    """Take and settle what was dispatched, from every shard, until `wanted` frames are."""
    settled = 0
    async with asyncio.timeout(25):
        while settled < wanted:
            for part in shards.parts:
                try:
                    taken = await part.take("p1", "c", count=100)
                    outcomes = await part.settle("p1", "c", [Settlement(one.entry_id, result=b"{}") for one in taken])
                except RedisFailure:
                    continue
                settled += outcomes.count("settled")
            await asyncio.sleep(0.01)


async def _ledger(client: httpx.AsyncClient, accepts: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    async def found() -> dict[str, Any] | None:
        answer = await client.get("/v1/frames/ledger")
        body: dict[str, Any] = answer.json()
        return body if answer.status_code == 200 and accepts(body) else None

    ledger: dict[str, Any] | None = await eventually(found, deadline_s=15)
    assert ledger is not None
    return ledger


async def test_one_leader_dispatches_from_every_shard(tmp_path: Path) -> None:
    ports, bus = [free_port() for _ in range(3)], [free_port() for _ in range(3)]
    async with EmbeddedCluster(tmp_path / "redis", ports, bus=bus) as cluster:
        redis = {"mode": "cluster", "nodes": [f"127.0.0.1:{port}" for port in ports[:2]], "shards": 3}
        async with one_node(tmp_path, redis) as (client, told):
            assert (told["redis_url"], told["durability"]) == (
                f"redis+cluster://127.0.0.1:{ports[0]},127.0.0.1:{ports[1]}?shards=3",
                0,
            )
            where = (await client.get("/v1/frames/server")).json()
            assert where == {"redis_url": told["redis_url"], "durability": 0, "inline_bytes_max": 4096}
            await _filmed(told["redis_url"], 10)
            shards = ShardedStreams.connect(cluster.url)
            await eventually(lambda: _queued(shards, 60))

            async def told_depth() -> bool:  # by the leader's next pass, where the server has routed by itself
                depths = (await client.get("/metrics")).text.splitlines()
                return 'frame_buffer_processor_queue_depth{processor_id="p1"} 60.0' in depths

            await eventually(told_depth)
            await _settled(shards, 60)
            stats = (await client.get("/v1/frames/stats")).json()
            assert sorted(stats["cameras"]) == CAMERAS
            assert stats["fence"]["frames"] == 60
            ledger = await _ledger(client, lambda body: body["settled"] == 60)
            assert (ledger["published"], ledger["in_flight"], ledger["ledger_ok"]) == (60, 0, True)
            await shards.aclose()


@pytest.mark.campaign
async def test_dispatch_goes_on_after_a_failover(tmp_path: Path) -> None:
    async with EmbeddedSet(tmp_path / "redis", [free_port() for _ in range(PORTS)]) as sentinels:
        places = [f"127.0.0.1:{sentinel.port}" for sentinel in sentinels.sentinels]
        redis = {"mode": "sentinel", "sentinels": places, "durability": 1}
        async with one_node(tmp_path, redis) as (client, told):
            assert (told["redis_url"], told["durability"]) == (sentinels.url, 1)
            await _filmed(told["redis_url"], 10, durability=told["durability"])
            shards = ShardedStreams.connect(told["redis_url"])
            await _settled(shards, 60)
            at = await sentinels.kill_primary()
            await _filmed(told["redis_url"], 10, durability=told["durability"])
            await _settled(shards, 60)
            ledger = await _ledger(client, lambda body: body["settled"] == 120)
            assert (ledger["lost"], ledger["duplicates"], ledger["ledger_ok"]) == (0, 0, True)
            assert await sentinels.primary() != at

            async def ready() -> bool:  # the node looks after its server every half second
                return (await client.get("/readyz")).status_code == 200

            await eventually(ready)
            await shards.aclose()
