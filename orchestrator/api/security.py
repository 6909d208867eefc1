"""Who may ask: one bearer token for everything but the addresses that balancers look at.

Without `api.token` everything is open; the configuration allows that on loopback only.
"""

import hashlib
import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.api.problems import Problem

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/leader"})
SCHEME = "bearer"
SUBPROTOCOL = "triarch.bearer."


class BearerToken:
    """Refuses a request without the token with 401, before a body is read or anything is passed on."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._digest = None if token is None else _digest(token.encode())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._digest is not None and scope["type"] in ("http", "websocket") and scope["path"] not in OPEN_PATHS:
            self._check(self._digest, Headers(scope=scope).getlist("authorization") or offered(scope))
        await self._app(scope, receive, send)

    @staticmethod
    def _check(expected: bytes, sent: list[str]) -> None:
        if not sent:
            raise _refusal("send the token as Authorization: Bearer TOKEN", 'Bearer realm="triarch"')
        scheme, _, token = sent[0].partition(" ")
        # Digests have one length, so the comparison tells nothing of the token's own.
        valid = hmac.compare_digest(_digest(token.strip().encode("latin-1", "replace")), expected)
        if len(sent) != 1 or scheme.lower() != SCHEME or not valid:
            raise _refusal("the token is not valid", 'Bearer realm="triarch", error="invalid_token"')


def offered(scope: Scope) -> list[str]:
    """The token of a WebSocket as `Authorization` would hold it: browsers can send it as a subprotocol only."""
    named = [each for each in scope.get("subprotocols", ()) if each.startswith(SUBPROTOCOL)]
    return [f"Bearer {each.removeprefix(SUBPROTOCOL)}" for each in named]


def _refusal(detail: str, challenge: str) -> Problem:
    return Problem("unauthorised", detail, headers={"WWW-Authenticate": challenge})


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()
