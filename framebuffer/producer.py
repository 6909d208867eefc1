"""FrameProducer: what a camera publishes with. Loses nothing it has accepted, publishes nothing twice.

Frames wait in a bounded buffer; one task sends them in order, in batches, and repeats a batch until the server has
answered. A repeat is harmless: the server knows camera and sequence. While it does not answer, the buffer fills and
``publish`` blocks its caller.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import msgspec
from pydantic import ValidationError
from redis.asyncio import Redis

from framebuffer.connection import Backoff, connect
from framebuffer.durability import Durability
from framebuffer.errors import CameraSuperseded, FrameBufferError, InvalidFrame, NotDurable, ProducerClosed
from framebuffer.errors import RedisUnavailable as Unavailable
from framebuffer.keys import Keys, check_name
from framebuffer.models import FrameReadyEvent, TraceContext, problems
from framebuffer.streams import DEFAULT_INLINE_BYTES_MAX, FrameStreams
from framebuffer.tasks import ended
from framebuffer.wire import CameraSession, OutgoingFrame

__all__ = ["FrameProducer", "ProducerCounters"]

log = logging.getLogger(__name__)

_BATCH_FRAMES = 64
_BATCH_BYTES = 4 << 20


class ProducerCounters(msgspec.Struct):
    """``accepted`` = ``published`` + ``duplicates`` + ``refused`` + what is still buffered."""

    accepted: int = 0
    published: int = 0
    duplicates: int = 0  # the server had them: the reply to an earlier try was lost
    refused: int = 0  # by the server; each is logged
    invalid: int = 0  # refused before they were accepted
    retries: int = 0  # batches sent once more
    rollbacks: int = 0  # the server had lost our session in a failover, and we opened the camera again


class FrameProducer:
    """The producer of one camera; an async context manager.

    ``durability``: replicas that must have a frame before it counts as published, or ``majority``. ``buffer``: frames
    accepted and not confirmed yet, at most. ``max_payload``: bytes. A second producer of the same camera supersedes the
    first, which then raises CameraSuperseded.
    """

    def __init__(
        self,
        camera_id: str,
        redis_url: str,
        *,
        durability: Durability = 0,
        buffer: int = 64,
        max_payload: int = 16 << 20,
        inline_bytes_max: int = DEFAULT_INLINE_BYTES_MAX,
        password: str | None = None,
        keys: Keys | None = None,
        timeout_s: float = 2.0,
        drain_s: float = 5.0,
    ) -> None:
        if buffer < 1:
            raise ValueError("buffer must be at least 1")
        self.camera_id = check_name("camera", camera_id)
        self.counters = ProducerCounters()
        self._redis: Redis = connect(redis_url, password=password, timeout_s=timeout_s)
        self._streams = FrameStreams(self._redis, keys, inline_bytes_max=inline_bytes_max)
        self._durability = durability
        self._limit = buffer
        self._max_payload = max_payload
        self._drain_s = drain_s
        self._pending: deque[OutgoingFrame] = deque()
        self._changed = asyncio.Condition()
        self._session: CameraSession | None = None
        self._next_sequence = 0
        self._failure: FrameBufferError | None = None
        self._closing = False
        self._sender: asyncio.Task[None] | None = None

    # -- opening and closing ------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "FrameProducer":
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        unsent = await self.close()
        if not unsent:
            return
        if error is None:
            raise self._failure or ProducerClosed(self.camera_id, unsent)
        log.warning("camera %s: %d frames were not sent", self.camera_id, unsent)

    async def open(self) -> None:
        """Open the camera; waits for as long as the server is unavailable.

        Errors: RedisRefused, RedisUnsupported. Bound it with a timeout of your own if you must.
        """
        token, backoff = secrets.token_hex(16), Backoff()
        while self._session is None:
            try:
                await self._streams.ready()
                self._session = await self._streams.open_camera(self.camera_id, token=token)
            except Unavailable as error:
                if backoff.failures == 0:
                    log.warning("camera %s waits for the server: %s", self.camera_id, error)
                await backoff.wait()
        self._next_sequence = self._session.next_sequence
        self._sender = asyncio.create_task(self._send(self._session), name=f"producer {self.camera_id}")

    async def flush(self) -> None:
        """Until all accepted frames are confirmed. Errors: those that end the producer."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._pending or self._failure is not None)
        if self._failure is not None:
            raise self._failure

    async def close(self, drain_s: float | None = None) -> int:
        """Send what is left, for at most ``drain_s`` seconds, and close. Returns how many frames were not sent.

        The server may have frames of an unfinished batch although it never said so.
        """
        async with self._changed:
            self._closing = True
            self._changed.notify_all()
        try:
            if self._sender is not None:
                await asyncio.wait({self._sender}, timeout=self._drain_s if drain_s is None else drain_s)
        finally:
            await ended(self._sender)
            await self._streams.aclose()
            await self._redis.aclose()
        return len(self._pending)

    # -- publishing ---------------------------------------------------------------------------------------------------

    @property
    def buffered(self) -> int:
        """Frames accepted and not confirmed."""
        return len(self._pending)

    async def publish(self, payload: bytes = b"", /, **fields: Any) -> str:
        """Accept a frame; returns its ``frame_id`` once it is buffered (``flush`` waits until it is confirmed).

        ``fields`` are those of FrameReadyEvent: width, height and format at least; camera_id, frame_id, size_bytes,
        timestamp (now) and trace_context (a new trace) are filled in. Errors: InvalidFrame (nothing was accepted),
        CameraSuperseded, ProducerClosed, RedisRefused.
        """
        event = self._validate(payload, fields)  # before waiting: a refused frame costs neither room nor a sequence
        async with self._changed:
            await self._changed.wait_for(
                lambda: len(self._pending) < self._limit or self._closing or self._failure is not None
            )
            if self._failure is not None:
                raise self._failure
            if self._closing or self._sender is None:
                raise ProducerClosed(self.camera_id, len(self._pending))
            if "frame_id" not in fields:
                event = event.model_copy(update={"frame_id": f"{self.camera_id}-{self._next_sequence}"})
            self._pending.append(
                OutgoingFrame(
                    frame_id=event.frame_id,
                    sequence=self._next_sequence,
                    event=event.to_json().encode(),
                    payload=bytes(payload),
                    capability=event.capability,
                    priority=event.priority,
                    traceparent=event.trace_context.format(),
                )
            )
            self._next_sequence += 1
            self.counters.accepted += 1
            self._changed.notify_all()
        return event.frame_id

    async def publish_many(self, frames: Iterable[tuple[bytes, Mapping[str, Any]]]) -> list[str | InvalidFrame]:
        """Accept (payload, fields) pairs: per frame its id, or why it was refused; the others are accepted."""
        answers: list[str | InvalidFrame] = []
        for payload, fields in frames:
            try:
                answers.append(await self.publish(payload, **fields))
            except InvalidFrame as refusal:
                answers.append(refusal)
        return answers

    def _validate(self, payload: bytes, fields: Mapping[str, Any]) -> FrameReadyEvent:
        try:
            if not isinstance(payload, (bytes, bytearray, memoryview)):
                raise InvalidFrame("payload", "must be bytes")
            if len(payload) > self._max_payload:
                raise InvalidFrame("payload", f"{len(payload)} bytes, at most {self._max_payload} are allowed")
            filled = {
                "frame_id": f"{self.camera_id}-0",  # replaced when the sequence is known
                "timestamp": datetime.now(UTC),
                "size_bytes": len(payload),
                **fields,
                "camera_id": self.camera_id,
            }
            if fields.get("camera_id", self.camera_id) != self.camera_id:
                raise InvalidFrame("camera_id", f"this producer is camera {self.camera_id}")
            if "trace_context" not in filled:
                filled["trace_context"] = TraceContext.new()
            try:
                return FrameReadyEvent.model_validate(filled)
            except ValidationError as error:
                first = problems(error)[0]
                raise InvalidFrame(first.field, first.reason) from None
        except InvalidFrame:
            self.counters.invalid += 1
            raise

    # -- the sender ---------------------------------------------------------------------------------------------------

    async def _send(self, session: CameraSession) -> None:
        """Until closed and drained, or until an error that no repeat heals."""
        known = {"", session.previous}
        backoff = Backoff()
        try:
            while batch := await self._next_batch():
                try:
                    statuses = await self._streams.publish(session, batch, durability=self._durability)
                except (Unavailable, NotDurable) as error:
                    if backoff.failures == 0:
                        log.warning("camera %s: %s; repeating until it works", self.camera_id, error)
                    self.counters.retries += 1
                    await backoff.wait()
                except CameraSuperseded as superseded:
                    if superseded.current not in known:
                        raise
                    # The server knows only the session before ours: it was rolled back by a failover. Frames it
                    # confirmed before are lost, and the gap that they leave is named by the ledger.
                    await self._reopen(session, batch[0].sequence, backoff)
                else:
                    backoff.reset()
                    await self._confirm(batch, statuses)
        except FrameBufferError as error:
            log.error("camera %s: %s", self.camera_id, error)
            async with self._changed:
                self._failure = error
                self._changed.notify_all()

    async def _next_batch(self) -> list[OutgoingFrame]:
        """The oldest frames; empty when closed and drained."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._pending or self._closing)
            batch: list[OutgoingFrame] = []
            size = 0
            for frame in self._pending:
                size += len(frame.payload) + len(frame.event)
                if batch and (len(batch) == _BATCH_FRAMES or size > _BATCH_BYTES):
                    break
                batch.append(frame)
            return batch

    async def _confirm(self, batch: list[OutgoingFrame], statuses: list[str]) -> None:
        for frame, status in zip(batch, statuses, strict=True):
            if status == "ok":
                self.counters.published += 1
            elif status == "duplicate":
                self.counters.duplicates += 1
            else:
                self.counters.refused += 1
                log.error("camera %s: the server refused frame %s: %s", self.camera_id, frame.frame_id, status)
        async with self._changed:
            for _ in batch:
                self._pending.popleft()
            self._changed.notify_all()

    async def _reopen(self, session: CameraSession, resume_at: int, backoff: Backoff) -> None:
        self.counters.rollbacks += 1
        log.warning("camera %s: the server was rolled back; resuming at %d", self.camera_id, resume_at)
        try:
            await self._streams.open_camera(self.camera_id, token=session.token, resume_at=resume_at)
        except Unavailable:
            await backoff.wait()
