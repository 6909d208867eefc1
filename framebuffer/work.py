"""What is done with a frame: the user's function, called in the event loop, in a thread or in another process.

Whatever it does, the frame gets a settlement: what it returned is the result, `FrameReleased` sends the frame back as
if it had never been taken, `FrameRejected` ends it, any other exception sends it to another attempt.
"""

import asyncio
import contextlib
import inspect
import logging
import pickle
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, ProcessPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, ClassVar

from framebuffer.errors import FrameBufferError, InvalidRegistration
from framebuffer.models import TraceContext
from framebuffer.result import encoded, span_of
from framebuffer.threads import DaemonThreads, contained
from framebuffer.tracing import SpanSink, export_process
from framebuffer.wire import Settlement, TakenFrame

__all__ = ["FrameRejected", "FrameReleased", "Pool", "Work", "current_trace", "reason_of"]

log = logging.getLogger(__name__)

REASON_MAX = 500
_FAILURE_LOG_EVERY_S = 1.0
_ENDING_S = 2.0
_ENDING_POLL_S = 0.01

_trace: ContextVar[TraceContext | None] = ContextVar("frame_trace", default=None)

Pool = Executor | Callable[[], Executor]
"""Threads or processes that work on frames, or what makes them: then they are made anew when a process dies."""


def current_trace() -> TraceContext | None:
    """The span of the frame being processed, inside `process_frame` and what it calls, in its thread or process too."""
    return _trace.get()


class FrameRejected(FrameBufferError):
    """Raise it in `process_frame` for a frame that no further attempt will help: it goes to the dead at once."""

    code: ClassVar[str] = "frame_rejected"


class FrameReleased(FrameBufferError):
    """Raise it in `process_frame` for a frame that this processor cannot do now: it goes back to dispatch, and that
    counts as no attempt. It may come again, to whichever processor has room. While all that this one takes is released,
    it takes more and more slowly, at last once a second.
    """

    code: ClassVar[str] = "frame_released"


def reason_of(error: BaseException) -> str:
    """Why a frame failed, as it is kept with the dead."""
    return f"{type(error).__name__}: {error}"[:REASON_MAX]


class Work:
    """One processor's function. `pool`: where a plain `def` runs; by default `threads` threads of its own."""

    def __init__(
        self,
        processor_id: str,
        function: Callable[[TakenFrame], Any],
        pool: Pool | None,
        threads: int,
        *,
        spans: SpanSink | None = None,
    ) -> None:
        self._processor_id = processor_id
        self._function = function
        self._in_loop = inspect.iscoroutinefunction(function)
        self._given = pool
        self._threads = threads
        self._spans = spans
        self._pool: Executor | None = pool if isinstance(pool, Executor) else None
        self._failure_logged_at = float("-inf")
        self._failures_unlogged = 0

    def check(self) -> None:
        """Make the pool, and look whether the function can be sent to it. Errors: InvalidRegistration."""
        if self._given is None:
            return
        pool = self._executor()
        if not isinstance(pool, Executor):
            raise InvalidRegistration("executor", f"must be or make an Executor, is a {type(pool).__name__}")
        if not isinstance(pool, ProcessPoolExecutor):
            return
        if self._in_loop:
            raise InvalidRegistration("executor", "an async function cannot run in a process pool; make it a plain def")
        try:
            pickle.dumps(self._function)
        except Exception as error:  # what is pickled may raise anything
            raise InvalidRegistration(
                "executor",
                f"the function cannot be sent to a process pool: {reason_of(error)}; it must be one of a module, or a "
                "method of a class of a module whose own attributes can be pickled",
            ) from error

    async def aclose(self) -> None:
        """End what it made itself. Idle processes are waited for; what still runs in one is not, beyond a moment."""
        pool, self._pool = self._pool, None
        if pool is None or isinstance(self._given, Executor):
            return
        if not isinstance(pool, ProcessPoolExecutor):
            pool.shutdown(wait=False, cancel_futures=True)
            return
        ending = threading.Thread(target=pool.shutdown, kwargs={"cancel_futures": True}, daemon=True)
        ending.start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDING_S):
                while ending.is_alive():  # noqa: ASYNC110 (a thread has no event to wait for)
                    await asyncio.sleep(_ENDING_POLL_S)

    async def __call__(self, frame: TakenFrame) -> Settlement:
        """One frame to its settlement. Errors: BrokenExecutor when a process of a given pool died; being cancelled."""
        parent, span = span_of(frame)
        began_ns = time.time_ns()
        settlement = await self._settlement(frame, parent, span)
        export_process(self._spans, self._processor_id, frame, parent, span, began_ns, settlement)
        return settlement

    async def _settlement(self, frame: TakenFrame, parent: TraceContext | None, span: TraceContext) -> Settlement:
        if frame.payload_missing:
            return Settlement(frame.entry_id, "dead", reason="payload_missing")
        try:
            found = await self._call(frame, span)
            result = encoded(self._processor_id, frame, parent, span, found)
        except FrameRejected as error:
            return Settlement(frame.entry_id, "dead", reason=reason_of(error))
        except FrameReleased as error:
            return Settlement(frame.entry_id, "release", reason=reason_of(error))
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            # The user's code has cancelled something of its own: that must not look like the end of this client.
            return self._failed(frame, error)
        except BrokenExecutor as error:
            if isinstance(self._given, Executor):
                raise  # it takes no work any more, and only whoever made it can make another one
            return self._failed(frame, error)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (the user's code may raise anything; another attempt)
            return self._failed(frame, error)
        return Settlement(frame.entry_id, "ok", result=result)

    async def _call(self, frame: TakenFrame, span: TraceContext) -> object:
        token = _trace.set(span)
        try:
            if self._in_loop:
                return await self._function(frame)
            pool = self._executor()
            loop = asyncio.get_running_loop()
            if isinstance(pool, ProcessPoolExecutor):
                with self._discarded_when_broken(pool):
                    return await loop.run_in_executor(pool, _in_process, self._function, frame, span)
            if isinstance(pool, DaemonThreads):
                found = await pool.call(self._function, frame)
            else:
                context = copy_context()
                found = await loop.run_in_executor(pool, lambda: context.run(contained, self._function, frame))
            return await found if inspect.isawaitable(found) else found
        finally:
            _trace.reset(token)

    def _executor(self) -> Executor:
        if self._pool is None:
            if self._given is None:
                self._pool = DaemonThreads(self._threads, self._processor_id)
            elif isinstance(self._given, Executor):
                self._pool = self._given
            else:
                self._pool = self._given()
        return self._pool

    @contextlib.contextmanager
    def _discarded_when_broken(self, pool: Executor) -> Any:
        try:
            yield
        except BrokenExecutor:
            # Every call under way in it ends like this; the first to notice makes room for a new one.
            if self._pool is pool and not isinstance(self._given, Executor):
                self._pool = None
                # Forked ones have the processor's handlers and ignore the pool's SIGTERM, which waits for their end.
                for process in list((getattr(pool, "_processes", None) or {}).values()):
                    process.kill()
                pool.shutdown(wait=False, cancel_futures=True)
            raise

    def _failed(self, frame: TakenFrame, error: BaseException) -> Settlement:
        self._log_failure(frame, error)
        return Settlement(frame.entry_id, "error", reason=reason_of(error))

    def _log_failure(self, frame: TakenFrame, error: BaseException) -> None:
        """At most one line a second: a processor that fails on everything would write a line a frame."""
        now = time.monotonic()
        if now - self._failure_logged_at < _FAILURE_LOG_EVERY_S:
            self._failures_unlogged += 1
            return
        more = f" (and {self._failures_unlogged} more)" if self._failures_unlogged else ""
        self._failure_logged_at, self._failures_unlogged = now, 0
        log.warning("processor %s: frame %s failed%s", self._processor_id, frame.frame_id, more, exc_info=error)


def _in_process(function: Callable[[TakenFrame], Any], frame: TakenFrame, span: TraceContext) -> Any:
    """In the other process."""
    token = _trace.set(span)
    try:
        return contained(function, frame)
    finally:
        _trace.reset(token)
