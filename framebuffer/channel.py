"""A channel: the cameras of one process that share a shard of the streams, in batches over all of them.

One task sends: it gathers what may go now, camera by camera in turn, and repeats a batch until the server has answered.
A repeat is harmless: the server knows camera and sequence. Another task tells the ledger which frames were given up, a
third leaves the cameras' last pictures.
The answers carry the level of backpressure; while it holds frames back and nothing is sent, it is read again.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Coroutine

from redis.asyncio import Redis

from framebuffer.backpressure import Backpressure
from framebuffer.connection import Backoff
from framebuffer.drop_record import DropRecord
from framebuffer.durability import Durability
from framebuffer.errors import CameraSuperseded, NotDurable, ProducerClosed
from framebuffer.errors import RedisUnavailable as Unavailable
from framebuffer.line import Line
from framebuffer.outbox import Outbox
from framebuffer.picture_record import PictureRecord
from framebuffer.pressure import Level
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from framebuffer.turns import Batch, Turns

__all__ = ["Channel"]

log = logging.getLogger(__name__)

_REOPEN_S = 0.05
_FELT_S = 1.0
"""So often cameras look again which capabilities they use, while one is crowded: time alone ends that they use one."""


class Channel:
    """Uses one connection of ``redis``, and others while frames are dropped or pictures are left; ``close`` closes all
    of them, and ``streams``.

    ``durability`` None: as a leader said last, with an answer to what is published; 0 before one has.
    """

    def __init__(self, redis: Redis, streams: FrameStreams, durability: Durability | None) -> None:
        self._redis = redis
        self._streams = streams
        self._durability = durability
        self._plants: Durability = 0
        self._ready = False
        self._told = Backpressure()
        self._again = Backoff(0.02, 0.1)
        self._read_at = 0.0
        self._felt_at = 0.0
        self._lines: dict[str, Line] = {}
        self._dropped = DropRecord(
            self._streams, self._lines.values, self._reopen, lambda: self.durability, self._read_level
        )
        self._pictures = PictureRecord(redis, streams.keys)
        self._turns = Turns(self._dropped.want)
        self._work = asyncio.Event()
        self._failure: Exception | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._closed = False

    @property
    def level(self) -> Level:
        """The highest level of backpressure heard of last. It is not asked for while there is nothing to send."""
        return Level(self._told.highest)

    @property
    def durability(self) -> Durability:
        """Replicas that must have a frame: as was given, else as was heard last."""
        return self._plants if self._durability is None else self._durability

    # -- opening and closing ------------------------------------------------------------------------------------------

    async def open(self, outbox: Outbox, pictures_every_s: float = 0.0) -> Line:
        """Open a camera; waits for as long as the server is unavailable. ``pictures_every_s`` 0: it leaves none.

        Errors: RedisRefused, RedisUnsupported, ProducerClosed; ValueError when this gateway has the camera already.
        """
        if self._closed or self._failure is not None:
            raise self._failure or ProducerClosed(outbox.camera_id)
        line = Line(outbox, pictures_every_s)
        if self._lines.setdefault(outbox.camera_id, line) is not line:
            raise ValueError(f"camera {outbox.camera_id} is open on this gateway already")
        try:
            await self._open(line)
        except BaseException:
            del self._lines[outbox.camera_id]
            raise
        if not self._tasks:
            self._start(self._send(), "channel")
            self._start(self._dropped.run(), "dropped frames")
            self._start(self._pictures.run(), "pictures")
        return line

    async def _open(self, line: Line) -> None:
        token, backoff, camera_id = secrets.token_hex(16), Backoff(), line.outbox.camera_id
        while line.session is None:
            if self._closed:
                raise ProducerClosed(camera_id)
            try:
                if not self._ready:
                    await self._streams.ready()
                    self._ready = True
                told = await self._streams.backpressure()
                line.opened(await self._streams.open_camera(camera_id, token=token))
            except Unavailable as error:
                if backoff.failures == 0:
                    log.warning("camera %s waits for the server: %s", camera_id, error)
                await backoff.wait()
            else:
                self._hear(told)
                line.outbox.hear(told, time.monotonic())

    async def leave(self, line: Line, drain_s: float) -> int:
        """Send what the camera has left and record what it gave up, for at most ``drain_s`` seconds; returns how many
        frames the server has not answered for.
        """
        deadline = time.monotonic() + drain_s
        line.outbox.closing = True
        self.accepted(line)
        try:
            while not line.drained and line.failure is None and await line.changed_by(deadline):
                pass
        finally:
            line.leave()
            self._lines.pop(line.outbox.camera_id, None)
        return line.outbox.owed

    async def close(self) -> None:
        """End. Cameras that have not left raise ProducerClosed from now on."""
        self._closed = True
        for line in list(self._lines.values()):
            line.fail(ProducerClosed(line.outbox.camera_id, len(line.outbox), len(line.outbox.drops)))
        await ended(*self._tasks)
        await self._streams.aclose()
        await self._redis.aclose()

    def _start(self, work: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if not isinstance(error, Exception):
            return
        log.error("cameras %s end: %s", ", ".join(sorted(self._lines)), error)
        self._failure = error
        for line in self._lines.values():
            line.fail(error)

    # -- sending ------------------------------------------------------------------------------------------------------

    def accepted(self, line: Line) -> None:
        """The camera accepted a frame, or gave some up."""
        self._turns.enqueue(line, time.monotonic())
        self._work.set()
        if line.outbox.drops:
            self._dropped.want()

    async def _send(self) -> None:
        """Until cancelled. Errors: those that no repeat heals."""
        while True:
            self._work.clear()
            batch = self._turns.gather(time.monotonic())
            if batch:
                await self._deliver(batch)
            else:
                await self._idle()

    async def _idle(self) -> None:
        """Until there may be something to send; meanwhile the level is read again if it holds frames back."""
        ends = self._turns.due
        held = self._told.highest >= Level.HIGH and any(line.outbox.waiting for line in self._lines.values())
        if held and (ends is None or self._read_at < ends):
            ends = self._read_at
        try:
            async with asyncio.timeout(None if ends is None else max(0.0, ends - time.monotonic())):
                await self._work.wait()
        except TimeoutError:
            if held and ends == self._read_at:
                await self._read_level()

    async def _read_level(self) -> None:
        try:
            told = await self._streams.backpressure()
        except Unavailable:
            told = self._told  # as it was, until somebody answers
        if told == self._told:
            self._read_at = time.monotonic() + self._again.next_s()
            self._feel(told, time.monotonic())
        else:
            self._hear(told)

    def _hear(self, told: Backpressure) -> None:
        """The server has just said so."""
        now = time.monotonic()
        self._again.reset()
        self._read_at = now + self._again.next_s()
        if told.durability is not None:
            self._plants = told.durability
        self._feel(told, now)

    def _feel(self, told: Backpressure, now: float) -> None:
        """Each camera gives way to it, as far as it uses what is crowded."""
        changed = told != self._told
        if not changed and (not told.crowded or now < self._felt_at + _FELT_S):
            return
        if changed:
            log.debug("backpressure is %s now", told)
        self._told, self._felt_at = told, now
        for line in self._lines.values():
            before = line.outbox.level
            line.outbox.hear(told, now)
            if changed or line.outbox.level != before:
                self._turns.enqueue(line, now)
                line.pulse()
        self._dropped.want()

    async def _deliver(self, batch: Batch) -> None:
        """Until each frame of the batch is answered for, or its camera is gone."""
        backoff, repeated = Backoff(), False
        while batch := [(line, frame) for line, frame in batch if not line.gone]:
            publishing = [(line.session, frame) for line, frame in batch if line.session is not None]
            try:
                report = await self._streams.publish_batch(publishing, durability=self.durability)
            except (Unavailable, NotDurable) as error:
                lines = {line.outbox.camera_id: line for line, _ in batch}
                if backoff.failures == 0:
                    log.warning("camera %s: %s; repeating until it works", ", ".join(sorted(lines)), error)
                for line in lines.values():
                    line.outbox.counters.retries += 1
                await backoff.wait()
                if isinstance(error, NotDurable):
                    await self._read_level()  # the plant may want fewer by now
            else:
                backoff.reset()
                self._hear(report.backpressure)
                batch = await self._confirm(batch, report.statuses, repeated=repeated)
            repeated = True

    async def _confirm(self, batch: Batch, statuses: list[str], *, repeated: bool) -> Batch:
        """Returns what must be published again: frames of cameras that a failover made the server forget."""
        answered: dict[str, Line] = {}
        superseded: dict[str, tuple[Line, str]] = {}
        now = time.monotonic()
        for (line, frame), status in zip(batch, statuses, strict=True):
            kind, _, token = status.partition(":")
            if kind == "superseded":
                superseded[line.outbox.camera_id] = (line, token)
                continue
            if said := line.outbox.answered(frame, status, repeated=repeated):
                log.error("camera %s: %s", line.outbox.camera_id, said)
            if kind == "ok":
                self._pictures.published(line, frame, now)
            answered[line.outbox.camera_id] = line
        for line in answered.values():
            self._turns.enqueue(line, time.monotonic())
            line.pulse()
            if line.outbox.drops:
                self._dropped.want()
        for line, token in superseded.values():
            await self._reopen(line, token)
        return [(line, frame) for line, frame in batch if line.outbox.flies(frame)]

    async def _reopen(self, line: Line, current: str) -> None:
        """The server does not know the camera's session: it is ``current``."""
        session = line.session
        if session is None or line.gone:
            return
        if current not in line.known:
            error = CameraSuperseded(session.camera_id, session.token, current)
            log.error("%s", error)
            line.fail(error)
            return
        # The server knows only the session before ours: it was rolled back by a failover. Frames that it confirmed
        # before are lost, and the gap that they leave is named by the ledger.
        resume_at = line.outbox.lowest_unanswered
        line.outbox.counters.rollbacks += 1
        log.warning("camera %s: the server was rolled back; resuming at %d", session.camera_id, resume_at)
        try:
            await self._streams.open_camera(session.camera_id, token=session.token, resume_at=resume_at)
        except Unavailable:
            await asyncio.sleep(_REOPEN_S)  # whoever asked asks again
