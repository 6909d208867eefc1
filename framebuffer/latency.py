"""How long frames took lately, from publish to result, by the server's clock alone. Changes nothing."""

import math
from collections.abc import Sequence

import msgspec
import redis.exceptions as redis_errors

from framebuffer.connection import execute, translate
from framebuffer.records import head_of
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams

__all__ = ["SAMPLES_MAX", "FrameLatency", "latency", "summed_up"]

SAMPLES_MAX = 1000
"""Results that are looked at, of each shard: the newest of the window."""

_BYTES_MAX = (
    1 << 20
)  # of results, which may be a megabyte each: so much is read for the times that stand at their heads
_FIRST = 10  # as many tell how large they are


class FrameLatency(msgspec.Struct, frozen=True):
    """Of ``results`` that were written within the last ``window_s`` seconds; None where there are none.

    ``complete``: these were all of the window, not only the newest of each shard.
    """

    server_ms: int
    window_s: float
    results: int
    complete: bool
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    max_ms: int | None


async def latency(streams: ShardedStreams, *, window_s: float = 10.0, samples_max: int = SAMPLES_MAX) -> FrameLatency:
    """Of all shards together, at most the newest ``samples_max`` of each. Errors: RedisUnavailable, RedisRefused."""
    samples: list[int] = []
    newest, complete = 0, True
    for part in streams.parts:
        server_ms, found, whole = await _of_shard(part, window_s, samples_max)
        newest, complete = max(newest, server_ms), complete and whole
        samples += found
    return summed_up(samples, server_ms=newest, window_s=window_s, complete=complete)


def summed_up(samples: Sequence[int], *, server_ms: int, window_s: float, complete: bool) -> FrameLatency:
    """Percentiles by nearest rank of milliseconds."""
    ordered = sorted(samples)

    def at(share: float) -> int | None:
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None

    return FrameLatency(server_ms, window_s, len(ordered), complete, at(0.5), at(0.95), at(0.99), at(1.0))


async def _of_shard(part: FrameStreams, window_s: float, samples_max: int) -> tuple[int, list[int], bool]:
    try:
        [(seconds, micros)] = await part.look(("TIME",))
        server_ms = int(seconds) * 1000 + int(micros) // 1000
        oldest = max(0, server_ms - int(window_s * 1000))
        first = min(_FIRST, samples_max)
        page = await execute(part.redis, "XREVRANGE", part.keys.results, "+", oldest, "COUNT", first)
        whole = len(page) < first
        if not whole:
            size = max(1, sum(len(value) for _, fields in page for value in fields.values()) // len(page))
            more = min(samples_max - first, _BYTES_MAX // size)
            if more > 0:
                before = f"({page[-1][0].decode()}"
                rest = await execute(part.redis, "XREVRANGE", part.keys.results, before, oldest, "COUNT", more)
                page, whole = page + rest, len(rest) < more
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error
    found = []
    for entry, fields in page:
        head = head_of(fields.get(b"frame", b"").decode("ascii", "replace"))
        if head is not None:  # else somebody wrote there past the functions
            found.append(max(0, int(entry.partition(b"-")[0]) - head.published_ms))
    return server_ms, found, whole
