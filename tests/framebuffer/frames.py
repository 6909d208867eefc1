"""What the stream tests say often: frames, tables, and letting frames run through."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, OutgoingFrame, RoutingRow, RoutingTable, Settlement, TakenFrame

EPOCH = (3, 17)
NODE = "n1"


def frame(sequence: int, capability: str = "default", payload: bytes = b"jpeg") -> OutgoingFrame:
    return OutgoingFrame(f"cam-{sequence}", sequence, b'{"n":1}', payload, capability, 0, f"00-trace-{sequence}-01")


def frames(start: int, stop: int, capability: str = "default") -> list[OutgoingFrame]:
    return [frame(sequence, capability) for sequence in range(start, stop)]


def table(*rows: tuple[str, str, int]) -> RoutingTable:
    """Rows of (processor, capabilities separated by commas, capacity)."""
    return RoutingTable(rows=tuple(RoutingRow(name, tuple(can.split(",")), capacity) for name, can, capacity in rows))


async def opened(streams: FrameStreams, camera: str = "cam") -> CameraSession:
    """The camera's session, with this test's leader in place."""
    session = await streams.open_camera(camera)
    await streams.fence(EPOCH, NODE)
    return session


async def settle_all(streams: FrameStreams, processor: str, taken: Iterable[TakenFrame]) -> list[str]:
    settlements = [Settlement(one.entry_id, result=b"{}") for one in taken]
    return list(await streams.settle(processor, "c", settlements))


async def entries(redis: Redis, stream: str) -> list[dict[bytes, bytes]]:
    """What a stream holds, oldest first."""
    return [dict(fields) for _, fields in await redis.xrange(stream)]


async def add_copy(redis: Redis, stream: str, entry: dict[bytes, bytes]) -> None:
    """Adds an entry behind the library's back."""
    await execute(redis, "XADD", stream, "*", *(part for pair in entry.items() for part in pair))


class ReplyDropper:
    """A TCP proxy that can cut a connection between a request and its reply: the request has had its effect."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._needle = b""
        self._drops = 0
        self.dropped = 0

    @property
    def url(self) -> str:
        assert self._server is not None
        return f"redis://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/0"

    def drop_replies_to(self, needle: bytes, times: int = 1) -> None:
        """Lose the reply to the next requests that contain ``needle``."""
        self._needle, self._drops = needle, times

    async def __aenter__(self) -> "ReplyDropper":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._target)
        cut = False

        async def forth() -> None:
            nonlocal cut
            while data := await reader.read(1 << 20):
                if self._drops and self._needle in data:
                    self._drops -= 1
                    cut = True
                server_writer.write(data)
                await server_writer.drain()

        async def back() -> None:
            while data := await server_reader.read(1 << 20):
                if cut:
                    self.dropped += 1
                    return
                writer.write(data)
                await writer.drain()

        ways = [asyncio.create_task(forth()), asyncio.create_task(back())]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            for end in (writer, server_writer):
                end.close()
                with suppress(ConnectionError):
                    await end.wait_closed()
            self._connections.discard(task)
