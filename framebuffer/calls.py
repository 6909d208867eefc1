"""Calling the functions: the error replies of the library, and loading it where it is missing."""

import asyncio
from typing import Any

import redis.exceptions as redis_errors
from redis.asyncio import Redis

from framebuffer.connection import execute, translate
from framebuffer.errors import Fenced, RedisRefused, RedisUnsupported
from framebuffer.library import ensure_library

__all__ = ["Superseded", "call", "call_and_wait", "newer_format"]

_SLACK_S = 1.0  # for everything about a call but the waiting for replicas
_MISSING = "Function not found"


class Superseded(Exception):
    """The camera's session is another. ``current``: its token."""

    def __init__(self, current: str) -> None:
        super().__init__(current)
        self.current = current


async def call(redis: Redis, function: str, prefix: str, *arguments: str | bytes | int) -> Any:
    """One function call. Errors: Fenced, Superseded, RedisUnavailable, RedisRefused."""
    command = ("FCALL", f"triarch_v2_{function}", 1, prefix, *arguments)
    try:
        try:
            return await execute(redis, *command)
        except redis_errors.ResponseError as error:
            if _MISSING not in str(error):
                raise
            await ensure_library(redis)
            return await execute(redis, *command)
    except (redis_errors.RedisError, OSError) as error:
        raise meaning(error) from error


async def call_and_wait(
    redis: Redis, function: str, prefix: str, *arguments: str | bytes | int, replicas: int, wait_ms: int
) -> tuple[Any, int]:
    """The same, and how many replicas confirmed it within ``wait_ms``.

    WAIT covers the writes of its own connection only, so both travel in one pipeline. Errors: as ``call``.
    """
    command = ("FCALL", f"triarch_v2_{function}", 1, prefix, *arguments)
    reply, confirmed = await _pipelined(redis, command, replicas, wait_ms)
    if isinstance(reply, Exception) and _MISSING in str(reply):
        await ensure_library(redis)
        reply, confirmed = await _pipelined(redis, command, replicas, wait_ms)
    for answer in (reply, confirmed):
        if isinstance(answer, Exception):
            raise meaning(answer) from answer
    return reply, int(confirmed)


async def _pipelined(redis: Redis, command: tuple[str | bytes | int, ...], replicas: int, wait_ms: int) -> list[Any]:
    try:
        async with asyncio.timeout(_SLACK_S + wait_ms / 1000), redis.pipeline(transaction=False) as pipe:
            pipe.execute_command(*command)
            pipe.execute_command("WAIT", replicas, wait_ms)
            return await pipe.execute(raise_on_error=False)
    except (redis_errors.RedisError, OSError) as error:
        raise meaning(error) from error


def newer_format(theirs: int, ours: int) -> RedisUnsupported:
    """The frames were written by a newer version."""
    return RedisUnsupported(f"the frames are in format {theirs}, this version knows {ours}: upgrade this package")


def meaning(error: Exception) -> Exception:
    """The library's own error replies; any other is the server's."""
    text = str(error)
    if text.startswith("FENCED "):
        _, epoch, node = text.split(" ", 2)
        term, index = epoch.split(".")
        return Fenced((int(term), int(index)), node)
    if text.startswith("SUPERSEDED"):
        return Superseded(text.removeprefix("SUPERSEDED").strip())
    if text.startswith("FORMAT "):
        _, theirs, ours = text.split(" ", 2)
        return newer_format(int(theirs), int(ours))
    if text.startswith("WRONGTYPE "):
        return RedisRefused(f"{text}: a key of the frames holds something else; delete what was put there")
    return translate(error)
