"""The HTTP server of a node: its socket, its bounds, its certificate, and no signal handlers of its own."""

import asyncio
import contextlib
import functools
import logging
import resource
import socket
import ssl
import sys
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import uvicorn
from prometheus_client import CollectorRegistry
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from orchestrator.api_connection import BoundedConnection, Bounds, ConnectionFigures
from orchestrator.errors import AddressInUse
from orchestrator.tasks import ended

log = logging.getLogger(__name__)

KEEPALIVE_S = 30
"""Longer than clients commonly keep a connection: none sends a request on one that is just being closed."""
BACKLOG = 2048
HANDSHAKE_S = 10.0
SHUTDOWN_S = 2.0
CLOSING_LOOK_S = 0.005
"""Between two looks at whether the last connection is closed."""
FILES_WANTED = 65_536
WS_BYTES_MAX = 16 << 10
"""Of one message from a client: none has anything to say."""
WS_QUEUE_MAX = 4
WS_PING_S = 10.0
"""Between pings, and until one that is not answered ends the connection."""


class ApiServer(uvicorn.Server):
    """uvicorn as a node serves its API: it is told when to stop, as the node decides in which order things end.

    Args:
        tls: what to serve under; without it, plain HTTP.
    """

    def __init__(
        self,
        app: ASGIApp,
        bounds: Bounds | None = None,
        figures: ConnectionFigures | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        connection = functools.partial(
            BoundedConnection,
            bounds=bounds or Bounds(),
            figures=figures or ConnectionFigures(CollectorRegistry()),
        )
        super().__init__(
            uvicorn.Config(
                app,
                http=connection,  # type: ignore[arg-type]
                ws=_websocket,  # type: ignore[arg-type]
                ws_max_size=WS_BYTES_MAX,
                ws_max_queue=WS_QUEUE_MAX,
                ws_ping_interval=WS_PING_S,
                ws_ping_timeout=WS_PING_S,
                ws_per_message_deflate=False,
                proxy_headers=False,  # whoever asks from this machine could name any other address
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
                timeout_keep_alive=KEEPALIVE_S,
                server_header=False,
            )
        )
        self._tls = tls
        self._listens = asyncio.Event()

    def cut(self, client: tuple[str, int]) -> None:
        """Break the connection of a client that takes nothing any more: closing would wait for it."""
        for protocol in list(self.server_state.connections):
            transport = getattr(protocol, "transport", None)
            if transport is not None and getattr(protocol, "client", None) == client:
                transport.abort()

    async def listens_or(self, serving: asyncio.Task[None]) -> None:
        """Until connections are taken, or `serving`, which is the task of `serve`, has ended."""
        listens = asyncio.create_task(self._listens.wait())
        try:
            await asyncio.wait({serving, listens}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await ended(listens)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """As uvicorn's, which bounds no handshake."""
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        loop = asyncio.get_running_loop()
        # One that never ends its handshake is not counted as a connection: there is no request yet.
        secured: dict[str, Any] = {}
        if self._tls is not None:
            secured = {"ssl": self._tls, "ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": SHUTDOWN_S}
        self.servers = [
            await loop.create_server(self._connection, sock=listener, backlog=BACKLOG, **secured)
            for listener in sockets or ()
        ]
        self.started = True
        self._listens.set()

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """As uvicorn's, which sleeps for a tenth of a second at least, and a node is down meanwhile."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 - uvicorn keeps sets
                    await asyncio.sleep(CLOSING_LOOK_S)
                for server in self.servers:
                    await server.wait_closed()
        except TimeoutError:
            log.warning("%d requests were not answered in time and are broken off", len(self.server_state.tasks))
            for task in self.server_state.tasks:
                task.cancel()
        await self.lifespan.shutdown()

    def _connection(self) -> asyncio.Protocol:
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _websocket(**given: Any) -> asyncio.Protocol:
    # Loaded when the first one comes, or once the node serves: see `orchestrator.put_off`.
    from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

    return WebSocketsSansIOProtocol(**given)


def listening(address: str) -> socket.socket:
    """A bound socket, so that a port in use is found before anything else is started. Raises AddressInUse."""
    parts = urlsplit(f"//{address}")
    host, port = parts.hostname or "127.0.0.1", parts.port or 0
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise AddressInUse(
            f"api.bind: cannot listen on {address}: {error.strerror}; is another node running, or the address wrong?"
        ) from error
    return listener


def allow_files(wanted: int = FILES_WANTED) -> int:
    """Raise this process's bound on open files, as far as it may by itself; what it is then.

    Systems give a process 1,024 by default, and every connection is a file.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        return most
    return soft
