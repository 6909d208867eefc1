"""Connections to the other nodes, in several small pools instead of a large one.

httpcore asks the kernel about every idle connection of a pool with each request, and again when it ends. With a hundred
of them that is most of what passing a request on costs (measured: two thirds of a follower's time while a thousand
components registered). So requests are dealt out over pools that hold a few connections each.
"""

import itertools
import ssl

import httpx

POOLS = 8


class PooledTransport(httpx.AsyncBaseTransport):
    """`POOLS` pools in turn, which share the limits. Proxies and certificates of the environment are not for them.

    `trust`: whose certificates are accepted; the public authorities' without it.
    """

    def __init__(self, *, connections: int, kept: int, keepalive_s: float, trust: ssl.SSLContext | None = None) -> None:
        tls = trust or httpx.create_ssl_context(trust_env=False)  # once: each would take tens of milliseconds
        limits = httpx.Limits(
            max_connections=max(1, connections // POOLS),
            max_keepalive_connections=max(1, kept // POOLS),
            keepalive_expiry=keepalive_s,
        )
        self._pools = [httpx.AsyncHTTPTransport(verify=tls, limits=limits, trust_env=False) for _ in range(POOLS)]
        self._turn = itertools.cycle(self._pools)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """See httpx."""
        return await next(self._turn).handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for pool in self._pools:
            await pool.aclose()
