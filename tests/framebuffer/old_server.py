"""A server of long ago, as far as whoever inspects it asks: it answers INFO and CONFIG GET, and knows no functions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


@asynccontextmanager
async def old_server(info: str) -> AsyncIterator[str]:
    """Its URL. `info`: lines of INFO, `name:value` each."""
    asked: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        asked.add(task)
        try:
            while header := await reader.readline():
                command = [await _argument(reader) for _ in range(int(header[1:]))]
                writer.write(_reply(command[0].upper(), info))
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client has gone
        finally:
            asked.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
        for task in tuple(asked):
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await server.wait_closed()


async def _argument(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


def _reply(command: bytes, info: str) -> bytes:
    if command == b"INFO":
        text = info.replace("\n", "\r\n").encode()
        return b"$%d\r\n%b\r\n" % (len(text), text)
    if command == b"CONFIG":
        return b"*2\r\n$4\r\nsave\r\n$0\r\n\r\n"
    if command == b"SELECT":
        return b"+OK\r\n"
    return b"-ERR unknown command `%b`, with args beginning with: \r\n" % command
