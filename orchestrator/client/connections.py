"""What both clients have of httpx: how a request is made of a step, and what an exception of httpx means."""

from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from framebuffer.trust import distrust
from orchestrator.client.errors import SettingsInvalid, UnexpectedAnswer
from orchestrator.client.exchanging import Answer, Exchange, NoAnswer, Open

CONNECT_S = 1.0
LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=8, keepalive_expiry=2.0)
"""Connections end here before a node ends them (5 s): a request would be lost on one that is being closed."""
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, UnicodeError)
"""The last one: no name of a host can be so. httpx tells it as it comes."""
_NEVER_SENT = (httpx.UnsupportedProtocol, httpx.LocalProtocolError, httpx.InvalidURL)


def usable(addresses: Sequence[str]) -> Sequence[str]:
    """The addresses, as httpx can ask all of them. Raises SettingsInvalid, before the first call does."""
    for address in addresses:
        try:
            httpx.URL(address)
        except httpx.InvalidURL as error:
            raise SettingsInvalid(f"{address[:200]!r} is not an address of a node: {error}") from None
    return addresses


def made(client: httpx.Client | httpx.AsyncClient, step: Exchange | Open, token: str | None) -> httpx.Request:
    """The request of a step. The token goes to addresses of the cluster alone: there are no others here."""
    headers = {"Accept-Encoding": "identity", **step.request.headers}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    silence = max(0.001, step.silence_s)
    timeout = httpx.Timeout(silence, connect=min(CONNECT_S, silence))
    try:
        return client.build_request(
            step.request.method,
            step.address + step.request.target,
            headers=headers,
            content=step.request.body,
            timeout=timeout,
        )
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise SettingsInvalid(f"{step.request.method} {step.request.target[:200]} cannot be sent: {error}") from None


FAILURES = (httpx.HTTPError, httpx.InvalidURL, TimeoutError, UnicodeError)
"""What sending a request may raise."""


def no_answer(
    error: httpx.HTTPError | httpx.InvalidURL | TimeoutError | UnicodeError, step: Exchange | Open | None
) -> NoAnswer:
    """What a failure of the connection means."""
    if isinstance(error, _NEVER_SENT):
        raise SettingsInvalid(f"the request cannot be sent: {error}") from None
    name = type(error).__name__
    if isinstance(error, _NOT_SENT):
        untrusted = distrust(error)
        return NoAnswer(untrusted or str(error) or name, sent=False, heals=not untrusted)
    # A server that wants a certificate says so after the handshake: nothing was taken.
    untrusted = distrust(error)
    reason = untrusted or name
    plain = step is not None and step.address.startswith("http://")
    if plain and isinstance(error, httpx.RemoteProtocolError) and "without sending" in str(error):
        # What a server that speaks TLS does to whoever does not; one that is just being ended does it too.
        reason = f"{name}: it closed the connection without an answer; https:// instead of http://?"
    return NoAnswer(reason, sent=step is not None and not untrusted, heals=not untrusted)


def lower(headers: httpx.Headers) -> Mapping[str, str]:
    """The headers with names in lower case; repeated ones are joined."""
    return dict(headers.items())


def answer_of(step: Exchange | Open, answer: httpx.Response, chunks: list[bytes]) -> Answer:
    return Answer(
        step.address + step.request.target.partition("?")[0],
        answer.status_code,
        lower(answer.headers),
        b"".join(chunks),
    )


def counted(step: Exchange | Open, size: int, chunk: bytes) -> int:
    """The size with `chunk`. Raises UnexpectedAnswer beyond the bound."""
    size += len(chunk)
    if size > step.request.answer_bytes_max:
        raise UnexpectedAnswer(f"{step.address} answered more than {step.request.answer_bytes_max} bytes")
    return size


def options(context: Any) -> dict[str, Any]:
    """Of either httpx client. Proxies of the environment are for the outside world, not for the cluster."""
    return {"verify": context, "limits": LIMITS, "trust_env": False, "follow_redirects": False}
