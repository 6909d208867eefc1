"""Many cameras on one gateway, and what they do when the plant is too full. On a real server; the ledger decides."""

import asyncio
import logging
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from redis.asyncio import Redis

from framebuffer import outbox
from framebuffer.backpressure import Backpressure
from framebuffer.embedded import EmbeddedServer
from framebuffer.errors import CameraSuperseded, InvalidFrame, ProducerClosed, RedisRefused
from framebuffer.gateway import FrameGateway
from framebuffer.ledger import verify
from framebuffer.models import FrameReadyEvent
from framebuffer.pressure import Level, PlantPressure
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from tests.framebuffer.frames import EPOCH, NODE, frame, settle_all, table
from tests.framebuffer.lossy_link import LossyLink
from tests.support import eventually

pytestmark = pytest.mark.anyio

SIZE = {"width": 640, "height": 480, "format": "jpeg"}


@pytest.fixture
def server_url(server: EmbeddedServer) -> str:
    return server.url


async def publish(producer: FrameProducer, count: int, **fields: Any) -> None:
    for _ in range(count):
        await producer.publish(b"", **SIZE, **fields)


async def told(streams: FrameStreams, level: Level) -> None:
    await streams.set_pressure(EPOCH, level)


async def drain(streams: FrameStreams, capabilities: str = "default") -> list[tuple[str, int]]:
    """Every frame that was published, through a processor: (camera, sequence) in the order of its hands."""
    done: list[tuple[str, int]] = []
    await streams.fence(EPOCH, NODE)
    while (await streams.stats()).in_flight:
        await streams.dispatch(EPOCH, NODE, table(("p1", capabilities, 10_000)), limit=1_000)
        taken = await streams.take("p1", "c", count=1_000)
        done += [(one.camera_id, one.sequence) for one in taken]
        await settle_all(streams, "p1", taken)
    return done


async def test_a_frame_counts_when_as_many_replicas_have_it_as_the_plant_wants(
    streams: FrameStreams, server_url: str
) -> None:
    await streams.set_pressure(EPOCH, Backpressure(durability=1))
    async with (
        FrameProducer("cam", server_url, drain_s=0) as camera,
        FrameProducer("other", server_url, durability=0) as other,
    ):
        await publish(camera, 3)
        await eventually(lambda: camera.counters.retries >= 2)
        assert (camera.counters.published, camera.buffered) == (0, 3), "this server has no replica"
        await publish(other, 1)
        await other.flush()  # it was given its own
        await streams.set_pressure(EPOCH, Backpressure())  # by a leader of a release that says nothing of it
        retries = camera.counters.retries
        await eventually(lambda: camera.counters.retries > retries + 1)
        assert camera.buffered == 3, "what was heard before counts"
        await streams.set_pressure(EPOCH, Backpressure(durability=0))
        await camera.flush()
        assert camera.buffered == 0
        await publish(camera, 1)
        await camera.flush()
        # A producer that is at work hears of it with its next batch.
        await streams.set_pressure(EPOCH, Backpressure(durability="majority"))
        await publish(camera, 1)
        await camera.flush()
        retries = camera.counters.retries
        await publish(camera, 1)
        await eventually(lambda: camera.counters.retries > retries)
        await streams.set_pressure(EPOCH, Backpressure(durability=0))
        await camera.flush()
    report = await verify(streams)
    assert (report.ledger_ok, report.published) == (True, 7)


# -- many cameras -----------------------------------------------------------------------------------------------------


async def test_cameras_share_batches_and_keep_their_order(streams: FrameStreams, server_url: str) -> None:
    async with FrameGateway(server_url) as gateway:
        cameras = [FrameProducer(f"cam{number}", gateway) for number in range(20)]
        for camera in cameras:
            await camera.open()
        await asyncio.gather(*(publish(camera, 50) for camera in cameras))
        await asyncio.gather(*(camera.flush() for camera in cameras))
        assert [camera.counters.published for camera in cameras] == [50] * 20
        assert [await camera.close() for camera in cameras] == [0] * 20
    done = await drain(streams)
    for number in range(20):
        assert [sequence for camera, sequence in done if camera == f"cam{number}"] == list(range(50))
    report = await verify(streams)
    assert (report.ledger_ok, report.settled) == (True, 1_000)


async def test_a_lost_reply_costs_no_camera_a_frame(streams: FrameStreams, server_url: str) -> None:
    async with LossyLink(server_url) as link, FrameGateway(link.url) as gateway:
        cameras = [FrameProducer(f"cam{number}", gateway) for number in range(3)]
        for camera in cameras:
            await camera.open()
        for _ in range(3):
            link.lose_reply_to(b"triarch_v2_publish")
            await asyncio.gather(*(publish(camera, 20) for camera in cameras))
            await asyncio.gather(*(camera.flush() for camera in cameras))
        assert sum(link.lost.values()) == 3
        assert all(one.counters.published + one.counters.duplicates == 60 for one in cameras)
        assert sum(one.counters.duplicates for one in cameras) > 0
        for camera in cameras:
            await camera.close()
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.lost) == (True, 180, 0)


async def test_a_rival_ends_its_camera_and_no_other(streams: FrameStreams, server_url: str) -> None:
    async with FrameGateway(server_url) as gateway, FrameProducer("one", gateway) as one:
        two = FrameProducer("two", gateway)
        await two.open()
        async with FrameProducer("two", server_url) as rival:
            await publish(one, 5)
            await publish(two, 5)
            with pytest.raises(CameraSuperseded):
                await two.flush()
            await publish(one, 5)
            await publish(rival, 5)
            await one.flush()
        assert await two.close() == 5
        assert one.counters.published == 10
    assert (await verify(streams)).published == 15


async def test_a_camera_is_open_once_on_a_gateway(streams: FrameStreams, server_url: str) -> None:
    gateway = FrameGateway(server_url)
    async with FrameProducer("cam", gateway):
        with pytest.raises(ValueError, match="cam is open on this gateway already"):
            await FrameProducer("cam", gateway).open()
    async with FrameProducer("cam", gateway) as again:  # after it has left
        await again.publish(b"", **SIZE)
        await again.flush()
        await gateway.close()
        with pytest.raises(ProducerClosed):
            await again.publish(b"", **SIZE)
    with pytest.raises(ProducerClosed):
        await FrameProducer("late", gateway).open()


async def test_what_belongs_to_the_gateway_is_set_there(server_url: str) -> None:
    gateway = FrameGateway(server_url, durability="majority")
    with pytest.raises(ValueError, match="belong to the gateway"):
        FrameProducer("cam", gateway, durability=1)
    with pytest.raises(ValueError, match="durability must be"):
        FrameGateway(server_url, durability=-1)
    with pytest.raises(ValueError, match="urgent"):
        FrameProducer("cam", gateway, urgent=0)
    await gateway.close()


async def test_an_error_that_no_repeat_heals_ends_them_all(
    streams: FrameStreams, server_url: str, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    gateway = FrameGateway(server_url)
    one, two = FrameProducer("one", gateway), FrameProducer("two", gateway)
    await one.open()
    await two.open()
    await redis.set(streams.keys.ledgers, "not a hash")
    await one.publish(b"", **SIZE)
    for camera in (one, two):
        await eventually(partial(_has_failed, camera))
        with pytest.raises(RedisRefused):
            await camera.publish(b"", **SIZE)
        await camera.close()
    with pytest.raises(RedisRefused):
        await FrameProducer("three", gateway).open()
    await gateway.close()


def _hears(camera: FrameProducer, level: Level) -> bool:
    return camera.level is level


def _has_failed(camera: FrameProducer) -> bool:
    return camera._failure is not None


# -- backpressure -----------------------------------------------------------------------------------------------------


async def test_lossless_waits_for_the_level_to_fall(streams: FrameStreams, server_url: str) -> None:
    async with FrameProducer("cam", server_url, buffer=16) as producer:
        await publish(producer, 8)
        await producer.flush()
        await told(streams, Level.CRITICAL)
        publishing = asyncio.create_task(publish(producer, 200))
        await eventually(lambda: producer.level is Level.CRITICAL and producer.buffered == 16)
        held = producer.counters.published
        assert not publishing.done()
        await producer.publish(b"", **SIZE, priority=10)  # passes
        await eventually(lambda: producer.counters.published == held + 1)
        assert not publishing.done()
        began = time.monotonic()
        await told(streams, Level.NORMAL)
        await publishing
        await producer.flush()
        assert time.monotonic() - began < 5.0
        assert producer.counters.published == producer.counters.accepted == 209
        assert (producer.counters.paused, producer.counters.freshest) == (1, 0)
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.lost) == (True, 209, 0)


@pytest.mark.parametrize("policy", ["lossless", "freshest"])
async def test_a_camera_that_no_longer_uses_what_is_crowded_goes_on(
    streams: FrameStreams, server_url: str, policy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else happens that would have it look again: its buffer is full, and what is told stays the same."""
    monkeypatch.setattr(outbox, "_USED_S", 0.5)
    await streams.fence(EPOCH, NODE)
    async with FrameProducer("cam", server_url, policy=policy, buffer=4) as producer:
        await publish(producer, 1, metadata={"detection_type": "ghost"})
        await producer.flush()
        await streams.set_pressure(EPOCH, Backpressure(0, {"ghost": 3}))
        await publish(producer, 1, metadata={"detection_type": "ghost"})
        await eventually(partial(_hears, producer, Level.CRITICAL))
        await producer.flush()
        await publish(producer, 4)
        assert producer.buffered >= 1
        await asyncio.wait_for(producer.flush(), 10)
        assert (producer.buffered, producer.level) == (0, Level.NORMAL)
    assert (await verify(streams)).lost == 0


async def test_a_slow_capability_holds_up_its_own_cameras(streams: FrameStreams, server_url: str) -> None:
    """From the figures of a dispatch call to the cameras, as the leader does it."""
    pressure, rows = PlantPressure(smoothing_s=0.01), table(("p1", "fast", 90), ("p2", "slow", 10))
    await streams.fence(EPOCH, NODE)

    async def dispatch() -> None:
        report = await streams.dispatch(EPOCH, NODE, rows, limit=1_000)
        await streams.set_pressure(EPOCH, pressure.observe(report, time.monotonic()))

    async with (
        FrameGateway(server_url) as gateway,
        FrameProducer("one", gateway) as fast,
        FrameProducer("two", gateway) as slow,
    ):
        await publish(slow, 30, metadata={"detection_type": "slow"})
        await publish(fast, 10, metadata={"detection_type": "fast"})
        await asyncio.gather(slow.flush(), fast.flush())

        async def crowded() -> bool:
            await dispatch()
            return await streams.backpressure() == Backpressure(0, {"slow": 3})

        await eventually(crowded)
        await publish(fast, 20, metadata={"detection_type": "fast"})
        await fast.flush()
        await publish(slow, 5, metadata={"detection_type": "slow"})
        await eventually(partial(_hears, slow, Level.CRITICAL))
        assert (fast.level, fast.counters.published, slow.counters.published) == (Level.NORMAL, 30, 30)

        async def settled() -> bool:
            await settle_all(streams, "p2", await streams.take("p2", "c", count=100))
            await dispatch()
            return slow.counters.published == 35

        await eventually(settled)
    assert (await verify(streams)).ledger_ok


async def test_lossless_halves_its_rate(streams: FrameStreams, server_url: str) -> None:
    """A camera of 200 frames a second."""

    async def camera(producer: FrameProducer, seconds: float) -> float:
        before, began = producer.counters.published, time.monotonic()
        while time.monotonic() < began + seconds:
            await producer.publish(b"", **SIZE)
            await asyncio.sleep(0.005)
        return (producer.counters.published - before) / (time.monotonic() - began)

    async with FrameProducer("cam", server_url, buffer=8) as producer:
        fast = await camera(producer, 0.7)
        await told(streams, Level.HIGH)
        await producer.publish(b"", **SIZE)
        await eventually(partial(_hears, producer, Level.HIGH))
        slow = await camera(producer, 0.7)
        assert fast * 0.2 < slow < fast * 0.75
        assert producer.counters.slowed == 1
        await told(streams, Level.LOW)
    assert (await verify(streams)).lost == 0


async def test_freshest_sends_the_newest_and_records_the_others(streams: FrameStreams, server_url: str) -> None:
    await told(streams, Level.CRITICAL)
    async with FrameProducer("cam", server_url, policy="freshest") as producer:
        assert producer.level is Level.CRITICAL  # read when it opened
        await publish(producer, 40)
        assert producer.buffered == 1
        await told(streams, Level.NORMAL)
        await producer.flush()
        await publish(producer, 2)
        await producer.flush()
        await told(streams, Level.HIGH)
        await publish(producer, 1)
        await eventually(partial(_hears, producer, Level.HIGH))
        await publish(producer, 10)
        await producer.flush()
        given_up = producer.counters.freshest
        assert 44 <= given_up <= 50
        assert producer.counters.published + given_up == 53
    camera = (await streams.stats()).cameras["cam"]
    assert (camera.published, camera.dropped, camera.dropped_by_reason) == (53, given_up, {"freshest": given_up})
    went = [sequence for _, sequence in await drain(streams)]
    assert len(went) == 53 - given_up
    assert went[0] == 39  # the newest of forty
    assert {41, 42, 52} <= set(went)  # the newest of each time
    report = await verify(streams)
    assert (report.ledger_ok, report.lost) == (True, 0)


async def test_deadline_drops_what_is_too_late(streams: FrameStreams, server_url: str) -> None:
    await told(streams, Level.CRITICAL)
    async with FrameProducer("cam", server_url, policy="deadline", deadline_s=0.2, buffer=4) as producer:
        began = time.monotonic()
        await publish(producer, 6)  # waits until the first four are too late
        assert time.monotonic() - began >= 0.2
        await told(streams, Level.NORMAL)
        await producer.flush()
        assert producer.counters.deadline >= 4
        assert producer.counters.published == 6 - producer.counters.deadline
    camera = (await streams.stats()).cameras["cam"]
    assert camera.dropped_by_reason == {"deadline": producer.counters.deadline}
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.lost) == (True, 6, 0)


async def test_drops_survive_lost_replies_and_failovers(
    streams: FrameStreams, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await told(streams, Level.CRITICAL)
    async with LossyLink(server_url) as link, FrameProducer("cam", link.url, policy="freshest") as producer:
        link.lose_reply_to(b"triarch_v2_drop")
        await publish(producer, 20)
        await eventually(lambda: sum(link.lost.values()) == 1 and not producer._outbox.drops)
    assert (await streams.stats()).cameras["cam"].dropped == 19
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.lost) == (True, 20, 0)


async def test_what_is_left_is_sent_when_a_camera_closes_under_pressure(streams: FrameStreams, server_url: str) -> None:
    await told(streams, Level.CRITICAL)
    producer = FrameProducer("cam", server_url)
    await producer.open()
    await publish(producer, 10)
    assert producer.buffered == 10
    assert await producer.close() == 0
    assert (await verify(streams)).published == 10


async def test_a_refused_frame_leaves_no_gap(streams: FrameStreams, server_url: str, redis: Redis) -> None:
    async with FrameProducer("cam", server_url) as producer:
        await redis.set(streams.keys.capture, "not a stream")
        await publish(producer, 3)
        await producer.flush()
        await redis.delete(streams.keys.capture)
        await publish(producer, 3)
        await producer.flush()
        assert (producer.counters.refused, producer.counters.published) == (3, 3)
    assert (await streams.stats()).cameras["cam"].dropped_by_reason == {"refused": 3}
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.lost) == (True, 6, 0)


# -- bad input --------------------------------------------------------------------------------------------------------


async def test_several_detection_types_are_worked_on_by_each(streams: FrameStreams, server_url: str) -> None:
    async with FrameProducer("cam", server_url) as producer:
        await producer.publish(b"jpeg", **SIZE, metadata={"detection_types": ["face", "plate"]})
        for metadata, reason in (
            ({"detection_types": ["face", "plate"], "detection_type": "face"}, "contradict"),
            ({"detection_types": ["face"]}, "2 to 8 different"),
            ({"detection_types": ["face", "face"]}, "2 to 8 different"),
            ({"detection_types": [f"t{n}" for n in range(9)]}, "2 to 8 different"),
            ({"detection_types": "face,plate"}, "must be a list"),
            ({"detection_types": ["face", "a b"]}, "must be a list of texts"),
            ({"detection_types": ["face", None]}, "must be a list of texts"),
            ({"detection_types": []}, "2 to 8 different"),
            ({"detection_types": None}, "must be a list"),
        ):
            with pytest.raises(InvalidFrame, match=reason):
                await producer.publish(b"", **SIZE, metadata=metadata)
    await streams.fence(EPOCH, NODE)
    await streams.dispatch(EPOCH, NODE, table(("p1", "face", 10), ("p2", "plate", 10)))
    for processor, capability in (("p1", "face"), ("p2", "plate")):
        (taken,) = await streams.take(processor, "c")
        assert (taken.capability, taken.parts, taken.payload) == (capability, 2, b"jpeg")
        assert FrameReadyEvent.from_json(taken.event).capabilities == ("face", "plate")
        assert await settle_all(streams, processor, [taken]) == ["settled"]
    report = await verify(streams)
    assert (report.ledger_ok, report.published, report.settled, report.in_flight) == (True, 1, 1, 0)


async def test_odd_times_sizes_and_payloads(
    streams: FrameStreams, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    now = datetime.now(UTC)
    async with FrameProducer("cam", server_url) as producer:
        for payload, fields, reason in (
            (b"", {"timestamp": now + timedelta(seconds=90)}, "timestamp: is .* s ahead of this host's clock"),
            (b"", {"timestamp": datetime.max.replace(tzinfo=UTC)}, "timestamp: is .* ahead"),
            (b"", {"timestamp": 1_700_000_000}, "timestamp: must be a datetime"),
            (b"", {"timestamp": datetime.now()}, "timestamp: "),  # noqa: DTZ005 - without an offset
            (b"abc", {"size_bytes": 4}, "size_bytes: says 4, and the payload has 3"),
            (None, {}, "payload: must be bytes, is NoneType"),
            (b"", {"priority": True}, "priority: "),
            (b"", {"priority": -1}, "priority: "),
            (b"", {"width": 2**70}, "width: "),
            (b"", {"frame_id": "a b"}, "frame_id: "),
            (b"", {"frame_id": ""}, "frame_id: "),
            (b"", {"metadata": {"deep": "x" * 70_000}}, "metadata: "),
            (b"", {"payload": b"x"}, "payload: Extra inputs"),
        ):
            with pytest.raises(InvalidFrame, match=reason):
                await producer.publish(payload, **{**SIZE, **fields})  # type: ignore[arg-type]
        refused, accepted = await producer.publish_many([(b"", {**SIZE, 7: "x"}), (b"", SIZE)])  # type: ignore[dict-item]
        assert isinstance(refused, InvalidFrame)
        assert accepted == "cam-0"
        await producer.publish(b"", **SIZE, timestamp=now + timedelta(seconds=50))
        await producer.publish(b"", **SIZE, size_bytes=5_000)  # its bytes are elsewhere
        await producer.publish(memoryview(bytearray(12)).cast("I"), **SIZE)  # type: ignore[arg-type]
        with caplog.at_level(logging.WARNING):
            for year in (1, 1970):
                await producer.publish(b"", **SIZE, timestamp=datetime(year, 1, 1, tzinfo=UTC))
        assert [record.getMessage() for record in caplog.records if "more than a day old" in record.getMessage()]
        assert (producer.counters.ancient, producer.counters.invalid) == (2, 14)
    with pytest.raises(ValueError, match="camera"):
        FrameProducer("a b", server_url)
    report = await verify(streams)
    assert (report.ledger_ok, report.published) == (True, 6)


async def test_a_frame_is_not_taken_for_one_that_somebody_else_published(
    streams: FrameStreams, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with FrameProducer("cam", server_url) as producer:
        assert producer._line is not None
        assert producer._line.session is not None
        await streams.publish(producer._line.session, [frame(0)])
        await publish(producer, 2)
        await producer.flush()
        assert (producer.counters.resequenced, producer.counters.published) == (1, 2)
    assert "somebody publishes under this producer's session" in caplog.text
    assert (await verify(streams)).published == 3
