"""The load of `triarch bench api --components …`: requests at a fixed rate, whether or not earlier ones are answered.

Prints one JSON object for each line of standard input: the figures of a run. A request has a time when it is due; its
latency counts from then, so what a slow answer holds up is counted too. Requests go to the nodes in turn, each on a
kept connection that is free, or a new one.
"""

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import count
from typing import NamedTuple, cast
from urllib.parse import urlsplit

import uvloop

from orchestrator.bench.figures import latency

READS: tuple[tuple[str, int], ...] = (
    ("/v1/components/fleet-{component:04}", 30),
    ("/v1/components", 2),
    ("/v1/components?state=FAULT", 3),
    ("/v1/components/fleet-{component:04}/policy", 5),
    ("/v1/processors/bench-{processor:03}", 10),
    ("/v1/processors", 5),
    ("/v1/cluster", 10),
    ("/health", 10),
    ("/v1/alerts", 8),
    ("/v1/executions", 5),
    ("/v1/variables", 4),
    ("/v1/frames/stats", 5),
    ("/v1/frames/lag", 3),
)
"""Target and weight, of 100: what pages and people look at. Every other one with `consistency=stale`."""
WRITES: tuple[tuple[str, str, str], ...] = (
    ("PUT", "/v1/variables/bench.{turn}", '{{"value":{number}}}'),
    ("PUT", "/v1/components/fleet-{component:04}/desired", '{{"state":null}}'),
    ("PATCH", "/v1/processors/bench-{processor:03}", '{{"labels":{{"turn":"{turn}"}}}}'),
)
"""In turn."""
CONNECTIONS_MAX = 256
"""To one node."""
ANSWER_S = 10.0
STEP = 0.6180339887
"""Of the golden ratio: deals weights out evenly, without a rhythm."""


class Request(NamedTuple):
    """One request, to which node, and under which name it is reported."""

    name: str
    node: int
    raw: bytes
    write: bool


class Connection(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._wanted = 0
        self._status = 0
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed"))

    async def ask(self, raw: bytes) -> int:
        """The status of the answer. Raises OSError, TimeoutError."""
        if self.transport is None:
            raise ConnectionResetError("closed")
        self._answer = asyncio.get_running_loop().create_future()
        self.transport.write(raw)
        async with asyncio.timeout(ANSWER_S):
            return await self._answer

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._wanted:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            head = bytes(self._buffer[:end]).lower()
            self._status = int(head[9:12])
            length = 0
            for line in head.split(b"\r\n"):
                if line.startswith(b"content-length:"):
                    length = int(line[15:])
            self._wanted = end + 4 + length
        if len(self._buffer) >= self._wanted:
            del self._buffer[: self._wanted]
            self._wanted = 0
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(self._status)


class Load:
    """Asks for `seconds`, and says how long it took."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._seconds: float = arguments.seconds
        self._hosts = [(urlsplit(api).hostname or "127.0.0.1", urlsplit(api).port or 80) for api in arguments.apis]
        self._arguments = arguments
        self._free: list[list[Connection]] = [[] for _ in self._hosts]
        self._open = [0] * len(self._hosts)
        self.waits: dict[tuple[str, int, bool], list[float]] = defaultdict(list)
        self.refused: Counter[str] = Counter()

    async def run(self) -> dict[str, object]:
        """Everything; the figures."""
        arguments = self._arguments
        asking = [self._ask_all(arguments.rate, _reads(arguments, len(self._hosts)), 0.0)]
        if arguments.write_rate and arguments.what == "mixture":
            asking.append(self._ask_all(arguments.write_rate, _writes(arguments, len(self._hosts)), 0.5))
        began = time.monotonic()
        await asyncio.gather(*asking)
        return self._figures(time.monotonic() - began)

    async def _ask_all(self, rate: float, requests: Iterator[Request], offset: float) -> None:
        began = time.monotonic()
        tasks: set[asyncio.Task[None]] = set()
        for number in range(int(rate * self._seconds)):
            due = began + (number + offset) / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._one(next(requests), due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    async def _one(self, request: Request, due: float) -> None:
        free = self._free[request.node]
        try:
            connection = free.pop() if free else await self._connect(request.node)
            status = await connection.ask(request.raw)
        except (OSError, TimeoutError) as error:
            self.refused[f"{request.name} {type(error).__name__}"] += 1
            return
        free.append(connection)
        self.waits[request.name, request.node, request.write].append(time.monotonic() - due)
        if status >= 400:
            self.refused[f"{request.name} {status}"] += 1

    async def _connect(self, node: int) -> Connection:
        if self._open[node] >= CONNECTIONS_MAX:
            raise ConnectionRefusedError(f"{CONNECTIONS_MAX} connections are open already")
        self._open[node] += 1
        host, port = self._hosts[node]
        _, connection = await asyncio.get_running_loop().create_connection(Connection, host, port)
        return connection

    def _figures(self, elapsed: float) -> dict[str, object]:
        def of(write: bool | None = None, node: int | None = None, name: str | None = None) -> list[float]:
            return [
                wait
                for (known, at, writes), waits in self.waits.items()
                if write in (None, writes) and node in (None, at) and name in (None, known)
                for wait in waits
            ]

        everything = of()
        if not everything:
            raise RuntimeError(f"no request was answered: {dict(self.refused)}")
        report: dict[str, object] = {"requests_per_s": round(len(everything) / elapsed, 1), **latency(everything)}
        for write, prefix in ((False, "read_"), (True, "write_")):
            if waits := of(write):
                report |= {f"{prefix}s": len(waits), **latency(waits, prefix)}
        names = sorted({name for name, _, _ in self.waits})
        report["endpoints"] = {name: {"requests": len(of(name=name)), **latency(of(name=name))} for name in names}
        nodes = {f"n{at + 1}": of(node=at) for at in range(len(self._hosts))}
        report["nodes"] = {name: latency(waits) for name, waits in nodes.items() if waits}
        report["refused"] = dict(self.refused)
        report["connections"] = self._open
        return report


def _reads(arguments: argparse.Namespace, nodes: int) -> Iterator[Request]:
    if arguments.what == "ceiling":
        for number in count():
            yield Request("GET /healthz", number % nodes, _raw("GET", "/healthz"), write=False)
    kinds = [path for path, weight in READS for _ in range(weight)]
    if not arguments.processors:
        kinds = [path for path in kinds if "{processor" not in path]
    place = 0.0
    for number in count():
        place = (place + STEP) % 1
        template = kinds[int(place * len(kinds))]
        target = _filled(template, number, arguments)
        stale = number // nodes % 2 == 0
        if stale:
            target += ("&" if "?" in target else "?") + "consistency=stale"
        name = f"GET {_name(template)}" + (" stale" if stale else "")
        yield Request(name, number % nodes, _raw("GET", target), write=False)


def _writes(arguments: argparse.Namespace, nodes: int) -> Iterator[Request]:
    kinds = [kind for kind in WRITES if arguments.processors or "{processor" not in kind[1]]
    for number in count():
        method, template, body = kinds[number % len(kinds)]
        raw = _raw(method, _filled(template, number, arguments), _filled(body, number, arguments))
        yield Request(f"{method} {_name(template)}", (number // len(kinds)) % nodes, raw, write=True)


def _filled(template: str, number: int, arguments: argparse.Namespace) -> str:
    return template.format(
        component=7 * number % arguments.components,
        processor=number % max(1, arguments.processors),
        turn=number % 10,
        number=number,
    )


def _name(template: str) -> str:
    for part, shown in (("fleet-{component:04}", "{id}"), ("bench-{processor:03}", "{id}"), ("bench.{turn}", "{name}")):
        template = template.replace(part, shown)
    return template


def _raw(method: str, target: str, body: str = "") -> bytes:
    head = f"{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nUser-Agent: triarch-bench\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return f"{head}\r\n{body}".encode()


async def _obey(arguments: argparse.Namespace) -> None:
    for _ in iter(sys.stdin.readline, ""):
        gc.freeze()
        sys.stdout.write(json.dumps(await Load(arguments).run()) + "\n")
        sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> None:
    """Obey until standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--apis", nargs="+", required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--write-rate", type=float, required=True)
    parser.add_argument("--what", choices=("ceiling", "mixture"), required=True)
    parser.add_argument("--components", type=int, required=True)
    parser.add_argument("--processors", type=int, required=True)
    uvloop.run(_obey(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
