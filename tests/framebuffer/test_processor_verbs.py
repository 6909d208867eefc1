"""What a processor may say of a frame, in which order it works, how long it may hold one, and where its work runs."""

import asyncio
import logging
import multiprocessing
import os
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import aclosing, asynccontextmanager
from multiprocessing import resource_tracker as tracker
from typing import Any

import pytest
from redis.exceptions import ResponseError

from framebuffer.connection import execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.errors import InvalidRegistration
from framebuffer.handle import FrameHandle, ProcessorClosed
from framebuffer.processor import FrameReleased, ProcessorClient
from framebuffer.streams import FrameStreams
from framebuffer.wire import QueueStats, Settlement, TakenFrame
from tests.conftest import _children
from tests.framebuffer.plant import EPOCH, Plant
from tests.framebuffer.pool_work import Scaling, where
from tests.framebuffer.tiny_orchestrator import TinyOrchestrator
from tests.support import eventually, eventually_sync

# What is tested here is the client's; the functions themselves are tested on both servers elsewhere.
pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("binary", ["valkey"], indirect=True)]


@pytest.fixture
def plant(streams: FrameStreams) -> Plant:
    return Plant(streams)


@pytest.fixture
def node(server: EmbeddedServer) -> Iterator[TinyOrchestrator]:
    with TinyOrchestrator(server.url).running() as node:
        yield node


def client(node: TinyOrchestrator, work: Any, **options: Any) -> ProcessorClient:
    return ProcessorClient("face-1", ["face"], node.url, work=work, heartbeat_s=0.1, exists_wait_s=0.0, **options)


@asynccontextmanager
async def running(processor: ProcessorClient) -> AsyncIterator[None]:
    task = asyncio.create_task(processor.start())
    try:
        yield
        await processor.stop()
        await asyncio.wait_for(task, 10)
    finally:
        task.cancel()
        await asyncio.wait({task})


async def final(plant: Plant, count: int) -> None:
    """Until so many frames are settled or dead; what comes back is dispatched meanwhile."""

    async def check() -> bool:
        await plant.give("face-1", 0)
        ledger = await plant.ledger()
        return ledger["settled"] + ledger["dead"] >= count

    await eventually(check, deadline_s=45)


async def test_a_released_frame_comes_again_with_no_attempt_counted(plant: Plant, node: TinyOrchestrator) -> None:
    seen: list[int] = []

    async def work(frame: TakenFrame) -> None:
        seen.append(frame.attempts)
        if len(seen) < 4:
            raise FrameReleased("the model is still loading")

    await plant.give("face-1", 1)
    processor = client(node, work)
    async with running(processor):
        await final(plant, 1)
    assert seen == [0, 0, 0, 0]
    assert (processor.counters.released, processor.counters.errors) == (3, 0)
    assert (await plant.results())[0]["attempts"] == 1


async def test_a_frame_that_is_released_for_ever_goes_round_slowly(plant: Plant, node: TinyOrchestrator) -> None:
    """Without a lull it comes again some hundred times a second."""
    began = asyncio.get_running_loop().time()

    async def work(frame: TakenFrame) -> None:
        if asyncio.get_running_loop().time() - began < 1.0:
            raise FrameReleased("the model is still loading")

    await plant.give("face-1", 1)
    processor = client(node, work)
    async with running(processor):
        began = asyncio.get_running_loop().time()
        await final(plant, 1)
    # Behind 7 lulls 1.27 s are over; another may have been on its way here before the first answer.
    assert 1 <= processor.counters.released <= 9
    assert (processor.counters.settled, (await plant.ledger())["in_flight"]) == (1, 0)


async def test_a_lull_holds_up_neither_heartbeats_nor_leases_nor_the_end(
    plant: Plant, node: TinyOrchestrator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("framebuffer.lull.FIRST_S", 3600.0)
    monkeypatch.setattr("framebuffer.lull.MOST_S", 3600.0)
    node.lease_s = 0.6
    step, seen = asyncio.Event(), list[str]()

    async def work(frame: TakenFrame) -> None:
        seen.append(frame.frame_id)
        if seen == ["cam1-0"] or frame.frame_id == "cam1-5":
            raise FrameReleased("not now")
        await step.wait()

    await plant.give("face-1", 2)
    processor = client(node, work, batch=2, concurrency=2)
    async with running(processor):
        await eventually(lambda: processor.counters.released == 1)
        await plant.give("face-1", 3)
        beats, began = len(node.heartbeats), asyncio.get_running_loop().time()
        await eventually(lambda: asyncio.get_running_loop().time() - began > 1.0)
        assert len(node.heartbeats) > beats
        assert await plant.streams.expire(EPOCH, "face-1", 600) == 0, "the frame in work is renewed"
        assert (processor.counters.taken, processor.counters.in_flight) == (2, 1)
        step.set()  # a result ends the lull at once
        await eventually(lambda: processor.counters.settled == 5)
        await plant.give("face-1", 1)
        await eventually(lambda: processor.counters.released == 2)
    assert (await plant.ledger())["in_flight"] == 1


async def test_frames_in_hand_and_in_the_queue_are_worked_on_by_priority(plant: Plant, node: TinyOrchestrator) -> None:
    seen: list[str] = []
    step = asyncio.Semaphore(0)

    async def work(frame: TakenFrame) -> None:
        await step.acquire()
        seen.append(frame.frame_id)

    await plant.give("face-1", 6)
    processor = client(node, work, batch=4)
    async with running(processor):
        await eventually(lambda: processor.counters.in_flight == 4)
        await plant.give("face-1", 1, priority=10)
        await plant.give("face-1", 1, priority=3)
        while len(seen) < 8:
            done = len(seen)
            step.release()
            await eventually(lambda: len(seen) > done)  # noqa: B023 (it is done before the next turn)
    # How many of the first batch are worked on before depends on how long work takes; the others wait in the queue.
    first = [f"cam1-{n}" for n in range(4)]
    assert [one for one in seen if one in first] == first
    assert [one for one in seen if one not in first] == [f"cam1-{n}" for n in (6, 7, 4, 5)]


async def test_where_work_takes_long_most_of_a_batch_waits_in_the_queue(plant: Plant, node: TinyOrchestrator) -> None:
    held: list[int] = []
    step = asyncio.Semaphore(0)

    async def work(frame: TakenFrame) -> None:
        held.append(processor.counters.in_flight)
        await step.acquire()

    await plant.give("face-1", 1)
    processor = client(node, work, batch=8)
    async with running(processor):
        started = asyncio.get_running_loop().time()
        await eventually(lambda: asyncio.get_running_loop().time() - started > 0.2)  # so long it takes
        step.release()
        await eventually(lambda: processor.counters.settled == 1)
        await plant.give("face-1", 12)
        for _ in range(12):
            step.release()
        await final(plant, 13)
    # One in work, and as many as are done while others are fetched, which a busy machine takes longer for.
    assert max(held) < 8


async def test_a_lease_is_renewed_while_work_goes_on_and_not_for_ever(
    plant: Plant, node: TinyOrchestrator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "framebuffer")
    go = asyncio.Event()

    async def work(frame: TakenFrame) -> None:
        await go.wait()

    node.lease_s = 0.6
    await plant.give("face-1", 3)
    processor = client(node, work, work_limit_s=1.5)
    async with running(processor):
        await eventually(lambda: processor.counters.in_flight == 3)
        began = asyncio.get_running_loop().time()

        async def expired() -> int:
            return await plant.streams.expire(EPOCH, "face-1", 600)

        await eventually(expired, every_s=0.1)
        assert asyncio.get_running_loop().time() - began > 1.4
        assert processor.counters.released == 2  # those that waited behind it in hand are not to blame
        go.set()
        await final(plant, 3)
    assert sorted(result["attempts"] for result in await plant.results()) == [1, 1, 2]
    assert processor.counters.unowned == 1


async def test_it_takes_nothing_while_all_it_has_takes_too_long(plant: Plant, node: TinyOrchestrator) -> None:
    go = asyncio.Event()

    async def work(frame: TakenFrame) -> None:
        await go.wait()

    await plant.give("face-1", 1)
    processor = client(node, work, work_limit_s=0.2)
    async with running(processor):
        await eventually(lambda: processor.counters.in_flight == 1)
        await asyncio.sleep(0.3)  # its limit passes; there is nothing to look at
        await plant.give("face-1", 3)
        calls = await plant.function_calls()
        await asyncio.sleep(0.5)
        assert await plant.function_calls() - calls < 5  # it does not ask again and again either
        assert (await plant.streams.stats()).ready["face-1"] == QueueStats(length=4, pending=1)
        go.set()
        await final(plant, 4)


async def test_a_suspect_waits_for_the_rest_without_being_asked_for_all_the_time(
    plant: Plant, node: TinyOrchestrator
) -> None:
    seen: list[str] = []
    go = asyncio.Event()

    async def work(frame: TakenFrame) -> None:
        if frame.sequence == 0 and frame.attempts == 0:
            raise ValueError("once")
        await go.wait()
        seen.append(frame.frame_id)

    await plant.give("face-1", 2)
    processor = client(node, work)
    async with running(processor):
        await eventually(lambda: processor.counters.errors)
        await eventually(lambda: processor.counters.in_flight == 1)
        await plant.give("face-1", 0)
        calls = await plant.function_calls()
        await asyncio.sleep(0.6)
        assert await plant.function_calls() - calls < 12
        go.set()
        await final(plant, 2)
    assert seen == ["cam1-1", "cam1-0"]


async def test_handles_say_what_becomes_of_each_frame(plant: Plant, node: TinyOrchestrator) -> None:
    processor = client(node, None, concurrency=2)
    said: list[tuple[str, str]] = []

    async def work(handle: FrameHandle) -> None:
        frame = handle.frame
        match frame.sequence:
            case 0:
                said.append((frame.frame_id, await handle.accept({"span": handle.trace.span_id})))
            case 1:
                said.append((frame.frame_id, await handle.reject("no image")))
            case 2 if frame.attempts == 0:
                said.append((frame.frame_id, await handle.fail("once")))
            case 3 if not any(name == frame.frame_id for name, _ in said):
                assert await handle.renew()
                said.append((frame.frame_id, await handle.release()))
            case _:
                with pytest.raises(TypeError):
                    await handle.accept({"object": object()})
                assert not handle.ended
                said.append((frame.frame_id, await handle.accept()))
        with pytest.raises(RuntimeError, match="was settled before"):
            await handle.release()
        assert not await handle.renew()

    await plant.give("face-1", 4)
    async with aclosing(processor.frames()) as frames:
        async for handle in frames:
            await work(handle)
            if len(said) == 6:
                break
            await plant.give("face-1", 0)
    assert sorted(said) == [
        *(("cam1-0", "settled"), ("cam1-1", "dead"), ("cam1-2", "retry"), ("cam1-2", "settled")),
        *(("cam1-3", "released"), ("cam1-3", "settled")),
    ]
    assert await plant.dead() == [("cam1-1", "no image")]
    results = await plant.results()
    assert results[0]["result"]["span"] == results[0]["trace_context"]["span_id"]
    assert node.registry.rows == {}


async def test_leaving_the_loop_releases_what_is_out(plant: Plant, node: TinyOrchestrator) -> None:
    processor = client(node, None, concurrency=3)
    kept: list[FrameHandle] = []
    await plant.give("face-1", 5)
    async with aclosing(processor.frames()) as frames:
        async for handle in frames:
            kept.append(handle)
            if len(kept) == 2:
                break
    assert processor.counters.released == 5
    assert all(handle.ended for handle in kept)
    assert (await plant.ledger())["in_flight"] == 5
    assert (
        "face-1" not in (await plant.streams.stats()).ready or (await plant.streams.stats()).ready["face-1"].length == 0
    )


async def test_a_client_that_cannot_start_says_so_to_whoever_wants_frames(node: TinyOrchestrator) -> None:
    node.token = "secret"
    with pytest.raises(Exception, match="refused the token"):
        async for _ in client(node, None).frames():
            pass


async def test_a_handle_whose_client_ended_waits_for_nothing(plant: Plant, node: TinyOrchestrator) -> None:
    async def renew(_: str) -> bool:
        return True

    [frame_id] = await plant.give("face-1", 1)
    [frame] = await plant.streams.take("face-1", "c")
    handle = FrameHandle("face-1", frame, renew)
    handle.closed()
    assert frame.frame_id == frame_id
    with pytest.raises(ProcessorClosed):
        await handle.accept()


async def test_what_was_never_taken_cannot_be_settled_nor_renewed(plant: Plant) -> None:
    await plant.give("face-1", 3)
    [frame] = await plant.streams.take("face-1", "mine", count=1)
    foreign = ["0-1", "5:0-1", "s:1-1", "x:1-1", "no handle", "", "9" * 40 + "-1", frame.entry_id]
    settlements = [Settlement(one, "ok", result=b"{}") for one in foreign]
    assert set(await plant.streams.settle("face-1", "another", settlements)) == {"not-owner"}
    assert set(await plant.streams.settle("face-2", "mine", settlements)) == {"not-owner"}
    assert not any(await plant.streams.renew("face-1", "another", foreign))
    assert await plant.streams.renew("face-1", "mine", foreign) == [False] * 7 + [True]
    assert await plant.streams.settle("face-1", "mine", [settlements[-1]] * 2) == ["settled", "not-owner"]
    assert await plant.ledger() == {"published": 3, "settled": 1, "dead": 0, "in_flight": 2}


async def test_an_odd_name_reaches_nobodys_queue(plant: Plant) -> None:
    await plant.give("face-1", 2, priority=5)
    for name in ("face-1:p5", "../face-1", "", "a b", "x" * 65, "face-1\n"):
        for call in (
            ("take", name, "c", 9, ">", -1),
            ("settle", name, "c", 5, 9, "1-1", "ok", "{}"),
            ("renew", name, "c"),
        ):
            with pytest.raises(ResponseError, match="have names of at most 64"):
                await execute(plant.redis, "FCALL", f"triarch_v2_{call[0]}", 1, plant.streams.keys.prefix, *call[1:])
    assert len(await plant.streams.take("face-1", "c")) == 2


@pytest.fixture(scope="module", autouse=True)
def resource_tracker() -> None:
    """Python keeps one process for itself as long as this one lives; no test is to be blamed for it."""
    tracker.ensure_running()
    eventually_sync(lambda: any("resource_tracker" in command for command in _children().values()))


def pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))


EXITS_OR_RUNS_DRY = [("cam1-0", "RuntimeError: SystemExit: bye"), ("cam1-1", "RuntimeError: StopIteration")]


async def test_a_frame_whose_work_exits_or_runs_dry_fails_like_any_other(plant: Plant, node: TinyOrchestrator) -> None:
    """In threads. SystemExit would end the client, and StopIteration is one that asyncio's futures do not take."""
    node.max_attempts = 1
    for payload in (b"exit", b"next", b"", b""):
        await plant.give("face-1", 1, payload=payload)
    async with running(client(node, where, concurrency=2)):
        await final(plant, 4)
    assert await plant.ledger() == {"published": 4, "settled": 2, "dead": 2, "in_flight": 0}
    assert sorted(await plant.dead()) == EXITS_OR_RUNS_DRY


async def test_work_may_run_in_other_processes(plant: Plant, node: TinyOrchestrator) -> None:
    node.max_attempts = 1
    for payload in (b"exit", b"next"):
        await plant.give("face-1", 1, payload=payload)
    await plant.give("face-1", 4)
    with pool() as executor:
        async with running(client(node, where, concurrency=2, executor=executor)):
            await final(plant, 6)
        assert sorted(await plant.dead()) == EXITS_OR_RUNS_DRY
        await plant.give("face-1", 2)
        scaling = Scaling("face-1", ["face"], node.url, factor=10, executor=executor, exists_wait_s=0.0)
        async with running(scaling):
            await final(plant, 8)
    results = await plant.results()
    for result in results[:4]:
        assert result["result"]["pid"] != os.getpid()
        assert result["result"]["span"] == result["trace_context"]["span_id"]
    assert [(result["result"]["size"], result["result"]["id"]) for result in results[4:]] == [(40, "face-1")] * 2


async def test_a_frame_that_kills_its_process_dies_alone(plant: Plant, node: TinyOrchestrator) -> None:
    node.max_attempts = 2
    await plant.give("face-1", 1, payload=b"die")
    await plant.give("face-1", 3)
    async with running(client(node, where, concurrency=2, executor=pool)):
        await final(plant, 4)
    assert await plant.ledger() == {"published": 4, "settled": 3, "dead": 1, "in_flight": 0}
    assert [name for name, _ in await plant.dead()] == ["cam1-0"]
    assert (await plant.dead())[0][1].startswith("BrokenProcessPool")


async def test_a_given_pool_that_broke_ends_the_client(plant: Plant, node: TinyOrchestrator) -> None:
    await plant.give("face-1", 1, payload=b"die")
    with pool() as executor, pytest.raises(BrokenExecutor):
        await asyncio.wait_for(client(node, where, executor=executor).start(), 20)
    assert (await plant.ledger())["in_flight"] == 1  # still pending: whoever comes next counts the attempt


async def test_what_a_pool_cannot_take_is_refused_before_it_costs_a_frame(node: TinyOrchestrator) -> None:
    async def asynchronous(frame: TakenFrame) -> None: ...

    with pool() as executor:
        with pytest.raises(InvalidRegistration, match="cannot be sent to a process pool"):
            await client(node, lambda _: None, executor=executor).start()
        with pytest.raises(InvalidRegistration, match="async function"):
            await client(node, asynchronous, executor=executor).start()
    with pytest.raises(InvalidRegistration, match="is a int"):
        await client(node, where, executor=lambda: 3).start()
    assert node.requests == []
