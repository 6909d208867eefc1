"""The processor SDK on a real server and a real HTTP node: each frame one result, whatever breaks on the way."""

import asyncio
import logging
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from framebuffer.embedded import EmbeddedServer
from framebuffer.errors import InvalidRegistration, RegistrationRefused
from framebuffer.models import TraceContext
from framebuffer.processor import FrameRejected, ProcessorClient, current_trace
from framebuffer.streams import FrameStreams
from framebuffer.wire import QueueStats, TakenFrame
from tests.framebuffer.lossy_link import LossyLink
from tests.framebuffer.plant import EPOCH, Plant
from tests.framebuffer.tiny_orchestrator import TinyOrchestrator
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


class Async(ProcessorClient):
    """Does what the test says with each frame, and remembers the frames."""

    def __init__(self, url: str, do: Callable[[TakenFrame], Awaitable[Any]] | None = None, **options: Any) -> None:
        super().__init__("face-1", ["face"], url, heartbeat_s=0.1, **{"exists_wait_s": 0.0, **options})
        self.seen: list[str] = []
        self._do = do

    async def process_frame(self, frame: TakenFrame) -> Any:
        self.seen.append(frame.frame_id)
        return {"size": len(frame.payload)} if self._do is None else await self._do(frame)


@pytest.fixture
def server_url(server: EmbeddedServer) -> str:
    return server.url


@pytest.fixture
def plant(streams: FrameStreams) -> Plant:
    return Plant(streams)


@pytest.fixture
def node(server_url: str) -> Iterator[TinyOrchestrator]:
    with TinyOrchestrator(server_url).running() as node:
        yield node


@asynccontextmanager
async def running(client: ProcessorClient) -> AsyncIterator[asyncio.Task[None]]:
    """`start` in a task; stops the client at the end unless it has ended."""
    task = asyncio.create_task(client.start())
    try:
        yield task
        await client.stop()
        await asyncio.wait_for(task, 10)
    finally:
        task.cancel()
        await asyncio.wait({task})


async def settled(plant: Plant, count: int, deadline_s: float = 20.0) -> None:
    async def check() -> bool:
        return (await plant.ledger())["settled"] >= count

    await eventually(check, deadline_s=deadline_s)


async def test_as_many_results_are_kept_as_the_orchestrator_says(plant: Plant, node: TinyOrchestrator) -> None:
    node.results_kept = 100
    await plant.give("face-1", 600)
    async with running(Async(node.url)):
        await settled(plant, 600)
    stats = await plant.streams.stats()
    assert stats.results_added == 600
    assert 100 <= stats.results_len <= 300  # a server trims by whole nodes of a stream


async def test_frames_become_results_once(plant: Plant, node: TinyOrchestrator) -> None:
    frame_ids = await plant.give("face-1", 20)
    client = Async(node.url)
    async with running(client):
        await settled(plant, 20)
        frame_ids += await plant.give("face-1", 20)  # it waits for these
        await settled(plant, 40)
    results = await plant.results()
    assert sorted(result["frame_id"] for result in results) == sorted(frame_ids)
    assert results[0]["result"] == {"size": 4}
    assert results[0]["processor_id"] == "face-1"
    assert (results[0]["camera_id"], results[0]["sequence"], results[0]["attempts"]) == ("cam1", 0, 1)
    assert await plant.ledger() == {"published": 40, "settled": 40, "dead": 0, "in_flight": 0}
    counters = client.counters
    assert (counters.taken, counters.settled, counters.in_flight, counters.unowned) == (40, 40, 0, 0)
    assert node.registry.get("face-1") is None  # it said goodbye


async def test_results_wait_for_those_of_other_frames_but_not_for_a_frame_that_hangs(
    plant: Plant, node: TinyOrchestrator
) -> None:
    first, *_ = await plant.give("face-1", 1)
    hangs, go = asyncio.Event(), asyncio.Event()

    async def do(frame: TakenFrame) -> dict[str, Any]:
        if frame.frame_id == hung:
            hangs.set()
            await go.wait()
        return {}

    hung = ""
    async with running(Async(node.url, do, concurrency=2, batch=64)):
        await settled(plant, 1)  # it knows by now that work is short
        hung, *_ = await plant.give("face-1", 1)
        await asyncio.wait_for(hangs.wait(), 20)
        others = await plant.give("face-1", 3)  # too few for a batch of settlements
        await settled(plant, 4)
        assert [result["frame_id"] for result in await plant.results()] == [first, *others]
        go.set()
        await settled(plant, 5)
    assert await plant.ledger() == {"published": 5, "settled": 5, "dead": 0, "in_flight": 0}


async def test_each_result_is_a_child_span_of_its_frame(plant: Plant, node: TinyOrchestrator) -> None:
    spans: dict[str, TraceContext | None] = {}

    async def do(frame: TakenFrame) -> dict[str, Any]:
        await asyncio.sleep(0)
        spans[frame.frame_id] = current_trace()
        return {}

    await plant.give("face-1", 10)
    async with running(Async(node.url, do, concurrency=4)):
        await settled(plant, 10)
    results = await plant.results()
    assert len({result["trace_context"]["span_id"] for result in results}) == 10
    for result in results:
        parent, span = plant.traces[result["frame_id"]], TraceContext.model_validate(result["trace_context"])
        assert span == spans[result["frame_id"]]
        assert span.trace_id == parent.trace_id
        assert result["parent_span_id"] == parent.span_id != span.span_id


async def test_a_plain_function_runs_in_threads(plant: Plant, node: TinyOrchestrator) -> None:
    both = threading.Barrier(2, timeout=10)

    class Plain(ProcessorClient):
        def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
            both.wait()  # passes only when two frames are worked on at once
            span = current_trace()
            assert frame.camera_id == "cam1"
            return {"span": span and span.span_id, "score": np.float32(0.5), "box": np.array([1, 2])}

    await plant.give("face-1", 8)
    async with running(Plain("face-1", ["face"], node.url, concurrency=2)):
        await settled(plant, 8)
    for result in await plant.results():
        assert result["result"] == {"span": result["trace_context"]["span_id"], "score": 0.5, "box": [1, 2]}


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (ValueError("no face here"), "ValueError: no face here"),
        ("not a dict", "TypeError: process_frame must return a dict, returned str"),
        (asyncio.CancelledError("of its own"), "CancelledError: of its own"),
        (SystemExit("bye"), "SystemExit: bye"),
        ({"object": object()}, "TypeError: process_frame returned a object, which is not JSON"),
        ({"text": "x" * (1 << 20)}, "ValueError: the result is"),
    ],
    ids=["raises", "no dict", "cancels", "exits", "no json", "too large"],
)
async def test_a_frame_that_always_fails_ends_dead(
    plant: Plant, node: TinyOrchestrator, outcome: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "framebuffer")

    async def do(frame: TakenFrame) -> Any:
        if frame.sequence == 1:
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome
        return {}

    await plant.give("face-1", 3)
    client = Async(node.url, do)
    async with running(client):

        async def dead() -> list[tuple[str, str]]:
            await plant.give("face-1", 0)  # each retry goes through dispatch
            return await plant.dead()

        found = await eventually(dead)
        await settled(plant, 2)
    assert len(found) == 1
    assert found[0][0] == "cam1-1"
    assert found[0][1].startswith(reason)
    assert client.seen.count("cam1-1") == plant.streams.max_attempts
    assert client.counters.errors == plant.streams.max_attempts
    assert await plant.ledger() == {"published": 3, "settled": 2, "dead": 1, "in_flight": 0}
    assert sum("cam1-1 failed" in message for message in caplog.messages) <= 2  # not a line per attempt


async def test_a_rejected_frame_is_dead_at_once(plant: Plant, node: TinyOrchestrator) -> None:
    async def do(frame: TakenFrame) -> None:
        if frame.sequence == 0:
            raise FrameRejected("not an image")

    await plant.give("face-1", 2)
    async with running(Async(node.url, do)) as _:
        await settled(plant, 1)
        await eventually(plant.dead)
    assert await plant.dead() == [("cam1-0", "FrameRejected: not an image")]
    assert (await plant.results())[0]["result"] == {}  # None means: nothing to say


async def test_a_payload_that_vanished_is_dead_without_being_processed(plant: Plant, node: TinyOrchestrator) -> None:
    await plant.give("face-1", 2, payload=b"x" * 10_000)
    await plant.redis.delete(plant.streams.keys.payload("cam1", 0))
    client = Async(node.url)
    async with running(client):
        await settled(plant, 1)
        await eventually(plant.dead)
    assert await plant.dead() == [("cam1-0", "payload_missing")]
    assert client.seen == ["cam1-1"]
    assert (await plant.results())[0]["result"] == {"size": 10_000}


async def test_a_frame_without_a_trace_starts_one(plant: Plant, node: TinyOrchestrator) -> None:
    [frame_id] = await plant.publish(1)
    [(entry_id, fields)] = await plant.entries(plant.streams.keys.capture)
    await plant.redis.xdel(plant.streams.keys.capture, entry_id)
    untraced: Any = {**fields, "frame": fields["frame"].rpartition(b" ")[0] + b" -"}
    await plant.redis.xadd(plant.streams.keys.ready("face-1"), untraced)
    async with running(Async(node.url)):
        await settled(plant, 1)
    [result] = await plant.results()
    assert result["frame_id"] == frame_id
    assert result["parent_span_id"] is None
    TraceContext.model_validate(result["trace_context"])


async def test_replies_that_get_lost_lose_and_double_nothing(plant: Plant, server_url: str) -> None:
    async with LossyLink(server_url) as link:
        with TinyOrchestrator(link.url).running() as node:
            await plant.give("face-1", 60)
            client = Async(node.url, batch=4)
            for _ in range(3):
                link.lose_reply_to(b"triarch_v2_take")
                link.lose_reply_to(b"triarch_v2_settle")
            async with running(client):
                await settled(plant, 60)
                link.lose_reply_to(b"XREAD")
                await eventually(lambda: link.lost[b"XREAD"] >= 1)
                await plant.give("face-1", 5)
                await settled(plant, 65)
    assert link.lost[b"triarch_v2_take"] == link.lost[b"triarch_v2_settle"] == 3
    assert sorted(client.seen) == sorted(set(client.seen))  # lost on the way to us, not processed twice
    assert len(await plant.results()) == 65
    assert await plant.ledger() == {"published": 65, "settled": 65, "dead": 0, "in_flight": 0}
    assert client.counters.settled + client.counters.unowned == 65
    assert client.counters.unowned > 0  # settlements whose first answer was lost


async def test_an_outage_of_redis_is_waited_out(
    plant: Plant, server_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "framebuffer")
    slow = asyncio.Event()

    async def do(frame: TakenFrame) -> dict[str, Any]:
        if frame.sequence == 0:
            await slow.wait()
        return {}

    async with LossyLink(server_url) as link:
        with TinyOrchestrator(link.url).running() as node:
            client = Async(node.url, do)
            link.down = True
            async with running(client):
                await eventually(lambda: any("Redis" in message for message in caplog.messages))
                link.down = False
                await eventually(lambda: client.counters.taken == 0 and len(node.heartbeats) > 0)
                await plant.give("face-1", 2)
                await eventually(lambda: client.counters.in_flight > 0)
                link.down = True
                link.cut()
                slow.set()
                await eventually(lambda: any("taking frames" in message for message in caplog.messages))
                link.down = False
                await settled(plant, 2)
                await eventually(lambda: any("taking frames: works again" in message for message in caplog.messages))
    assert sum("taking frames" in message for message in caplog.messages) == 2
    assert len(await plant.results()) == 2


@pytest.mark.parametrize("consumer", [None, "another-name"])
async def test_what_a_process_had_in_hand_when_it_died_goes_to_another_attempt(
    plant: Plant, node: TinyOrchestrator, consumer: str | None
) -> None:
    never = asyncio.Event()

    async def hang(frame: TakenFrame) -> None:
        await never.wait()

    await plant.give("face-1", 12)
    first = Async(node.url, hang, instance="unit-7")
    task = asyncio.create_task(first.start())
    await eventually(lambda: first.counters.in_flight == 8)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert node.registry.get("face-1") is not None  # no goodbye: it may come back
    assert (await plant.ledger())["in_flight"] == 12

    second = Async(node.url, instance="unit-7", consumer=consumer)
    async with running(second):
        await settled(plant, 4)
        await plant.give("face-1", 0)
        await settled(plant, 12)
    results = await plant.results()
    assert len(results) == 12
    assert sorted(result["attempts"] for result in results) == [1] * 4 + [2] * 8
    assert all(result["attempts"] == 1 for result in results[:4])  # those that were in hand: alone, and last


async def test_stop_finishes_what_is_in_work_and_releases_the_rest(plant: Plant, node: TinyOrchestrator) -> None:
    go = asyncio.Event()

    async def do(frame: TakenFrame) -> dict[str, Any]:
        await go.wait()
        return {}

    await plant.give("face-1", 10)
    client = Async(node.url, do, batch=4)
    async with running(client) as task:
        await eventually(lambda: client.counters.in_flight == 4)
        stopping = asyncio.create_task(client.stop())
        beats = len(node.heartbeats)
        await eventually(lambda: len(node.heartbeats) >= beats + 2)  # it lives while it drains
        assert not task.done()
        go.set()
        await asyncio.wait_for(stopping, 10)
    assert await plant.ledger() == {"published": 10, "settled": 1, "dead": 0, "in_flight": 9}
    assert (client.counters.released, client.counters.in_flight) == (3, 0)
    assert (await plant.streams.stats()).ready["face-1"] == QueueStats(length=6, pending=0)
    assert node.registry.get("face-1") is None
    assert await plant.streams.return_queue(EPOCH, "face-1") == 6
    async with running(Async(node.url)):
        await plant.give("face-1", 0)
        await settled(plant, 10)
    assert {result["attempts"] for result in await plant.results()} == {1}


async def test_stop_does_not_wait_for_ever(
    plant: Plant, node: TinyOrchestrator, caplog: pytest.LogCaptureFixture
) -> None:
    never = asyncio.Event()

    async def hang(frame: TakenFrame) -> None:
        await never.wait()

    await plant.give("face-1", 3)
    client = Async(node.url, hang, drain_s=0.1, concurrency=2)
    async with running(client):
        await eventually(lambda: client.counters.in_flight == 3)
    assert "2 frames were not finished" in caplog.text
    assert node.registry.get("face-1") is None
    assert (client.counters.released, client.counters.in_flight) == (3, 0)
    assert (await plant.ledger())["in_flight"] == 3


async def test_a_frame_may_ask_the_client_to_stop(plant: Plant, node: TinyOrchestrator) -> None:
    async def do(frame: TakenFrame) -> None:
        client.request_stop()

    await plant.give("face-1", 1)
    client = Async(node.url, do)
    await asyncio.wait_for(client.start(), 10)
    assert len(await plant.results()) == 1


async def test_a_client_can_be_stopped_before_it_ever_reached_anything() -> None:
    client = Async(f"http://127.0.0.1:{free_port()}")
    await client.stop()  # not started: nothing to wait for
    task = asyncio.create_task(client.start())
    await asyncio.wait_for(task, 10)
    with pytest.raises(RuntimeError, match="started before"):
        await client.start()


PROGRAM = """
import sys
from framebuffer.processor import ProcessorClient

class Sizes(ProcessorClient):
    def process_frame(self, frame):
        return {"bytes": len(frame.payload)}

Sizes("face-1", ["face"], sys.argv[1], heartbeat_s=0.1).run()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_a_program_in_order(plant: Plant, node: TinyOrchestrator, number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROGRAM, node.url), stderr=asyncio.subprocess.PIPE
    )
    try:
        await plant.give("face-1", 1)
        await settled(plant, 1)
        process.send_signal(number)
        _, err = await asyncio.wait_for(process.communicate(), 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert (process.returncode, err) == (0, b"")
    assert node.registry.rows == {}


async def test_a_signal_ends_a_program_whose_work_hangs(plant: Plant, node: TinyOrchestrator) -> None:
    program = PROGRAM.replace("return {", "import threading; threading.Event().wait(); return {")
    program = program.replace("heartbeat_s=0.1", "heartbeat_s=0.1, drain_s=0.1")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program, node.url), stderr=asyncio.subprocess.PIPE
    )
    try:
        await plant.give("face-1", 1)

        async def in_work() -> bool:
            return (await plant.streams.stats()).ready["face-1"].pending == 1

        await eventually(in_work, deadline_s=30)  # a whole interpreter starts, perhaps on a busy machine
        process.send_signal(signal.SIGTERM)
        _, err = await asyncio.wait_for(process.communicate(), 10)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert b"were not finished within 0.1 s and are released" in err
    assert (await plant.streams.stats()).lanes == {"face": 1}


async def test_it_registers_again_when_it_is_forgotten(plant: Plant, node: TinyOrchestrator) -> None:
    client = Async(node.url)
    async with running(client):
        await eventually(lambda: node.heartbeats)
        node.forget("face-1")
        await eventually(lambda: node.registry.get("face-1") is not None)
        await plant.give("face-1", 3)
        await settled(plant, 3)
        await eventually(lambda: node.heartbeats[-1] == {"in_flight": 0, "settled": 3, "errors": 0})


async def test_frames_go_on_while_no_orchestrator_answers(plant: Plant, node: TinyOrchestrator) -> None:
    client = Async(node.url)
    async with running(client):
        await eventually(lambda: node.heartbeats)
        node.failing = 503
        await plant.give("face-1", 3)
        await settled(plant, 3)
        node.failing = None
        seen = len(node.heartbeats)
        await eventually(lambda: len(node.heartbeats) > seen)


async def test_a_second_client_with_the_same_id_is_refused(plant: Plant, node: TinyOrchestrator) -> None:
    async with running(Async(node.url)):
        await eventually(lambda: node.heartbeats)
        with pytest.raises(RegistrationRefused, match="healthy"):
            await Async(node.url).start()


async def test_a_client_whose_id_was_taken_over_ends(plant: Plant, node: TinyOrchestrator) -> None:
    first = Async(node.url)
    task = asyncio.create_task(first.start())
    await eventually(lambda: node.heartbeats)
    node.mark("face-1", healthy=False)
    async with running(Async(node.url)):
        with pytest.raises(RegistrationRefused):
            await asyncio.wait_for(task, 10)


async def test_without_a_redis_url_it_says_so() -> None:
    with TinyOrchestrator(None).running() as node, pytest.raises(InvalidRegistration, match="redis_url"):
        await Async(node.url).start()


async def test_an_idle_client_does_not_poll(plant: Plant, node: TinyOrchestrator) -> None:
    never = asyncio.Event()

    async def hang(frame: TakenFrame) -> None:
        if frame.sequence == 0:
            await never.wait()

    await plant.give("face-1", 4)
    client = Async(node.url, hang, concurrency=2, drain_s=0.0)
    async with running(client):
        await eventually(lambda: client.counters.settled == 3)
        before, beats = await plant.function_calls(), len(node.heartbeats)
        await eventually(lambda: len(node.heartbeats) >= beats + 15)  # more than a second
        assert await plant.function_calls() - before <= 6  # one a second, and the statistics of this test


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"processor_id": ""}, "id"),
        ({"capabilities": []}, "capabilities"),
        ({"orchestrator_url": "nowhere"}, "orchestrator_url"),
        ({"capacity": 0}, "capacity"),
        ({"batch": 0}, "batch"),
        ({"concurrency": -1}, "concurrency"),
        ({"heartbeat_s": 0}, "heartbeat_s"),
    ],
)
async def test_wrong_settings_are_named(options: dict[str, Any], field: str) -> None:
    settings = {"processor_id": "p", "capabilities": ["face"], "orchestrator_url": "http://h:1", **options}
    with pytest.raises(InvalidRegistration) as caught:
        ProcessorClient(**settings)
    assert caught.value.field == field


async def test_process_frame_must_be_written(plant: Plant, node: TinyOrchestrator) -> None:
    frame = TakenFrame("1-1", "f", "c", 0, "face", 0, 0, "", b"", b"")
    with pytest.raises(NotImplementedError, match="must override process_frame"):
        ProcessorClient("p", ["face"], node.url).process_frame(frame)
