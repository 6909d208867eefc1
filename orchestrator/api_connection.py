"""One connection to the API: how many there may be, and how long a client may take over a body or an answer.

    opened ── head_s ──▶ the head of a request ── body_s ──▶ its body ──▶ answered ── KEEPALIVE_S ──▶ closed
                                                                            └ nobody reads it: DRAIN_S, then cut

What a head may hold is bounded further in (`orchestrator.api.wire`).
"""

import asyncio
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from orchestrator.api.envelope import LARGE_BODIES, LARGE_BODY_FACTOR
from orchestrator.api.wire import HEAD_S, BoundedHttp, refusal

DRAIN_S = 60.0
"""How long a client may leave an answer unread that has filled its buffers."""
GRACE_S = 1.0
"""Behind `body_s`, so that whoever reads the body can still say that it was late."""
LEAVE_S = 1.0
LEAVING_MAX = 256
"""So many that were one too many are waited for; the others are closed at once."""
REASONS = ("too_many", "refused", "body_late", "unread")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds, and connections at once."""

    connections_max: int = 4096
    head_s: float = HEAD_S
    body_s: float = 30.0


class ConnectionFigures:
    """`triarch_api_connections`, and those that were turned away by reason."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.leaving = 0
        """connections that were one too many, and have been told so"""
        self.open = Gauge("triarch_api_connections", "Connections to the API that are open.", registry=registry)
        self.turned_away = Counter(
            "triarch_api_connections_turned_away_total",
            "Connections that were ended before or in the middle of a request: there were too many, they broke a bound "
            "of the head or were no HTTP (refused), or took too long.",
            ["reason"],
            registry=registry,
        )
        for reason in REASONS:
            self.turned_away.labels(reason)


class BoundedConnection(BoundedHttp):
    """Made by `ApiServer`."""

    def __init__(self, *arguments: Any, bounds: Bounds, figures: ConnectionFigures, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.head_s = bounds.head_s
        self._bounds = bounds
        self._figures = figures
        self._in_body = False
        self._late: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None
        self._turned_away = False
        self._leaves: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._figures.open.set(len(self.connections))
        if len(self.connections) > self._bounds.connections_max:
            self._turn_away("too_many")
            self._send_away("too_many_connections", f"{self._bounds.connections_max} are open; ask again")

    def data_received(self, data: bytes) -> None:
        if self._turned_away:
            return  # and still talking
        super().data_received(data)
        if self._in_body:
            if self._late is None and not self.transport.is_closing():
                factor = LARGE_BODY_FACTOR if self.scope["path"] in LARGE_BODIES else 1
                self._late = self.loop.call_later(self._bounds.body_s * factor + GRACE_S, self._cut, "body_late")
        elif self._late is not None:
            self._late.cancel()
            self._late = None

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._in_body = True

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        self._in_body = False
        super().handle_websocket_upgrade()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._late, self._unread):
            if timer is not None:
                timer.cancel()
        if self._leaves is not None:
            self._leaves.cancel()
            self._figures.leaving -= 1
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

    def _refuse(self, code: str, detail: str) -> None:
        if not self.transport.is_closing():
            self._turn_away("refused")
        super()._refuse(code, detail)

    def _send_away(self, code: str, detail: str) -> None:
        """Say so to a client that has not asked yet, and wait a moment for it to hear that.

        Closed at once, the connection would be reset as its request arrives, and the answer with it.
        """
        if not self.transport.can_write_eof() or self._figures.leaving >= LEAVING_MAX:
            super()._refuse(code, detail)
            return
        self._in_time()
        self.connections.discard(self)  # it takes nobody's place
        self._figures.leaving += 1
        self._leaves = self.loop.call_later(LEAVE_S, self.transport.abort)
        self.transport.write(refusal(code, detail))
        try:
            self.transport.write_eof()
        except OSError:  # the client has gone; asyncio's own loop says so here, uvloop does not
            self.transport.abort()

    def _turn_away(self, reason: str) -> None:
        self._turned_away = True
        self._figures.turned_away.labels(reason).inc()

    def _cut(self, reason: str) -> None:
        self._turn_away(reason)
        self.transport.abort()
