"""The function library: its text, its revision, and getting it into a server.

A library survives restart, promotion and FLUSHALL (the script cache does not). It goes missing where somebody flushes
functions or restores an older data set; then it is loaded again by the first call that notices.
"""

import re
from functools import cache
from importlib.resources import files

import msgspec
import redis.exceptions as redis_errors
from redis.asyncio import Redis

from framebuffer.connection import execute, translate
from framebuffer.errors import RedisUnsupported

__all__ = ["Library", "ensure_library", "library", "revision_of"]

# In the order in which they use one another; together they are one library.
_PARTS = (
    "streams",
    "ledger",
    "fence",
    "loads",
    "router",
    "direct",
    "publish",
    "dispatch",
    "processor",
    "back",
    "dead",
    "look",
    "register",
)
_HEAD = re.compile(r"#!lua name=(\w+)\n-- revision: (\d+)\n")
_FORMAT = re.compile(r"^local FORMAT = (\d+)", re.MULTILINE)


class Library(msgspec.Struct, frozen=True):
    """The library as this package carries it. A change of an interface changes the name, any other the revision.

    ``format``: of the keys and entries that it writes; newer ones are not to be read.
    """

    name: str
    revision: int
    format: int
    code: str


@cache
def library() -> Library:
    """The library of this version of the package."""
    folder = files("framebuffer").joinpath("functions")
    code = "\n".join(folder.joinpath(f"{part}.lua").read_text("utf-8") for part in _PARTS)
    head, written = _HEAD.match(code), _FORMAT.search(code)
    if head is None or written is None:
        raise AssertionError("streams.lua must open with its name and its revision, and say the format")
    return Library(head[1], int(head[2]), int(written[1]), code)


def revision_of(code: str) -> int:
    """The revision that a library's text names, 0 when it names none."""
    head = _HEAD.match(code)
    return int(head[2]) if head else 0


async def ensure_library(redis: Redis) -> int:
    """Load the library unless the server has this revision or a newer one. Returns the revision in force.

    A newer one is left alone: a rolling upgrade must not swing back and forth.
    Errors: RedisUnsupported (the server has no functions), RedisUnavailable, RedisRefused.
    """
    mine = library()
    try:
        there = await execute(redis, "FUNCTION", "LIST", "LIBRARYNAME", mine.name, "WITHCODE")
        if there:
            row = dict(zip(there[0][::2], there[0][1::2], strict=True))
            code = row[b"library_code"].decode("utf-8", "replace")
            if code == mine.code:
                return mine.revision
            revision = revision_of(code)
            if revision > mine.revision:
                return revision
        await execute(redis, "FUNCTION", "LOAD", "REPLACE", mine.code)
    except redis_errors.ResponseError as error:
        if "unknown command" in str(error).lower():
            raise RedisUnsupported("the server has no functions (Redis >= 7.0 or Valkey >= 7.2 is needed)") from error
        raise translate(error) from error
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error
    return mine.revision
