"""The leader's loop on a real server: it moves what can be moved, waits without polling, and ends when it is fenced."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from framebuffer.connection import connect
from framebuffer.dispatcher import Dispatcher
from framebuffer.embedded import EmbeddedServer
from framebuffer.errors import Fenced
from framebuffer.keys import CAPTURE_GROUP
from framebuffer.metrics import FrameMetrics
from framebuffer.registry import ProcessorRegistry
from framebuffer.routing import TableSource
from framebuffer.streams import FrameStreams
from framebuffer.wire import DispatchReport, Settlement
from tests.framebuffer.lossy_link import LossyLink
from tests.framebuffer.plant import EPOCH, NODE, Plant, register
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


@pytest.fixture
def server_url(server: EmbeddedServer) -> str:
    return server.url


@pytest.fixture
def plant(streams: FrameStreams) -> Plant:
    return Plant(streams)


class Leader:
    """A dispatcher over a registry, and what it reported."""

    def __init__(self, streams: FrameStreams, **options: Any) -> None:
        self.registry = ProcessorRegistry()
        self.reports: list[DispatchReport] = []
        self.prometheus = CollectorRegistry()
        self.dispatcher = Dispatcher(
            streams,
            epoch=EPOCH,
            node_id=NODE,
            table=TableSource(self.registry),
            on_report=self.reports.append,
            metrics=FrameMetrics(self.prometheus),
            **options,
        )

    @property
    def moved(self) -> int:
        return sum(report.moved for report in self.reports)

    def metric(self, name: str) -> float:
        return self.prometheus.get_sample_value(name) or 0.0


@asynccontextmanager
async def leading(plant: Plant, streams: FrameStreams | None = None, **options: Any) -> AsyncIterator[Leader]:
    await plant.streams.fence(EPOCH, NODE)
    leader = Leader(streams or plant.streams, **options)
    task = asyncio.create_task(leader.dispatcher.run())
    try:
        yield leader
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_frames_reach_the_queues_as_they_come(plant: Plant) -> None:
    async with leading(plant) as leader:
        register(leader.registry, "p1")
        register(leader.registry, "p2")
        for _ in range(5):
            await plant.publish(10)
        await eventually(lambda: leader.moved == 50)
    stats = await plant.streams.stats()
    assert {name: queue.length for name, queue in stats.ready.items()} == {"p1": 25, "p2": 25}
    assert stats.capture_len == 0
    assert leader.metric("frame_buffer_routing_duration_seconds_count") == len(leader.reports)
    assert leader.metric("frame_buffer_dispatch_batch_size_sum") == 50


async def test_a_new_frame_does_not_wait_for_the_next_pass(plant: Plant) -> None:
    async with leading(plant, block_s=30) as leader:
        register(leader.registry, "p1")
        await eventually(lambda: leader.reports)
        for number in range(5):
            await plant.publish(1)
            await eventually(lambda number=number: leader.moved == number + 1, deadline_s=5)  # type: ignore[misc]


async def test_a_backlog_is_moved_without_pauses(plant: Plant) -> None:
    for _ in range(4):
        await plant.publish(250)
    async with leading(plant, block_s=30, limit=64) as leader:
        register(leader.registry, "p1", capacity=10_000)
        await eventually(lambda: leader.moved == 1000, deadline_s=10)
        assert len(leader.reports) <= 1000 // 64 + 3


async def test_a_new_leader_claims_what_the_old_one_left_pending(plant: Plant) -> None:
    await plant.streams.fence((1, 1), "old")
    await plant.publish(200)
    taken: Any = await plant.redis.xreadgroup(CAPTURE_GROUP, "old", {plant.streams.keys.capture: ">"}, count=150)
    assert len(taken[0][1]) == 150
    async with leading(plant) as leader:
        register(leader.registry, "p1", capacity=10_000)
        await eventually(lambda: leader.moved == 200, deadline_s=10)
    stats = await plant.streams.stats()
    assert (stats.capture_len, stats.capture_pending) == (0, 0)
    assert stats.ready["p1"].length == 200


async def test_a_newer_leader_ends_it(plant: Plant) -> None:
    await plant.streams.fence(EPOCH, NODE)
    running = asyncio.create_task(Leader(plant.streams).dispatcher.run())
    await plant.streams.fence((EPOCH[0] + 1, 1), "n2")
    with pytest.raises(Fenced) as caught:
        await asyncio.wait_for(running, 5)
    assert caught.value.node_id == "n2"


async def test_wake_interrupts_the_wait(plant: Plant) -> None:
    async with leading(plant, block_s=30) as leader:
        await plant.publish(10)
        await eventually(lambda: leader.reports and leader.reports[-1].waiting == 10)
        register(leader.registry, "p1")
        leader.dispatcher.wake()
        await eventually(lambda: leader.moved == 10, deadline_s=5)
        register(leader.registry, "p2", "people")
        await plant.publish(3, capability="people")  # the wait that wake() overtook still works
        await eventually(lambda: leader.moved == 13, deadline_s=5)


async def test_a_settled_frame_makes_room_for_one_that_waits(plant: Plant) -> None:
    async with leading(plant, block_s=30) as leader:
        register(leader.registry, "p1", capacity=2)
        await plant.publish(6)
        await eventually(lambda: leader.moved == 2)
        for expected in (4, 6):
            taken = await plant.streams.take("p1", "p1-1")
            await plant.streams.settle("p1", "p1-1", [Settlement(frame.entry_id) for frame in taken])
            await eventually(lambda expected=expected: leader.moved == expected, deadline_s=5)  # type: ignore[misc]


async def test_frames_that_nobody_takes_do_not_make_it_spin(plant: Plant) -> None:
    async with leading(plant) as leader:
        register(leader.registry, "p1", capacity=5)
        await plant.publish(10)
        await plant.publish(10, capability="unheard-of")
        await eventually(lambda: leader.reports and leader.reports[-1].waiting == 15)
        before, began = await plant.function_calls(), time.monotonic()
        await eventually(lambda: time.monotonic() - began > 1.0)
        assert await plant.function_calls() - before <= 10  # one in 200 ms, and some


async def test_wakes_without_work_are_slowed_down(plant: Plant) -> None:
    async with leading(plant) as leader:
        await plant.publish(1, capability="unheard-of")
        await eventually(lambda: leader.reports and leader.reports[-1].waiting == 1)
        before, ends = len(leader.reports), time.monotonic() + 0.5
        while time.monotonic() < ends:
            await plant.redis.xadd(plant.streams.keys.wake, {"x": b""})
        assert len(leader.reports) - before <= 70  # a pause of 10 ms between passes in vain


async def test_an_outage_is_waited_out_with_one_line(
    plant: Plant, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "framebuffer.dispatcher")
    async with LossyLink(server_url) as link:
        redis = connect(link.url)
        streams = FrameStreams(redis)
        async with leading(plant, streams) as leader:
            register(leader.registry, "p1", capacity=1000)
            await plant.publish(5)
            await eventually(lambda: leader.moved == 5)
            assert leader.dispatcher.redis_answers
            link.down = True
            link.cut()
            await eventually(lambda: not leader.dispatcher.redis_answers)
            await plant.publish(5)
            await eventually(lambda: leader.metric("frame_buffer_redis_outages_total") == 1)
            link.down = False
            await eventually(lambda: leader.moved == 10)
        await streams.aclose()
        await redis.aclose()
    assert len(caplog.messages) == 2
    assert "works again" in caplog.messages[1]


async def test_a_lost_reply_moves_no_frame_twice(plant: Plant, server_url: str) -> None:
    async with LossyLink(server_url) as link:
        redis = connect(link.url)
        streams = FrameStreams(redis)
        async with leading(plant, streams) as leader:
            register(leader.registry, "p1", capacity=1000)
            await eventually(lambda: leader.reports)
            link.lose_reply_to(b"triarch_v2_dispatch", times=2)
            await plant.publish(20)
            await eventually(lambda: link.lost[b"triarch_v2_dispatch"] == 2)
            await plant.publish(20)

            async def all_queued() -> bool:
                return (await plant.streams.stats()).ready["p1"].length == 40

            await eventually(all_queued)
        await streams.aclose()
        await redis.aclose()
    frame_ids = [fields["frame"].split()[0] for _, fields in await plant.entries(plant.streams.keys.ready("p1"))]
    assert len(set(frame_ids)) == 40


async def test_a_kill_of_the_server_is_survived(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, free_port()) as server, connect(server.url) as redis:
        plant = Plant(FrameStreams(redis))
        async with leading(plant) as leader:
            register(leader.registry, "p1", capacity=1000)
            await plant.publish(20)
            await eventually(lambda: leader.moved == 20)
            await server.kill()
            await eventually(lambda: not leader.dispatcher.redis_answers)
            await server.start()
            await eventually(lambda: leader.dispatcher.redis_answers)
            await plant.publish(20)
            await eventually(lambda: leader.moved == 40)
        await plant.streams.aclose()


async def test_a_failing_report_is_not_swallowed(plant: Plant) -> None:
    await plant.streams.fence(EPOCH, NODE)

    def fail(_: DispatchReport) -> None:
        raise LookupError("the leader's own defect")

    dispatcher = Dispatcher(
        plant.streams, epoch=EPOCH, node_id=NODE, table=TableSource(ProcessorRegistry()), on_report=fail
    )
    with pytest.raises(LookupError):
        await asyncio.wait_for(dispatcher.run(), 5)


async def test_a_defect_of_the_wait_is_not_swallowed(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> bool:
        raise LookupError("a defect below")

    await plant.streams.fence(EPOCH, NODE)
    monkeypatch.setattr(plant.streams, "wait", broken)
    with pytest.raises(LookupError):
        await asyncio.wait_for(Leader(plant.streams).dispatcher.run(), 5)
