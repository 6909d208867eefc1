"""One connection to the API: how long a client may take, how many there may be, and what is said to what is no HTTP.

    opened ── head_s ──▶ the head of a request ── body_s ──▶ its body ──▶ answered ── KEEPALIVE_S ──▶ closed
                                                                            └ nobody reads it: DRAIN_S, then cut

uvicorn keeps a connection on which nothing, or half a head, was ever sent for good.
"""

import asyncio
import json
import sys
from dataclasses import dataclass
from typing import Any

import h11
from prometheus_client import CollectorRegistry, Counter, Gauge
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from orchestrator.access.targets import HEAD_BYTES_MAX
from orchestrator.api.envelope import LARGE_BODIES
from orchestrator.api.problems import KINDS, MEDIA_TYPE, TYPE_PREFIX

DRAIN_S = 60.0
"""How long a client may leave an answer unread that has filled its buffers."""
LARGE_BODY_FACTOR = 10
GRACE_S = 1.0
"""Behind `body_s`, so that whoever reads the body can still say that it was late."""
REASONS = ("too_many", "head_late", "body_late", "unread", "no_http")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds, and connections at once."""

    connections_max: int
    head_s: float
    body_s: float


class ConnectionFigures:
    """`triarch_api_connections`, and those that were turned away by reason."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.open = Gauge("triarch_api_connections", "Connections to the API that are open.", registry=registry)
        self.turned_away = Counter(
            "triarch_api_connections_turned_away_total",
            "Connections that were answered with a refusal, or cut, before or in the middle of a request.",
            ["reason"],
            registry=registry,
        )
        for reason in REASONS:
            self.turned_away.labels(reason)


class BoundedConnection(H11Protocol):
    """uvicorn's, bounded. Made by `ApiServer`."""

    def __init__(self, *arguments: Any, bounds: Bounds, figures: ConnectionFigures, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._bounds = bounds
        self._figures = figures
        self._phase = ""
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._figures.open.set(len(self.connections))
        if len(self.connections) > self._bounds.connections_max:
            self._turn_away("too_many", "too_many_connections", f"{self._bounds.connections_max} are open; ask again")
            return
        self._enter("head")

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return  # turned away, and still talking
        super().data_received(data)
        if not self._upgraded:
            state = self.conn.their_state
            self._enter("head" if state is h11.IDLE else "body" if state is h11.SEND_BODY else "")

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._upgraded = True
        self._enter("")
        super().handle_websocket_upgrade(event)

    def connection_lost(self, exc: Exception | None) -> None:
        self._enter("")
        if self._unread is not None:
            self._unread.cancel()
        super().connection_lost(exc)
        self._figures.open.set(len(self.connections))

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(DRAIN_S, self._cut, "unread")

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What h11 could not read: it says itself which status that is."""
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        if status == 431:
            self._turn_away("no_http", "headers_too_large", f"more than {HEAD_BYTES_MAX} bytes, or never ended")
        else:
            self._turn_away("no_http", "not_http", "what was sent is no HTTP/1.1", status=status)

    def _enter(self, phase: str) -> None:
        if phase == self._phase:
            return
        self._phase = phase
        if self._late is not None:
            self._late.cancel()
            self._late = None
        if phase == "head":
            self._late = self.loop.call_later(self._bounds.head_s, self._head_late)
        elif phase == "body":
            factor = LARGE_BODY_FACTOR if self.scope["path"] in LARGE_BODIES else 1
            self._late = self.loop.call_later(self._bounds.body_s * factor + GRACE_S, self._cut, "body_late")

    def _head_late(self) -> None:
        self._turn_away("head_late", "request_late", f"the head of a request takes at most {self._bounds.head_s:g} s")

    def _turn_away(self, reason: str, code: str, detail: str, *, status: int | None = None) -> None:
        """Say why, where an answer can still be given, and close."""
        self._figures.turned_away.labels(reason).inc()
        if self.conn.our_state is h11.IDLE or self.conn.our_state is h11.SEND_RESPONSE:
            known, title = KINDS[code]
            status = status or known
            # Made by hand: there is no request that it could be the answer of.
            document = {"type": TYPE_PREFIX + code, "title": title, "status": status, "detail": detail, "code": code}
            body = json.dumps(document).encode()
            headers = [
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
                (b"cache-control", b"no-store"),
                (b"x-content-type-options", b"nosniff"),
                *([(b"retry-after", b"1")] if status == 503 else []),
            ]
            start = h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status])
            for event in (start, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _cut(self, reason: str) -> None:
        self._figures.turned_away.labels(reason).inc()
        self.transport.abort()
