"""Threads that nobody has to wait for."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Executor, Future
from contextvars import copy_context
from queue import SimpleQueue
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = ["DaemonThreads", "contained"]

P = ParamSpec("P")
T = TypeVar("T")


class _Job(Protocol):
    def run(self) -> None:
        """In a thread; raises nothing."""

    def cancel(self) -> object:
        """It will not be run."""


class _Submitted:
    """Of `submit`."""

    def __init__(self, future: Future[Any], work: Callable[[], Any]) -> None:
        self._future = future
        self._work = work

    def run(self) -> None:
        if not self._future.set_running_or_notify_cancel():
            return
        try:
            found = self._work()
        except BaseException as error:  # noqa: BLE001 (it belongs to whoever asks the future)
            self._future.set_exception(error)
        else:
            self._future.set_result(found)
        finally:
            del self  # the error's traceback holds this frame, which would hold the error

    def cancel(self) -> object:
        return self._future.cancel()


class _Called:
    """Of `call`. Its future is the event loop's, and is touched there only."""

    def __init__(self, future: asyncio.Future[Any], work: Callable[[], Any]) -> None:
        self._future = future
        self._work = work

    def run(self) -> None:
        if self._future.cancelled():
            return
        try:
            found = self._work()
        except Exception as error:  # noqa: BLE001 (it belongs to who awaits)
            self._tell(self._failed, error)
        else:
            self._tell(self._done, found)
        finally:
            del self  # as above

    def cancel(self) -> object:
        return self._future.cancel()

    def _tell(self, callback: Callable[[Any], None], value: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it whoever awaited
            self._future.get_loop().call_soon_threadsafe(callback, value)

    def _done(self, found: Any) -> None:
        if not self._future.done():
            self._future.set_result(found)

    def _failed(self, error: Exception) -> None:
        if not self._future.done():
            self._future.set_exception(error)


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
        self._enqueue(_Submitted(future, lambda: fn(*args, **kwargs)))
        return future

    async def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """The function's result, `contained`, in the caller's context; if that is cancelled first, it is not called.

        Half the price of awaiting what `submit` gives, which counts where the work is short. Call it in the event
        loop, and `shutdown` too. Errors: RuntimeError after `shutdown`; the function's.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        context = copy_context()
        self._enqueue(_Called(future, lambda: context.run(contained, function, *args, **kwargs)))
        try:
            return await future
        finally:
            del future  # an error of it holds this frame

    def _enqueue(self, job: _Job) -> None:
        with self._lock:
            if self._closed:
                raise RuntimeError(f"threads of {self._name} were shut down")
            self._jobs.put(job)
            if not self._idle.acquire(blocking=False) and self._started < self._count:
                self._started += 1
                threading.Thread(target=self._run, name=f"{self._name}-{self._started}", daemon=True).start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """What runs goes on to its end, if it has one; what waits is cancelled. Never waits."""
        with self._lock:
            self._closed = True
            while not self._jobs.empty():
                job = self._jobs.get()
                if job is not None:
                    job.cancel()
            for _ in range(self._started):
                self._jobs.put(None)

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            job.run()
            del job
            self._idle.release()
