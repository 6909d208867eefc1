"""The transport to components: what it sends, what it keeps, and which error means what."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest

from orchestrator import lean_transport
from orchestrator.lean_transport import LeanTransport
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Reads whole requests from sockets, and answers with bytes."""

    def __init__(self, answer: bytes | Answer) -> None:
        self.answer = answer
        self.connections = 0
        self.requests: list[bytes] = []
        self.url = ""
        self.writers: list[asyncio.StreamWriter] = []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0
                )
                request = head + await reader.readexactly(length)
                self.requests.append(request)
                if callable(self.answer):
                    await self.answer(request, writer)
                else:
                    writer.write(self.answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


@asynccontextmanager
async def serving(answer: bytes | Answer) -> AsyncIterator[tuple[Server, httpx.AsyncClient]]:
    server = Server(answer)
    listening = await asyncio.start_server(server, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    tls = httpx.create_ssl_context(trust_env=False)
    async with httpx.AsyncClient(transport=LeanTransport(tls), timeout=5.0, trust_env=False) as client:
        try:
            yield server, client
        finally:
            listening.close()
            for writer in server.writers:
                writer.close()


async def test_one_connection_for_one_request_after_the_other() -> None:
    async with serving(OK) as (server, client):
        for number in range(5):
            answer = await client.post(f"{server.url}/event?n={number}", json={"n": number})
            assert (answer.status_code, answer.text) == (200, "ok")
        assert server.connections == 1
        assert b"POST /event?n=4 HTTP/1.1" in server.requests[-1]
        assert server.requests[-1].endswith(b'{"n":4}')


async def test_side_by_side_each_has_its_own() -> None:
    gate = asyncio.Event()

    async def held(_request: bytes, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(OK)

    async with serving(held) as (server, client):
        tasks = [asyncio.create_task(client.get(server.url)) for _ in range(3)]
        await eventually(lambda: server.connections == 3)
        gate.set()
        assert [answer.status_code for answer in await asyncio.gather(*tasks)] == [200] * 3


async def test_a_connection_that_was_closed_meanwhile_is_not_used_again() -> None:
    async def once(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(OK)
        await writer.drain()
        writer.close()

    async with serving(once) as (server, client):
        transport = client._transport
        assert isinstance(transport, LeanTransport)
        for number in range(1, 4):
            assert (await client.get(server.url)).status_code == 200
            # The kernel has told this process by then; a request that is faster than that has an unknown outcome.
            await eventually(lambda: all(each.reader.at_eof() for kept in transport._idle.values() for each in kept))
            assert server.connections == number


async def test_nor_one_that_was_idle_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean_transport, "IDLE_S", 0.0)
    async with serving(OK) as (server, client):
        for _ in range(2):
            await client.get(server.url)
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n1\r\nk\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b"
        % (len(gzip.compress(b"ok")), gzip.compress(b"ok")),
    ],
)
async def test_forms_of_an_answer(answer: bytes) -> None:
    async with serving(answer) as (server, client):
        for _ in range(2):
            assert (await client.get(server.url)).text == "ok"
        assert server.connections == 1


async def test_an_answer_that_ends_with_the_connection() -> None:
    async def closing(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with serving(closing) as (server, client):
        assert (await client.get(server.url)).text == "ok"


async def test_not_connected() -> None:
    async with serving(OK) as (_, client):
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{free_port()}")
        with pytest.raises(httpx.ConnectError):
            await client.get("http://no-such-host.invalid/")


async def test_tls_where_there_is_none() -> None:
    async with serving(b"plain text\r\n") as (server, client):
        with pytest.raises((httpx.ConnectError, httpx.ConnectTimeout)):
            await client.get(server.url.replace("http:", "https:"), timeout=httpx.Timeout(5.0, connect=0.2))


async def test_no_answer_in_time() -> None:
    async def silent(_request: bytes, _writer: asyncio.StreamWriter) -> None:
        return

    async with serving(silent) as (server, client):
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=httpx.Timeout(5.0, read=0.05))


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok", b"what is this?\r\n\r\n", b"HTTP/1.1 2"]
)
async def test_no_whole_answer(answer: bytes) -> None:
    async def broken(_request: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with serving(broken) as (server, client):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await client.get(server.url)


async def test_a_header_that_is_none_is_not_sent() -> None:
    async with serving(OK) as (server, client):
        with pytest.raises((httpx.LocalProtocolError, ValueError)):
            await client.get(server.url, headers={"X-Bad": "a\r\nb: c"})
        assert server.requests == []


async def test_waiting_for_a_place_has_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean_transport, "CONNECTIONS_MAX", 1)
    gate = asyncio.Event()

    async def held(_request: bytes, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(OK)

    async with serving(held) as (server, client):
        first = asyncio.create_task(client.get(server.url))
        await eventually(lambda: server.connections == 1)
        with pytest.raises(httpx.PoolTimeout):
            await client.get(server.url, timeout=httpx.Timeout(5.0, pool=0.05))
        gate.set()
        assert (await first).status_code == 200
        assert (await client.get(server.url)).status_code == 200


async def test_so_many_addresses_are_kept_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean_transport, "CONNECTIONS_MAX", 2)
    async with serving(OK) as (one, client), serving(OK) as (two, _), serving(OK) as (three, _):
        for server in (one, two, three, three, one):
            assert (await client.get(server.url)).status_code == 200
        assert (one.connections, two.connections, three.connections) == (2, 1, 1)
