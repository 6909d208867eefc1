"""A component for all that the fuzz campaign registers: whoever is asked at its address answers as one.

So what a node says of a component is said of one that is there: a 502 or 504 is the node's own fault. Commands of the
lifecycle are done at once, others are refused; a health URL is well.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from orchestrator.lifecycle import Command, State

REACHED = {
    Command.INITIALIZE: State.INIT_COMPLETE,
    Command.START: State.STARTED,
    Command.GRACEFUL_STOP: State.STOPPED,
    Command.RESET: State.READY,
}


class Answering:
    """`address`: where it listens. `commands`: how many it was sent."""

    def __init__(self) -> None:
        self.commands = 0
        self.address = ""
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Answering"]:
        """While in it, whoever connects is answered."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for writer in self._open:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
                while True:
                    head = (await reader.readuntil(b"\r\n\r\n")).lower()
                    length = int(head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0] or b"0")
                    status, answer = self._answer(await reader.readexactly(length))
                    content = json.dumps(answer).encode()
                    writer.write(
                        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                        % (status, len(content), content)
                    )
                    await writer.drain()
        finally:
            self._open.discard(writer)
            writer.transport.abort()

    def _answer(self, body: bytes) -> tuple[bytes, dict[str, Any]]:
        if not body:
            return b"200 OK", {}
        event = json.loads(body)
        if "command" not in event.get("payload", {}):
            return b"200 OK", {}
        self.commands += 1
        command = event["payload"]["command"]
        if command not in REACHED:
            return b"409 Conflict", {"code": "command_refused", "detail": f"{command} is not known here"}
        answer = {"component_id": event["target"], "command": command, "key": event["idempotency_key"]}
        return b"200 OK", {**answer, "state": REACHED[command], "completed": True}
