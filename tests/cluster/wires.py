"""The network between real nodes, as far as a test may cut it: a relay for each way in which one dials another."""

import asyncio
from typing import Any

from tests.support import free_port


class Wire:
    """Relays what one node dials at another. Cut, it holds all bytes back, as a network does until TCP sends again."""

    def __init__(self, target: str) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self._target = target
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        """Listen."""
        host, _, port = self.address.rpartition(":")
        self._server = await asyncio.start_server(self._dialled, host, int(port))

    def cut(self) -> None:
        """Nothing passes any more, and nobody is told."""
        self._whole.clear()

    def join(self) -> None:
        """Everything that was held back passes, late."""
        self._whole.set()

    async def stop(self) -> None:
        """Close everything."""
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in list(self._writers):  # of those that were only just dialled, too
            self._close(writer)
        await self._server.wait_closed()
        for _ in range(2):  # the loop closes what was aborted in its next rounds
            await asyncio.sleep(0)

    def _dialled(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        task = asyncio.get_running_loop().create_task(self._relay(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        host, _, port = self._target.rpartition(":")
        try:
            back, forth = await asyncio.open_connection(host, int(port))
        except OSError:
            self._close(writer)
            return
        self._writers.add(forth)
        pumps = [asyncio.ensure_future(self._pump(reader, forth)), asyncio.ensure_future(self._pump(back, writer))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        for end in (writer, forth):
            self._close(end)

    def _close(self, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()
        self._writers.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(1 << 16):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        except (ConnectionError, TimeoutError):
            return  # one side is gone: so is the other


class Wires:
    """Wires between all of these `(id, address)`. Nothing else connects them."""

    def __init__(self, members: Any) -> None:
        ids = {member.id: member.address for member in members}
        self._wires = {(one, other): Wire(ids[other]) for one in ids for other in ids if one != other}

    def address(self, one: str, other: str) -> str:
        """Where `one` dials `other`."""
        return self._wires[one, other].address

    async def start(self) -> None:
        """Listen."""
        for wire in self._wires.values():
            await wire.start()

    async def stop(self) -> None:
        """Close everything."""
        for wire in self._wires.values():
            await wire.stop()

    def isolate(self, node_id: str) -> None:
        """Cut a node off from all others."""
        for pair, wire in self._wires.items():
            if node_id in pair:
                wire.cut()

    def heal(self) -> None:
        """Join everything."""
        for wire in self._wires.values():
            wire.join()
