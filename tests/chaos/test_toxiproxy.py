"""That each toxic bites: measured by an echo server behind a proxy."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.chaos import toxiproxy
from tests.chaos.toxiproxy import Link, Toxiproxy, ToxiproxyFailed
from tests.support import eventually

pytestmark = pytest.mark.anyio

SILENCE_S = 0.5
"""Long enough that an echo on loopback would have come."""


@dataclass
class Caller:
    """One connection to the echo server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def echo(self, data: bytes = b"ping", seconds: float = 5.0) -> float:
        """Seconds until `data` has come back. TimeoutError, ConnectionError; EOFError when the other end closed."""
        started = time.monotonic()
        async with asyncio.timeout(seconds):
            self.writer.write(data)
            await self.writer.drain()
            assert await self.reader.readexactly(len(data)) == data
        return time.monotonic() - started

    async def ended(self) -> type[Exception] | None:
        """How the connection ended: ConnectionResetError, EOFError for an orderly end, None when it did not."""
        try:
            await self.echo(seconds=SILENCE_S)
        except (ConnectionError, EOFError) as error:
            return type(error)
        except TimeoutError:
            return None
        return None


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def link(toxic: Toxiproxy) -> AsyncIterator[Link]:
    """A proxy before an echo server."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    async with server:
        yield await toxic.link("echo", f"{host}:{port}")


@contextlib.asynccontextmanager
async def calling(link: Link) -> AsyncIterator[Caller]:
    """A connection by way of the proxy."""
    host, _, port = link.address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Caller(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_link_passes_everything_until_something_is_done_to_it(link: Link) -> None:
    assert await link.toxics() == {}
    async with calling(link) as caller:
        assert await caller.echo(b"x" * 1_000_000) < 5
        assert link.address != link.upstream
        assert link.accepted() == 1


async def test_delay_adds_to_each_way_and_ends_with_heal(link: Link) -> None:
    async with calling(link) as caller:
        quick = min([await caller.echo() for _ in range(5)])
        await link.delay(100, jitter_ms=20)
        slow = [await caller.echo() for _ in range(5)]
        assert all(seconds >= 2 * 0.080 for seconds in slow)
        assert len({round(seconds, 3) for seconds in slow}) > 1  # the jitter
        await link.heal()
        assert min([await caller.echo() for _ in range(5)]) < quick + 0.080  # the same connection


async def test_a_throttled_link_carries_no_more_than_its_rate(link: Link) -> None:
    async with calling(link) as caller:
        unthrottled = await caller.echo(b"x" * 100_000)
        await link.throttle(100)
        assert await caller.echo(b"x" * 100_000) > max(0.9, unthrottled)
        await link.heal()
        assert await caller.echo(b"x" * 100_000) < 0.9


async def test_a_half_open_link_swallows_what_is_sent_and_stays_open(link: Link) -> None:
    async with calling(link) as old:
        await old.echo()
        await link.half_open()
        async with calling(link) as new:  # it is even taken
            for caller in (old, new):
                with pytest.raises(TimeoutError):
                    await caller.echo(seconds=SILENCE_S)
                assert not caller.reader.at_eof()
            await link.heal()
            # What was swallowed is gone, so neither connection may go on.
            for caller in (old, new):
                assert await caller.ended() in (EOFError, asyncio.IncompleteReadError, ConnectionResetError)
    async with calling(link) as after:
        await after.echo()


async def test_reset_ends_old_and_new_connections_at_their_first_data(link: Link) -> None:
    async with calling(link) as old:
        await old.echo()
        await link.reset()
        assert await old.ended() in (ConnectionResetError, asyncio.IncompleteReadError)
        async with calling(link) as new:
            assert await new.ended() is ConnectionResetError
    await link.heal()
    async with calling(link) as after:
        await after.echo()


async def test_a_link_that_loses_replies_delivers_what_is_asked(toxic: Toxiproxy) -> None:
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(100))
        await _answer(_fed(heard[-1]), writer)

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        link = await toxic.link("lossy", f"{host}:{port}")
        await link.lose_replies()
        async with calling(link) as caller:
            assert await caller.ended() in (asyncio.IncompleteReadError, ConnectionResetError)
        assert heard == [b"ping"]
        await link.heal()
        async with calling(link) as caller:
            await caller.echo()


def _fed(data: bytes) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    reader.feed_data(data)
    reader.feed_eof()
    return reader


async def test_a_link_that_is_down_closes_and_refuses(link: Link) -> None:
    async with calling(link) as caller:
        await caller.echo()
        await link.down()
        assert await caller.ended() in (ConnectionResetError, asyncio.IncompleteReadError, BrokenPipeError)
        with pytest.raises(ConnectionRefusedError):
            async with calling(link):
                pass
    await link.up()
    async with calling(link) as after:
        await after.echo()


async def test_what_the_server_does_not_do_is_an_error(toxic: Toxiproxy, link: Link) -> None:
    with pytest.raises(ToxiproxyFailed, match="no proxy nobody"):
        await toxic.proxy("nobody")
    await link.delay(10)
    with pytest.raises(Exception, match="exists"):
        await link.delay(20)  # twice without heal: the server refuses the second
    assert (await link.toxics())["latency_upstream"] == {"latency": 10, "jitter": 0}
    with pytest.raises(ToxiproxyFailed, match="one server a process"):
        async with Toxiproxy(Path("unused"), Path("unused")):
            pass


def test_the_server_is_found_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, places in (("TOXIPROXY_SERVER", ""), ("PATH", ""), ("XDG_CACHE_HOME", str(tmp_path))):
        monkeypatch.setenv(name, places)
    assert toxiproxy.find_server() is None
    place = tmp_path / "triarch" / "toxiproxy"
    place.mkdir(parents=True)
    built = place / "toxiproxy-server"
    built.write_text("#!/bin/sh\n")
    built.chmod(0o755)
    assert toxiproxy.find_server() == built
    monkeypatch.setenv("TOXIPROXY_SERVER", str(tmp_path / "absent"))
    with pytest.raises(ToxiproxyFailed, match="no such program"):
        toxiproxy.find_server()
    monkeypatch.setenv("TOXIPROXY_SERVER", str(built))
    monkeypatch.setenv("XDG_CACHE_HOME", "")
    assert toxiproxy.find_server() == built


async def test_the_link_notices_a_server_that_is_gone(toxic: Toxiproxy, link: Link) -> None:
    async with calling(link) as caller:
        await caller.echo()
        await toxic._process.kill()
        await eventually(caller.ended, deadline_s=5)
    with pytest.raises(Exception, match=r"refused|Max retries"):
        await link.toxics()
