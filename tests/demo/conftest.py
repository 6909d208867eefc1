"""A real server for the demo's tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from framebuffer.connection import connect
from framebuffer.embedded import EmbeddedServer
from framebuffer.streams import FrameStreams
from tests.support import free_port


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path / "redis", free_port()) as running:
        yield running


@pytest.fixture
async def streams(server: EmbeddedServer) -> AsyncIterator[FrameStreams]:
    redis = connect(server.url)
    opened = FrameStreams(redis)
    await opened.ready()
    yield opened
    await opened.aclose()
    await redis.aclose()
