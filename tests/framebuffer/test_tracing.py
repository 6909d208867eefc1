"""Spans of frames at a real OTLP receiver: each has the right parent although routing happens inside the server, by the
leader's calls or as a frame is published.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any

import msgspec
import pytest

from framebuffer.connection import execute
from framebuffer.dispatcher import Dispatcher
from framebuffer.embedded import EmbeddedServer
from framebuffer.errors import TelemetryInvalid
from framebuffer.models import TraceContext
from framebuffer.otlp import EXPORTED, QUEUE_FULL, RECEIVER, OtlpSpans, from_environment, traces_url
from framebuffer.processor import FrameRejected, ProcessorClient
from framebuffer.producer import FrameProducer
from framebuffer.reading import entries
from framebuffer.result import span_of
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from framebuffer.tracing import ProducerTracing, Span, process_span
from framebuffer.tracing_dispatch import DispatchTracing, dispatch_span_id
from framebuffer.wire import DispatchReport, RoutingTable, SampledRoute, Settlement, TakenFrame
from tests.framebuffer.otlp_receiver import OtlpReceiver
from tests.framebuffer.plant import EPOCH, NODE, table
from tests.framebuffer.tiny_orchestrator import TinyOrchestrator
from tests.support import eventually, eventually_sync, free_port

FIELDS: dict[str, Any] = {"width": 4, "height": 3, "format": "jpeg", "metadata": {"detection_type": "face"}}
SPANS_A_FRAME = 5
PRIORITY = 3
LONG_MS = 9_000
"""What a table is lent for where no dispatcher renews it: longer than a test publishes."""

both_ways = pytest.mark.parametrize("direct", [False, True], ids=["by the leader", "while publishing"])


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with OtlpReceiver().running() as receiver:
        yield receiver


class Faces(ProcessorClient):
    """Finds nothing, and rejects `poison`."""

    async def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
        if frame.frame_id == "poison":
            raise FrameRejected("no picture")
        return {}


class Traced:
    """A camera, a leader and a processor that export under names of their own."""

    def __init__(self, streams: FrameStreams, server: EmbeddedServer, receiver: OtlpReceiver) -> None:
        self._streams = streams
        self._server = server
        self.sinks = {
            name: OtlpSpans(receiver.url, service_name=name, interval_s=0.02) for name in ("camera", "node", "faces")
        }
        self.moved = 0
        """Frames that the leader's calls moved: none of those that were routed as they were published."""

    def camera(self, ratio: float = 1.0) -> FrameProducer:
        tracing = ProducerTracing(self.sinks["camera"], sample_ratio=ratio)
        return FrameProducer("cam", self._server.url, tracing=tracing)

    @asynccontextmanager
    async def at_work(self, *, direct: bool = False, leader_traces: bool = True) -> AsyncIterator[None]:
        def reported(report: DispatchReport) -> None:
            self.moved += report.read + report.drained

        async def lent() -> bool:
            until = await execute(self._streams.redis, "HGET", self._streams.keys.fence, "direct_until")
            return (until is not None) is direct

        spans = self.sinks["node"] if leader_traces else None
        rows: RoutingTable = table(("faces-1", 64, ("face",)))
        await self._streams.fence(EPOCH, NODE)
        dispatcher = Dispatcher(
            self._streams,
            epoch=EPOCH,
            node_id=NODE,
            table=lambda: rows,
            on_report=reported,
            spans=spans,
            direct=direct,
        )
        with TinyOrchestrator(self._server.url).running() as node:
            processor = Faces("faces-1", ["face"], node.url, spans=self.sinks["faces"])
            tasks = asyncio.create_task(dispatcher.run()), asyncio.create_task(processor.start())
            try:
                await eventually(lent)
                yield
            finally:
                await processor.stop()
                await ended(*tasks)
        await self.close()

    async def close(self) -> None:
        for sink in self.sinks.values():
            await asyncio.to_thread(sink.close)

    async def final(self, frames: int) -> None:
        async def all_final() -> bool:
            counters = (await self._streams.stats()).cameras["cam"]
            return counters.settled + counters.dead == frames

        await eventually(all_final, deadline_s=10)


@pytest.fixture
async def traced(streams: FrameStreams, server: EmbeddedServer, receiver: OtlpReceiver) -> AsyncIterator[Traced]:
    traced = Traced(streams, server, receiver)
    yield traced
    await traced.close()


@both_ways
@pytest.mark.anyio
async def test_the_way_of_a_frame_is_one_tree(traced: Traced, receiver: OtlpReceiver, direct: bool) -> None:
    theirs = TraceContext.new()  # the camera's program has a trace of its own, and exports that span itself
    async with traced.at_work(direct=direct):
        async with traced.camera() as camera:
            for _ in range(20):
                await camera.publish(b"jpeg", priority=PRIORITY, **FIELDS)
            await camera.publish(b"jpeg", frame_id="theirs", trace_context=theirs, **FIELDS)
            await camera.publish(b"jpeg", trace_context=TraceContext.new(sampled=False), **FIELDS)
        await traced.final(22)
    assert traced.moved < 22 if direct else traced.moved == 22
    assert len(receiver.spans) == 21 * SPANS_A_FRAME  # the one that is not to be recorded has left no trace
    assert len({span.span_id for span in receiver.spans}) == len(receiver.spans)
    assert [(span.name, span.attributes["frame.id"]) for span in receiver.orphans()] == [("publish", "theirs")]

    for process in receiver.named("process_frame"):
        dispatch = receiver.parent(process)
        received = receiver.parent(dispatch)
        publish = receiver.parent(received)
        (route,) = [
            span
            for span in receiver.named("route_frame")
            if (span.trace_id, span.parent_id) == (received.trace_id, received.span_id)
        ]
        way = [publish, received, route, dispatch, process]
        assert [(span.name, span.service) for span in way] == [
            ("publish", "camera"),
            ("frame_buffer_orchestrator_received", "node"),
            ("route_frame", "node"),
            ("dispatch_to_processor", "node"),
            ("process_frame", "faces"),
        ]
        assert publish.parent_id == (theirs.span_id if publish.trace_id == theirs.trace_id else "")
        assert len({span.attributes["frame.id"] for span in way}) == 1
        assert {span.attributes["frame.camera_id"] for span in way} == {"cam"}
        assert {span.attributes["frame.priority"] for span in way} == {0 if publish.parent_id else PRIORITY}
        assert route.attributes["selected_processor"] == "faces-1"
        assert 0 <= route.attributes["processor_load"] <= 1
        assert dispatch.attributes["processor.id"] == process.attributes["processor.id"] == "faces-1"
        assert dispatch.attributes["queue.name"] == process.attributes["queue.name"] == "frames:ready:faces-1"
        assert received.start_ns <= route.start_ns <= route.end_ns <= received.end_ns
        assert all(0 < span.start_ns <= span.end_ns and not span.failed for span in way)


@both_ways
@pytest.mark.anyio
async def test_each_attempt_hangs_below_the_dispatch_that_failed(
    traced: Traced, streams: FrameStreams, receiver: OtlpReceiver, direct: bool
) -> None:
    rows = table(("faces-1", 64, ("face",)))
    leader, processor = DispatchTracing(traced.sinks["node"], node_id=NODE, keys=streams.keys), traced.sinks["faces"]
    await streams.fence(EPOCH, NODE)
    if direct:
        await streams.dispatch(EPOCH, NODE, rows, traced="0-0", lend_ms=LONG_MS)
    async with traced.camera() as camera:
        await camera.publish(b"jpeg", **FIELDS)
    for attempt in range(3):
        if direct and attempt == 0:
            for entry_id, fields in await entries(streams, streams.keys.sampled, "-", 10):
                leader.recovered(entry_id.decode(), fields)
        else:
            leader.dispatched(await streams.dispatch(EPOCH, NODE, rows, traced="0-0"), 0.001)
        (frame,) = await streams.take("faces-1", "c")
        parent, context = span_of(frame)
        error = "not yet" if attempt < 2 else ""
        processor.export([process_span("faces-1", frame, parent, context, time.time_ns(), error)])
        settlement = Settlement(frame.entry_id, "error" if error else "ok", b"{}", error)
        assert await streams.settle("faces-1", "c", [settlement]) == ["retry" if error else "settled"]
    await traced.close()
    assert not receiver.orphans()
    attempts = sorted(receiver.named("process_frame"), key=lambda span: span.attributes["frame.attempts"])
    assert [span.failed for span in attempts] == [True, True, False]
    dispatches = [receiver.parent(span) for span in attempts]
    assert receiver.parent(receiver.parent(dispatches[0])).name == "publish"
    assert receiver.parent(receiver.parent(dispatches[1])) == dispatches[0]
    assert receiver.parent(receiver.parent(dispatches[2])) == dispatches[1]
    assert len({span.trace_id for span in receiver.spans}) == 1


@both_ways
@pytest.mark.anyio
async def test_the_next_leader_makes_the_spans_that_a_dead_one_left_behind(
    traced: Traced, streams: FrameStreams, receiver: OtlpReceiver, direct: bool
) -> None:
    rows = table(("faces-1", 64, ("face",)))
    await streams.fence((2, 1), "n9")
    if direct:
        await streams.dispatch((2, 1), "n9", rows, traced="0-0", lend_ms=LONG_MS)  # and then it is killed
    async with traced.camera() as camera:
        for _ in range(5):
            await camera.publish(b"jpeg", **FIELDS)
    if not direct:
        lost = await streams.dispatch((2, 1), "n9", rows, traced="0-0")  # and then it is killed
        assert len(lost.sampled) == 5
    async with traced.at_work(direct=direct):
        async with traced.camera() as camera:
            await camera.publish(b"jpeg", **FIELDS)
        await traced.final(6)

        async def all_exported() -> bool:
            return await streams.redis.xlen(streams.keys.sampled) == 0

        await eventually(all_exported)
    assert not receiver.orphans()
    assert len(receiver.spans) == 6 * SPANS_A_FRAME
    assert sorted(span.attributes["node.id"] for span in receiver.named("route_frame")) == [NODE, *["n9"] * 5]


@both_ways
@pytest.mark.anyio
async def test_a_leader_that_does_not_trace_leaves_no_orphan(
    traced: Traced, receiver: OtlpReceiver, direct: bool
) -> None:
    async with traced.at_work(direct=direct, leader_traces=False):
        async with traced.camera() as camera:
            await camera.publish(b"jpeg", frame_id="poison", **FIELDS)
        await traced.final(1)
    (process,) = receiver.named("process_frame")
    assert receiver.parent(process).name == "publish"
    assert process.failed
    assert not receiver.orphans()


@pytest.mark.anyio
async def test_frames_that_other_code_settles_have_a_span_too(
    traced: Traced, streams: FrameStreams, server: EmbeddedServer, receiver: OtlpReceiver
) -> None:
    async with traced.camera() as camera:
        for _ in range(2):
            await camera.publish(b"jpeg", **FIELDS)
    await streams.fence(EPOCH, NODE)
    await streams.dispatch(EPOCH, NODE, table(("faces-1", 64, ("face",))))
    with TinyOrchestrator(server.url).running() as node:
        client = ProcessorClient("faces-1", ["face"], node.url, spans=traced.sinks["faces"])
        async with aclosing(client.frames()) as frames:
            assert await (await anext(frames)).accept({"faces": 0}) == "settled"
            assert await (await anext(frames)).reject("no picture") == "dead"
    await traced.close()
    assert sorted(span.failed for span in receiver.named("process_frame")) == [False, True]
    assert not receiver.orphans()


@both_ways
@pytest.mark.anyio
async def test_every_frame_has_a_trace_and_a_share_is_recorded(
    traced: Traced, streams: FrameStreams, direct: bool
) -> None:
    rows = table(("faces-1", 1000, ("face",)))
    await streams.fence(EPOCH, NODE)
    if direct:
        await streams.dispatch(EPOCH, NODE, rows, traced="0-0", lend_ms=LONG_MS)
    async with traced.camera(ratio=0.25) as camera:
        for _ in range(200):
            await camera.publish(b"", **FIELDS)
    recorded: list[SampledRoute] = []
    if direct:
        for _, fields in await entries(streams, streams.keys.sampled, "-", 1000):
            node_id, routes = msgspec.msgpack.decode(fields[b"routes"], type=tuple[str, list[SampledRoute]])
            assert node_id == NODE
            recorded += routes
    else:
        for _ in range(4):
            report = await streams.dispatch(EPOCH, NODE, rows, limit=64, traced="0-0")
            recorded += report.sampled
    taken = await streams.take("faces-1", "c", count=1000)
    contexts = [TraceContext.parse(frame.traceparent) for frame in taken]
    assert len({context.trace_id for context in contexts}) == 200
    assert 20 <= len(recorded) <= 90
    assert sum(context.sampled for context in contexts) == len(recorded)
    heads = [route.head.split(" ") for route in recorded]
    given = {frame.frame_id: context.span_id for frame, context in zip(taken, contexts, strict=True)}
    assert all(given[head[0]] == dispatch_span_id(head[-1], head[3]) for head in heads)


def span(number: int) -> Span:
    now = time.time_ns()
    return Span("publish", "producer", f"{number + 1:032x}", f"{number + 1:016x}", None, now, now + 1, {"n": number})


def test_a_receiver_that_is_gone_costs_spans_and_no_time() -> None:
    told: list[tuple[str, int]] = []
    sink = OtlpSpans(
        f"http://127.0.0.1:{free_port()}",
        service_name="camera",
        queue_max=100,
        batch_max=10,
        interval_s=0.01,
        timeout_s=0.3,
        count=lambda what, number: told.append((what, number)),
    )
    for number in range(1000):
        sink.export([span(number)])  # had one of them waited for the receiver, the queue would not be full below
    eventually_sync(lambda: sink.counters()[RECEIVER] >= 10)
    began = time.monotonic()
    sink.close(1.0)
    assert time.monotonic() - began < 20.0  # and not without end
    counters = sink.counters()
    assert counters[EXPORTED] == 0
    assert counters[QUEUE_FULL] >= 800
    assert {what for what, _ in told} == {QUEUE_FULL, RECEIVER}


def test_spans_go_on_when_the_receiver_is_back(receiver: OtlpReceiver, caplog: pytest.LogCaptureFixture) -> None:
    receiver.answer = 400
    sink = OtlpSpans(receiver.url, service_name="camera", interval_s=0.01, timeout_s=0.5)
    sink.export([span(1), span(2)])
    eventually_sync(lambda: sink.counters()[RECEIVER] == 2)
    receiver.answer = 200
    sink.export([span(3)])
    eventually_sync(lambda: [one.attributes["n"] for one in receiver.spans] == [3])
    sink.export([span(4)])
    sink.close()  # sends what is left
    assert [one.attributes["n"] for one in receiver.spans] == [3, 4]
    sink.export([span(5)])
    assert sink.counters() == {EXPORTED: 2, QUEUE_FULL: 1, RECEIVER: 2}
    assert [record.levelname for record in caplog.records if record.name == "framebuffer.otlp"] == ["WARNING"] * 2


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://collector/otlp/v1/traces", "https://collector/otlp/v1/traces"),
    ],
)
def test_the_address_of_a_receiver(given: str, url: str) -> None:
    assert traces_url(given) == url


def test_what_the_environment_asks_for(receiver: OtlpReceiver) -> None:
    assert from_environment("camera", {}) is None
    asked = {"TRIARCH_TELEMETRY__OTLP_ENDPOINT": receiver.url, "TRIARCH_TELEMETRY__SAMPLE_RATIO": "0.5"}
    found = from_environment("camera", asked)
    assert found is not None
    found.spans.close()
    assert found.sample_ratio == 0.5
    for variable, value, reason in (
        ("TRIARCH_TELEMETRY__SAMPLE_RATIO", "2", "from 0 to 1"),
        ("TRIARCH_TELEMETRY__SAMPLE_RATIO", "much", "is no number"),
        ("TRIARCH_TELEMETRY__OTLP_ENDPOINT", "collector", "http://"),
    ):
        with pytest.raises(TelemetryInvalid, match=f"{variable}: .*{reason}"):
            from_environment("camera", {**asked, variable: value})


def test_without_the_extra_it_says_what_to_install() -> None:
    program = """
import sys
sys.modules["opentelemetry.sdk"] = None
import framebuffer.tracing, framebuffer.producer, framebuffer.processor, framebuffer.dispatcher
from framebuffer.errors import TelemetryMissing
from framebuffer.otlp import OtlpSpans
try:
    OtlpSpans("http://127.0.0.1:4318", service_name="camera")
except TelemetryMissing as error:
    print(error.code, error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("telemetry_missing spans cannot be exported")
    assert "pip install 'triarch[telemetry]'" in done.stdout
