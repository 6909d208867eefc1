"""Connections to a primary that may move: a failover makes another server the primary, a cluster another one the owner.

A ``Locator`` says where the primary is; every new connection asks it, and asks the server for its role before anybody
else may use the connection. What tells that the primary has moved (``READONLY``, ``MOVED``, ``NOREPLICAS``, an
announcement of the sentinels) drops all connections of the route, the blocking ones included, and those that are still
being made: a host without power answers nobody, and who knocks there would wait for as long as it may. Nothing is
repeated here: the caller hears RedisUnavailable and makes its call again, which de-duplicates.
"""

import asyncio
import logging
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, cast

import redis.exceptions as redis_errors
from redis.asyncio import ConnectionPool
from redis.asyncio.sentinel import MasterNotFoundError

from framebuffer.connection import Client, translate
from framebuffer.packing import PackingConnection, PackingSSLConnection

__all__ = ["Locator", "Primary", "PrimaryClient", "PrimaryConnection", "PrimaryPool", "PrimarySSLConnection", "Route"]

log = logging.getLogger(__name__)

_MOVED = (redis_errors.ReadOnlyError, redis_errors.MasterDownError, redis_errors.MovedError)
_MOVED_WORDS = ("NOREPLICAS", "MOVED", "READONLY", "MASTERDOWN")
_TLS_OPTIONS = "ssl_"

REPLICAS_S = 5.0
"""How long the number of replicas is taken as known."""


class Primary(Protocol):
    """Where the primary is, and how many replicas of it there are, those that are down included."""

    @property
    def address(self) -> tuple[str, int]: ...
    @property
    def replicas(self) -> int: ...


class Locator(Protocol):
    """Finds the primary."""

    async def locate(self) -> Primary:
        """Errors: redis-py's; MasterNotFoundError while there is none."""

    async def watch(self, moved: Callable[[str], None]) -> None:
        """Calls ``moved`` with the reason when the primary is another, until cancelled. May return at once."""

    async def aclose(self) -> None: ...


class Route:
    """The way to one primary, shared by a client and its blocking twin. Closed by the client."""

    def __init__(self, locator: Locator) -> None:
        self._locator = locator
        self._pools: weakref.WeakSet[PrimaryPool] = weakref.WeakSet()
        self._watching: asyncio.Task[None] | None = None
        self._closed = False
        self._replicas = 0
        self._replicas_at = float("-inf")
        self.moves = 0
        """How often it was said that the primary has moved."""

    def join(self, pool: "PrimaryPool") -> None:
        self._pools.add(pool)

    async def locate(self) -> Primary:
        """Ask anew. Errors: redis-py's."""
        if self._closed:
            raise redis_errors.ConnectionError("the client is closed")
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._locator.watch(self.moved), name="watch for failovers")
        found = await self._locator.locate()
        self._replicas, self._replicas_at = found.replicas, time.monotonic()
        return found

    async def replicas(self) -> int:
        """Of the primary; asked for at most every ``REPLICAS_S`` seconds. Errors: redis-py's."""
        if time.monotonic() - self._replicas_at > REPLICAS_S:
            await self.locate()
        return self._replicas

    def moved(self, why: str) -> None:
        """Break every connection: each new one finds the primary anew."""
        self.moves += 1
        log.info("connections to the primary are dropped: %s", why)
        for pool in self._pools:
            pool.drop()

    async def aclose(self) -> None:
        self._closed = True
        watching, self._watching = self._watching, None
        if watching is not None:
            watching.cancel()
            await asyncio.wait({watching})
        await self._locator.aclose()


class PrimaryConnection(PackingConnection):
    """A connection to whatever server is the primary when it connects."""

    def __init__(self, *, route: Route, **options: Any) -> None:
        super().__init__(**options)
        self._route = route
        self._moves = 0
        self._connecting: asyncio.Timeout | None = None
        # redis-py calls it in place of its own handshake, which it therefore starts with.
        self.redis_connect_func = cast("Any", self._greet)

    async def connect(self) -> None:
        if self.is_connected:
            return
        self._moves = self._route.moves
        limit, place = asyncio.timeout(None), ""  # until `abort`
        try:
            async with limit as self._connecting:
                self.host, self.port = (await self._route.locate()).address
                place = f"{self.host}:{self.port}"
                await cast("Coroutine[Any, Any, None]", super().connect())  # type: ignore[no-untyped-call]
        except TimeoutError:
            if not limit.expired():
                raise
            told = f"{place} does not answer; the primary has moved meanwhile"
            raise MasterNotFoundError(told if place else "the primary has moved while it was looked for") from None
        finally:
            self._connecting = None

    async def _greet(self, _: Any) -> None:
        await self.on_connect()
        await self.send_command("ROLE")
        role = (await self.read_response())[0]
        if role != b"master":
            raise MasterNotFoundError(f"{self.host}:{self.port} is not the primary (role {role.decode()})")
        if self._moves != self._route.moves:
            raise MasterNotFoundError(f"{self.host}:{self.port} was the primary; the primary has moved meanwhile")

    async def read_response(self, *arguments: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*arguments, **options)
        except redis_errors.ResponseError as error:
            if isinstance(error, _MOVED) or str(error).startswith(_MOVED_WORDS):
                self._route.moved(f"{self.host}:{self.port} says {type(error).__name__}: {error}")
            raise

    def abort(self) -> None:
        """As if the network had broken it: whoever uses it now gets a ConnectionError."""
        if self._writer is not None:
            self._writer.transport.abort()
        elif self._connecting is not None:
            limit, self._connecting = self._connecting, None
            limit.reschedule(asyncio.get_running_loop().time())


class PrimarySSLConnection(PrimaryConnection, PackingSSLConnection):
    """The same with TLS."""


class PrimaryPool(ConnectionPool):
    """Connections of one route."""

    def __init__(self, *, route: Route, **options: Any) -> None:
        super().__init__(route=route, **options)
        route.join(self)

    def drop(self) -> None:
        """Break all connections, those in use included."""
        for connection in (*self._available_connections, *self._in_use_connections):
            cast("PrimaryConnection", connection).abort()


class PrimaryClient(Client):
    """A client of a primary that may move. Closing it ends the watch for failovers, also for its blocking twins."""

    route: Route

    @classmethod
    def over(cls, route: Route, *, tls: bool = False, **options: Any) -> "PrimaryClient":
        """A client whose connections take ``route``. ``options``: of redis-py's connection."""
        if not tls:
            options = {name: value for name, value in options.items() if not name.startswith(_TLS_OPTIONS)}
        kind = PrimarySSLConnection if tls else PrimaryConnection
        client = cast("PrimaryClient", cls.from_pool(PrimaryPool(route=route, connection_class=kind, **options)))
        client.route = route
        return client

    async def replicas(self) -> int:
        """All that are known of, those that are down included."""
        try:
            return await self.route.replicas()
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        try:
            await super().aclose(close_connection_pool)
        finally:
            await self.route.aclose()
