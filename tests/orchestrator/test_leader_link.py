"""The link between nodes against real sockets: what is kept, what is opened anew, and what may have been done."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from orchestrator.api import leader_link
from orchestrator.api.leader_link import Broken, LeaderLink, NotSent
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[str]:
    serving: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            serving.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    server = await asyncio.start_server(one, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/base/"
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving)


@contextlib.asynccontextmanager
async def linked(keep_s: float = 5.0) -> AsyncIterator[LeaderLink]:
    link = LeaderLink(keep_s=keep_s)
    try:
        yield link
    finally:
        await link.aclose()


async def test_requests_go_over_connections_that_are_kept() -> None:
    seen: list[bytes] = []
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"POST" in head:
                head += await reader.readexactly(2)
            seen.append(head)
            writer.write(b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 200 OK\r\nX-A: b\r\nContent-Length: 2\r\n\r\nok")

    async with listening(serve) as base, linked() as link:
        for _ in range(3):
            answer = await link.ask(base, "GET", "/x?y=1", [(b"A", b"b")])
            assert (answer.status, answer.content, answer.header(b"x-a"), answer.header(b"none")) == (
                200,
                b"ok",
                b"b",
                b"",
            )
        await link.ask(base, "POST", "/p", [], b"hi")
        assert connections == 1
        host = base.split("/")[2].encode()
        assert seen[0] == b"GET /base/x?y=1 HTTP/1.1\r\nHost: " + host + b"\r\nA: b\r\n\r\n"
        assert seen[3] == b"POST /base/p HTTP/1.1\r\nHost: " + host + b"\r\nContent-Length: 2\r\n\r\nhi"
        await asyncio.gather(*(link.ask(base, "GET", "/x", []) for _ in range(5)))
        assert connections == link.open == 5


@pytest.mark.parametrize("ending", [b"5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n", b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n"])
async def test_chunks_are_put_together(ending: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in ending:
            writer.write(bytes([byte]))
            await writer.drain()

    async with listening(serve) as base, linked() as link:
        answer = await link.ask(base, "GET", "/", [])
        assert answer.content == b"hello"
        assert answer.header(b"x-t") == b""


async def test_a_connection_that_was_closed_meanwhile_is_not_used() -> None:
    connections = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def forgotten() -> bool:
        return link.open == 0

    async with listening(serve) as base, linked() as link:
        assert (await link.ask(base, "GET", "/", [])).status == 204
        await eventually(forgotten, deadline_s=5)
        assert (await link.ask(base, "GET", "/", [])).status == 204
        assert connections == 2


async def test_one_that_waited_too_long_is_closed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    async def one() -> bool:
        return link.open == 1

    async with listening(serve) as base, linked(keep_s=0.0) as link:
        await link.ask(base, "GET", "/", [])
        await asyncio.sleep(0)
        await link.ask(base, "GET", "/", [])
        await eventually(one, deadline_s=5)


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", b"no HTTP at all\r\n\r\n", b"HTTP/1.1 200"],
)
async def test_no_whole_answer_leaves_it_open_whether_it_was_done(answer: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    async with listening(serve) as base, linked() as link:
        with pytest.raises(Broken):
            await link.ask(base, "GET", "/", [])


async def test_an_answer_that_does_not_come_is_waited_for_as_long_as_was_asked() -> None:
    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with listening(serve) as base, linked() as link:
        with pytest.raises(Broken, match="in time"):
            await link.ask(base, "GET", "/", [], within_s=0.1)
        asking = asyncio.create_task(link.ask(base, "GET", "/", []))

        async def under_way() -> bool:
            return link.open == 1

        async def closed() -> bool:
            return link.open == 0

        await eventually(under_way, deadline_s=5)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        await eventually(closed, deadline_s=5)


@pytest.mark.parametrize(
    "base",
    ["ftp://127.0.0.1:1", "http://", "nothing", "http://127.0.0.1:99999", "http://n1..plant:1", f"http://{'n' * 64}:1"],
)
async def test_what_is_no_address_is_not_sent(base: str) -> None:
    async with linked() as link:
        with pytest.raises(NotSent):
            await link.ask(base, "GET", "/", [])
        assert link.open == 0


async def test_nobody_there_is_certainly_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    async with linked() as link:
        with pytest.raises(NotSent):
            await link.ask(f"http://127.0.0.1:{free_port()}", "GET", "/", [])
        assert link.open == 0
        monkeypatch.setattr(leader_link, "OPEN_MAX", 0)
        with pytest.raises(NotSent, match="under way"):
            await link.ask("http://127.0.0.1:1", "GET", "/", [])


async def test_one_that_is_given_up_just_as_it_is_made_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection is there, and whoever opened it has not been told yet."""
    ended = asyncio.Event()
    made = leader_link._Connection.connection_made
    asking: list[asyncio.Task[object]] = []

    def made_and_given_up(self: leader_link._Connection, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        asking[0].cancel()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.read() == b""
        ended.set()

    async def forgotten() -> bool:
        return link.open == 0

    monkeypatch.setattr(leader_link._Connection, "connection_made", made_and_given_up)
    async with listening(serve) as base, linked() as link:
        asking.append(asyncio.create_task(link.ask(base, "GET", "/", [])))
        with pytest.raises(asyncio.CancelledError):
            await asking[0]
        async with asyncio.timeout(5):
            await ended.wait()
        await eventually(forgotten, deadline_s=5)
