"""Threads that nobody has to wait for."""

import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

__all__ = ["DaemonThreads", "contained"]

P = ParamSpec("P")
T = TypeVar("T")
_Job = tuple[Future[Any], Callable[[], Any]]


def contained(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Somebody else's function, called in a thread or another process for whoever awaits the future of it.

    What would do more there than fail arrives as a RuntimeError. StopIteration: asyncio's futures refuse it until
    Python 3.12, and whoever awaits one waits for ever. CancelledError looks like the end of who awaits it. SystemExit
    and the like end the event loop, and all that it does.
    """
    try:
        return function(*args, **kwargs)
    except (StopIteration, CancelledError) as error:
        raise RuntimeError(_said(error)) from error
    except Exception:
        raise
    except BaseException as error:
        raise RuntimeError(_said(error)) from error


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ")


class DaemonThreads(Executor):
    """At most `count` threads, started when there is work. Those of a ThreadPoolExecutor keep the interpreter from
    ending while one of them hangs, and a processor that was told to stop has to end all the same.
    """

    def __init__(self, count: int, name: str) -> None:
        self._count = count
        self._name = name
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._started = 0
        self._closed = False
        self._lock = threading.Lock()
        self._idle = threading.Semaphore(0)

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Errors: RuntimeError after `shutdown`."""
        future: Future[T] = Future()
        with self._lock:
            if self._closed:
                raise RuntimeError(f"threads of {self._name} were shut down")
            self._jobs.put((future, lambda: fn(*args, **kwargs)))
            if not self._idle.acquire(blocking=False) and self._started < self._count:
                self._started += 1
                threading.Thread(target=self._run, name=f"{self._name}-{self._started}", daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """What runs goes on to its end, if it has one; what waits is cancelled. Never waits."""
        with self._lock:
            self._closed = True
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job[0].cancel()
            for _ in range(self._started):
                self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, work = job
            if future.set_running_or_notify_cancel():
                try:
                    found = work()
                except BaseException as error:  # noqa: BLE001 (it belongs to whoever asks the future)
                    future.set_exception(error)
                else:
                    future.set_result(found)
            del job, future, work
            self._idle.release()
