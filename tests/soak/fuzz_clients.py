"""Clients of the fuzz campaign: quick ones that note every answer, and those that no server likes."""

import asyncio
import json
import random
import zlib
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import urlsplit

import httptools

ANSWER_S = 12.0
QUIET_S = 0.4
"""Bytes that are no whole request are answered at once, or not at all."""
STREAM = b"text/event-stream"
FAULT_BYTES = 8192
"""So much of the document of a 5xx is looked at."""
BODY_BYTES = 32 * 1024
"""Longer bodies are not held against their schema: that takes longer than the answer."""


def place(api: str) -> tuple[str, int]:
    """Host and port of a base URL."""
    parts = urlsplit(api)
    return parts.hostname or "127.0.0.1", parts.port or 80


class Connection:
    """One connection to a node, opened again when it ends."""

    def __init__(self, api: str) -> None:
        self._place = place(api)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.code: str | None = None
        """of the latest answer's problem, where that is a fault of the server"""
        self.json: bytes | None = None
        """the latest answer's whole body, where that is JSON and has `BODY_BYTES` at most"""

    async def ask(self, raw: bytes, within_s: float) -> int | None:
        """The status of the first answer; None where there is none: the connection ended, or nothing came in time.

        Raises OSError where nobody listens.
        """
        if self._streams is not None and (status := await self._over(raw, within_s)) is not None:
            return status
        if self._streams is None:  # it had ended
            self._streams = await asyncio.open_connection(*self._place)
        return await self._over(raw, within_s)

    async def _over(self, raw: bytes, within_s: float) -> int | None:
        assert self._streams is not None
        reader, writer = self._streams
        answer = _Answer()
        self.code = self.json = None
        try:
            async with asyncio.timeout(within_s):
                writer.write(raw)
                while not answer.done:
                    data = await reader.read(65536)
                    if not data:
                        break
                    answer.feed(data)
        except (TimeoutError, OSError):
            self.close()
            return answer.status
        if not answer.done or not answer.again:
            self.close()
        self.code, self.json = answer.code(), answer.json()
        return answer.status

    def close(self) -> None:
        """End it."""
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


class _Answer:
    """The first answer that is no interim one. An answer without an end counts from its head."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status: int | None = None
        self.done = False
        self.again = True
        self._whole = False
        self._is_json = False
        self._packed = False
        self._body = bytearray()

    def code(self) -> str | None:
        """That of the problem document, of a fault of the server's."""
        if self.status is None or self.status < 500:
            return None
        try:
            return str(json.loads(self._body[:FAULT_BYTES])["code"])
        except (ValueError, LookupError, TypeError):
            return None

    def json(self) -> bytes | None:
        """The body, where it is JSON, came to its end, and is not too long."""
        if not self._whole or not self._is_json:
            return None
        body = bytes(self._body)
        if self._packed and len(body) <= BODY_BYTES:
            body = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, BODY_BYTES + 1)
        return body if len(body) <= BODY_BYTES else None

    def feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.done, self.again = True, False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.done:
            return
        if name.lower() == b"content-encoding":
            self._packed = value == b"gzip"
        if name.lower() != b"content-type":
            return
        self._is_json = value.partition(b";")[0].endswith(b"json")
        if value.startswith(STREAM):
            self.done, self.again = True, False

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.status is None and status >= 200:
            self.status = status

    def on_body(self, body: bytes) -> None:
        if self.status is not None and not self.done:
            self._body += body[: BODY_BYTES + 1 - len(self._body)]

    def on_message_complete(self) -> None:
        if self.status is not None:
            if self.done:
                self.again = False  # another answer: the bytes were more than one request
            else:
                self._whole = True
            self.done = True
            self.again = self.again and self._parser.should_keep_alive()


HALVES: Sequence[bytes] = (
    b"",
    b"GE",
    b"GET /v1/components HT",
    b"GET /v1/components HTTP/1.1\r\nHost: 127.0.0.1\r\nX-",
    b"POST /event HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
    b"PUT /v1/variables/a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
)
FLOODS: Sequence[bytes] = (
    b"GET /v1/components HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 20_000,
    b"GET /v1/components HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 2_000_000,
    b"GET /" + b"a" * 1_000_000,
    b"POST /v1/components HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n" + b"{" * 3_000_000,
    b"POST /v1/components HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 400000\r\n\r\n"
    + b"[" * 400_000,
    b"PUT /v1/variables/deep HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 240011\r\n\r\n"
    + b'{"value":'
    + b'{"a":' * 48_000
    + b"1}",
    b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n" * 5_000,
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1;" + b"x" * 500_000,
    b"GET /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-T: y\r\n" * 50_000,
)


async def idle(apis: Sequence[str], count: int) -> list[asyncio.StreamWriter]:
    """So many connections over the nodes, with half a request or nothing on each. Fewer where no more can be had."""
    found: list[asyncio.StreamWriter] = []
    for at in range(count):
        try:
            _, writer = await asyncio.wait_for(asyncio.open_connection(*place(apis[at % len(apis)])), 5)
        except (OSError, TimeoutError):
            break
        writer.write(HALVES[at % len(HALVES)])
        found.append(writer)
    return found


async def drop(writers: Sequence[asyncio.StreamWriter]) -> None:
    """Close them all."""
    for writer in writers:
        writer.close()
    for writer in writers:
        with suppress(OSError, asyncio.IncompleteReadError):
            await writer.wait_closed()


async def flood(api: str, raw: bytes, token: str, seen: Counter[int | None]) -> None:
    """Send it in pieces, for as long as the node takes them, and note what it says."""
    raw = raw.replace(b"Host: a\r\n", b"Host: 127.0.0.1\r\nAuthorization: Bearer %b\r\n" % token.encode(), 1)
    try:
        reader, writer = await asyncio.open_connection(*place(api))
    except OSError:
        seen[0] += 1
        return
    answer = _Answer()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            for at in range(0, len(raw), 65536):
                writer.write(raw[at : at + 65536])
                await writer.drain()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(2 * QUIET_S):
            while not answer.done and (data := await reader.read(65536)):
                answer.feed(data)
    seen[answer.status] += 1
    writer.transport.abort()


async def dribble(api: str, dice: random.Random, seconds: float) -> None:
    """A request byte by byte."""
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(*place(api))
            try:
                for byte in dice.choice(HALVES[1:]):
                    writer.write(bytes([byte]))
                    await writer.drain()
                    await asyncio.sleep(seconds / 60)
            finally:
                writer.transport.abort()
