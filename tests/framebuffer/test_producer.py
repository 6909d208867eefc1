"""The producer loses nothing it accepted and publishes nothing twice, whatever happens to its connection."""

import asyncio
import logging
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis

from framebuffer.connection import Backoff, connect, execute
from framebuffer.embedded import Binary, EmbeddedServer
from framebuffer.errors import CameraSuperseded, InvalidFrame, ProducerClosed, RedisRefused
from framebuffer.ledger import verify
from framebuffer.models import FrameReadyEvent
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from tests.framebuffer.frames import EPOCH, NODE, falsify, settle_all, table
from tests.framebuffer.lossy_link import LossyLink
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

SIZE = {"width": 640, "height": 480, "format": "jpeg"}


async def test_frames_arrive_in_order_with_their_event(streams: FrameStreams, server: EmbeddedServer) -> None:
    async with FrameProducer("cam", server.url, buffer=16) as producer:
        ids = [await producer.publish(b"%d" % n, **SIZE, metadata={"detection_type": "face"}) for n in range(200)]
        await producer.flush()
        assert producer.counters.published == producer.counters.accepted == 200
        assert producer.buffered == 0
    assert ids[0] == "cam-0"
    await streams.dispatch(EPOCH, NODE, table(("p1", "face", 500)), limit=500)
    taken = await streams.take("p1", "c", count=500)
    assert [one.frame_id for one in taken] == ids
    assert [one.payload for one in taken] == [b"%d" % n for n in range(200)]
    event = FrameReadyEvent.from_json(taken[7].event)
    assert (event.frame_id, event.camera_id, event.size_bytes, event.capability) == ("cam-7", "cam", 1, "face")
    assert taken[7].traceparent == event.trace_context.format()


async def test_invalid_frames_are_refused_by_field_and_cost_no_sequence(
    streams: FrameStreams, server: EmbeddedServer
) -> None:
    async with FrameProducer("cam", server.url, max_payload=100) as producer:
        for fields, field in (
            ({**SIZE, "width": 0}, "width"),
            ({**SIZE, "priority": 11}, "priority"),
            ({**SIZE, "camera_id": "other"}, "camera_id"),
            ({**SIZE, "colour": "red"}, "colour"),
            ({"width": 1, "height": 1}, "format"),
        ):
            with pytest.raises(InvalidFrame) as caught:
                await producer.publish(b"", **fields)
            assert caught.value.field == field
        with pytest.raises(InvalidFrame, match="payload"):
            await producer.publish(b"x" * 101, **SIZE)
        with pytest.raises(InvalidFrame, match="payload"):
            await producer.publish("text", **SIZE)  # type: ignore[arg-type]
        answers = await producer.publish_many([(b"a", SIZE), (b"b", {**SIZE, "height": -1}), (b"c", SIZE)])
        assert [answers[0], answers[2]] == ["cam-0", "cam-1"]
        assert isinstance(answers[1], InvalidFrame)
        await producer.flush()
        assert (producer.counters.published, producer.counters.invalid) == (2, 8)
    assert (await verify(streams)).ledger_ok


async def test_own_frame_ids_are_kept(streams: FrameStreams, server: EmbeddedServer) -> None:
    async with FrameProducer("cam", server.url) as producer:
        assert await producer.publish(b"", **SIZE, frame_id="mine/1") == "mine/1"
    assert (await streams.stats()).capture_len == 1


async def test_lost_replies_publish_nothing_twice(streams: FrameStreams, server: EmbeddedServer) -> None:
    async with LossyLink(server.url) as link, FrameProducer("cam", link.url) as producer:
        for _ in range(5):
            link.lose_reply_to(b"triarch_v2_publish")
            for _ in range(10):
                await producer.publish(b"", **SIZE)
            await producer.flush()
        assert sum(link.lost.values()) == 5
        counters = producer.counters
        assert counters.published + counters.duplicates == 50
        assert counters.duplicates > 0
        assert counters.retries >= 5
    stats = await streams.stats()
    assert (stats.capture_len, stats.cameras["cam"].published) == (50, 50)
    assert stats.cameras["cam"].duplicate_publishes == counters.duplicates
    assert (await verify(streams)).ledger_ok


async def test_a_lost_reply_to_open_is_repeated(streams: FrameStreams, server: EmbeddedServer) -> None:
    first = await streams.open_camera("cam")
    async with LossyLink(server.url) as link:
        link.lose_reply_to(b"triarch_v2_open")
        async with FrameProducer("cam", link.url) as producer:
            assert producer._line is not None
            assert producer._line.session is not None
            assert producer._line.session.previous == first.token
        assert sum(link.lost.values()) == 1


async def test_a_restarted_camera_continues_its_sequence(streams: FrameStreams, server: EmbeddedServer) -> None:
    for start in (0, 3, 6):
        async with FrameProducer("cam", server.url) as producer:
            assert [await producer.publish(b"", **SIZE) for _ in range(3)] == [f"cam-{start + n}" for n in range(3)]
    report = await verify(streams)
    assert (report.published, report.lost, report.ledger_ok) == (9, 0, True)


async def test_the_older_of_two_producers_stops(streams: FrameStreams, server: EmbeddedServer) -> None:
    old = FrameProducer("cam", server.url)
    await old.open()
    async with FrameProducer("cam", server.url) as new:
        await old.publish(b"", **SIZE)
        with pytest.raises(CameraSuperseded):
            await old.flush()
        with pytest.raises(CameraSuperseded):
            await old.publish(b"", **SIZE)
        assert await old.close() == 1
        await new.publish(b"", **SIZE)
    assert (await verify(streams)).published == 1


async def test_leaving_the_block_with_unsent_frames_raises(streams: FrameStreams, server: EmbeddedServer) -> None:
    async def superseded() -> None:
        async with FrameProducer("cam", server.url) as old:
            await streams.open_camera("cam")
            await old.publish(b"", **SIZE)

    with pytest.raises(CameraSuperseded):
        await superseded()
    producer = FrameProducer("cam", server.url)
    with pytest.raises(ProducerClosed) as caught:
        await _leave_without_a_server(producer, server)
    assert caught.value.unsent == 1
    with pytest.raises(ProducerClosed):
        await producer.publish(b"", **SIZE)


async def test_an_error_of_the_block_is_not_hidden_by_unsent_frames(
    streams: FrameStreams, server: EmbeddedServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(KeyError):
        await _leave_without_a_server(FrameProducer("cam", server.url), server, KeyError())
    assert "1 frames were not sent" in caplog.text


async def _leave_without_a_server(
    producer: FrameProducer, server: EmbeddedServer, error: Exception | None = None
) -> None:
    async with LossyLink(server.url) as link:
        producer._gateway.channel_of("cam")._redis.connection_pool.connection_kwargs["port"] = urlsplit(link.url).port
        producer._drain_s = 0.05
        async with producer:
            link.down = True
            link.cut()
            await producer.publish(b"", **SIZE)
            if error is not None:
                raise error


async def test_a_full_buffer_blocks_until_the_server_is_back(binary: Binary, tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, free_port(), binary=binary) as server:
        redis = connect(server.url)
        streams = FrameStreams(redis)
        async with FrameProducer("cam", server.url, buffer=8) as producer:
            await producer.publish(b"", **SIZE)
            await producer.flush()
            await server.kill()
            publishing = asyncio.create_task(_publish(producer, 30))
            await eventually(lambda: producer.buffered == 8 and producer.counters.retries > 1)
            assert not publishing.done()
            await server.start()
            await publishing
            await producer.flush()
            assert producer.counters.published + producer.counters.duplicates == 31
        report = await verify(streams)
        assert (report.published, report.ledger_ok) == (31, True)
        await redis.aclose()


async def _publish(producer: FrameProducer, count: int) -> None:
    for _ in range(count):
        await producer.publish(b"", **SIZE)


async def test_it_waits_for_a_server_that_is_not_there_yet(valkey_binary: Binary, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, free_port(), binary=valkey_binary)
    producer = FrameProducer("cam", server.url)
    opening = asyncio.create_task(producer.open())
    try:
        await asyncio.wait({opening}, timeout=0.1)
        assert not opening.done()
        await server.start()
        await opening
        assert await producer.publish(b"", **SIZE) == "cam-0"
        assert await producer.close() == 0
    finally:
        await server.stop()


async def test_a_rolled_back_server_is_told_from_a_rival(
    streams: FrameStreams, server: EmbeddedServer, redis: Redis
) -> None:
    """A failover to a replica that missed the last writes: the session is the one before ours, or none at all."""
    before = await streams.open_camera("cam")
    async with FrameProducer("cam", server.url) as producer:
        await _publish(producer, 10)
        await producer.flush()
        await falsify(streams, session=before.token)
        await _publish(producer, 5)
        await producer.flush()
        await execute(redis, "FLUSHALL")
        await _publish(producer, 5)
        await producer.flush()
        assert (producer.counters.published, producer.counters.rollbacks) == (20, 2)
    report = await verify(streams)
    assert (report.published, report.lost) == (5, 15)
    assert [frame.sequence for frame in report.lost_frames] == list(range(15))


async def test_a_rollback_whose_reopening_fails_is_repeated(streams: FrameStreams, server: EmbeddedServer) -> None:
    async with LossyLink(server.url) as link, FrameProducer("cam", link.url) as producer:
        await falsify(streams, session="")
        link.lose_reply_to(b"triarch_v2_open")
        await _publish(producer, 3)
        await producer.flush()
        assert producer.counters.published == 3


async def test_what_no_repeat_heals_ends_the_producer(
    streams: FrameStreams, server: EmbeddedServer, redis: Redis
) -> None:
    producer = FrameProducer("cam", server.url, buffer=1)
    await producer.open()
    await redis.set(streams.keys.ledgers, "not a hash")
    await producer.publish(b"", **SIZE)
    with pytest.raises(RedisRefused):
        await producer.publish(b"", **SIZE)  # was waiting for room
    assert await producer.close() == 1


async def test_frames_that_the_server_refuses_are_counted_and_said(
    streams: FrameStreams, server: EmbeddedServer, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    async with FrameProducer("cam", server.url) as producer:
        await redis.set(streams.keys.capture, "not a stream")
        await producer.publish(b"", **SIZE)
        await producer.flush()
        assert producer.counters.refused == 1
    assert "refused:capture" in caplog.text


async def test_durability_without_replicas_holds_frames_back(streams: FrameStreams, server: EmbeddedServer) -> None:
    producer = FrameProducer("cam", server.url, durability=1, timeout_s=0.1)
    await producer.open()
    await producer.publish(b"", **SIZE)
    await eventually(lambda: producer.counters.retries > 1)
    assert (producer.counters.published, producer.buffered) == (0, 1)
    assert await producer.close(0) == 1
    # It is there, and counted once.
    assert (await streams.stats()).cameras["cam"].published == 1


async def test_durability_counts_real_replicas(valkey_binary: Binary, tmp_path: Path) -> None:
    at_once = ("repl-diskless-sync-delay 0",)
    async with EmbeddedServer(tmp_path / "p", free_port(), binary=valkey_binary, options=at_once) as primary:
        options = (f"replicaof 127.0.0.1 {primary.port}",)
        replica = EmbeddedServer(tmp_path / "r", free_port(), binary=valkey_binary, options=options)
        await replica.start()
        async with FrameProducer("cam", primary.url, durability=1) as producer:
            await _publish(producer, 20)
            await producer.flush()
            assert producer.counters.published + producer.counters.duplicates == 20
            await primary.kill()
            redis = connect(replica.url)
            await execute(redis, "REPLICAOF", "NO", "ONE")
            streams = FrameStreams(redis)
            report = await verify(streams)
            assert (report.published, report.ledger_ok) == (20, True)
            await streams.dispatch(EPOCH, NODE, table(("p1", "default", 100)))
            taken = await streams.take("p1", "c", count=100)
            assert set(await settle_all(streams, "p1", taken)) == {"settled"}
            await redis.aclose()
        await replica.stop()


def test_backoff_doubles_with_jitter_up_to_its_limit() -> None:
    backoff = Backoff(0.01, 0.5)
    waits = [backoff.next_s() for _ in range(40)]
    assert all(0.005 <= wait <= 0.5 for wait in waits)
    assert waits[0] <= 0.01
    assert min(waits[10:]) >= 0.25
    backoff.reset()
    assert backoff.next_s() <= 0.01


def test_a_buffer_must_hold_something() -> None:
    with pytest.raises(ValueError, match="buffer"):
        FrameProducer("cam", "redis://127.0.0.1:1/0", buffer=0)
