"""The client's side of `orchestrator.bench.member`: one connection a member, any number of requests under way."""

import asyncio
import itertools
from typing import Any

import msgspec

from orchestrator.bench.member import LINE_BYTES_MAX


class Unanswered(Exception):
    """The member cannot be reached, or did not answer in time: whether it did what was asked is not known."""


class Declined(Exception):
    """The member answered that it did not do it, or does not know whether it did: `code` says which."""

    def __init__(self, code: str, leader: str | None) -> None:
        super().__init__(code)
        self.code = code
        self.leader = leader


class Asking:
    """Asks one member; connects when there is no connection."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ids = itertools.count()
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter | None = None
        self._reading: asyncio.Task[None] | None = None
        self._connecting = asyncio.Lock()

    async def ask(self, op: str, *, timeout: float = 2.0, **fields: Any) -> dict[str, Any]:
        """The answer. Raises Unanswered, Declined. `timeout` is passed on as the operation's own."""
        number = next(self._ids)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(timeout):
                writer = self._writer
                if writer is None or writer.is_closing():
                    writer = await self._connect()
                self._waiting[number] = answer
                writer.write(msgspec.json.encode({"id": number, "op": op, "timeout": timeout, **fields}) + b"\n")
                found = await answer
        except (OSError, TimeoutError) as error:
            raise Unanswered(f"port {self._port}: {str(error) or 'no answer in time'}") from error
        finally:
            self._waiting.pop(number, None)
        if "error" in found:
            raise Declined(found["error"], found.get("leader"))
        return found

    async def close(self) -> None:
        """End the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        self._lose()

    async def _connect(self) -> asyncio.StreamWriter:
        async with self._connecting:
            if self._writer is None or self._writer.is_closing():
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port, limit=LINE_BYTES_MAX)
                self._reading = asyncio.create_task(self._read(reader, self._writer))
            return self._writer

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                answer = msgspec.json.decode(line)
                waiting = self._waiting.get(answer["id"])
                if waiting is not None and not waiting.done():
                    waiting.set_result(answer)
        except OSError:  # the member was killed: as if it had closed the connection
            pass
        finally:
            if self._writer is writer:
                self._lose()

    def _lose(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionResetError("the connection was lost"))
