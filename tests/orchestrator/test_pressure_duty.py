"""The leader says how full the plant is: to producers, metrics, the log, and whoever asks. On a real node."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from framebuffer.backpressure import Durability
from framebuffer.connection import connect, execute
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import Settlement
from orchestrator import pressure_duty
from tests.orchestrator.api_nodes import Nodes, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

PLAYBOOK = Path(__file__).parents[2] / "playbooks" / "backpressure_critical.yaml"
SIZE = {"width": 4, "height": 4, "format": "jpeg"}


@pytest.fixture
async def nodes(tmp_path: Path) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path) as running:
        yield running


@pytest.fixture
async def streams(nodes: Nodes) -> AsyncIterator[FrameStreams]:
    redis = connect(nodes.redis.url)
    opened = FrameStreams(redis)
    yield opened
    await opened.aclose()
    await redis.aclose()


async def backpressure(http: httpx.AsyncClient) -> dict[str, Any]:
    found: dict[str, Any] = (await http.get("/control/status")).json()["backpressure"]
    return found


async def metric(http: httpx.AsyncClient, name: str) -> float:
    lines = (await http.get("/metrics")).text.splitlines()
    return next(float(line.split()[-1]) for line in lines if line.startswith(f"{name} "))


async def test_from_critical_to_normal(
    nodes: Nodes, streams: FrameStreams, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pressure_duty, "REPEAT_S", 0.2)
    http = nodes.clients[0]
    await eventually(lambda: _is(http, level=0, alert=None))
    answer = await http.put("/v1/playbooks/backpressure_critical", json={"text": PLAYBOOK.read_text()})
    assert answer.status_code == 201, answer.text
    with caplog.at_level(logging.INFO, "orchestrator.pressure_duty"):
        async with FrameProducer("cam", nodes.redis.url) as early:
            for _ in range(4):
                await early.publish(b"", **SIZE)
            for _ in range(2):
                await early.publish(b"", **SIZE, metadata={"detection_type": "bird"})
            await early.flush()

        # Frames, and nobody who could take one.
        await eventually(lambda: _is(http, level=3, name="critical", usage=None, capacity=0), deadline_s=10)
        status = await backpressure(http)
        assert "6 frames, no processor can take any" in status["alert"]["message"]
        assert status["unserved"] == {"bird": 2, "default": 4}
        assert await metric(http, "frame_buffer_backpressure_level") == 3
        assert await metric(http, "frame_buffer_backpressure_alerts_total") == 1
        await eventually(lambda: _told(streams, 3))
        await eventually(lambda: _relieved(http))
        await execute(streams.redis, "DEL", streams.keys.pressure)  # a failover that loses it
        await eventually(lambda: _told(streams, 3))

        async with FrameProducer("cam", nodes.redis.url) as producer:
            await producer.publish(b"", **SIZE)
            assert (producer.level, producer.buffered) == (3, 1)
            registration = {"id": "p1", "capabilities": ["default"], "capacity": 100}
            assert (await http.post("/processors/register", json=registration)).status_code == 201
            await http.post("/processors/p1/heartbeat")
            # Those that ask for what nobody offers wait in nobody's way.
            await eventually(lambda: _is(http, level=0, alert=None, outstanding=5, unserved={"bird": 2}))
            assert (await backpressure(http))["usage"] == 0.05
            await eventually(lambda: producer.counters.published == 1)
            await eventually(lambda: _told(streams, 0))
            assert await metric(http, "frame_buffer_backpressure_level") == 0
        taken = await streams.take("p1", "c", count=10)
        await streams.settle("p1", "c", [Settlement(one.entry_id) for one in taken])
        await eventually(lambda: _is(http, level=0, outstanding=0))
    said = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("backpressure is CRITICAL: 6 frames") and "producers pause" in line for line in said)
    assert any(line.startswith("backpressure is NORMAL: ") for line in said)
    assert any("no healthy processor offers: bird" in line for line in said)


async def test_producers_are_told_how_many_replicas_the_plant_wants(tmp_path: Path) -> None:
    def wanting(at: int, tree: dict[str, Any]) -> None:
        tree["redis"]["durability"] = 1

    async with serving(1, tmp_path, rewrite=wanting) as nodes:
        redis = connect(nodes.redis.url)
        streams = FrameStreams(redis)
        try:
            await eventually(lambda: _wanted(streams, 1))
            async with FrameProducer("cam", nodes.redis.url, drain_s=0, durability=0) as own:
                await own.publish(b"", **SIZE)
                await own.flush()
            producer = FrameProducer("cam", nodes.redis.url, drain_s=0)
            await producer.open()
            await producer.publish(b"", **SIZE)
            await eventually(lambda: producer.counters.retries)
            assert producer.counters.published == 0, "no replica has it"
            assert await producer.close() == 1
        finally:
            await streams.aclose()
            await redis.aclose()


async def _wanted(streams: FrameStreams, durability: Durability) -> bool:
    return (await streams.backpressure()).durability == durability


async def _is(http: httpx.AsyncClient, **expected: Any) -> bool:
    status = await backpressure(http)
    return all(status[name] == value for name, value in expected.items())


async def _relieved(http: httpx.AsyncClient) -> bool:
    """The event of the critical level has started the playbook that comes with Triarch, once."""
    rows = (await http.get("/v1/executions?playbook=backpressure_critical")).json()["executions"]
    if [row["status"] for row in rows] != ["SUCCEEDED"]:
        return False
    trigger = (await http.get(f"/v1/executions/{rows[0]['id']}")).json()["trigger"]
    assert (trigger["type"], trigger["source"]) == ("frames.backpressure", "orchestrator")
    payload = trigger["payload"]
    return (payload["level"], payload["usage"]) == (3, None) and set(payload["unserved"]) <= {"bird", "default"}


async def _told(streams: FrameStreams, level: int) -> bool:
    return await streams.pressure() == level
