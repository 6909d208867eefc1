"""HTTP/1.1 as a node reads it from a socket: uvicorn's parser in C, within bounds that it does not have itself.

One connection holds at most, whatever is sent and before anyone has shown a token:

    a head (request line, headers)   `HEAD_BYTES_MAX` bytes, `HEADERS_MAX` lines   431, and the end of the connection
    an unfinished head               `HEAD_S` seconds, also its first byte         408, or just the end
    requests sent before an answer   `PIPELINED_MAX`                               the end of the connection

Trailers are read and dropped: they are not headers, which were judged before them. A refusal is a problem document.
"""

import asyncio
import http
import json
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from orchestrator.api.problems import KINDS, MEDIA_TYPE, RETRY_AFTER_S, RETRYABLE, TYPE_PREFIX

HEAD_BYTES_MAX = 16 * 1024
HEADERS_MAX = 100
HEAD_S = 10.0
PIPELINED_MAX = 32


class _Refused(Exception):
    """Ends the parsing; what is to be said stands in the protocol."""


class BoundedHttp(HttpToolsProtocol):
    """One connection."""

    head_s = HEAD_S

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self._in_head = True
        self._deaf = False
        """what follows is of a protocol that is not spoken here"""
        self._head_bytes = 0
        self._unfinished = 0
        self._begun = 0
        self._refusal: tuple[str, str] | None = None
        self._overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._overdue = self.loop.call_later(self.head_s, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        in_head, begun = self._in_head, self._begun
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._in_time()
            if self._should_upgrade():
                # websockets quotes such a header in its refusal, cannot encode that, and the client hears nothing.
                if any(not value.isascii() for name, value in self.headers if _is_of_websocket(name)):
                    self._refuse("invalid_request", "a header of the change to WebSocket is not ASCII")
                else:
                    self.handle_websocket_upgrade()
                return
            # Nobody has to change over: it is answered as it is, and is the last one of its connection.
            self._deaf = True
            self.cycle.keep_alive = False
            return
        except httptools.HttpParserError:
            self._refuse(*(self._refusal or ("invalid_request", "this is no HTTP/1.1 request")))
            return
        if not self._in_head:
            return
        # A value that is not finished yet is kept by the parser, and told only when it ends.
        self._unfinished = self._unfinished + len(data) if in_head and begun == self._begun else 0
        if self._unfinished > HEAD_BYTES_MAX:
            self._refuse(*_too_large())
        elif self._overdue is None and self._begun != begun:
            self._overdue = self.loop.call_later(self.head_s, self._too_slow)

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= PIPELINED_MAX:
            self._stop("invalid_request", f"at most {PIPELINED_MAX} requests may wait on one connection")
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = self._unfinished = 0
        self._begun += 1

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(len(name) + len(value) + 4)
        if not self._in_head:
            return
        if len(self.headers) >= HEADERS_MAX:
            self._stop(*_too_large())
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._in_time()
        if self.parser.get_http_version() == "1.1" and sum(name == b"host" for name, _ in self.headers) != 1:
            self._stop("invalid_request", "header.Host: a request has exactly one")
        if self.parser.should_upgrade() and not self._should_upgrade() and self._has_body():
            # The parser would leave the body out, and the request would mean something else.
            self._stop("invalid_request", "header.Upgrade: there is no other protocol here; send a body without it")
        super().on_headers_complete()

    def _has_body(self) -> bool:
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0 "))
            for name, value in self.headers
        )

    def _count(self, more: int) -> None:
        self._head_bytes += more
        if self._head_bytes > HEAD_BYTES_MAX:
            self._stop(*_too_large())

    def _stop(self, code: str, detail: str) -> None:
        self._refusal = (code, detail)
        raise _Refused

    def _in_time(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None

    def _too_slow(self) -> None:
        self._overdue = None
        if self._begun and self._in_head:
            self._refuse("request_timed_out", f"the head of a request has to arrive within {self.head_s:g} s")
        elif not self._begun:
            self.transport.close()

    def _refuse(self, code: str, detail: str) -> None:
        """Say so, unless an answer is under way, and end the connection."""
        self._in_time()
        if self.transport.is_closing():
            return
        answered: bool = self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]  # before any
        if answered:
            self.transport.write(refusal(code, detail))
        self.transport.close()


def _is_of_websocket(name: bytes) -> bool:
    return name in (b"connection", b"upgrade") or name.startswith(b"sec-websocket-")


def refusal(code: str, detail: str) -> bytes:
    """An answer as it goes over the connection, for requests that came to no application."""
    status, title = KINDS[code]
    if code == "invalid_request":
        status = 400  # of the protocol itself
    document = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "",
        "code": code,
    }
    body = json.dumps(document).encode()
    head = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\nContent-Type: {MEDIA_TYPE}\r\n"
    head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
    if code in RETRYABLE:
        head += f"Retry-After: {RETRY_AFTER_S}\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def _too_large() -> tuple[str, str]:
    return "headers_too_large", f"a request has at most {HEAD_BYTES_MAX} bytes of headers, in {HEADERS_MAX} lines"
