"""The relay by which a drill cuts processes of one machine off from one another, on real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from orchestrator.drills.targets.relay import Relay
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


class Heard:
    """A server that keeps what it hears, and says it back."""

    def __init__(self) -> None:
        self.text = b""
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while data := await reader.read(100):
                self.text += data
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()


@asynccontextmanager
async def relayed() -> AsyncIterator[tuple[Heard, Relay]]:
    heard = Heard()
    server = await asyncio.start_server(heard, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with Relay(free_port(), ("127.0.0.1", port)) as relay:
            yield heard, relay
    finally:
        server.close()


async def test_what_is_held_one_way_arrives_when_it_is_released() -> None:
    async with relayed() as (heard, relay):
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        relay.there.hold()
        writer.write(b"two")
        await eventually(lambda: relay.there.held == 3)
        assert heard.text == b"one"
        relay.release()
        assert await reader.readexactly(3) == b"two"
        relay.back.hold()
        writer.write(b"six")
        await eventually(lambda: relay.back.held == 3)
        assert heard.text == b"onetwosix"  # that way is open
        relay.release()
        assert await reader.readexactly(3) == b"six"
        assert relay.held == 6
        writer.transport.abort()


async def test_a_connection_that_is_asked_for_meanwhile_is_made_afterwards() -> None:
    async with relayed() as (heard, relay):
        relay.there.hold()
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"hello")
        await eventually(lambda: relay.there.waiting == 1)
        assert heard.connections == 0
        relay.release()
        assert await reader.readexactly(5) == b"hello"
        writer.transport.abort()


async def test_the_end_of_a_connection_and_of_a_server_is_passed_on() -> None:
    async with relayed() as (_, relay):
        reader, writer = await asyncio.open_connection("127.0.0.1", relay.port)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        writer.close()
        assert await reader.read() == b""
    async with Relay(free_port(), ("127.0.0.1", free_port())) as nowhere:
        reader, writer = await asyncio.open_connection("127.0.0.1", nowhere.port)
        assert await reader.read() == b""
        writer.close()
