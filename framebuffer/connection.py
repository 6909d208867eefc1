"""Connections to the server, and what its errors mean.

redis-py's own retries are off: by default it repeats a command whose reply was lost, up to ten times, and writes it
twice. Whoever repeats here does it knowingly, with a call that de-duplicates.

Its socket timeout is off too, and ``Client`` has one in its place: with a socket timeout redis-py sends through
``asyncio.wait_for``, which on Python 3.11 swallows a cancellation that arrives in the moment the sending is done. A
loop that is cancelled then runs on for ever. (It also costs a task per command.)

Where the primary may move (Sentinel, Cluster), ``connect`` returns a client that finds it again; see
``framebuffer.primary``.
"""

import asyncio
import random
from collections.abc import Sequence
from typing import Any, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis.exceptions as redis_errors
from redis.asyncio import Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError
from redis.backoff import NoBackoff

from framebuffer.addresses import ServerAddress, address_of
from framebuffer.errors import RedisFailure, RedisRefused, RedisUnavailable
from framebuffer.packing import packing
from framebuffer.tasks import completed

__all__ = ["Backoff", "Client", "blocking_twin", "connect", "execute", "node_url", "translate"]

_POOL_SIZE = 256
_PLAIN_OPTIONS = ("db", "password", "username")
_FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})

# First words of error replies that another try may heal.
_REASONS = {
    "LOADING": "loading",
    "READONLY": "read_only",
    "NOREPLICAS": "no_replicas",
    "MASTERDOWN": "master_down",
    "BUSY": "busy",
    "OOM": "out_of_memory",
    "MISCONF": "not_persisting",
    "CLUSTERDOWN": "cluster_down",
    "TRYAGAIN": "cluster_down",
    "MOVED": "moved",
    "ASK": "moved",
    "UNBLOCKED": "connection",
}


class Client(Redis):
    """A client whose replies must come within ``reply_s`` seconds, connecting included."""

    reply_s: float = 2.0
    _replicas_seen: int = 0

    async def execute_command(self, *args: Any, **options: Any) -> Any:
        """One command. A late reply raises TimeoutError, and its connection is closed."""
        async with asyncio.timeout(self.reply_s):
            return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """Close all connections, also where the caller is cancelled meanwhile: redis-py would leave them open then."""
        await completed(super().aclose(close_connection_pool))

    async def replicas(self) -> int:
        """How many replicas the primary has, as far as this client knows: the most that it has seen connected, so that
        one that goes away still counts. Errors: RedisUnavailable, RedisRefused.
        """
        try:
            told = await self.info("replication")
        except (redis_errors.RedisError, OSError) as error:
            raise translate(error) from error
        self._replicas_seen = max(self._replicas_seen, int(told.get("connected_slaves", 0)))
        return self._replicas_seen


def node_url(host: str, port: int, *, tls: bool = False, options: Sequence[tuple[str, str]] = ()) -> str:
    """The plain URL of one server."""
    query = f"?{urlencode(options)}" if options and tls else ""
    return f"redis{'s' if tls else ''}://{f'[{host}]' if ':' in host else host}:{port}/0{query}"


def connect(
    url: str,
    *,
    password: str | None = None,
    username: str | None = None,
    sentinel_password: str | None = None,
    timeout_s: float = 2.0,
    key: str = "frames",
) -> Client:
    """A client for ``url``, in any of the forms of ``framebuffer.addresses``. Nothing is sent yet.

    ``password`` and ``username`` are the data servers', as in the URL. ``timeout_s`` bounds connecting and each reply;
    pipelines are bounded by whoever runs them. Replies are bytes. ``key``: in a cluster, the client's commands go to
    the primary that holds this key. Errors: RedisRefused (the URL is not one).
    """
    options: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": timeout_s,
        "retry": Retry(NoBackoff(), 0),
        "decode_responses": False,
        "protocol": 2,
        "max_connections": _POOL_SIZE,
    }
    if password is not None:
        options["password"] = password
    if username is not None:
        options["username"] = username
    try:
        address = address_of(url)
        if address is None:
            _check_options(url)
            client = cast("Client", Client.from_url(url, **options))
            client.connection_pool.connection_class = packing(client.connection_pool.connection_class)
        else:
            client = _moving(address, options, sentinel_password, key)
        pool = client.connection_pool
        pool.connection_class(**pool.connection_kwargs)  # connects to nobody, and refuses what is no option
        for name in _FILES & pool.connection_kwargs.keys():
            _check_file(name, pool.connection_kwargs[name])
    except (ValueError, TypeError, redis_errors.RedisError) as error:
        # None of these texts repeats the URL, which may hold a password.
        raise RedisRefused(f"not a Redis URL: {error}") from None
    client.reply_s = timeout_s
    return client


def _check_options(url: str) -> None:
    """Those behind the `?` of a plain URL; others of redis-py's would undo what is set here. Errors: ValueError."""
    parts = urlsplit(url)
    names = sorted({name for name, _ in parse_qsl(parts.query, keep_blank_values=True)})
    if odd := [name for name in names if name not in _PLAIN_OPTIONS and not name.startswith("ssl_")]:
        raise ValueError(f"{', '.join(odd)}: no option of it; ssl_... of rediss:// and {', '.join(_PLAIN_OPTIONS)} are")
    if parts.scheme != "rediss" and (tls := [name for name in names if name.startswith("ssl_")]):
        raise ValueError(f"{', '.join(tls)}: for TLS, which begins with rediss://")


def _check_file(name: str, path: str) -> None:
    """Without it redis-py's first connection says only that some file is not there. Errors: ValueError."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ValueError(f"{name}: {path}: {error.strerror}") from None


def _moving(address: ServerAddress, options: dict[str, Any], sentinel_password: str | None, key: str) -> Client:
    # They stand on this module.
    from framebuffer.primary import Locator, PrimaryClient, Route
    from framebuffer.sentinel import SentinelLocator
    from framebuffer.slots import SlotLocator

    options = {"username": address.username, "password": address.password, "db": address.database} | options
    if address.tls:  # taken apart as those of a plain URL are: "false" as it stands is a text, and so true
        parsed = parse_url(node_url("localhost", 0, tls=True, options=address.options))
        options |= {name: value for name, value in parsed.items() if name.startswith("ssl_")}
    locator: Locator
    if address.kind == "cluster":
        locator = SlotLocator(
            address.nodes,
            key,
            username=options["username"],
            password=options["password"],
            tls=address.tls,
            options=address.options,
        )
    else:
        locator = SentinelLocator(
            address.nodes,
            address.service,
            username=address.sentinel_username,
            password=address.sentinel_password if sentinel_password is None else sentinel_password,
            tls=address.tls,
            options=address.options,
        )
    return PrimaryClient.over(Route(locator), tls=address.tls, **options)


def blocking_twin(redis: Redis) -> Redis:
    """A second client with a pool of its own for reads that block: the caller sets the deadline.

    Where the primary may move, it takes the same route: it is dropped and finds the primary anew with ``redis``.
    """
    pool = redis.connection_pool
    options = {**pool.connection_kwargs, "socket_timeout": None}
    twin = type(pool)(connection_class=pool.connection_class, max_connections=_POOL_SIZE, **options)
    return Redis(connection_pool=twin)


async def execute(redis: Redis, *command: str | bytes | int) -> Any:
    """One command, its reply as it came. Errors are redis-py's own."""
    return await redis.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py carries no annotation here


def translate(error: BaseException) -> RedisFailure:
    """What an error of redis-py means for the caller: worth another try, or not."""
    text = str(error) or type(error).__name__
    if isinstance(error, (redis_errors.AuthenticationError, redis_errors.AuthorizationError)):
        return RedisRefused(text)
    for kind, reason in (
        (redis_errors.BusyLoadingError, "loading"),
        (redis_errors.ReadOnlyError, "read_only"),
        (redis_errors.MasterDownError, "master_down"),
        (redis_errors.ClusterDownError, "cluster_down"),
        (redis_errors.TryAgainError, "cluster_down"),
        (redis_errors.OutOfMemoryError, "out_of_memory"),
        (redis_errors.TimeoutError, "timeout"),
        (MasterNotFoundError, "no_primary"),
        (redis_errors.MovedError, "moved"),
        (redis_errors.AskError, "moved"),
        (redis_errors.ConnectionError, "connection"),
        (TimeoutError, "timeout"),
        (OSError, "connection"),
    ):
        if isinstance(error, kind):
            return RedisUnavailable(reason, text)
    if text.startswith("ERR Function not found") or text == "Function not found":
        return RedisUnavailable("library_missing", text)
    known = _REASONS.get(text.split(" ", 1)[0])
    return RedisUnavailable(known, text) if known else RedisRefused(text)


class Backoff:
    """Exponential, with full jitter, so that those who lost the server together do not come back together."""

    def __init__(self, first_s: float = 0.01, limit_s: float = 0.5) -> None:
        self._first_s = first_s
        self._limit_s = limit_s
        self._failures = 0

    @property
    def failures(self) -> int:
        """Failures in a row."""
        return self._failures

    def reset(self) -> None:
        """It worked."""
        self._failures = 0

    def next_s(self) -> float:
        """Seconds to wait before the next try: at least half of what doubling asks for, so that it is never a spin."""
        ceiling = min(self._limit_s, self._first_s * cast("int", 2 ** min(self._failures, 16)))
        self._failures += 1
        return ceiling * (0.5 + random.random() / 2)  # noqa: S311 - jitter, not a secret

    async def wait(self) -> None:
        """Sleep ``next_s``."""
        await asyncio.sleep(self.next_s())
