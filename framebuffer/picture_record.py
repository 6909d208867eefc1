"""Leaves the cameras' last pictures at the server: now and then, beside the frames, and never in their way."""

import asyncio
import logging

import redis.exceptions as redis_errors
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.keys import Keys
from framebuffer.line import Line
from framebuffer.pictures import BYTES_MAX, LIFETIME_MS, PictureHead, media_type
from framebuffer.wire import OutgoingFrame

__all__ = ["PictureRecord"]

log = logging.getLogger(__name__)


class PictureRecord:
    """Of the cameras of one channel. Uses a connection of its own from the pool of ``redis``: a picture that takes long
    holds no batch up. One that cannot be written is given up; the next one is soon there.
    """

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys
        self._latest: dict[str, tuple[Line, OutgoingFrame]] = {}  # one a camera at most
        self._wanted = asyncio.Event()
        self._failing = False

    def published(self, line: Line, frame: OutgoingFrame, now: float) -> None:
        """The server has the frame; ``now`` in monotonic seconds."""
        if now < line.picture_due or len(frame.payload) > BYTES_MAX or not media_type(frame.payload):
            return
        line.picture_due = now + line.pictures_every_s
        self._latest[line.outbox.camera_id] = (line, frame)
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._latest:
                await self._write(*self._latest.pop(next(iter(self._latest))))

    async def _write(self, line: Line, frame: OutgoingFrame) -> None:
        head = PictureHead(frame.sequence, frame.frame_id, line.outbox.policy.name)
        key = self._keys.picture(line.outbox.camera_id)
        try:
            await execute(self._redis, "SET", key, head.encoded(frame.payload), "PX", LIFETIME_MS)
        except (redis_errors.RedisError, OSError) as error:
            if not self._failing:
                log.warning("camera %s: its picture is not kept, frames go on: %s", line.outbox.camera_id, error)
            self._failing = True
        else:
            self._failing = False
