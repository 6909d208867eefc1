"""Finding the primary that holds a key of a Redis or Valkey Cluster.

All keys of a shard of the streams are in one slot, so a client of ours speaks to one primary, as with Sentinel, and
needs none of a cluster client's routing. ``MOVED`` drops its connections, and the next one asks who has the slot now.
``ASK`` is not followed: a function's keys would then be half here and half there. While the keys of a slot are moved
one by one calls fail, and are repeated by their callers; once the slot is moved they go on (Valkey 9 moves it as a
whole).
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
import redis.exceptions as redis_errors
from redis.asyncio.sentinel import MasterNotFoundError

from framebuffer.connection import connect, execute, node_url
from framebuffer.errors import RedisRefused
from framebuffer.sharding import slot_of

__all__ = ["Owner", "SlotLocator"]

ASK_S = 1.0
"""How long a node may take to answer."""


class Owner(msgspec.Struct, frozen=True):
    """The primary of a slot, and how many replicas of it the cluster knows, those that are down included."""

    address: tuple[str, int]
    replicas: int
    nodes: tuple[tuple[str, int], ...]  # all of the cluster


class SlotLocator:
    """Asks the nodes, those it was given and those it has heard of since, who has the slot of ``key``."""

    def __init__(
        self,
        nodes: Sequence[tuple[str, int]],
        key: str,
        *,
        username: str | None = None,
        password: str | None = None,
        tls: bool = False,
        options: Sequence[tuple[str, str]] = (),
    ) -> None:
        self.slot = slot_of(key)
        self._given = tuple(nodes)
        self._known = tuple(nodes)
        self._username = username
        self._password = password
        self._tls = tls
        self._options = options

    async def locate(self) -> Owner:
        """Errors: MasterNotFoundError (a ConnectionError): no node answers, or none has the slot."""
        troubles: list[str] = []
        for host, port in dict.fromkeys((*self._known, *self._given)):
            try:
                owner = await self._ask(host, port)
            except (redis_errors.RedisError, OSError, RedisRefused) as error:  # refused: a file of TLS is away
                troubles.append(f"{host}:{port}: {str(error) or type(error).__name__}")
                continue
            if owner is None:
                troubles.append(f"{host}:{port}: no node has slot {self.slot}")
                continue
            self._known = owner.nodes
            return owner
        raise MasterNotFoundError(f"no node of the cluster says who has slot {self.slot}: {'; '.join(troubles)}")

    async def watch(self, moved: Callable[[str], None]) -> None:
        """A cluster announces nothing: the connections find out."""

    async def aclose(self) -> None:
        """Nothing is kept open: nodes are asked when there is no connection to the primary."""

    async def _ask(self, host: str, port: int) -> Owner | None:
        url = node_url(host, port, tls=self._tls, options=self._options)
        redis = connect(url, username=self._username, password=self._password, timeout_s=ASK_S)
        try:
            ranges, listing = await asyncio.gather(
                execute(redis, "CLUSTER", "SLOTS"), execute(redis, "CLUSTER", "NODES")
            )
        finally:
            await redis.aclose()
        nodes = _addresses(listing.decode(), host)
        for first, last, primary, *_ in ranges:
            if first <= self.slot <= last:
                # An empty name means: the address at which you asked.
                address = (primary[0].decode() or host, int(primary[1]))
                return Owner(address, _replicas_of(listing.decode(), primary[2].decode()), (address, *nodes))
        return None


def _addresses(listing: str, asked: str) -> tuple[tuple[str, int], ...]:
    """Of CLUSTER NODES: a line a node, ``id host:port@bus[,name] flags primary ...``."""
    found = []
    for line in listing.splitlines():
        _, place, flags, *_ = line.split(" ")
        host, _, port = place.partition("@")[0].rpartition(":")
        if "noaddr" not in flags and "handshake" not in flags:
            found.append((host or asked, int(port)))
    return tuple(found)


def _replicas_of(listing: str, node_id: str) -> int:
    rows = [line.split(" ") for line in listing.splitlines()]
    return sum(row[3] == node_id for row in rows)
