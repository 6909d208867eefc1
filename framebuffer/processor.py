"""The SDK for processors: subclass `ProcessorClient`, write `process_frame`, and call `run()`.

    class Faces(ProcessorClient):
        def process_frame(self, frame: TakenFrame) -> dict[str, Any]:      # plain: runs in a thread; or `async def`
            return {"faces": detect(frame.payload)}

    Faces("faces-1", ["face_detection"], "http://10.0.0.1:8101,http://10.0.0.2:8101").run()

`run` is a program of its own; inside one that has an event loop it is `await client.start()`, and `stop()` to end it.
Raise `FrameReleased` for "not now", `FrameRejected` for "never"; or take frames from `client.frames()` and say what
becomes of each by its handle.

What keeps a core busy belongs in other processes: `executor=ProcessPoolExecutor(4)`, or a function that makes one,
which is then called again when a process of the pool dies. What is sent there is the client without its connections,
that is the attributes that the subclass has set, with each frame; or, with `work=detect`, a function of a module.

Each frame's result is published once, whatever breaks on the way: `process_frame` may see a frame again (after a
crash, or when its settlement came too late), but only one of its results counts. A frame that was in hand when the
process died has failed once more, as it may have been what killed it; after `max_attempts` it is dead.

Restarts: a client that stops returns its id. One that crashed has its id back when the orchestrator has missed its
heartbeats (seconds; registering waits for that), or at once if its `instance` is a name that survives restarts. An
id is one process: a second one with the same `instance` would take the first one's frames for those of a dead one.
"""

import asyncio
import contextlib
import logging
import os
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop
from pydantic import ValidationError

from framebuffer.errors import (
    FrameBufferError,
    InvalidRegistration,
    OrchestratorUnavailable,
    RedisUnavailable,
)
from framebuffer.handle import FrameHandle, Handles
from framebuffer.models import ProcessorRegistration, problems
from framebuffer.outage import Outage
from framebuffer.pipeline import DEFAULT_LEASE_S
from framebuffer.pipelines import Handling, Pipelines
from framebuffer.registrar import Registrar
from framebuffer.shards import ShardedStreams
from framebuffer.streams import DEFAULT_MAX_ATTEMPTS, DEFAULT_RESULTS_MAXLEN
from framebuffer.tasks import ended
from framebuffer.tracing import SpanSink
from framebuffer.wire import TakenFrame
from framebuffer.work import FrameRejected, FrameReleased, Pool, Work, current_trace

__all__ = ["FrameRejected", "FrameReleased", "ProcessorClient", "ProcessorCounters", "current_trace"]

log = logging.getLogger(__name__)

# A forked process has the parent's handlers and the pipe that wakes its event loop: a signal to a process of a pool
# would be one to the processor. Python 3.12 does the same.
os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))

_GOODBYE_S = 2.0


class ProcessorCounters(msgspec.Struct, frozen=True):
    """Frames since the client was made.

    `errors`: those that `process_frame` failed on; a rejected one is `dead` and no error of the processor's. `unowned`:
    settled too late or twice, so that the result did not count.
    """

    taken: int
    in_flight: int
    settled: int
    errors: int
    dead: int
    unowned: int
    released: int = 0


class ProcessorClient:
    """One processor. `capacity`: frames its queue may hold; `batch`: frames in hand at most, which are worked on
    by priority (fewer where each takes long: those that wait in the queue can be passed by urgent ones there);
    `concurrency`: worked on at once.

    `orchestrator_url` is one URL or several (a list, or a text with commas): any node will do. `redis_url` defaults
    to what the orchestrator says. `token` is the orchestrator's bearer token. `health_url`: where the orchestrator may
    ask this processor how it is, beside its heartbeats. `work`: a function to call instead of `process_frame`.
    `executor`: where that runs, when it is a plain `def`. `drain_s`: how long `stop` waits for frames in work.
    `work_limit_s`: a frame that takes longer is left to another attempt elsewhere. `spans` gets a `process_frame` span
    of each frame whose trace is recorded (framebuffer.otlp). `ca_file`: whose certificates the orchestrator's may be,
    for `https://` (framebuffer.trust).

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
        work: Callable[[TakenFrame], Any] | None = None,
        executor: Pool | None = None,
        drain_s: float = 10.0,
        work_limit_s: float = 300.0,
        health_url: str | None = None,
        labels: Mapping[str, str] | None = None,
        exists_wait_s: float = 10.0,
        spans: SpanSink | None = None,
        ca_file: str | Path | None = None,
    ) -> None:
        before = set(self.__dict__)
        numbers = {"batch": batch, "concurrency": concurrency, "heartbeat_s": heartbeat_s, "work_limit_s": work_limit_s}
        for name, value in numbers.items():
            if not value > 0:
                raise InvalidRegistration(name, f"must be above 0, is {value}")
        self.registration = _registration(processor_id, capabilities, capacity, health_url, labels)
        self.consumer = consumer or f"{processor_id}-1"
        self._redis_url = redis_url
        self._redis_password = redis_password
        self._max_attempts = DEFAULT_MAX_ATTEMPTS
        self._results_kept = DEFAULT_RESULTS_MAXLEN
        self._batch = batch
        self._concurrency = concurrency
        self._heartbeat_s = heartbeat_s
        self._drain_s = drain_s
        self._exists_wait_s = exists_wait_s
        self._spans = spans
        self._registrar = Registrar(
            self.registration, orchestrator_url, token=token, instance=instance, ca_file=ca_file
        )
        self._work = Work(processor_id, work or self.process_frame, executor, concurrency, spans=spans)
        self._handling: Handling = lambda _: (self._work, None)
        self._lease_s = DEFAULT_LEASE_S
        self._work_limit_s = work_limit_s
        self._pipeline: Pipelines | None = None
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._started = False
        self._own_attributes = set(self.__dict__) - before

    def __getstate__(self) -> dict[str, Any]:
        """For a process pool: what the subclass has set, and the registration; no connection, no task."""
        mine = self._own_attributes | {"_own_attributes"}
        kept = {name: value for name, value in self.__dict__.items() if name not in mine}
        return {**kept, "registration": self.registration}

    @property
    def id(self) -> str:
        return self.registration.id

    @property
    def counters(self) -> ProcessorCounters:
        pipeline = self._pipeline
        if pipeline is None:
            return ProcessorCounters(0, 0, 0, 0, 0, 0)
        outcomes = pipeline.outcomes
        return ProcessorCounters(
            taken=pipeline.taken,
            in_flight=pipeline.in_flight,
            settled=outcomes["settled"],
            errors=pipeline.errors,
            dead=outcomes["dead"],
            unowned=outcomes["not-owner"] + outcomes["duplicate"],
            released=outcomes["released"],
        )

    def process_frame(self, frame: TakenFrame) -> Any:
        """Override it: `def` (called in a thread) or `async def`, returning a dict of JSON values (numpy's are
        fine) or None.

        An exception sends the frame to another attempt, and after the last one to `frames:dead`; FrameRejected sends
        it there at once, FrameReleased back to dispatch without an attempt counted.
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
        self._results_kept = enrolment.results_kept or DEFAULT_RESULTS_MAXLEN
        self._lease_s = enrolment.lease_s or DEFAULT_LEASE_S
        return self._redis_url or enrolment.redis_url

    async def start(self) -> None:
        """Register and process frames until `stop`. When cancelled it ends at once: frames in hand stay pending.

        Errors: those of `register`; RedisUnsupported, RedisRefused at the first connection; RuntimeError when
        started twice; BrokenExecutor when a process of a given `executor` died.
        """
        if self._started:
            raise RuntimeError(f"processor {self.id} was started before; make a new client")
        self._work.check()
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
            await self._work.aclose()
            await self._registrar.aclose()
            self._ended.set()

    async def frames(self) -> AsyncGenerator[FrameHandle, None]:
        """Instead of `start`: the frames one by one, for code that says itself what becomes of each (see `handle`).

        At most `concurrency` are out at once: the next one comes when one of them was settled. Leaving the loop stops
        the client, so leave it through `contextlib.aclosing`; after `stop()` it ends when what is out is settled.

        Errors: those of `start`.
        """
        out = Handles(self.id, self.consumer, spans=self._spans)
        self._handling = out.of_shard
        running = asyncio.create_task(self.start())
        try:
            while (handle := await out.next(running)) is not None:
                yield handle
        finally:
            self.request_stop()
            out.abandon()
            try:
                await asyncio.wait({running})
            finally:
                await ended(running)  # cancelled once more: at once, then
                out.close()
            if not running.cancelled():
                running.result()

    def run(self) -> None:
        """`start` as a whole program, on uvloop's event loop: returns after SIGINT (Ctrl-C) or SIGTERM, as of `stop`.

        Errors: its own.
        """
        uvloop.run(self._until_signalled())

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
                streams = ShardedStreams.connect(
                    redis_url,
                    password=self._redis_password,
                    max_attempts=self._max_attempts,
                    results_maxlen=self._results_kept,
                )
                stack.push_async_callback(streams.aclose)
                await self._ready(streams)
                await self._process(streams)
        finally:
            # Also when it never came to work: an id that nobody serves should not get frames.
            if self._stopping.is_set():
                await self._say_goodbye()

    async def _ready(self, streams: ShardedStreams) -> None:
        outage = Outage(f"processor {self.id}: Redis", log)
        while True:
            try:
                await streams.ready()
            except RedisUnavailable as error:
                await asyncio.sleep(outage.failed(error))
            else:
                outage.over()
                return

    async def _process(self, streams: ShardedStreams) -> None:
        self._pipeline = Pipelines(
            streams.parts,
            self.id,
            self.consumer,
            self._handling,
            batch=self._batch,
            concurrency=self._concurrency,
            drain_s=self._drain_s,
            lease_s=self._lease_s,
            work_limit_s=self._work_limit_s,
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


def _registration(
    processor_id: str,
    capabilities: Sequence[str],
    capacity: int,
    health_url: str | None,
    labels: Mapping[str, str] | None,
) -> ProcessorRegistration:
    fields = {"id": processor_id, "capabilities": capabilities, "capacity": capacity, "health_url": health_url}
    try:
        return ProcessorRegistration.model_validate({**fields, "labels": dict(labels or {})})
    except ValidationError as error:
        first = problems(error)[0]
        raise InvalidRegistration(first.field, first.reason) from None
