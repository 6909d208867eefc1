"""A TCP link to a server that loses replies on demand: the server has done the work, the client never hears of it."""

import asyncio
from collections import Counter
from urllib.parse import urlsplit


class LossyLink:
    """Listens on a port of its own and passes everything on to `url`, but for what it is told to lose."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._target = (parts.hostname, parts.port)
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()
        self._lose: Counter[bytes] = Counter()
        self.lost: Counter[bytes] = Counter()
        self.down = False

    async def __aenter__(self) -> "LossyLink":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._links, return_exceptions=True)
        await self._server.wait_closed()

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    def lose_reply_to(self, text: bytes, times: int = 1) -> None:
        """The next requests that hold `text` are done by the server; their replies and connections are lost."""
        self._lose[text] += times

    def to_lose(self, request: bytes) -> list[bytes]:
        """For which texts the reply to this request is lost; each counts once."""
        found = [text for text in self._lose if text in request]
        self._lose.subtract(found)
        self._lose = +self._lose
        return found

    def cut(self) -> None:
        """Break every connection now."""
        for link in self._links:
            link.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links.add(task)
        try:
            if not self.down:
                await self._link(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass  # either end is gone, or cut() was called
        finally:
            self._links.discard(task)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection(*self._target)
        lose: list[bytes] = []

        async def requests() -> None:
            while data := await reader.read(1 << 20):
                lose.extend(self.to_lose(data))
                ahead.write(data)
                await ahead.drain()

        async def replies() -> None:
            while data := await behind.read(1 << 20):
                if lose:
                    self.lost.update(lose)
                    return
                writer.write(data)
                await writer.drain()

        pumps = [asyncio.create_task(requests()), asyncio.create_task(replies())]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ahead.transport.abort()  # before anything is awaited: cut() may come while this link ends by itself
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
