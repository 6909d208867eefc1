"""Threads for work on frames: as many as allowed, reused, and no obstacle to the end of the program."""

import asyncio
import gc
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import wait
from contextvars import ContextVar
from typing import Any

import pytest

from framebuffer.threads import DaemonThreads
from tests.support import eventually_sync


def test_work_runs_side_by_side_in_threads_that_are_used_again() -> None:
    threads = DaemonThreads(3, "test")
    both = threading.Barrier(3, timeout=10)
    futures = [threads.submit(both.wait) for _ in range(9)]
    wait(futures, timeout=10)
    assert sorted(future.result() for future in futures) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    names = {threads.submit(lambda: threading.current_thread().name).result(10) for _ in range(20)}
    assert names <= {"test-1", "test-2", "test-3"}
    threads.shutdown()
    eventually_sync(lambda: not any(thread.name.startswith("test-") for thread in threading.enumerate()))
    with pytest.raises(RuntimeError, match="threads of test were shut down"):
        threads.submit(print)


def test_one_thread_is_enough_for_one_thing_after_the_other() -> None:
    threads = DaemonThreads(8, "single")
    names = set()
    for _ in range(5):
        names.add(threads.submit(lambda: threading.current_thread().name).result(10))
        eventually_sync(lambda: threads._idle._value == 1)
    assert names == {"single-1"}
    threads.shutdown()


def test_what_is_raised_belongs_to_whoever_asks() -> None:
    threads = DaemonThreads(1, "raising")
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 1, 0).result(10)
    with pytest.raises(SystemExit):
        threads.submit(sys.exit, 3).result(10)
    assert threads.submit(divmod, 7, 2).result(10) == (3, 1)
    threads.shutdown()


class Image:
    """What the work on a frame holds when it fails."""


@pytest.mark.parametrize("called", [True, False], ids=["call", "submit"])
def test_what_failed_is_not_kept_by_its_own_error(called: bool) -> None:
    threads = DaemonThreads(1, "failing")
    images: list[weakref.ref[Image]] = []

    def fail() -> None:
        image = Image()
        images.append(weakref.ref(image))
        raise ValueError("no face")

    async def once() -> None:
        with pytest.raises(ValueError, match="no face"):
            await (threads.call(fail) if called else asyncio.wrap_future(threads.submit(fail)))

    gc.disable()
    try:
        asyncio.run(once())
        eventually_sync(lambda: images[0]() is None)
    finally:
        gc.enable()
        threads.shutdown()


def test_what_waits_is_cancelled_by_a_shutdown() -> None:
    threads = DaemonThreads(1, "waiting")
    go, running = threading.Event(), threading.Event()

    def hold() -> bool:
        running.set()
        return go.wait(10)

    first, second = threads.submit(hold), threads.submit(print)
    running.wait(10)
    threads.shutdown()
    assert second.cancelled()
    go.set()
    assert first.result(10)


shade: ContextVar[str] = ContextVar("shade")


class Held:
    """Runs until it is let go."""

    def __init__(self) -> None:
        self.running, self.go = threading.Event(), threading.Event()

    def __call__(self) -> bool:
        self.running.set()
        return self.go.wait(10)


def stop() -> None:
    raise StopIteration("the end")


@pytest.mark.anyio
async def test_what_is_called_runs_in_a_thread_in_the_callers_context() -> None:
    threads = DaemonThreads(1, "called")
    shade.set("green")
    assert await threads.call(lambda: (threading.current_thread().name, shade.get())) == ("called-1", "green")
    assert await threads.call(divmod, 7, 2) == (3, 1)
    threads.shutdown()
    with pytest.raises(RuntimeError, match="threads of called were shut down"):
        await threads.call(print)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("function", "error", "said"),
    [
        (lambda: 1 // 0, ZeroDivisionError, "by zero"),
        (sys.exit, RuntimeError, "SystemExit"),
        (stop, RuntimeError, "StopIteration: the end"),
    ],
)
async def test_what_a_called_function_raises_reaches_the_caller_as_an_exception(
    function: Callable[[], Any], error: type[Exception], said: str
) -> None:
    threads = DaemonThreads(1, "raising")
    with pytest.raises(error, match=said):
        await threads.call(function)
    assert await threads.call(divmod, 7, 2) == (3, 1)
    threads.shutdown()


@pytest.mark.anyio
async def test_a_call_that_waits_is_not_made_once_it_was_cancelled() -> None:
    threads = DaemonThreads(1, "cancelled")
    hold, made = Held(), list[str]()

    first = asyncio.create_task(threads.call(hold))
    second = asyncio.create_task(threads.call(made.append, "second"))
    third = asyncio.create_task(threads.call(made.append, "third"))
    await asyncio.to_thread(hold.running.wait, 10)
    second.cancel()
    await asyncio.wait({second})
    hold.go.set()
    await asyncio.wait_for(asyncio.gather(first, third), 10)
    assert made == ["third"]
    threads.shutdown()


@pytest.mark.anyio
async def test_a_shutdown_cancels_a_call_that_waits_and_not_one_that_runs() -> None:
    threads = DaemonThreads(1, "ending")
    hold = Held()

    first = asyncio.create_task(threads.call(hold))
    second = asyncio.create_task(threads.call(print))
    await asyncio.to_thread(hold.running.wait, 10)
    threads.shutdown()
    await asyncio.wait({second}, timeout=10)
    assert second.cancelled()
    hold.go.set()
    assert await asyncio.wait_for(first, 10)


def test_a_call_that_outlives_its_event_loop_harms_nobody() -> None:
    threads = DaemonThreads(1, "late")
    hold = Held()

    async def leave() -> None:
        task = asyncio.create_task(threads.call(hold))
        await asyncio.to_thread(hold.running.wait, 10)
        task.cancel()

    asyncio.run(leave())
    hold.go.set()
    assert threads.submit(divmod, 7, 2).result(10) == (3, 1)
    threads.shutdown()


def test_a_thread_that_hangs_does_not_keep_the_program_from_ending() -> None:
    program = (
        "import threading; from framebuffer.threads import DaemonThreads;"
        "started = threading.Event();"
        "DaemonThreads(1, 'hung').submit(lambda: (started.set(), threading.Event().wait()));"
        "started.wait(); print('end')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("end\n", "")
