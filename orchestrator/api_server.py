"""The HTTP server of a node: its socket, its bounds, and no signal handlers of its own."""

import contextlib
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from orchestrator.api.wire import BoundedHttp
from orchestrator.errors import AddressInUse

KEEPALIVE_S = 30
"""Longer than clients commonly keep a connection: none sends a request on one that is just being closed."""
WS_BYTES_MAX = 16 << 10
"""Of one message from a client: none has anything to say."""
WS_QUEUE_MAX = 4
WS_PING_S = 10.0
"""Between pings, and until one that is not answered ends the connection."""


class ApiServer(uvicorn.Server):
    """uvicorn as a node serves its API: it is told when to stop, as the node decides in which order things end."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ws="websockets-sansio",
                ws_max_size=WS_BYTES_MAX,
                ws_max_queue=WS_QUEUE_MAX,
                ws_ping_interval=WS_PING_S,
                ws_ping_timeout=WS_PING_S,
                ws_per_message_deflate=False,
                http=BoundedHttp,
                proxy_headers=False,  # whoever asks from this machine could name any other address
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=2,
                timeout_keep_alive=KEEPALIVE_S,
                server_header=False,
            )
        )

    def cut(self, client: tuple[str, int]) -> None:
        """Break the connection of a client that takes nothing any more: closing would wait for it."""
        for protocol in list(self.server_state.connections):
            transport = getattr(protocol, "transport", None)
            if transport is not None and getattr(protocol, "client", None) == client:
                transport.abort()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


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
