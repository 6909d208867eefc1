"""A Redis or Valkey Cluster of our own: primaries on 127.0.0.1 that share the slots, for tests, benches and drills.

The servers are introduced to one another and given their slots by plain commands, so no ``redis-cli`` is needed.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import redis.exceptions as redis_errors

from framebuffer.addresses import DEFAULT_SHARDS, url_of
from framebuffer.connection import Backoff, connect, execute
from framebuffer.embedded import Binary, EmbeddedServer
from framebuffer.errors import ServerFailed
from framebuffer.sharding import SLOTS

__all__ = ["EmbeddedCluster"]


class EmbeddedCluster:
    """``ports``: of the primaries, then of their replicas if there are any (the first one's, the second one's, ...).
    Each has its bus at the port 10,000 above, or at ``bus`` in the same order.

    ``node_timeout_s``: a node silent for so long is down, and a replica of it is promoted.
    """

    def __init__(
        self,
        data_dir: Path,
        ports: Sequence[int],
        *,
        primaries: int = 3,
        bus: Sequence[int] = (),
        binary: Binary | None = None,
        node_timeout_s: float = 1.0,
        shards: int = DEFAULT_SHARDS,
    ) -> None:
        self.primaries = primaries
        self.shards = shards
        self.servers: list[EmbeddedServer] = []
        for at, port in enumerate(ports):
            options = [
                "cluster-enabled yes",
                f"cluster-node-timeout {max(1, int(node_timeout_s * 1000))}",
                "repl-diskless-sync-delay 0",
            ]
            if bus:
                options.append(f"cluster-port {bus[at]}")
            self.servers.append(EmbeddedServer(data_dir / f"node-{at}", port, binary=binary, options=tuple(options)))
        self._bus = tuple(bus)

    @property
    def url(self) -> str:
        """For ``connect`` and ``ShardedStreams.connect``."""
        return url_of("cluster", [f"127.0.0.1:{server.port}" for server in self.servers], shards=self.shards)

    async def __aenter__(self) -> "EmbeddedCluster":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """All nodes; returns when each says that the cluster is whole. Errors: as of ``EmbeddedServer``."""
        try:
            for server in self.servers:
                await server.start()
            await self._form()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """All nodes at once: they are of no use to anybody without the others."""
        async with AsyncExitStack() as stack:
            for server in self.servers:
                stack.push_async_callback(server.kill)

    async def healthy(self, *, timeout_s: float = 20.0) -> None:
        """Wait until every node that runs knows all others and sees all slots served. Errors: ServerFailed."""
        await self._until(self._whole, timeout_s, "the cluster did not become whole")

    async def ask(self, at: int, *command: str | int) -> Any:
        """One command to a node. Errors: ServerFailed."""
        redis = connect(self.servers[at].url)
        try:
            return await execute(redis, *command)
        except (redis_errors.RedisError, OSError) as error:
            raise ServerFailed(f"node {at} does not take {command[0]} {command[1]}: {error}") from error
        finally:
            await redis.aclose()

    async def owner_of(self, slot: int) -> int:
        """Which of ``servers`` has the slot, as the first one that answers sees it. Errors: ServerFailed."""
        for at, server in enumerate(self.servers):
            if server.pid is not None:
                for first, last, primary, *_ in await self.ask(at, "CLUSTER", "SLOTS"):
                    if first <= slot <= last:
                        return [one.port for one in self.servers].index(int(primary[1]))
        raise ServerFailed(f"no node has slot {slot}")

    async def _form(self) -> None:
        for at in range(self.primaries):
            first, last = at * SLOTS // self.primaries, (at + 1) * SLOTS // self.primaries - 1
            await self.ask(at, "CLUSTER", "ADDSLOTSRANGE", first, last)
            # Without it two that start with epoch 0 may both take themselves for the newer.
            await self.ask(at, "CLUSTER", "SET-CONFIG-EPOCH", at + 1)
        for at, server in enumerate(self.servers[1:], 1):
            bus = [self._bus[at]] if self._bus else []
            await self.ask(0, "CLUSTER", "MEET", "127.0.0.1", server.port, *bus)
        await self.healthy()
        for at in range(self.primaries, len(self.servers)):
            of = (await self.ask(at % self.primaries, "CLUSTER", "MYID")).decode()
            await self.ask(at, "CLUSTER", "REPLICATE", of)

    async def _whole(self) -> bool:
        living = [at for at, server in enumerate(self.servers) if server.pid is not None]
        for at in living:
            told = (await self.ask(at, "CLUSTER", "INFO")).decode()
            info = dict(line.split(":", 1) for line in told.splitlines() if ":" in line)
            if info["cluster_state"] != "ok" or int(info["cluster_slots_ok"]) != SLOTS:
                return False
            known = (await self.ask(at, "CLUSTER", "NODES")).decode().splitlines()
            if len(known) != len(self.servers) or any("handshake" in line for line in known):
                return False
        return True

    async def _until(self, found: Callable[[], Awaitable[bool]], timeout_s: float, otherwise: str) -> None:
        backoff = Backoff(0.01, 0.05)
        try:
            async with asyncio.timeout(timeout_s):
                while not await found():
                    await backoff.wait()
        except TimeoutError:
            where = self.servers[0].data_dir.parent
            raise ServerFailed(f"{otherwise} within {timeout_s:g} s (logs: {where})") from None
