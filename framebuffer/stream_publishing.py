"""The producer's calls: opening a camera, publishing its frames, giving frames up."""

import secrets
from collections.abc import Sequence
from typing import Any

import redis.exceptions as redis_errors

from framebuffer import wire
from framebuffer.backpressure import Backpressure
from framebuffer.calls import Superseded, call_and_wait
from framebuffer.connection import execute, translate
from framebuffer.durability import Durability, replicas_wanted
from framebuffer.errors import CameraSuperseded, NotDurable
from framebuffer.keys import check_name
from framebuffer.stream_calls import Argument, StreamCalls

__all__ = ["PublishingCalls"]


class PublishingCalls(StreamCalls):
    """See ``FrameStreams``."""

    async def open_camera(
        self, camera_id: str, *, token: str | None = None, resume_at: int | None = None
    ) -> wire.CameraSession:
        """Become the camera's producer; whoever was it is refused from now on. Repeating with one ``token`` is safe.

        ``resume_at``: the sequence that a producer goes on with although the server has forgotten the ones before
        (it lost them in a failover); without it a sequence far ahead of the last one is refused.
        """
        check_name("camera", camera_id)
        token = token or secrets.token_hex(16)
        resume = -1 if resume_at is None else resume_at
        previous, next_sequence = await self._call("open", camera_id, token, self.segment_size, resume)
        return wire.CameraSession(camera_id, token, int(next_sequence), previous.decode())

    async def publish(
        self, session: wire.CameraSession, frames: Sequence[wire.OutgoingFrame], *, durability: Durability = 0
    ) -> list[wire.Published]:
        """Publish frames of one camera: per frame ``ok``, ``duplicate`` or ``refused:<reason>``.

        ``durability``: replicas that must have them before this returns, see ``framebuffer.durability``.
        Errors: CameraSuperseded, NotDurable (they are written; publishing them again waits again).
        """
        report = await self.publish_batch([(session, frame) for frame in frames], durability=durability)
        for status in report.statuses:
            if status.startswith("superseded:"):
                raise CameraSuperseded(session.camera_id, session.token, status.partition(":")[2])
        return report.statuses

    async def publish_batch(
        self, frames: Sequence[tuple[wire.CameraSession, wire.OutgoingFrame]], *, durability: Durability = 0
    ) -> wire.PublishReport:
        """Publish frames of many cameras in one call; a camera that another producer has opened since answers
        ``superseded:<its token>`` for each of its frames. Errors: NotDurable, as with ``publish``.
        """
        if not frames:
            return wire.PublishReport([])
        numbers: dict[str, int] = {}
        sessions: list[Argument] = []
        arguments: list[Argument] = []
        for session, frame in frames:
            number = numbers.get(session.token)
            if number is None:
                number = numbers[session.token] = len(numbers) + 1
                sessions += (session.camera_id, session.token)
            capability = ",".join(frame.capabilities) if frame.capabilities else frame.capability
            arguments += (number, frame.frame_id, frame.sequence, capability, frame.priority, frame.traceparent)
            arguments += (frame.event, frame.payload)
        call_of = (self.inline_bytes_max, len(numbers), *sessions, *arguments)
        reply, missing = await self._confirmed(durability, "publish", *call_of)
        if missing is not None and not all(status.startswith(b"superseded:") for status in reply[1:]):
            raise missing
        return wire.PublishReport([status.decode() for status in reply[1:]], Backpressure.parse(reply[0].decode()))

    async def drop(
        self, session: wire.CameraSession, frames: Sequence[wire.Given], *, durability: Durability = 0
    ) -> list[wire.Published]:
        """Say that frames will never be published: each counts as published and as dropped, with its reason.

        Per frame ``ok``, ``duplicate`` or ``refused:<what>``; safe to repeat. ``durability``: as with ``publish``.
        Errors: CameraSuperseded, NotDurable (they are recorded; dropping them again waits again).
        """
        if not frames:
            return []
        arguments: list[Argument] = [session.camera_id, session.token]
        for frame in frames:
            arguments += (frame.frame_id, frame.sequence, frame.priority, frame.reason)
        try:
            statuses, missing = await self._confirmed(durability, "drop", *arguments)
        except Superseded as superseded:
            raise CameraSuperseded(session.camera_id, session.token, superseded.current) from None
        if missing is not None:
            raise missing
        return [status.decode() for status in statuses]

    async def _confirmed(
        self, durability: Durability, function: str, *arguments: Argument
    ) -> tuple[Any, NotDurable | None]:
        """One call's reply, and what is to be raised where fewer replicas than asked for have what it wrote."""
        replicas = await replicas_wanted(self.redis, durability)
        if replicas == 0:
            return await self._call(function, *arguments), None
        reply, confirmed = await call_and_wait(
            self.redis, function, self.keys.prefix, *arguments, replicas=replicas, wait_ms=self._durable_wait_ms
        )
        return reply, NotDurable(replicas, confirmed) if confirmed < replicas else None

    async def pressure(self) -> int:
        """The level of backpressure for all frames, 0 to 3, as the leader has set it."""
        return (await self.backpressure()).level

    async def backpressure(self) -> Backpressure:
        """The same, with the capabilities that have a higher one."""
        try:
            return Backpressure.parse((await execute(self.redis, "GET", self.keys.pressure) or b"0").decode())
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
