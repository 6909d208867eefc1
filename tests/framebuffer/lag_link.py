"""A TCP link in front of one server on which what goes to its replicas is late, and is gone when the server is killed.

On loopback the kernel delivers what a killed server has sent: such a test proves nothing about replication. Here the
bytes that are under way are lost with `cut`, as on a network whose sender loses power.
"""

import asyncio
import re

from tests.framebuffer.lossy_link import LossyLink

_REPLICA = re.compile(rb"listening-port\r\n\$\d+\r\n(\d+)\r\n", re.IGNORECASE)


class LagLink(LossyLink):
    """`lags`: by the port that a replica announces, seconds; clients and sentinels are not delayed."""

    def __init__(self, url: str, port: int, lags: dict[int, float]) -> None:
        super().__init__(url)
        self._port = port
        self._lags = lags

    async def __aenter__(self) -> "LagLink":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port)
        return self

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind, ahead = await asyncio.open_connection(*self._target)
        late: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        now = asyncio.get_running_loop().time
        lag_s = 0.0
        lose: list[bytes] = []

        async def requests() -> None:
            nonlocal lag_s
            while data := await reader.read(1 << 20):
                if (found := _REPLICA.search(data)) is not None:
                    lag_s = self._lags.get(int(found[1]), 0.0)
                lose.extend(self.to_lose(data))
                ahead.write(data)
                await ahead.drain()

        async def replies() -> None:
            while data := await behind.read(1 << 20):
                if lose:
                    self.lost.update(lose)
                    return
                if lag_s == 0.0 and late.empty():
                    writer.write(data)
                    await writer.drain()
                else:
                    late.put_nowait((now() + lag_s, data))

        async def arrive() -> None:
            while True:
                due, data = await late.get()
                await asyncio.sleep(due - now())
                writer.write(data)
                await writer.drain()

        pumps = [asyncio.create_task(pump()) for pump in (requests, replies, arrive)]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ahead.transport.abort()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
