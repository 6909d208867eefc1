"""One HTTP exchange with whoever is outside the plant, bounded in time and in size, and what it means for a step."""

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestrator.playbooks.effect import Done, Failed, Result, Unknown

__all__ = ["BODY_BYTES_MAX", "EXCHANGE_S", "Exchange", "Outgoing", "no_secrets", "outside_client", "request_of"]

BODY_BYTES_MAX = 8 * 1024
"""Of an answer: what is longer is not kept, as it goes into the replicated state."""
HEADERS_KEPT = (
    "content-type",
    "content-language",
    "date",
    "etag",
    "last-modified",
    "location",
    "retry-after",
    "x-request-id",
)
HEADER_CHARS_MAX = 200
EXCHANGE_S = 60.0
CONNECT_S = 5.0
AT_ONCE = 64
_ASKED_AGAIN = 408
_METHODS_WITHOUT_BODY = ("GET", "HEAD")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request. `fault`: why it cannot be sent, in words; empty when it can."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None
    fault: str = ""

    @property
    def where(self) -> str:
        """Whom it goes to, without what may be secret: user, query, fragment."""
        parts = urlsplit(self.url)
        return f"{self.method} {parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"


def outside_client(tls: Any = True) -> httpx.AsyncClient:
    """A client for whoever is outside the plant: no token, no proxies or certificates of the environment."""
    limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE // 4, keepalive_expiry=5.0)
    timeout = httpx.Timeout(EXCHANGE_S, connect=CONNECT_S, pool=EXCHANGE_S / 2)
    return httpx.AsyncClient(verify=tls, limits=limits, timeout=timeout, trust_env=False, follow_redirects=False)


def request_of(data: Mapping[str, Any], key: str) -> Outgoing:
    """The request that `{method, url, headers, body}` describes, with the key that makes a repeat harmless."""
    url, method = str(data["url"]), str(data["method"])
    headers = {str(name): str(value) for name, value in (data.get("headers") or {}).items()}
    names = {name.lower() for name in headers}
    body, content = data.get("body"), None
    if isinstance(body, str):
        content = body.encode()
    elif body is not None:
        content = json.dumps(body, ensure_ascii=False).encode()
        if "content-type" not in names:
            headers["Content-Type"] = "application/json"
    if method not in _METHODS_WITHOUT_BODY and "idempotency-key" not in names:
        headers["Idempotency-Key"] = key
    return Outgoing(method, url, headers, content, _fault(url))


def _fault(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        return f"url: {error}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "url: not an http:// or https:// address with a host"
    return ""


class Exchange:
    """Sends a request and reads the answer. With `whole` false its body and headers are of no interest."""

    def __init__(self, http: httpx.AsyncClient, whole: bool = True) -> None:
        self._http = http
        self._whole = whole

    async def result(self, request: Outgoing, expect: Collection[int]) -> Result:
        """What became of it."""
        if request.fault:
            return Failed("url_invalid", request.fault)
        try:
            async with asyncio.timeout(EXCHANGE_S):
                return await self._exchange(request, expect)
        except (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, ValueError):
            return Failed("url_invalid", f"{request.where}: not an address, or a header that is none")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.LocalProtocolError) as error:
            return Failed("unreachable", f"{request.where}: not sent ({type(error).__name__})")
        except (httpx.HTTPError, TimeoutError) as error:
            return Unknown(f"{request.where}: sent, but no whole answer came ({type(error).__name__})")

    async def _exchange(self, request: Outgoing, expect: Collection[int]) -> Result:
        async with self._http.stream(
            request.method, request.url, headers=dict(request.headers), content=request.content
        ) as response:
            status = response.status_code
            if status not in expect:
                said = f"{request.where}: answered {status}, expected {_shown(expect)}"
                if status >= 500 or status == _ASKED_AGAIN:
                    return Unknown(said, "http_status")
                return Failed("http_status", said)
            return Done(await self._value(response) if self._whole else None)

    async def _value(self, response: httpx.Response) -> dict[str, Any]:
        content = bytearray()
        truncated = False
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > BODY_BYTES_MAX:
                truncated = True
                break
        headers = {name: response.headers[name][:HEADER_CHARS_MAX] for name in HEADERS_KEPT if name in response.headers}
        value: dict[str, Any] = {"status": response.status_code, "headers": headers, "body": None}
        if truncated:
            value["truncated"] = True
        elif content:
            value["body"] = _body(bytes(content), response.headers.get("content-type", ""))
        return value


def _body(content: bytes, content_type: str) -> Any:
    if content_type.partition(";")[0].strip().endswith("json"):
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            pass
    return content.decode("utf-8", "replace")


def _shown(expect: Collection[int]) -> str:
    numbers = sorted(expect)
    return "2xx" if numbers == list(range(200, 300)) else ", ".join(map(str, numbers))


def no_secrets(message: str, url: str) -> str:
    """`message` without the address, or any part of it that may be the secret."""
    parts = urlsplit(url)
    for secret in (url, parts.path, parts.query, parts.password or "", parts.username or ""):
        if len(secret) > 1:
            message = message.replace(secret, "…")
    return message
