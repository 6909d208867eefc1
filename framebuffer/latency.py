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


class FrameLatency(msgspec.Struct, frozen=True):
    """Of ``results`` that were written within the last ``window_s`` seconds; None where there are none.

    ``complete``: these were all of the window, not only the newest ``SAMPLES_MAX`` of each shard.
    """

    server_ms: int
    window_s: float
    results: int
    complete: bool
    p50_ms: int | None
    p95_ms: int | None
    p99_ms: int | None
    max_ms: int | None


async def latency(streams: ShardedStreams, *, window_s: float = 10.0) -> FrameLatency:
    """Of all shards together. Errors: RedisUnavailable, RedisRefused."""
    samples: list[int] = []
    newest, complete = 0, True
    for part in streams.parts:
        server_ms, found = await _of_shard(part, window_s)
        newest, complete = max(newest, server_ms), complete and len(found) < SAMPLES_MAX
        samples += found
    return summed_up(samples, server_ms=newest, window_s=window_s, complete=complete)


def summed_up(samples: Sequence[int], *, server_ms: int, window_s: float, complete: bool) -> FrameLatency:
    """Percentiles by nearest rank of milliseconds."""
    ordered = sorted(samples)

    def at(share: float) -> int | None:
        return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None

    return FrameLatency(server_ms, window_s, len(ordered), complete, at(0.5), at(0.95), at(0.99), at(1.0))


async def _of_shard(part: FrameStreams, window_s: float) -> tuple[int, list[int]]:
    try:
        [(seconds, micros)] = await part.look(("TIME",))
        server_ms = int(seconds) * 1000 + int(micros) // 1000
        oldest = max(0, server_ms - int(window_s * 1000))
        page = await execute(part.redis, "XREVRANGE", part.keys.results, "+", oldest, "COUNT", SAMPLES_MAX)
    except (redis_errors.RedisError, OSError) as error:
        raise translate(error) from error
    found = []
    for entry, fields in page:
        head = head_of(fields.get(b"frame", b"").decode("ascii", "replace"))
        if head is not None:  # else somebody wrote there past the functions
            found.append(max(0, int(entry.partition(b"-")[0]) - head.published_ms))
    return server_ms, found
