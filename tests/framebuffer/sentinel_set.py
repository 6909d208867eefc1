"""A Sentinel set whose servers are reached through links: what goes to replicas can be late, replies can be lost."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from framebuffer.embedded import Binary
from framebuffer.embedded_set import PORTS, EmbeddedSet
from tests.framebuffer.lag_link import LagLink
from tests.support import free_port


class _Thread:
    """A loop of its own: the tests' loop stands still between two tests, and the sentinels would think of failures."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="links")

    async def __aenter__(self) -> "_Thread":
        self._thread.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        await asyncio.to_thread(self._thread.join)
        self._loop.close()

    async def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._loop))


class LinkedSet:
    """`lags_s`: of each server's replication, in seconds, while it is a replica."""

    def __init__(self, directory: Path, binary: Binary, lags_s: Sequence[float] = (0.0, 0.0, 0.0)) -> None:
        announced = [free_port() for _ in lags_s]
        self.set = EmbeddedSet(directory, [free_port() for _ in range(PORTS)], binary=binary, announced=announced)
        lags = dict(zip(announced, lags_s, strict=True))
        self.links = [LagLink(server.url, port, lags) for server, port in zip(self.set.servers, announced, strict=True)]
        self._stack = AsyncExitStack()
        self._thread = _Thread()

    @property
    def url(self) -> str:
        return self.set.url

    async def __aenter__(self) -> "LinkedSet":
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._thread)
            for link in self.links:
                await self._thread.run(link.__aenter__())
                stack.push_async_callback(self._close, link)
            await stack.enter_async_context(self.set)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _close(self, link: LagLink) -> None:
        await self._thread.run(link.__aexit__())

    async def lose_power(self) -> int:
        """Kill the primary and lose what it has sent and nobody has received; which server it was."""
        at = await self.set.kill_primary()
        await self.cut(at)
        return at

    async def cut(self, at: int) -> None:
        """Break every connection to server `at`."""

        async def cut() -> None:
            self.links[at].cut()

        await self._thread.run(cut())

    async def lose_reply_to(self, text: bytes) -> int:
        """The next request to the primary that holds `text` is done, and its reply is lost; which server that is."""
        at = await self.set.primary()

        async def lose() -> None:
            self.links[at].lose_reply_to(text)

        await self._thread.run(lose())
        return at

    async def failed_over(self, at: int) -> int:
        """Wait for the next primary, start server `at` again as its replica, and wait until all is well."""
        await self.set.moved_from(at)
        await self.set.restart(at)
        return await self.set.healthy()
