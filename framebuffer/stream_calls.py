"""What every part of ``FrameStreams`` stands on: the client, the keys, the settings, one call of a function."""

import asyncio
from collections.abc import Sequence
from typing import Any

import redis.exceptions as redis_errors
from redis.asyncio import Redis

from framebuffer.calls import call, newer_format
from framebuffer.connection import blocking_twin, translate
from framebuffer.keys import DEFAULT_SEGMENT, Keys
from framebuffer.library import library
from framebuffer.tasks import completed

__all__ = ["DEFAULT_INLINE_BYTES_MAX", "DEFAULT_MAX_ATTEMPTS", "DEFAULT_RESULTS_MAXLEN", "Argument", "StreamCalls"]

DEFAULT_INLINE_BYTES_MAX = 4096
DEFAULT_MAX_ATTEMPTS = 5
DEFAULT_RESULTS_MAXLEN = 100_000

Argument = str | bytes | int

_REPLY_S = 2.0


class StreamCalls:
    """See ``FrameStreams``."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys | None = None,
        *,
        inline_bytes_max: int = DEFAULT_INLINE_BYTES_MAX,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        results_maxlen: int = DEFAULT_RESULTS_MAXLEN,
        segment_size: int = DEFAULT_SEGMENT,
    ) -> None:
        self.redis = redis
        self.keys = keys or Keys()
        self.inline_bytes_max = inline_bytes_max
        self.max_attempts = max_attempts
        self.results_maxlen = results_maxlen
        self.segment_size = segment_size
        self._blocking: Redis | None = None
        self._reply_s: float = getattr(redis, "reply_s", _REPLY_S)
        self._durable_wait_ms = max(1, int(self._reply_s * 500))

    async def aclose(self) -> None:
        """Close the connections for blocking reads. Calls that wait end with RedisUnavailable."""
        blocking, self._blocking = self._blocking, None
        if blocking is not None:
            await blocking.aclose()
            await completed(blocking.connection_pool.disconnect())

    def _blocking_redis(self) -> Redis:
        if self._blocking is None:
            self._blocking = blocking_twin(self.redis)
        return self._blocking

    async def look(self, *commands: Sequence[Argument]) -> list[Any]:
        """The answers of commands that change nothing, all at one instant; an error reply stands in its place.

        The functions look at the format of the data by themselves; whoever reads past them does it by this.
        Errors: RedisUnsupported (a newer version has written here), RedisUnavailable, RedisRefused.
        """
        try:
            async with asyncio.timeout(self._reply_s), self.redis.pipeline(transaction=True) as pipe:
                pipe.execute_command("GET", self.keys.format)
                for command in commands:
                    pipe.execute_command(*command)
                theirs, *answers = await pipe.execute(raise_on_error=False)
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
        if isinstance(theirs, Exception):
            raise translate(theirs) from theirs
        if theirs is not None and theirs.isdigit() and int(theirs) > library().format:
            raise newer_format(int(theirs), library().format)
        return answers

    async def _call(self, function: str, *arguments: Argument) -> Any:
        return await call(self.redis, function, self.keys.prefix, *arguments)
