"""Threads for work on frames: as many as allowed, reused, and no obstacle to the end of the program."""

import subprocess
import sys
import threading
from concurrent.futures import wait

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


def test_a_thread_that_hangs_does_not_keep_the_program_from_ending() -> None:
    program = (
        "import threading; from framebuffer.threads import DaemonThreads;"
        "started = threading.Event();"
        "DaemonThreads(1, 'hung').submit(lambda: (started.set(), threading.Event().wait()));"
        "started.wait(); print('end')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20, check=True)
    assert (done.stdout, done.stderr) == ("end\n", "")
