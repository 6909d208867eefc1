"""FrameProducer: what a camera publishes with. Loses nothing it has accepted, publishes nothing twice.

Frames wait in a bounded buffer, highest priority first. While the server does not answer, or the plant is too full,
the buffer fills, and then the camera's policy decides: ``publish`` blocks its caller, or frames are dropped, and each
of those stands in the ledger with its reason.
"""

import asyncio
import logging
import math
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from framebuffer.channel import Channel
from framebuffer.durability import Durability
from framebuffer.errors import InvalidFrame, ProducerClosed
from framebuffer.gateway import FrameGateway
from framebuffer.intake import default_frame_id, event_of, outgoing
from framebuffer.keys import Keys, check_name
from framebuffer.line import Line
from framebuffer.models import ANCIENT_S, FrameReadyEvent, TraceContext
from framebuffer.outbox import Outbox, ProducerCounters
from framebuffer.pictures import DEFAULT_EVERY_S
from framebuffer.policy import Policy, PolicyName
from framebuffer.pressure import Level
from framebuffer.streams import DEFAULT_INLINE_BYTES_MAX
from framebuffer.tracing import OpenSpan, ProducerTracing
from framebuffer.wire import OutgoingFrame

__all__ = ["FrameProducer", "ProducerCounters"]

log = logging.getLogger(__name__)

_MAX_PAYLOAD = 16 << 20


class FrameProducer:
    """The producer of one camera; an async context manager.

    ``server``: a Redis URL, or a FrameGateway that many cameras of this process share; ``durability`` (replicas that
    must have a frame before it counts as published or given up, or ``"majority"``; None: the plant's, as its leader
    says), ``inline_bytes_max``, ``password``, ``keys`` and ``timeout_s`` are then the gateway's.

    ``policy``: how the camera gives way to backpressure (see ``framebuffer.policy``): ``lossless``, ``freshest``, or
    ``deadline`` with ``deadline_s``. ``urgent``: frames of this priority and above give way to nothing. ``buffer``:
    frames accepted and not confirmed yet, at most; ``deadline`` holds up to as many more that were sent, and not
    answered for within ``deadline_s``. ``max_payload``: bytes. A second producer of the same camera supersedes the
    first, which then raises CameraSuperseded.

    ``tracing``: makes the root of a frame's trace a `publish` span, for the share of frames that it records. Without
    it each frame has a trace context all the same, and only one that the caller gives can be recorded.

    ``pictures_every_s``: at most so often a published JPEG, PNG or WebP of up to 512 KiB is kept as the camera's last
    picture, for people who look; 0: never. No frame waits for that.
    """

    def __init__(
        self,
        camera_id: str,
        server: str | FrameGateway,
        *,
        policy: PolicyName = "lossless",
        deadline_s: float | None = None,
        urgent: int = 10,
        buffer: int = 64,
        max_payload: int = _MAX_PAYLOAD,
        drain_s: float = 5.0,
        durability: Durability | None = None,
        inline_bytes_max: int = DEFAULT_INLINE_BYTES_MAX,
        password: str | None = None,
        keys: Keys | None = None,
        timeout_s: float = 2.0,
        tracing: ProducerTracing | None = None,
        pictures_every_s: float = DEFAULT_EVERY_S,
    ) -> None:
        self.camera_id = check_name("camera", camera_id)
        self._outbox = Outbox(camera_id, Policy(policy, deadline_s, urgent), buffer=buffer, ended=self._end_span)
        self._tracing = tracing
        self._spans: dict[str, OpenSpan] = {}  # of frames in the outbox, by traceparent
        if not 0 <= pictures_every_s < math.inf:
            raise ValueError(f"pictures_every_s is seconds, 0 for no pictures; it is {pictures_every_s}")
        self._pictures_every_s = pictures_every_s
        self._max_payload = max_payload
        self._drain_s = drain_s
        self._own: FrameGateway | None = None
        if isinstance(server, str):
            self._own = FrameGateway(
                server,
                durability=durability,
                inline_bytes_max=inline_bytes_max,
                password=password,
                keys=keys,
                timeout_s=timeout_s,
            )
            self._gateway = self._own
        else:
            mine = (durability, inline_bytes_max, password, keys, timeout_s)
            if mine != (None, DEFAULT_INLINE_BYTES_MAX, None, None, 2.0):
                raise ValueError(
                    "durability, inline_bytes_max, password, keys and timeout_s belong to the gateway: set them there"
                )
            self._gateway = server
        self._channel: Channel | None = None
        self._line: Line | None = None
        self._closed = False

    # -- opening and closing ------------------------------------------------------------------------------------------

    async def __aenter__(self) -> "FrameProducer":
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if await self.close() and error is None:
            raise self._failure or self._ended_early()

    async def open(self) -> None:
        """Open the camera; waits for as long as the server is unavailable.

        Errors: RedisRefused, RedisUnsupported. Bound it with a timeout of your own if you must.
        """
        if self._line is None:
            self._channel = self._gateway.channel_of(self.camera_id)
            self._line = await self._channel.open(self._outbox, self._pictures_every_s)

    async def flush(self) -> None:
        """Until all accepted frames are confirmed, or dropped and recorded. Errors: those that end the producer."""
        while self._line is not None and not self._line.drained and self._failure is None:
            await self._line.changed_by()
        if self._failure is not None:
            raise self._failure

    async def close(self, drain_s: float | None = None) -> int:
        """Send what is left and record what was given up, for at most ``drain_s`` seconds, and close.

        Returns how many accepted frames are in no ledger, and logs it where there are any: those that were not sent
        (``buffered``) and those given up that could not be recorded (``unrecorded``). The next producer of the camera
        uses their sequences again. The server may have those of an unfinished call although it never said so.
        What is left is sent also while backpressure holds frames back.
        """
        self._closed = True
        try:
            if self._channel is not None and self._line is not None:
                await self._channel.leave(self._line, self._drain_s if drain_s is None else drain_s)
        finally:
            if self._own is not None:
                await self._own.close()
        if self._tracing is not None:
            for frame in self._outbox.left():
                self._end_span(frame, "the producer was closed before the server confirmed it")
        if self._outbox.owed:
            log.warning("%s", self._ended_early())
        return self._outbox.owed

    # -- looking ------------------------------------------------------------------------------------------------------

    @property
    def counters(self) -> ProducerCounters:
        """What became of the frames."""
        return self._outbox.counters

    @property
    def buffered(self) -> int:
        """Frames accepted and not confirmed."""
        return len(self._outbox)

    @property
    def unrecorded(self) -> int:
        """Frames given up, by the policy or as the server refused them, that are not in the ledger yet."""
        return len(self._outbox.drops)

    @property
    def level(self) -> Level:
        """The level of backpressure that was heard of last."""
        return self._outbox.level

    @property
    def _failure(self) -> Exception | None:
        return None if self._line is None else self._line.failure

    def _ended_early(self) -> ProducerClosed:
        return ProducerClosed(self.camera_id, self.buffered, self.unrecorded)

    # -- publishing ---------------------------------------------------------------------------------------------------

    async def publish(self, payload: bytes = b"", /, **fields: Any) -> str:
        """Accept a frame; returns its ``frame_id`` once it is buffered (``flush`` waits until it is confirmed).

        ``fields`` are those of FrameReadyEvent: width, height and format at least; camera_id, frame_id, size_bytes,
        timestamp (now) and trace_context (a new trace) are filled in. Errors: InvalidFrame (nothing was accepted),
        CameraSuperseded, ProducerClosed, RedisRefused.
        """
        return await self._publish(payload, fields)

    async def publish_many(self, frames: Iterable[tuple[bytes, Mapping[str, Any]]]) -> list[str | InvalidFrame]:
        """Accept (payload, fields) pairs: per frame its id, or why it was refused; the others are accepted."""
        answers: list[str | InvalidFrame] = []
        for payload, fields in frames:
            try:
                answers.append(await self._publish(payload, fields))
            except InvalidFrame as refusal:
                answers.append(refusal)
        return answers

    async def _publish(self, payload: bytes, fields: Mapping[str, Any]) -> str:
        expected = self._outbox.next_sequence
        rooted = "trace_context" not in fields
        if rooted:
            root = TraceContext.new(sampled=False) if self._tracing is None else self._tracing.root()
            fields = {**fields, "trace_context": root}
        event = self._validated(payload, fields)  # before waiting: a refused frame costs neither room nor a sequence
        span = None
        if self._tracing is not None:
            event, span = self._tracing.begin(event, root=rooted)
        channel, line = await self._room(event.priority)
        sequence = self._outbox.next_sequence
        if sequence != expected and "frame_id" not in fields:
            event = event.model_copy(update={"frame_id": default_frame_id(self.camera_id, sequence)})
        frame = outgoing(event, sequence, bytes(payload))
        if span is not None:
            self._spans[frame.traceparent] = span
        self._outbox.accept(frame, time.monotonic())
        channel.accepted(line)
        return event.frame_id

    def _end_span(self, frame: OutgoingFrame, error: str) -> None:
        if self._tracing is not None and (span := self._spans.pop(frame.traceparent, None)) is not None:
            self._tracing.end(self.camera_id, frame, span, error)

    async def _room(self, priority: int) -> tuple[Channel, Line]:
        if self._outbox.displaces(time.monotonic()):
            await asyncio.sleep(0)  # nothing else makes this caller wait, and the sender must have its turn
        while True:
            if self._channel is None or self._line is None or self._closed:
                raise self._failure or self._ended_early()
            if self._failure is not None:
                raise self._failure
            now = time.monotonic()
            if self._outbox.has_room(priority, now):
                return self._channel, self._line
            await self._line.changed_by(self._outbox.room_at(now))

    def _validated(self, payload: bytes, fields: Mapping[str, Any]) -> FrameReadyEvent:
        now = datetime.now(UTC)
        try:
            event, age = event_of(
                self.camera_id, self._outbox.next_sequence, payload, fields, now=now, max_payload=self._max_payload
            )
        except InvalidFrame:
            self.counters.invalid += 1
            raise
        if age > ANCIENT_S:
            self.counters.ancient += 1
            if self.counters.ancient == 1:
                log.warning(
                    "camera %s: frame of %s is accepted although it is more than a day old; if it is no recording, the "
                    "camera's clock is wrong (said once, counted in counters.ancient)",
                    self.camera_id,
                    event.timestamp.isoformat(),
                )
        return event
