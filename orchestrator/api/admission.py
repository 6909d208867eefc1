"""Whether a request is looked at at all, before anybody asks who sends it.

the target ──▶ 400 path_invalid, 414 target_too_long
the host that was asked for, the page that asks ──▶ 421 host_unknown, 403 cross_site
who passed it on, and from which address it came first ──▶ facts `client`, `forwarded_by`

Holds for WebSockets too: those are asked for with GET, and a page of any origin may open one, so its origin counts as
that of a change does.
"""

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.access.forwarded import PROVEN_HEADERS, Forwarded, key_of, verify
from orchestrator.access.origins import is_host_of, is_this_host
from orchestrator.access.targets import target_fault
from orchestrator.api.answering import asks_for_nothing, member_origins, page_is_ours
from orchestrator.api.envelope import LOCAL_PATHS, SAFE_METHODS, facts
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_UNPROVEN = frozenset(name.encode() for name in PROVEN_HEADERS)


class Admission:
    """The middleware that does it."""

    def __init__(self, app: ASGIApp, node: NodeView) -> None:
        self._app = app
        self._node = node
        self._open = asks_for_nothing(node)
        self._key = key_of(node.config.api_token())
        self._proxies = [_network(text) for text in node.config.api.trusted_proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        self._check_shape(scope)
        headers = Headers(scope=scope)
        self._check_page(scope, headers)
        known = facts(scope)
        forwarded = self._proven(scope, headers)
        if forwarded is None:
            known["client"] = client_of(scope, headers, self._proxies)
        else:
            known["client"], known["forwarded_by"] = forwarded.client, forwarded.node
        if any(name in _UNPROVEN for name, _ in scope["headers"]):
            scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _UNPROVEN]
        await self._app(scope, receive, send)

    @staticmethod
    def _check_shape(scope: Scope) -> None:
        path = scope["path"]
        raw = scope.get("raw_path")
        if raw is None:  # only servers of tests leave it out
            raw = path.encode()
        fault = target_fault(raw, path, scope.get("query_string", b""))
        if fault is not None:
            raise Problem(*fault)

    def _check_page(self, scope: Scope, headers: Headers) -> None:
        host = headers.get("host", "")
        if (
            self._open
            and host  # browsers always say
            and scope["path"] not in LOCAL_PATHS
            and not is_this_host(host)
            and not is_host_of(host, member_origins(self._node))
        ):
            raise Problem(
                "host_unknown",
                "this node asks for no token, so it answers under its own addresses only: a foreign page could have "
                "its name lead here",
            )
        if scope["type"] == "http" and scope["method"] in SAFE_METHODS:
            return
        ours = page_is_ours(self._node, headers)
        if ours is False or (ours is None and headers.get("sec-fetch-site") == "cross-site"):
            raise Problem("cross_site", "the page that asks is of no member of this cluster; nothing was changed")

    def _proven(self, scope: Scope, headers: Headers) -> Forwarded | None:
        if scope["type"] != "http" or self._anybody_could_prove():
            return None
        query = scope.get("query_string", b"")
        target = (scope.get("raw_path") or scope["path"].encode()) + (b"?" + query if query else b"")
        # The method as it was sent: the envelope has HEAD answered as GET.
        return verify(self._key, headers, method=str(facts(scope).get("method", scope["method"])), target=target)

    def _anybody_could_prove(self) -> bool:
        """Without api.token the key is known to all: that counts only while nobody is asked for a token either."""
        config = self._node.config
        return config.api_token() is None and (config.api.oidc is not None or self._node.tokens_asked_for())


def client_of(scope: Scope, headers: Headers, proxies: Sequence[Network]) -> str:
    """The address that asks: of the connection, or what a trusted proxy in front says. "" when it is not known."""
    place = scope.get("client")
    found = None if place is None else _read(str(place[0]))
    if proxies:
        said = [part.strip() for line in headers.getlist("x-forwarded-for") for part in line.split(",")]
        # From the nearest proxy on: the first that is not trusted is the client, whatever it wrote itself.
        while said and found is not None and any(found in network for network in proxies):
            before = _read(said.pop())
            if before is None:
                break  # one that does not say from where stands for all of its clients
            found = before
    return "" if found is None else str(found)


def _network(text: str) -> Network:
    """As `_read` reads addresses: ::ffff:192.0.2.0/120 is 192.0.2.0/24."""
    found = ipaddress.ip_network(text)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.IPv4Network((mapped, found.prefixlen - 96))
    return found


def _read(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for what is none. A proxy that listens for both families at once writes ::ffff:192.0.2.7 for 192.0.2.7."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found
