"""Many components in one process, as far as the orchestrator can see: the load of `triarch bench components`.

Each has a connection of its own, registers and sends heartbeats by the documented HTTP; none listens for commands. They
are spread over the nodes. Bytes are prepared beforehand, so that the load costs little beside what is measured.

It reads orders from standard input, one a line, and prints one JSON object for each:

    register        {"registered": N, "seconds": S, "repeated": N}     each sends heartbeats as soon as it is registered
    silence N       {"silent": {id: monotonic time of its last heartbeat}}
    count           {"beats": N, "refused": N, "late_p99_ms": L}    since the last count; L: sent until answered
"""

import argparse
import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import uvloop

from orchestrator.bench.figures import percentile

AT_ONCE = 100
"""Registrations under way."""
ANSWER_S = 10.0
AGAIN = frozenset({0, 502, 503, 504})
"""Answers after which a component tries again; 0: there was none."""
REGISTER_AGAIN_S = 0.1


class Fleet:
    """`count` components named `fleet-0000` and so on."""

    def __init__(self, apis: Sequence[str], count: int, heartbeat_s: float) -> None:
        self._heartbeat_s = heartbeat_s
        self.members = [_Member(f"fleet-{number:04}", apis[number % len(apis)]) for number in range(count)]
        self._beating: list[asyncio.Task[None]] = []
        self.beats = 0
        self.refused = 0
        self.repeated = 0
        self.waits: list[float] = []

    async def register(self) -> dict[str, Any]:
        """Register everyone. Raises RuntimeError for a refusal."""
        began = time.monotonic()
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(number: int, member: "_Member") -> None:
            while True:
                async with turn:
                    status = await member.register()
                if status in (200, 201):
                    break
                if status not in AGAIN:
                    raise RuntimeError(f"{member.id}: registration answered {status}")
                self.repeated += 1
                await asyncio.sleep(REGISTER_AGAIN_S)
            # Processes do not start in step: each has a place of its own in the interval.
            first = time.monotonic() + self._heartbeat_s * (number * 0.618 % 1)
            self._beating.append(asyncio.create_task(self._beat(member, first)))

        await asyncio.gather(*(one(number, member) for number, member in enumerate(self.members)))
        seconds = round(time.monotonic() - began, 3)
        return {"registered": len(self.members), "seconds": seconds, "repeated": self.repeated}

    async def _beat(self, member: "_Member", due: float) -> None:
        while not member.silent:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if member.silent:
                return
            sent = time.monotonic()
            status = await member.heartbeat()
            self.waits.append(time.monotonic() - sent)
            self.beats += 1
            if status == 204:
                member.heard_at = sent
            else:
                self.refused += 1
            due = max(due + self._heartbeat_s, time.monotonic() - self._heartbeat_s)

    def silence(self, count: int) -> dict[str, Any]:
        """Stop the heartbeats of the first `count` that still beat."""
        quiet, self.members = self.members[:count], self.members[count:]
        for member in quiet:
            member.silent = True
        return {"silent": {member.id: member.heard_at for member in quiet}}

    def count(self) -> dict[str, Any]:
        """What was sent since the last count."""
        late = round(percentile(self.waits, 0.99) * 1_000, 1) if self.waits else 0.0
        found = {"beats": self.beats, "refused": self.refused, "late_p99_ms": late}
        self.beats, self.refused, self.waits = 0, 0, []
        return found


class _Member:
    """One component: its connection, and its requests as bytes."""

    def __init__(self, component_id: str, api: str) -> None:
        self.id = component_id
        self.heard_at = 0.0
        self.silent = False
        parts = urlsplit(api)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        registration = {"id": component_id, "address": "http://127.0.0.1:9", "incarnation": "1", "sequence": 0}
        payload = {"state": "READY", "incarnation": "1", "sequence": 0, "cpu": 0.01, "memory": 30_000_000}
        payload["metrics"] = {"speed": 12.5, "temperature": 40.0}
        event = {"type": "component.heartbeat", "source": component_id, "payload": payload}
        self._registration = self._request("/v1/components", registration)
        self._heartbeat = self._request("/event", event)
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def _request(self, path: str, document: dict[str, Any]) -> bytes:
        body = json.dumps(document).encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\nContent-Type: application/json\r\n"
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    async def register(self) -> int:
        return await self._ask(self._registration)

    async def heartbeat(self) -> int:
        return await self._ask(self._heartbeat)

    async def _ask(self, request: bytes) -> int:
        """The status; 0 when there was no answer. A kept connection that has ended is opened once more."""
        for _ in range(2):
            kept = self._streams is not None
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await self._exchange(request)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
                self._lose()
                if not kept:
                    return 0
        return 0

    async def _exchange(self, request: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line[15:]))
        return status

    def _lose(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _obey(fleet: Fleet) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := (await reader.readline()).decode().split():
        match line:
            case ["register"]:
                answer = await fleet.register()
            case ["silence", count]:
                answer = fleet.silence(int(count))
            case _:
                answer = fleet.count()
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Obey until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--api", action="append", required=True)
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--heartbeat-s", type=float, default=1.0)
    arguments = parser.parse_args()

    async def run() -> None:
        await _obey(Fleet(arguments.api, arguments.count, arguments.heartbeat_s))

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(run())


if __name__ == "__main__":
    main()
