"""A connection that is being made when the primary moves."""

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import msgspec
import pytest
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError
from redis.backoff import NoBackoff

from framebuffer.connection import execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.primary import Primary, PrimaryClient, Route
from tests.support import eventually

pytestmark = pytest.mark.anyio

PATIENCE_S = 40.0


class Place(msgspec.Struct):
    address: tuple[str, int]
    replicas: int = 0


class Told:
    """A locator that names what it is told, and says when somebody has asked."""

    def __init__(self, address: tuple[str, int]) -> None:
        self.place = Place(address)
        self.asked = 0
        self.moved: Callable[[str], None] | None = None

    async def locate(self) -> Primary:
        self.asked += 1
        return self.place

    async def watch(self, moved: Callable[[str], None]) -> None:
        self.moved = moved
        await asyncio.Event().wait()

    async def aclose(self) -> None:
        pass


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address at which nobody answers, as at a host without power: its queue is full, what comes more is dropped."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address: tuple[str, int] = listening.getsockname()
        waiting = [stack.enter_context(socket.socket()) for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(address)
        yield address


async def test_who_waits_for_a_server_that_is_gone_is_told_when_the_primary_has_moved(
    server: EmbeddedServer, silent: tuple[str, int]
) -> None:
    locator = Told(silent)
    options: dict[str, Any] = {
        "socket_timeout": None,
        "socket_connect_timeout": PATIENCE_S,
        "retry": Retry(NoBackoff(), 0),
    }
    redis = PrimaryClient.over(Route(locator), protocol=2, **options)
    redis.reply_s = PATIENCE_S
    waiting = asyncio.create_task(execute(redis, "PING"))
    await eventually(lambda: locator.asked and locator.moved)
    assert not (await asyncio.wait({waiting}, timeout=0.1))[0]
    locator.place = Place(("127.0.0.1", server.port))
    assert locator.moved is not None
    for _ in range(2):  # sentinels say it one after the other
        locator.moved("failover")
    await eventually(waiting.done, deadline_s=PATIENCE_S / 4)
    with pytest.raises(MasterNotFoundError, match=f"127.0.0.1:{silent[1]} does not answer; the primary has moved"):
        await waiting
    assert await execute(redis, "ECHO", "here") == b"here"
    assert locator.asked == 2
    await redis.aclose()
