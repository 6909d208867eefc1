"""What Prometheus sees of the server of the frames, as this node last saw it: its replicas, its disk, its memory.

Of several shards the worst is shown. Whoever loses the primary loses what no replica had yet: `replica_lag_bytes`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import redis.exceptions as redis_errors
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from redis.asyncio import Redis

from framebuffer.connection import translate

__all__ = ["RedisFigures", "figures_of"]

REPLICAS_MAX = 64
_NAMES = {
    "up": "1 while the server of the frames answers this node.",
    "replicas": "Replicas that are connected to the primary and in step with it.",
    "replica_lag_bytes": "What the replica that is furthest behind has not confirmed yet.",
    "replica_silence_seconds": "Since the replica that is silent longest was heard by the primary.",
    "persistence_ok": "1 while the server appends to its file, and the last write to it succeeded.",
    "memory_bytes": "Memory that the server uses.",
    "memory_max_bytes": "What it may use at most; 0: no limit is set.",
}


def figures_of(info: Mapping[str, Any]) -> dict[str, float]:
    """By name, from what INFO says of a primary. What is missing or of another form counts as 0."""
    offset = _number(info.get("master_repl_offset"))
    behind, silent, in_step = 0.0, 0.0, 0
    for at in range(min(int(_number(info.get("connected_slaves"))), REPLICAS_MAX)):
        replica = info.get(f"slave{at}")
        if not isinstance(replica, Mapping):
            continue
        in_step += replica.get("state") == "online"
        behind = max(behind, offset - _number(replica.get("offset")))
        silent = max(silent, _number(replica.get("lag")))
    appends = _number(info.get("aof_enabled")) and info.get("aof_last_write_status") == "ok"
    return {
        "replicas": in_step,
        "replica_lag_bytes": behind,
        "replica_silence_seconds": silent,
        "persistence_ok": float(bool(appends)),
        "memory_bytes": _number(info.get("used_memory")),
        "memory_max_bytes": _number(info.get("maxmemory")),
    }


class RedisFigures(Collector):
    """A collector over what `look` saw last. `down`: the server does not answer; then only `up` says anything."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    async def look(self, servers: Sequence[Redis]) -> None:
        """Ask the primary of each shard. Errors: RedisUnavailable, RedisRefused."""
        every = []
        for server in servers:
            try:
                every.append(figures_of(await server.info()))
            except (redis_errors.RedisError, OSError) as error:
                raise translate(error) from error
        least = ("replicas", "persistence_ok")
        self._seen = {name: (min if name in least else max)(one[name] for one in every) for name in every[0]}
        self._seen["up"] = 1

    def down(self) -> None:
        """The server does not answer."""
        self._seen = {}

    def collect(self) -> Iterator[Metric]:
        """Every figure as it was seen last."""
        for name, text in _NAMES.items():
            yield GaugeMetricFamily(f"triarch_redis_{name}", text, value=self._seen.get(name, 0.0))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
