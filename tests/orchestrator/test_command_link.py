"""The lean client for commands, against servers that answer byte by byte what each test says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.command_link import ANSWER_BYTES_MAX, HEAD_BYTES_MAX, Broken, CommandLink, NotDelivered, Parser
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Counts connections and keeps what was asked."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self.connections = 0
        self.asked: list[bytes] = []
        self.address = ""

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self.serve(reader, writer)
        finally:
            writer.close()


async def request_of(reader: asyncio.StreamReader) -> bytes:
    """One whole request; empty at the connection's end."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return b""
    length = next(int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length: "))
    return head + await reader.readexactly(length)


@asynccontextmanager
async def answering(*answers: bytes, close_after: int | None = None) -> AsyncIterator[Server]:
    """A server that gives these answers in turn (the last one again and again), over connections that stay open."""
    left = list(answers)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count = 0
        while request := await request_of(reader):
            server.asked.append(request)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            count += 1
            if count == close_after or b"close" in answers[0] or b"Length" not in answers[0] + b"Transfer":
                return

    server = Server(serve)
    async with await asyncio.start_server(server.connected, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        server.address = f"http://127.0.0.1:{port}"
        yield server


async def post(link: CommandLink, address: str) -> tuple[int, bytes]:
    async with asyncio.timeout(5):
        return await link.post(address, b"{}", connect_s=1.0)


async def test_one_connection_takes_request_after_request() -> None:
    link = CommandLink({"Authorization": "Bearer x"})
    async with answering(OK) as server:
        for _ in range(3):
            assert await post(link, server.address) == (200, b"hi")
        assert server.connections == 1
        host = server.address.removeprefix("http://").encode()
        assert server.asked[0].startswith(b"POST /event HTTP/1.1\r\nHost: " + host + b"\r\n")
        assert b"\r\nAuthorization: Bearer x\r\n" in server.asked[0]
        assert server.asked[0].endswith(b"Content-Length: 2\r\n\r\n{}")
        await link.aclose()


async def test_requests_at_once_have_connections_of_their_own() -> None:
    link = CommandLink()
    async with answering(OK) as server:
        assert await asyncio.gather(*(post(link, server.address) for _ in range(20))) == [(200, b"hi")] * 20
        assert server.connections == 20
        assert await post(link, server.address) == (200, b"hi")
        assert server.connections == 20
        await link.aclose()


async def test_a_kept_connection_that_was_closed_costs_nothing() -> None:
    link = CommandLink()
    async with answering(OK, close_after=1) as server:
        for _ in range(3):
            assert await post(link, server.address) == (200, b"hi")
        assert len(server.asked) == 3
        await link.aclose()


async def test_an_address_that_never_comes_back_leaves_nothing_behind() -> None:
    link = CommandLink()
    async with answering(OK, close_after=1) as server:
        assert await post(link, server.address) == (200, b"hi")
        await eventually(lambda: link.kept == 0)
        assert server.connections == 1
    async with answering(OK) as server:
        assert await post(link, server.address) == (200, b"hi")
        assert link.kept == 1
        await link.aclose()


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", b"abcde"),
        (b"HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 409 Conflict\r\ncontent-length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 409 Conflict\r\nConnection: close\r\n\r\nuntil the end", b"until the end"),
        (b"HTTP/1.0 409 Conflict\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", b"x"),
        (b"HTTP/1.1 409 Conflict\r\nContent-Length: 1\r\n\r\nx and more", b"x"),
    ],
)
async def test_ways_to_answer(answer: bytes, expected: bytes) -> None:
    link = CommandLink()
    async with answering(answer) as server:
        for _ in range(2):
            assert await post(link, server.address) == (409, expected)
        await link.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"x" * (HEAD_BYTES_MAX + 1),
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
async def test_what_is_no_answer_is_broken(answer: bytes) -> None:
    link = CommandLink()
    async with answering(answer, close_after=1) as server:
        with pytest.raises(Broken):
            await post(link, server.address)
        assert len(server.asked) == 1, "over a new connection nothing is sent twice"
        await link.aclose()


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
)
async def test_an_answer_that_is_too_large_is_cut_off(head: bytes) -> None:
    link = CommandLink()
    async with answering(head + b"x" * (ANSWER_BYTES_MAX + 1), close_after=1) as server:
        assert await post(link, server.address) == (200, b"")
        await link.aclose()


async def test_nobody_there_is_not_delivered() -> None:
    link = CommandLink()
    free = f"http://127.0.0.1:{free_port()}"
    for address in (free, "https://127.0.0.1:1", "http://127.0.0.1:99999", "ftp://x", "http://press..plant:1"):
        with pytest.raises(NotDelivered):
            await post(link, address)
    assert CommandLink.serves("http://[::1]:80/base/")
    assert not CommandLink.serves("https://127.0.0.1:1")
    with pytest.raises(ValueError, match="Authorization"):
        CommandLink({"Authorization": "Bearer x\r\nX: y"})


async def test_who_gives_up_waiting_closes_the_connection() -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await request_of(reader)
        assert await reader.read() == b""
        ended.set()

    server = Server(serve)
    link = CommandLink()
    async with await asyncio.start_server(server.connected, "127.0.0.1", 0) as listening:
        address = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        waiting = asyncio.create_task(post(link, address))
        await eventually(lambda: server.connections == 1)
        waiting.cancel()
        async with asyncio.timeout(5):
            await ended.wait()
    assert waiting.cancelled() or waiting.done()


@given(
    st.sampled_from([OK, b"HTTP/1.1 409 C\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"]),
    st.data(),
)
def test_an_answer_is_the_same_however_its_bytes_come(answer: bytes, data: st.DataObject) -> None:
    parser, done, left = Parser(), None, answer
    while left:
        assert done is None
        size = data.draw(st.integers(1, len(left)))
        done, left = parser.feed(left[:size]), left[size:]
    assert done == Parser().feed(answer)
    assert done is not None


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer_or_refused(junk: bytes) -> None:
    for head in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        try:
            done = Parser().feed(head + junk)
        except ValueError:
            continue
        assert done is None or 0 < done[0] < 1000
