"""A node's way to Redis: what it says of a server that is there and is not what it should be."""

import logging
from pathlib import Path

import pytest

from framebuffer.embedded import EmbeddedServer
from orchestrator.redis_link import RedisLink
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


def link_to(server: EmbeddedServer) -> RedisLink:
    return RedisLink(server.url, None, inline_bytes_max=4096, max_attempts=5)


async def test_a_server_without_persistence_is_used_and_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with EmbeddedServer(tmp_path, free_port(), options=("appendonly no",)) as server:
        link = link_to(server)
        with caplog.at_level(logging.WARNING):
            await link.start()
            await eventually(lambda: link.health()[0])
        assert f"Redis at 127.0.0.1:{server.port} has no append-only file: frames are lost when it dies" in caplog.text
        assert link.server is not None
        assert (link.server.append_only, link.server.persistent) == (False, False)
        assert link.shards() is not None
        await link.stop()


async def test_a_server_that_cannot_do_what_is_needed_is_named(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, free_port(), options=("rename-command FUNCTION gone",)) as server:
        link = link_to(server)
        await link.start()
        why = await eventually(lambda: "functions" in link.health()[1] and link.health()[1])
        assert str(why).startswith(f"Redis at 127.0.0.1:{server.port}: the server has no functions (Redis >= 7.0")
        assert link.shards() is None  # nothing is published to it, and nothing dispatched
        await link.stop()
