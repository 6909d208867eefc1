"""How much anybody may ask of this node: by token, by address, and more strictly with tokens that are refused.

    BadTokens    before it is known who asks: an address that showed too many bad tokens
    RateLimits   behind it: the address, and the token

Counted where a request arrives first: one that another node proved to have passed on was counted there. The nodes' own
token is never counted, and neither is what balancers look at.

An address may be many: a host of components, a proxy. Whoever showed a token that was good stays in, whatever bad
tokens come from beside it.
"""

import hashlib
import ipaddress
import math
import time
from collections import OrderedDict
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge
from starlette.types import ASGIApp, Receive, Scope, Send

from orchestrator.access.buckets import Buckets, Rate, Verdict
from orchestrator.access.limits import Limits
from orchestrator.access.principal import Principal
from orchestrator.api.envelope import facts
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView

BUCKETS_MAX = 10_000
GOOD_MAX = 10_000
EXEMPT = frozenset({"/healthz", "/readyz", "/leader"})
REASONS = ("token", "address", "failures")


class Limiter:
    """Of one node: its buckets. The policy is the replicated one, looked up with each request."""

    def __init__(self, node: NodeView) -> None:
        self._node = node
        self._tokens = Buckets(BUCKETS_MAX)
        self._addresses = Buckets(BUCKETS_MAX)
        self._failures = Buckets(BUCKETS_MAX)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._refused = _refusals(node.registry)
        _kept(node.registry, self)

    @property
    def limits(self) -> Limits:
        """The policy now."""
        return self._node.state.limits.limits

    @property
    def kept(self) -> int:
        """Buckets in memory."""
        return len(self._tokens) + len(self._addresses) + len(self._failures)

    def check_failures(self, address: str, shown: bytes) -> None:
        """Refuse an address that showed too many bad tokens, unless this one was good before."""
        rate = self.limits.failures
        verdict = self._failures.look(address, rate, time.monotonic())
        if not verdict.allowed and hashlib.sha256(shown).digest() not in self._good:
            raise self._refusal("failures", rate, verdict, "too many tokens of this address were refused")

    def failed(self, address: str) -> None:
        """A token was refused."""
        self._failures.take(address, self.limits.failures, time.monotonic())

    def good(self, shown: bytes) -> None:
        """A token was taken."""
        digest = hashlib.sha256(shown).digest()
        self._good[digest] = None
        self._good.move_to_end(digest)
        if len(self._good) > GOOD_MAX:
            self._good.popitem(last=False)

    def check(self, address: str, principal: Principal | None) -> None:
        """Count a request. Raises 429."""
        limits, now = self.limits, time.monotonic()
        if address:
            verdict = self._addresses.take(address, limits.by_address, now)
            if not verdict.allowed:
                raise self._refusal("address", limits.by_address, verdict, "this address asks more than it may")
        if principal is not None and principal.kind != "open":
            verdict = self._tokens.take(f"{principal.kind}:{principal.id}", limits.by_token, now)
            if not verdict.allowed:
                raise self._refusal("token", limits.by_token, verdict, "this token asks more than it may")

    def _refusal(self, reason: str, rate: Rate, verdict: Verdict, detail: str) -> Problem:
        self._refused.labels(reason).inc()
        wait_s = math.ceil(verdict.wait_s)
        headers = {
            "Retry-After": str(max(1, wait_s)),
            # draft-ietf-httpapi-ratelimit-headers-10: the policy, and what is left of it.
            "RateLimit-Policy": f'"{reason}";q={rate.burst};w={max(1, math.ceil(rate.window_s))}',
            "RateLimit": f'"{reason}";r={verdict.remaining};t={max(1, wait_s)}',
        }
        return Problem("too_many_requests", f"{detail}; ask again in {max(1, wait_s)} s", headers=headers, limit=reason)


def _refusals(registry: CollectorRegistry) -> Counter:
    found = Counter(
        "triarch_rate_limited_total", "Requests answered 429, by what had run out.", ["limit"], registry=registry
    )
    for reason in REASONS:
        found.labels(reason)
    return found


def _kept(registry: CollectorRegistry, limiter: Limiter) -> None:
    gauge = Gauge("triarch_rate_limit_buckets", "Tokens and addresses whose requests are counted.", registry=registry)
    gauge.set_function(lambda: limiter.kept)


class BadTokens:
    """In front of whoever says whose a token is."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = "" if scope["type"] not in ("http", "websocket") else counted_address(scope)
        shown = _shown(scope) if address else b""
        if not address or scope["path"] in EXEMPT or not self._limiter.limits.enabled:
            await self._app(scope, receive, send)
            return
        if shown:
            self._limiter.check_failures(address, shown)
        try:
            await self._app(scope, receive, send)
        except Problem as problem:
            if problem.status == 401 and shown:
                self._limiter.failed(address)
            if problem.status in (401, 403) and "counted" not in facts(scope):
                self._limiter.check(address, facts(scope).get("principal"))  # it came to no `RateLimits`
            raise


class RateLimits:
    """Behind it."""

    def __init__(self, app: ASGIApp, limiter: Limiter) -> None:
        self._app = app
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and scope["path"] not in EXEMPT and self._limiter.limits.enabled:
            known = facts(scope)
            known["counted"] = True
            principal: Principal | None = known.get("principal")
            if "forwarded_by" not in known:
                if principal is not None and (shown := _shown(scope)):
                    self._limiter.good(shown)
                if principal is None or principal.kind != "cluster":
                    self._limiter.check(counted_address(scope), principal)
        await self._app(scope, receive, send)


def counted_address(scope: Scope) -> str:
    """Whose requests are counted together; "" where another node has counted it, or nobody knows."""
    known = facts(scope)
    return "" if "forwarded_by" in known else _key(known.get("client", ""))


@lru_cache(maxsize=4096)
def _key(client: str) -> str:
    """An IPv6 host has a whole /64 to choose its address from."""
    try:
        found = ipaddress.ip_address(client)
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(found)


def _shown(scope: Scope) -> bytes:
    """The credential; a browser's WebSocket has it among its protocols."""
    headers = scope["headers"]
    shown = next((value for name, value in headers if name == b"authorization"), b"")
    if not shown and scope["type"] == "websocket":
        shown = next((value for name, value in headers if name == b"sec-websocket-protocol"), b"")
    return shown
