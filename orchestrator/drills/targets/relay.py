"""A TCP relay that can stop delivering, in one direction or in both: a cut between two processes of one machine.

What arrives while a direction is held is kept and delivered when it is released, as TCP does after packets were lost; a
connection that is asked for meanwhile is made only then. Neither end is told anything.
"""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

CHUNK = 1 << 16


class Gate:
    """One direction. `held`: bytes that were kept back so far, `waiting`: connections that were asked for meanwhile."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self.held = 0
        self.waiting = 0

    @property
    def is_open(self) -> bool:
        """Whether what arrives is delivered."""
        return self._open.is_set()

    def hold(self) -> None:
        """Deliver nothing more."""
        self._open.clear()

    def release(self) -> None:
        """Deliver what was kept, and what comes."""
        self._open.set()

    async def passed(self, size: int) -> None:
        """Wait until `size` bytes may go on."""
        if not self._open.is_set():
            self.held += size
            await self._open.wait()

    async def connected(self) -> None:
        """Wait until a connection may be made."""
        if not self._open.is_set():
            self.waiting += 1
            await self._open.wait()


class Relay:
    """From `port` of 127.0.0.1 to `target`. `there`: to the target; `back`: from it."""

    def __init__(self, port: int, target: tuple[str, int]) -> None:
        self.port = port
        self.there, self.back = Gate(), Gate()
        self._target = target
        self._server: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    @property
    def held(self) -> int:
        """Bytes and connections that were kept back so far."""
        return sum(gate.held + gate.waiting for gate in (self.there, self.back))

    def release(self) -> None:
        """Deliver again, in both directions."""
        self.there.release()
        self.back.release()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - the server runs this as one
        self._links.add(task)
        try:
            await self._link(reader, writer)
        except OSError:
            pass  # an end went away: the other one is told by the closing
        finally:
            self._links.discard(task)
            writer.transport.abort()

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.there.connected()
        behind, ahead = await asyncio.open_connection(*self._target)
        pumps = [
            asyncio.ensure_future(_pump(reader, ahead, self.there)),
            asyncio.ensure_future(_pump(behind, writer, self.back)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ahead.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gate: Gate) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            await gate.passed(len(data))
            writer.write(data)
            await writer.drain()
        await gate.passed(1)  # the end of a connection travels like data
