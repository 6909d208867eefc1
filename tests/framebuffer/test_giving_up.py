"""What cameras give up while the server is away or full: nobody waits for it, and it is recorded, or said."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TypeAlias

import pytest
from redis.asyncio import Redis

from framebuffer.backpressure import Backpressure
from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary, EmbeddedServer
from framebuffer.errors import ProducerClosed
from framebuffer.gateway import FrameGateway
from framebuffer.ledger import verify
from framebuffer.policy import PolicyName
from framebuffer.pressure import Level
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from tests.framebuffer.frames import EPOCH
from tests.framebuffer.lossy_link import LossyLink
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

SIZE = {"width": 640, "height": 480, "format": "jpeg"}
DEADLINE_S = 0.2

Limit: TypeAlias = Callable[[bool], Awaitable[None]]


@pytest.fixture
async def own(valkey_binary: Binary, tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    """A server that the test may kill."""
    async with EmbeddedServer(tmp_path, free_port(), binary=valkey_binary) as running:
        yield running


@pytest.fixture
async def full(redis: Redis) -> AsyncIterator[Limit]:
    """Call it to say whether the server takes anything."""

    async def memory(limited: bool) -> None:
        await execute(redis, "CONFIG", "SET", "maxmemory", "1" if limited else "0")

    yield memory
    await memory(False)


async def publish(producer: FrameProducer, count: int) -> None:
    for _ in range(count):
        await producer.publish(b"", **SIZE)


# -- in an outage -----------------------------------------------------------------------------------------------------


async def test_a_deadline_holds_in_an_outage_that_finds_the_whole_buffer_in_flight(own: EmbeddedServer) -> None:
    async with FrameProducer("cam", own.url, policy="deadline", deadline_s=DEADLINE_S, buffer=4) as producer:
        await publish(producer, 1)
        await producer.flush()
        await own.kill()
        await publish(producer, 4)
        await eventually(lambda: producer.counters.retries > 0 and producer._outbox.waiting == 0)
        longest, most, began = 0.0, 0, time.monotonic()
        while time.monotonic() < began + 8 * DEADLINE_S:
            asked = time.monotonic()
            await publish(producer, 1)
            longest, most = max(longest, time.monotonic() - asked), max(most, producer.buffered)
            await asyncio.sleep(0.01)
        assert longest < 4 * DEADLINE_S  # a deadline, and what a busy machine adds
        assert most == 8  # four in flight, and four that wait
        assert producer.counters.deadline > 8
        await own.start()
        await producer.flush()
        counters = producer.counters
    assert counters.published + counters.duplicates + counters.deadline == counters.accepted
    assert counters.published + counters.duplicates >= 5  # those in flight are not given up
    await settled_account(own, counters.accepted, {"deadline": counters.deadline})


async def settled_account(server: EmbeddedServer, published: int, dropped: dict[str, int]) -> None:
    """All is in the ledger, nothing of it is lost or twice."""
    redis = connect(server.url)
    streams = FrameStreams(redis)
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.lost, report.duplicates) == (True, published, 0, 0)
    assert (await streams.stats()).cameras["cam"].dropped_by_reason == dropped
    await streams.aclose()
    await redis.aclose()


async def test_a_reply_that_is_lost_while_frames_are_too_late_publishes_them_once(
    streams: FrameStreams, server: EmbeddedServer
) -> None:
    async with (
        LossyLink(server.url) as link,
        FrameProducer("cam", link.url, policy="deadline", deadline_s=0.05, buffer=2) as producer,
    ):
        link.lose_reply_to(b"triarch_v2_publish")
        await publish(producer, 2)
        await eventually(lambda: sum(link.lost.values()) == 1)
        link.down = True
        link.cut()
        async with asyncio.timeout(10):
            await publish(producer, 6)
        link.down = False
        await producer.flush()
        counters = producer.counters
    assert counters.duplicates > 0
    assert counters.published + counters.duplicates + counters.deadline == counters.accepted == 8
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.dropped) == (True, 8, counters.deadline)


# -- at the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("policy", "deadline_s", "left"), [("freshest", None, 1), ("deadline", 0.02, 0)])
async def test_what_cannot_be_recorded_when_a_camera_closes_is_said(
    streams: FrameStreams,
    server: EmbeddedServer,
    full: Limit,
    caplog: pytest.LogCaptureFixture,
    policy: PolicyName,
    deadline_s: float | None,
    left: int,
) -> None:
    await streams.set_pressure(EPOCH, Level.CRITICAL)
    producer = FrameProducer("cam", server.url, policy=policy, deadline_s=deadline_s, buffer=4, drain_s=0.1)
    await producer.open()
    await full(True)
    await publish(producer, 20)
    await asyncio.sleep(0.05)
    assert await producer.close() == 20
    assert (producer.buffered, producer.unrecorded) == (left, 20 - left)
    assert f"{left} frames were not sent, {20 - left} that were given up are not in the ledger" in caplog.text
    assert "out_of_memory" in caplog.text
    await full(False)
    with pytest.raises(ProducerClosed):
        await producer.publish(b"", **SIZE)
    assert (await streams.stats()).cameras["cam"].highest == -1
    async with FrameProducer("cam", server.url) as successor:
        assert await successor.publish(b"", **SIZE) == "cam-0"


async def test_leaving_the_block_with_unrecorded_frames_raises(
    streams: FrameStreams, server: EmbeddedServer, full: Limit
) -> None:
    await streams.set_pressure(EPOCH, Level.CRITICAL)
    producer = FrameProducer("cam", server.url, policy="freshest", drain_s=0.1)
    with pytest.raises(ProducerClosed) as caught:
        await _give_up(producer, full)
    assert (caught.value.unsent, caught.value.unrecorded) == (1, 19)


async def _give_up(producer: FrameProducer, full: Limit) -> None:
    async with producer:
        await full(True)
        await publish(producer, 20)


async def test_what_was_given_up_waits_for_as_many_replicas_as_the_plant_wants(
    streams: FrameStreams, server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    await streams.set_pressure(EPOCH, Backpressure(Level.CRITICAL, durability=1))
    async with FrameProducer("cam", server.url, policy="freshest", drain_s=20.0) as producer:
        await publish(producer, 20)
        await eventually(lambda: "given up is not in the ledger yet" in caplog.text)
        assert producer.unrecorded == 19, "this server has no replica"
        await streams.set_pressure(EPOCH, Backpressure(Level.CRITICAL, durability=0))
        await eventually(lambda: producer.unrecorded == 0)
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.dropped) == (True, 20, 19)


async def test_a_closing_camera_records_what_it_can_in_its_time(
    streams: FrameStreams, server: EmbeddedServer, full: Limit
) -> None:
    await streams.set_pressure(EPOCH, Level.CRITICAL)
    producer = FrameProducer("cam", server.url, policy="freshest", drain_s=20.0)
    await producer.open()
    await full(True)
    await publish(producer, 20)
    closing = asyncio.create_task(producer.close())
    await eventually(lambda: producer.counters.retries > 1)
    assert not closing.done()
    await full(False)
    assert await closing == 0
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.dropped) == (True, 20, 19)


async def test_a_gateway_that_ends_says_what_its_cameras_owe(
    streams: FrameStreams, server: EmbeddedServer, full: Limit
) -> None:
    await streams.set_pressure(EPOCH, Level.CRITICAL)
    gateway = FrameGateway(server.url)
    producer = FrameProducer("cam", gateway, policy="freshest")
    await producer.open()
    await full(True)
    await publish(producer, 3)
    await gateway.close()
    with pytest.raises(ProducerClosed) as caught:
        await producer.publish(b"", **SIZE)
    assert (caught.value.unsent, caught.value.unrecorded) == (1, 2)
    assert await producer.close() == 3


# -- many cameras -----------------------------------------------------------------------------------------------------


async def test_a_camera_that_goes_on_giving_up_keeps_no_other_from_the_record(
    streams: FrameStreams, server: EmbeddedServer
) -> None:
    await streams.set_pressure(EPOCH, Level.CRITICAL)
    async with FrameGateway(server.url) as gateway:
        cameras = [FrameProducer(f"cam{number:02}", gateway, policy="freshest") for number in range(12)]
        for camera in cameras:
            await camera.open()
        filming = asyncio.create_task(publish(cameras[0], 1_000_000))
        try:
            for camera in cameras[1:]:
                await publish(camera, 5)
            await eventually(lambda: not any(camera.unrecorded for camera in cameras[1:]))
        finally:
            await ended(filming)
        for camera in cameras:
            assert await camera.close() == 0
    report = await verify(streams)
    assert (report.ledger_ok, report.lost) == (True, 0)
    assert report.dropped == sum(camera.counters.freshest for camera in cameras)


async def test_what_no_repeat_heals_is_not_hidden_by_what_one_does(
    streams: FrameStreams, server: EmbeddedServer, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    await streams.set_pressure(EPOCH, Level.CRITICAL)
    gateway = FrameGateway(server.url)
    producer = FrameProducer("cam", gateway, policy="freshest")
    await producer.open()
    await redis.set(streams.keys.ledgers, "not a hash")
    with caplog.at_level(logging.ERROR):
        await publish(producer, 3)
        await eventually(lambda: producer._failure is not None)
    assert await producer.close() == 3
    await gateway.close()
