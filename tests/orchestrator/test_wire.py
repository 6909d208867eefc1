"""The bounds of a connection, by bytes on a socket: heads, trailers, requests ahead of their answers, slow clients."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from orchestrator.api import wire
from orchestrator.api_connection import Bounds
from orchestrator.api_server import ApiServer, listening
from tests.support import eventually

pytestmark = pytest.mark.anyio

HOST = b"Host: a\r\n"
ASGI = Callable[[MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """The headers and the length of the body, read before the headers are looked at."""
    if scope["type"] != "http":
        return
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    body = json.dumps({"path": scope["path"], "headers": headers, "size": size}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@contextlib.asynccontextmanager
async def serving(app: ASGI = echo, bounds: Bounds | None = None) -> AsyncIterator[int]:
    socket = listening("127.0.0.1:0")
    server = ApiServer(app, bounds)
    task = asyncio.create_task(server.serve(sockets=[socket]))

    async def started() -> bool:
        return server.started

    await eventually(started, deadline_s=10)
    try:
        yield socket.getsockname()[1]
    finally:
        server.should_exit = True
        await task


async def said(port: int, raw: bytes, *, end: bool = False) -> bytes:
    """All that comes back until the connection ends, or is silent for a while."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        with contextlib.suppress(ConnectionError):
            for at in range(0, len(raw), 65536):
                writer.write(raw[at : at + 65536])
                await writer.drain()
        if end:
            return await asyncio.wait_for(reader.read(), 5)
        with contextlib.suppress(TimeoutError, ConnectionError):
            while data := await asyncio.wait_for(reader.read(65536), 0.3):
                found += data
        return found
    finally:
        writer.transport.abort()


def problem(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/problem+json" in head
    assert b"Connection: close" in head
    document = json.loads(body)
    assert document["status"] == int(head[9:12])
    return document["status"], document["code"]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"b" * 20_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"X-A: " + b"b" * 3_000_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"X-A: b\r\n" * 150 + b"\r\n",
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /" + b"a" * 3_000_000,
        b"GET / HTTP/1.1\r\n" + HOST + b"b" * 3_000_000,
    ],
    ids=["a long line", "a line without end", "many lines", "a long path", "a path without end", "a name without end"],
)
async def test_a_head_is_bounded(raw: bytes) -> None:
    async with serving() as port:
        answer = await said(port, raw)
        assert answer == b"" or problem(answer) == (431, "headers_too_large")
        assert b"200 OK" in await said(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")


async def test_what_is_within_the_bounds_is_taken() -> None:
    lines = b"".join(b"X-%d: %s\r\n" % (number, b"v" * 100) for number in range(90))
    async with serving() as port:
        answer = await said(port, b"GET /a%20b?c HTTP/1.1\r\n" + HOST + lines + b"\r\n")
    found = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert found["path"] == "/a b"
    assert len(found["headers"]) == 91


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET / HTTP/1.1\r\n" + HOST + b"X A: b\r\n\r\n",
        b"POST / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n\r\nabc",
        b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
    ids=["TLS", "no host", "two hosts", "two lengths", "lengths that differ", "a name", "h2c", "CONNECT", "HTTP/2"],
)
async def test_what_is_no_request_is_told_so(raw: bytes) -> None:
    async with serving() as port:
        assert problem(await said(port, raw, end=True)) == (400, "invalid_request")


async def test_who_would_change_over_to_another_protocol_is_answered_in_this_one() -> None:
    """Clients that speak HTTP/2 ask so by themselves: what was carried out must be answered."""
    async with serving() as port:
        asked = b"DELETE /x HTTP/1.1\r\n" + HOST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
        answer = await said(port, asked, end=True)
        assert b"200 OK" in answer
        assert b'"path": "/x"' in answer


async def test_trailers_are_no_headers() -> None:
    body = b"5\r\nhello\r\n0\r\nAuthorization: Bearer stolen\r\nX-Late: 1\r\n\r\n"
    async with serving() as port:
        answer = await said(port, b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        found = json.loads(answer.partition(b"\r\n\r\n")[2])
        assert found["size"] == 5
        assert {name for name, _ in found["headers"]} == {"host", "transfer-encoding"}
        flood = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X-T: y\r\n" * 50_000
        assert b"200 OK" not in await said(port, flood)


async def test_requests_ahead_of_their_answers_are_bounded() -> None:
    one = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
    async with serving() as port:
        assert (await said(port, one * 20)).count(b"200 OK") == 20
        assert (await said(port, one * 2_000)).count(b"200 OK") <= wire.PIPELINED_MAX + 2
        assert b"200 OK" in await said(port, one)


async def test_a_slow_head_is_ended() -> None:
    async with serving(bounds=Bounds(head_s=0.2)) as port:
        assert await said(port, b"", end=True) == b""
        assert problem(await said(port, b"GET / HTTP/1.1\r\nHost", end=True)) == (408, "request_timed_out")
        # The second request of a connection has the same time as the first.
        answer = await said(port, b"GET / HTTP/1.1\r\n" + HOST + b"\r\nGET / HT", end=True)
        assert b"200 OK" in answer
        assert b"408 " in answer
