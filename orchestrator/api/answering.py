"""What every answer carries for whoever shows it in a browser, and what a page of another member may ask.

Outermost: it sees the answers of every other middleware. Preflights are answered here, before anybody is asked for a
token, as browsers send none with them.
"""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orchestrator.access.origins import also_localhost, is_ours, origin_of
from orchestrator.api.problems import Problem, respond
from orchestrator.api.view import NodeView

PREFLIGHT_S = 600
HSTS_S = 86_400
"""Short: it holds for every port of a host, and other services may be there."""
METHODS = "GET, HEAD, POST, PUT, PATCH, DELETE"
ASKED = (
    "Authorization, Content-Type, Accept, If-Match, If-None-Match, Idempotency-Key, Last-Event-ID, "
    "X-Request-ID, X-Processor-Token, traceparent, tracestate"
)
EXPOSED = (
    "X-Triarch-Node, X-Triarch-Leader, X-Triarch-Epoch, X-Triarch-Index, X-Triarch-Forwarded-By, X-Triarch-Staleness, "
    "ETag, Location, Retry-After, Idempotency-Key, WWW-Authenticate, RateLimit, RateLimit-Policy"
)

_ALWAYS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_NO_STORE = (b"cache-control", b"no-store")
_HSTS = (b"strict-transport-security", f"max-age={HSTS_S}".encode())


def member_origins(node: NodeView) -> set[str]:
    """Origins of the members' APIs, as the membership and this node's settings have them."""
    urls = {member.api for member in node.config.cluster.members}
    urls |= {member.api for member in node.cluster.members() if member.api}
    return also_localhost(origin for url in urls if (origin := origin_of(url)))


def asks_for_nothing(node: NodeView) -> bool:
    """By its settings, whatever tokens were made since: then it is on loopback, and stays as careful as before."""
    return node.config.api_token() is None and node.config.api.oidc is None


def page_is_ours(node: NodeView, headers: Headers) -> bool | None:
    """Whether the page that asks is of this cluster; None where no page does."""
    origin = headers.get("origin")
    if origin is None:
        return None
    open_to_all = asks_for_nothing(node)
    return is_ours(origin, headers.get("host", ""), member_origins(node), open_to_all=open_to_all)


class AnswerHeaders:
    """The middleware that does it."""

    def __init__(self, app: ASGIApp, node: NodeView) -> None:
        self._app = app
        self._node = node

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        added = list(_ALWAYS)
        if scope["scheme"] == "https":
            added.append(_HSTS)
        ours = page_is_ours(self._node, headers)
        if ours is not None:
            added.append((b"vary", b"Origin"))
        if ours:
            added.append((b"access-control-allow-origin", headers["origin"].encode("latin-1")))
            added.append((b"access-control-expose-headers", EXPOSED.encode()))

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.setdefault("headers", [])
                names = {name for name, _ in given}
                # What the answer says itself holds: files of the dashboard are kept, and have a policy of their own.
                given.extend(pair for pair in (*added, _NO_STORE) if pair[0] == b"vary" or pair[0] not in names)
            await send(message)

        if ours is not None and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _preflight(scope, receive, send_marked, ours=ours)
            return
        await self._app(scope, receive, send_marked)


async def _preflight(scope: Scope, receive: Receive, send: Send, *, ours: bool) -> None:
    if not ours:
        problem = Problem("cross_site", "the page is of no member of this cluster")
        await respond(problem, scope["path"])(scope, receive, send)
        return
    headers = [
        (b"access-control-allow-methods", METHODS.encode()),
        (b"access-control-allow-headers", ASKED.encode()),
        (b"access-control-max-age", str(PREFLIGHT_S).encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
