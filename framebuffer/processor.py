"""The SDK for processors: subclass `ProcessorClient`, write `process_frame`, and call `run()`.

    class Faces(ProcessorClient):
        def process_frame(self, frame: TakenFrame) -> dict[str, Any]:      # plain: runs in a thread; or `async def`
            return {"faces": detect(frame.payload)}

    Faces("faces-1", ["face_detection"], "http://10.0.0.1:8101,http://10.0.0.2:8101").run()

`run` is a program of its own; inside one that has an event loop it is `await client.start()`, and `stop()` to end it.

Each frame's result is published once, whatever breaks on the way: `process_frame` may see a frame again (after a
crash, or when its settlement came too late), but only one of its results counts.

Restarts: a client that stops returns its id. One that crashed has its id back when the orchestrator has missed its
heartbeats (seconds; registering waits for that), or at once if its `instance` is a name that survives restarts.
"""

import asyncio
import contextlib
import inspect
import logging
import signal
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from typing import Any, ClassVar

import msgspec
from pydantic import ValidationError

from framebuffer.connection import connect
from framebuffer.errors import (
    FrameBufferError,
    InvalidRegistration,
    OrchestratorUnavailable,
    RedisUnavailable,
)
from framebuffer.models import ProcessorRegistration, TraceContext, problems
from framebuffer.outage import Outage
from framebuffer.pipeline import Pipeline
from framebuffer.registrar import Registrar
from framebuffer.result import encoded, span_of
from framebuffer.streams import DEFAULT_MAX_ATTEMPTS, FrameStreams
from framebuffer.tasks import ended
from framebuffer.wire import Settlement, TakenFrame

log = logging.getLogger(__name__)

_REASON_MAX = 500
_GOODBYE_S = 2.0
_FAILURE_LOG_EVERY_S = 1.0

_trace: ContextVar[TraceContext | None] = ContextVar("frame_trace", default=None)


def current_trace() -> TraceContext | None:
    """The span of the frame being processed, inside `process_frame` and what it calls (also in its thread)."""
    return _trace.get()


class FrameRejected(FrameBufferError):
    """Raise it in `process_frame` for a frame that no further attempt will help: it goes to the dead at once."""

    code: ClassVar[str] = "frame_rejected"


class ProcessorCounters(msgspec.Struct, frozen=True):
    """Frames since the client was made. `unowned`: settled too late or twice, so that the result did not count."""

    taken: int
    in_flight: int
    settled: int
    errors: int
    dead: int
    unowned: int


class ProcessorClient:
    """One processor. `capacity`: frames its queue may hold; `batch`: frames taken at once; `concurrency`: worked on
    at once.

    `orchestrator_url` is one URL or several (a list, or a text with commas): any node will do. `redis_url` defaults
    to what the orchestrator says. `token` is the orchestrator's bearer token. `consumer` must be the same after a
    restart, so that frames that were in hand are found again; it is by default. `drain_s`: how long `stop` waits
    for frames in hand.

    Errors: InvalidRegistration.
    """

    def __init__(
        self,
        processor_id: str,
        capabilities: Sequence[str],
        orchestrator_url: str | Sequence[str],
        *,
        capacity: int = 32,
        redis_url: str | None = None,
        redis_password: str | None = None,
        batch: int = 8,
        concurrency: int = 1,
        heartbeat_s: float = 1.0,
        token: str | None = None,
        consumer: str | None = None,
        instance: str | None = None,
        executor: ThreadPoolExecutor | None = None,
        drain_s: float = 10.0,
        exists_wait_s: float = 10.0,
    ) -> None:
        for name, value in (("batch", batch), ("concurrency", concurrency), ("heartbeat_s", heartbeat_s)):
            if not value > 0:
                raise InvalidRegistration(name, f"must be above 0, is {value}")
        self.registration = _registration(processor_id, capabilities, capacity)
        self.consumer = consumer or f"{processor_id}-1"
        self._redis_url = redis_url
        self._redis_password = redis_password
        self._max_attempts = DEFAULT_MAX_ATTEMPTS
        self._batch = batch
        self._concurrency = concurrency
        self._heartbeat_s = heartbeat_s
        self._drain_s = drain_s
        self._exists_wait_s = exists_wait_s
        self._registrar = Registrar(self.registration, orchestrator_url, token=token, instance=instance)
        self._executor = executor
        self._own_executor: ThreadPoolExecutor | None = None
        self._pipeline: Pipeline | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._started = False
        self._errors = 0
        self._failure_logged_at = float("-inf")
        self._failures_unlogged = 0

    @property
    def id(self) -> str:
        return self.registration.id

    @property
    def counters(self) -> ProcessorCounters:
        pipeline = self._pipeline
        if pipeline is None:
            return ProcessorCounters(0, 0, 0, self._errors, 0, 0)
        outcomes = pipeline.outcomes
        return ProcessorCounters(
            taken=pipeline.taken,
            in_flight=pipeline.in_flight,
            settled=outcomes["settled"],
            errors=self._errors,
            dead=outcomes["dead"],
            unowned=outcomes["not-owner"] + outcomes["duplicate"],
        )

    def process_frame(self, frame: TakenFrame) -> Any:
        """Override it: `def` (called in a thread) or `async def`, returning a dict of JSON values (numpy's are
        fine) or None.

        An exception sends the frame to another attempt, and after the last one to `frames:dead`.
        """
        raise NotImplementedError(f"{type(self).__name__} must override process_frame({frame.frame_id})")

    async def register(self) -> str | None:
        """Register, trying until a node answers; the Redis URL to use. `start` does this by itself.

        Errors: RegistrationRefused, InvalidRegistration, AccessDenied.
        """
        return await self._register(self._exists_wait_s)

    async def _register(self, exists_wait_s: float) -> str | None:
        enrolment = await self._registrar.register(exists_wait_s=exists_wait_s)
        log.info("processor %s: registered, queue %s", self.id, enrolment.queue)
        self._max_attempts = enrolment.max_attempts or DEFAULT_MAX_ATTEMPTS
        return self._redis_url or enrolment.redis_url

    async def start(self) -> None:
        """Register and process frames until `stop`. When cancelled it ends at once: frames in hand stay pending.

        Errors: those of `register`; RedisUnsupported, RedisRefused at the first connection; RuntimeError when
        started twice.
        """
        if self._started:
            raise RuntimeError(f"processor {self.id} was started before; make a new client")
        self._started = True
        running, stop = asyncio.create_task(self._run()), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({running, stop}, return_when=asyncio.FIRST_COMPLETED)
            if self._pipeline is not None:
                self._pipeline.stop()
            elif self._stopping.is_set():
                await ended(running)  # nothing was taken yet
            await asyncio.wait({running})
            if not running.cancelled():
                running.result()
        finally:
            await ended(stop, running)
            if self._own_executor is not None:
                self._own_executor.shutdown(wait=False, cancel_futures=True)
            await self._registrar.aclose()
            self._ended.set()

    def run(self) -> None:
        """`start` as a whole program: returns after SIGINT (Ctrl-C) or SIGTERM, by way of `stop`. Errors: its own."""
        asyncio.run(self._until_signalled())

    async def _until_signalled(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, self.request_stop)
        await self.start()

    def request_stop(self) -> None:
        """Stop soon: for signal handlers, and for `process_frame` itself. Call it on the event loop."""
        self._stopping.set()

    async def stop(self) -> None:
        """Take nothing more, finish and settle what is in hand, unregister; returns when `start` does."""
        self.request_stop()
        if self._started:
            await self._ended.wait()

    async def _run(self) -> None:
        try:
            redis_url = await self.register()
            if redis_url is None:
                raise InvalidRegistration("redis_url", "neither the client nor the orchestrator names a Redis server")
            async with contextlib.AsyncExitStack() as stack:
                redis = connect(redis_url, password=self._redis_password)
                stack.push_async_callback(redis.aclose)
                streams = FrameStreams(redis, max_attempts=self._max_attempts)
                stack.push_async_callback(streams.aclose)
                await self._ready(streams)
                await self._process(streams)
        finally:
            # Also when it never came to work: an id that nobody serves should not get frames.
            if self._stopping.is_set():
                await self._say_goodbye()

    async def _ready(self, streams: FrameStreams) -> None:
        outage = Outage(f"processor {self.id}: Redis", log)
        while True:
            try:
                await streams.ready()
            except RedisUnavailable as error:
                await asyncio.sleep(outage.failed(error))
            else:
                outage.over()
                return

    async def _process(self, streams: FrameStreams) -> None:
        self._pipeline = Pipeline(
            streams,
            self.id,
            self.consumer,
            self._handle,
            batch=self._batch,
            concurrency=self._concurrency,
            drain_s=self._drain_s,
        )
        if self._stopping.is_set():
            self._pipeline.stop()
        work, beats = asyncio.create_task(self._pipeline.run()), asyncio.create_task(self._heartbeats())
        try:
            # Heartbeats go on while draining: frames in hand must not be given to others meanwhile.
            done, _ = await asyncio.wait({work, beats}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            await ended(work, beats)

    async def _heartbeats(self) -> None:
        """For ever. Errors: RegistrationRefused when another client has taken the id."""
        while True:
            began = time.monotonic()
            counters = self.counters
            try:
                known = await self._registrar.heartbeat(
                    in_flight=counters.in_flight, settled=counters.settled, errors=counters.errors
                )
                if not known:
                    log.warning("processor %s: the orchestrator does not know it any more", self.id)
                    await self._register(exists_wait_s=0)  # if it is taken now, then by somebody else
            except OrchestratorUnavailable:
                pass  # logged once by the registrar; the next heartbeat tries every node again
            await asyncio.sleep(max(0.0, self._heartbeat_s - (time.monotonic() - began)))

    async def _say_goodbye(self) -> None:
        try:
            async with asyncio.timeout(_GOODBYE_S):
                await self._registrar.unregister()
        except (FrameBufferError, TimeoutError) as error:
            log.warning("processor %s: could not unregister (%s); its heartbeats end now", self.id, error)

    async def _handle(self, frame: TakenFrame) -> Settlement:
        """One frame to its settlement. Never raises, but for being cancelled."""
        parent, span = span_of(frame)
        traceparent = span.format()
        if frame.payload_missing:
            return Settlement(frame.entry_id, "dead", reason="payload_missing")
        try:
            found = await self._call(frame, span)
            result = encoded(self.id, frame, parent, span, found)
        except FrameRejected as error:
            self._errors += 1
            return Settlement(frame.entry_id, "dead", reason=_reason(error))
        except asyncio.CancelledError as error:
            if (task := asyncio.current_task()) is None or task.cancelling():
                raise
            # The user's code has cancelled something of its own: that must not look like the end of this client.
            return self._failed(frame, error, traceparent)
        except Exception as error:  # noqa: BLE001 (the user's code may raise anything; the frame gets another attempt)
            return self._failed(frame, error, traceparent)
        return Settlement(frame.entry_id, "ok", result=result)

    def _failed(self, frame: TakenFrame, error: BaseException, traceparent: str) -> Settlement:
        self._errors += 1
        self._log_failure(frame, error)
        return Settlement(frame.entry_id, "error", reason=_reason(error))

    async def _call(self, frame: TakenFrame, span: TraceContext) -> object:
        token = _trace.set(span)
        try:
            if inspect.iscoroutinefunction(self.process_frame):
                return await self.process_frame(frame)
            context = copy_context()
            loop = asyncio.get_running_loop()
            found = await loop.run_in_executor(self._threads(), lambda: context.run(self.process_frame, frame))
            return await found if inspect.isawaitable(found) else found
        finally:
            _trace.reset(token)

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is not None:
            return self._executor
        if self._own_executor is None:
            self._own_executor = ThreadPoolExecutor(self._concurrency, thread_name_prefix=self.id)
        return self._own_executor

    def _log_failure(self, frame: TakenFrame, error: BaseException) -> None:
        """At most one line a second: a processor that fails on everything would write a line a frame."""
        now = time.monotonic()
        if now - self._failure_logged_at < _FAILURE_LOG_EVERY_S:
            self._failures_unlogged += 1
            return
        more = f" (and {self._failures_unlogged} more)" if self._failures_unlogged else ""
        self._failure_logged_at, self._failures_unlogged = now, 0
        log.warning("processor %s: frame %s failed%s", self.id, frame.frame_id, more, exc_info=error)


def _registration(processor_id: str, capabilities: Sequence[str], capacity: int) -> ProcessorRegistration:
    try:
        return ProcessorRegistration.model_validate(
            {"id": processor_id, "capabilities": capabilities, "capacity": capacity}
        )
    except ValidationError as error:
        first = problems(error)[0]
        raise InvalidRegistration(first.field, first.reason) from None


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:_REASON_MAX]
