"""A primary, two replicas and three sentinels of our own: real processes on 127.0.0.1, for tests, benches and drills.

All three servers have the same replica-priority: a sentinel then promotes the one that it believes to be furthest on.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import redis.exceptions as redis_errors

from framebuffer.connection import Backoff, connect, execute, translate
from framebuffer.embedded import Binary, EmbeddedServer, quoted
from framebuffer.errors import ServerFailed

__all__ = ["PORTS", "EmbeddedSentinel", "EmbeddedSet"]

log = logging.getLogger(__name__)

PORTS = 6
"""How many ports a set takes: three servers, then three sentinels."""

_SERVERS = 3
_QUORUM = 2
_STAGGER_MS = 150
"""Sentinels that find the primary dead in one moment all vote for themselves, and nobody is elected until they try
again after twice the failover timeout: so each one is a little more patient than the one before. Two of their ticks."""

_PING_MS = 250
"""How often a sentinel asks whether a server lives, and how often it tries to connect again. Each failover breaks its
connections: at the usual 1,000, one with ``down-after`` below that takes the new primary for dead and fails over again.
Five times this is how old its figures of a replica may be when it promotes one; it refreshes them every second."""

_INFO_MS = 1000
"""How often it asks for those figures while all is well; usually ten seconds."""

_REPLICATION = (
    "repl-diskless-sync-delay 0",
    "repl-ping-replica-period 1",
    "repl-backlog-size 16mb",
    "replica-priority 100",
)


class EmbeddedSentinel(EmbeddedServer):
    """One sentinel process. ``watched``: lines of its configuration that name what it watches."""

    watched: tuple[str, ...] = ()

    async def start(self) -> None:
        """As of any server. Errors: ServerFailed also when it does not take its periods."""
        await super().start()
        redis = connect(self.url, password=self._password)
        try:
            await execute(redis, "SENTINEL", "DEBUG", "PING-PERIOD", _PING_MS, "INFO-PERIOD", _INFO_MS)
        except (redis_errors.RedisError, OSError) as error:
            raise ServerFailed(f"the sentinel on port {self.port} does not take its periods: {error}") from error
        finally:
            await redis.aclose()

    def _arguments(self) -> Sequence[str]:
        # A sentinel keeps what it knows in its file, and refuses to start without one that it may write. The password
        # of the servers is in it.
        file = self.data_dir / "sentinel.conf"
        if not file.exists():
            file.touch(mode=0o600)
            file.write_text("\n".join((*self._lines(), *self.watched)) + "\n")
        return (str(file), "--sentinel")

    def _lines(self) -> list[str]:
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f'dir "{quoted(str(self.data_dir.resolve()))}"',
            f'logfile "{quoted(str(self.log_file.resolve()))}"',
            *self.options,
        ]
        if self._password is not None:
            lines.append(f'requirepass "{quoted(self._password)}"')
            lines.append(f'sentinel sentinel-pass "{quoted(self._password)}"')
        return lines

    def _configuration(self) -> str:
        return ""


class EmbeddedSet:
    """``ports``: of the three servers, then of the three sentinels. ``announced``: ports at which the servers are
    reached by one another, the sentinels and the clients, where these are other ones (of links between them).

    ``down_after_s``: a server silent for so long is down, for the first sentinel; the others are a little more patient.
    ``failover_timeout_s``: of one step of a failover; one that failed is tried again after twice as long.
    Errors of ``start``: as of ``EmbeddedServer``.
    """

    def __init__(
        self,
        data_dir: Path,
        ports: Sequence[int],
        *,
        service: str = "frames",
        password: str | None = None,
        sentinel_password: str | None = None,
        binary: Binary | None = None,
        down_after_s: float = 0.5,
        failover_timeout_s: float = 4.0,
        announced: Sequence[int] | None = None,
        options: tuple[str, ...] = (),
    ) -> None:
        if len(ports) != PORTS:
            raise ValueError(f"{PORTS} ports are needed: three servers, three sentinels")
        self.service = service
        self._password = password
        self._sentinel_password = sentinel_password
        self._down_after_ms = max(1, int(down_after_s * 1000))
        self._failover_timeout_ms = max(1, int(failover_timeout_s * 1000))
        self._options = options
        self._announced = tuple(announced or ports[:_SERVERS])
        self._missing = ""
        self.servers = [
            EmbeddedServer(data_dir / f"server-{at}", ports[at], password=password, binary=binary)
            for at in range(_SERVERS)
        ]
        self.sentinels = [
            EmbeddedSentinel(data_dir / f"sentinel-{at}", port, password=sentinel_password, binary=binary)
            for at, port in enumerate(ports[_SERVERS:])
        ]

    @property
    def url(self) -> str:
        """For ``connect``, without the passwords."""
        nodes = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{nodes}/{self.service}"

    async def __aenter__(self) -> "EmbeddedSet":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """All six; returns when the replicas are in step and the sentinels know everybody."""
        try:
            self.servers[0].options = self._server_options(0, None)
            await self.servers[0].start()
            for at in range(1, _SERVERS):
                self.servers[at].options = self._server_options(at, 0)
                await self.servers[at].start()
            for at, sentinel in enumerate(self.sentinels):
                sentinel.watched = self._watched(at)
                await sentinel.start()
            await self.healthy()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Sentinels first: they should not see a failure."""
        async with AsyncExitStack() as stack:  # whatever one raises, the others are ended
            for process in (*self.servers, *self.sentinels):
                stack.push_async_callback(process.kill)

    async def primary(self) -> int:
        """Which of ``servers`` most sentinels name. Errors: ServerFailed when they do not answer."""
        named = [at for at in [await self._named_by(sentinel) for sentinel in self.sentinels] if at is not None]
        for at in set(named):
            if named.count(at) >= _QUORUM:
                return at
        raise ServerFailed(f"the sentinels of {self.service} do not agree on a primary")

    async def kill_primary(self) -> int:
        """SIGKILL; returns which of ``servers`` it was. The sentinels promote another."""
        at = await self.primary()
        await self.servers[at].kill()
        return at

    async def restart(self, at: int) -> None:
        """Start one of ``servers`` again, as a replica of the primary. Errors: ServerFailed, PortInUse."""
        primary = await self.primary()
        if primary == at:
            raise ServerFailed(f"the sentinels still name server {at} the primary: wait for the failover first")
        self.servers[at].options = self._server_options(at, primary)
        await self.servers[at].start()

    async def failover(self) -> bool:
        """Ask for a planned failover; True when the server and the sentinels coordinate it (Valkey 9): the primary then
        stops taking writes, and hands over when the replica has all of them.

        Returns when it has begun. Errors: RedisUnavailable, RedisRefused.
        """
        redis = connect(self._sentinel_url(0), password=self._sentinel_password)
        try:
            try:
                await execute(redis, "SENTINEL", "FAILOVER", self.service, "COORDINATED")
            except redis_errors.ResponseError as error:
                if "wrong number of arguments" not in str(error).lower() and "syntax" not in str(error).lower():
                    raise
                await execute(redis, "SENTINEL", "FAILOVER", self.service)
                return False
            return True
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
        finally:
            await redis.aclose()

    async def moved_from(self, at: int, *, timeout_s: float = 20.0) -> int:
        """Wait until the sentinels name another primary than ``at``, and return it. Errors: ServerFailed."""
        return await self._until(lambda: self._other_than(at), timeout_s, f"server {at} stayed the primary")

    async def healthy(self, *, timeout_s: float = 20.0) -> int:
        """Wait until both replicas are in step and all sentinels know it; the primary. Errors: ServerFailed."""
        return await self._until(self._primary_if_healthy, timeout_s, "the set did not become healthy")

    # -- what they are told -------------------------------------------------------------------------------------------

    def _server_options(self, at: int, primary: int | None) -> tuple[str, ...]:
        lines = [*_REPLICATION, *self._options]
        if self._announced[at] != self.servers[at].port:
            lines += ["replica-announce-ip 127.0.0.1", f"replica-announce-port {self._announced[at]}"]
        if self._password is not None:
            lines.append(f'masterauth "{quoted(self._password)}"')
        if primary is not None:
            lines.append(f"replicaof 127.0.0.1 {self._announced[primary]}")
        return tuple(lines)

    def _watched(self, at: int) -> tuple[str, ...]:
        """Everybody is told of everybody: finding one another takes them seconds."""
        name = self.service
        lines = [
            f"sentinel myid {_run_id(self.sentinels[at])}",
            f"sentinel monitor {name} 127.0.0.1 {self._announced[0]} {_QUORUM}",
            f"sentinel down-after-milliseconds {name} {self._down_after_ms + at * _STAGGER_MS}",
            f"sentinel failover-timeout {name} {self._failover_timeout_ms}",
            f"sentinel parallel-syncs {name} 2",
        ]
        if self._password is not None:
            lines.append(f'sentinel auth-pass {name} "{quoted(self._password)}"')
        lines += [f"sentinel known-replica {name} 127.0.0.1 {port}" for port in self._announced[1:]]
        lines += [
            f"sentinel known-sentinel {name} 127.0.0.1 {other.port} {_run_id(other)}"
            for other in self.sentinels
            if other is not self.sentinels[at]
        ]
        return tuple(lines)

    # -- what they say ------------------------------------------------------------------------------------------------

    def _sentinel_url(self, at: int) -> str:
        return f"redis://127.0.0.1:{self.sentinels[at].port}/0"

    async def _ask(self, url: str, password: str | None, *command: str) -> Any:
        """None when there is no answer."""
        redis = connect(url, password=password, timeout_s=1.0)
        try:
            return await execute(redis, *command)
        except (redis_errors.RedisError, OSError):
            return None
        finally:
            await redis.aclose()

    async def _named_by(self, sentinel: EmbeddedSentinel) -> int | None:
        reply = await self._ask(
            sentinel.url, self._sentinel_password, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service
        )
        return None if reply is None else self._announced.index(int(reply[1]))

    async def _other_than(self, at: int) -> int | None:
        named = await asyncio.gather(*(self._named_by(sentinel) for sentinel in self.sentinels))
        others = {one for one in named if one is not None and one != at}
        return others.pop() if len(others) == 1 and at not in named else None

    async def _primary_if_healthy(self) -> int | None:
        primary, self._missing = await self._looked()
        return None if self._missing else primary

    async def _looked(self) -> tuple[int, str]:
        """(the primary, what is missing)."""
        named = set(await asyncio.gather(*(self._named_by(sentinel) for sentinel in self.sentinels)))
        primary = named.pop() if len(named) == 1 else None
        if primary is None:
            return -1, "the sentinels do not agree on a primary"
        role = await self._ask(self.servers[primary].url, self._password, "ROLE")
        if role is None or role[0] != b"master" or len(role[2]) != _SERVERS - 1:
            return primary, f"server {primary} is no primary with {_SERVERS - 1} replicas: {role}"
        for at in range(_SERVERS):
            if at != primary:
                role = await self._ask(self.servers[at].url, self._password, "ROLE")
                if role is None or role[0] != b"slave" or role[3] != b"connected":
                    return primary, f"server {at} is not in step: {role}"
        for at, sentinel in enumerate(self.sentinels):
            rows = await self._ask(sentinel.url, self._sentinel_password, "SENTINEL", "REPLICAS", self.service)
            known = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows or ()]
            good = [one for one in known if (one[b"flags"], one[b"master-link-status"]) == (b"slave", b"ok")]
            if len(good) != _SERVERS - 1:
                return primary, f"sentinel {at} does not take both replicas for good: {known}"
            if await self._ask(sentinel.url, self._sentinel_password, "SENTINEL", "CKQUORUM", self.service) is None:
                return primary, f"sentinel {at} sees no quorum"
        return primary, ""

    async def _until(self, found: Callable[[], Awaitable[int | None]], timeout_s: float, otherwise: str) -> int:
        backoff = Backoff(0.01, 0.05)
        try:
            async with asyncio.timeout(timeout_s):
                while (answer := await found()) is None:
                    await backoff.wait()
                return answer
        except TimeoutError:
            where = self.servers[0].data_dir.parent
            raise ServerFailed(f"{otherwise} within {timeout_s:g} s; {self._missing} (logs: {where})") from None


def _run_id(sentinel: EmbeddedSentinel) -> str:
    return hashlib.sha1(str(sentinel.port).encode(), usedforsecurity=False).hexdigest()
