"""Reading the streams as they are, beside what the functions tell. Changes nothing.

Errors of all: RedisUnavailable, RedisRefused.
"""

from collections.abc import Mapping
from typing import Any

import redis.exceptions as redis_errors

from framebuffer.connection import execute, translate
from framebuffer.streams import FrameStreams

__all__ = ["Entry", "entries", "facts_of", "info", "newest_id"]

Entry = tuple[bytes, dict[bytes, bytes]]


async def entries(streams: FrameStreams, key: str, start: str, count: int) -> list[Entry]:
    """A page of a stream, oldest first: from ``start``: "-" is the beginning, "(" and an id what is behind it."""
    try:
        found: list[Entry] = await execute(streams.redis, "XRANGE", key, start, "+", "COUNT", count)
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error
    return found


async def newest_id(streams: FrameStreams, key: str) -> str:
    """The id of a stream's newest entry, empty where there is none."""
    try:
        found: list[Entry] = await execute(streams.redis, "XREVRANGE", key, "+", "-", "COUNT", 1)
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error
    return found[0][0].decode() if found else ""


async def info(streams: FrameStreams, key: str) -> Mapping[bytes, Any]:
    """What XINFO STREAM says; empty for a stream that is not there."""
    try:
        return facts_of(await execute(streams.redis, "XINFO", "STREAM", key))
    except redis_errors.ResponseError as error:
        return facts_of(error)
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error


def facts_of(answer: list[Any] | Exception) -> Mapping[bytes, Any]:
    """The same of an answer, or of the error in its place."""
    if isinstance(answer, Exception):
        if "no such key" in str(answer).lower():
            return {}
        raise translate(answer) from answer
    return dict(zip(answer[::2], answer[1::2], strict=True))
