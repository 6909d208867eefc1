"""Ten thousand connections at once to three nodes, all of them used again and again.

Size: seconds. Each of `CONNECTIONS` connections, shared out among the nodes, asks for something every `EVERY_S` seconds
and is kept open in between, as browsers, SDKs and balancers do. The promises:

    held        no node ends one of them, and each request is answered
    bound       at `api.connections_max` one more is answered 503 `too_many_connections`; once another has left, served
    leader      the same node, under the same epoch
    memory      the largest resident memory of the second half is at most 16 MiB above that of the first half

Reported beside them: what a connection takes of a node's memory, and how long a read takes, each from when it was due,
over these connections and, at the same rate, over `FEW`.
"""

import asyncio
import os
import resource
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from orchestrator.bench.api_load import Connection
from orchestrator.bench.figures import latency
from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.soak.million import growing, mib, resident
from tests.support import eventually

SIZE = 120
CONNECTIONS = 10_000
FEW = 60
EVERY_S = 25.0
"""Less than a node keeps one that asks for nothing."""
OPENING_AT_ONCE = 64
ROOM = 100
"""Of each node's bound, beside these: for what nodes ask each other, and for looking on."""
BOUND = -(-CONNECTIONS // 3) + ROOM
FILES_BESIDE = 500
READS = ("/v1/variables/a", "/v1/cluster", "/v1/processors", "/health", "/v1/alerts", "/v1/executions")
SAMPLES = 20
PATIENCE = 20
LONG_S = 3600.0
BOUND_VARIABLE = "TRIARCH_API__CONNECTIONS_MAX"


class Load:
    """Connections that are used in turn, each every `EVERY_S` seconds."""

    def __init__(self, apis: tuple[str, ...], count: int, every_s: float) -> None:
        self._places = [(urlsplit(api).hostname or "127.0.0.1", urlsplit(api).port or 80) for api in apis]
        self._count = count
        self._every_s = every_s
        self.connections: list[Connection] = []
        self.waits: list[float] = []
        self.refused: Counter[str] = Counter()

    async def open(self) -> None:
        """All of them, each asked once: a node ends one that asks for nothing."""
        turn = asyncio.Semaphore(OPENING_AT_ONCE)

        async def one(number: int) -> None:
            async with turn:
                connection = await connected(self._places[number % len(self._places)])
                self.connections.append(connection)
                await self._ask(number, connection, time.monotonic())

        await asyncio.gather(*(one(number) for number in range(self._count)))
        self.waits.clear()

    async def run(self, seconds: float) -> None:
        """Ask over each in its turn, whether or not earlier ones are answered."""
        pause = self._every_s / len(self.connections)
        began = time.monotonic()
        asking: set[asyncio.Task[None]] = set()
        for number in range(int(seconds / pause)):
            due = began + number * pause
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self._ask(number, self.connections[number % len(self.connections)], due))
            asking.add(task)
            task.add_done_callback(asking.discard)
        await asyncio.gather(*asking)

    async def _ask(self, number: int, connection: Connection, due: float) -> None:
        path = READS[number % len(READS)]
        stale = "?consistency=stale" if number // len(READS) % 2 else ""
        try:
            status = await connection.ask(asking_for(path + stale))
        except (OSError, TimeoutError) as error:
            self.refused[f"{path} {type(error).__name__}"] += 1
            return
        self.waits.append(time.monotonic() - due)
        if status != 200:
            self.refused[f"{path} {status}"] += 1

    def close(self) -> None:
        """End all of them."""
        for connection in self.connections:
            if connection.transport is not None:
                connection.transport.abort()
        self.connections.clear()


async def run(directory: Path, size: float) -> dict[str, Any]:
    """For `size` seconds."""
    allow_files(CONNECTIONS + FILES_BESIDE)
    os.environ[BOUND_VARIABLE] = str(BOUND)  # as an operator sets it; the nodes inherit it
    problems: list[str] = []
    async with LocalPlant(on_free_ports(directory)) as plant:
        leader = await plant.wait_ready()
        apis = plant.topology.apis
        names = [node.id for node in plant.topology.nodes]
        async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
            (await http.put(f"{apis[0]}/v1/variables/a", json={"value": 1})).raise_for_status()

            def memory_now() -> dict[str, int]:
                return {name: resident(plant.node(name).pid) for name in names}

            few = Load(apis, FEW, EVERY_S * FEW / CONNECTIONS)
            await few.open()
            await few.run(size / 4)
            few.close()
            before = memory_now()
            load = Load(apis, CONNECTIONS, EVERY_S)
            began = time.monotonic()
            await load.open()
            opened_s = time.monotonic() - began
            opened = memory_now()
            counted = await open_connections(http, apis)
            memory: dict[str, list[int]] = {name: [] for name in names}
            under_way = asyncio.create_task(load.run(size))
            while not under_way.done():
                for name, now in memory_now().items():
                    memory[name].append(now)
                await asyncio.wait({under_way}, timeout=size / SAMPLES)
            await under_way
            waits, refused = list(load.waits), load.refused + few.refused
            counted_after = await open_connections(http, apis)
            going_on = asyncio.create_task(load.run(LONG_S))  # or their node would end them meanwhile
            try:
                bound = await at_the_bound(apis[0], problems)
            finally:
                going_on.cancel()
                await asyncio.wait({going_on})
            load.close()
        if (found := await plant.leader()) != leader:
            problems.append(f"{leader} led before, and {found or 'nobody'} does now")
    if refused:
        problems.append(f"not answered as they should be: {dict(refused)}")
    for when, open_ in (("after opening", counted), ("at the end", counted_after)):
        if sum(open_) < CONNECTIONS:
            problems.append(f"{when} the nodes counted {open_} open connections, {CONNECTIONS} are wanted")
    problems += [problem for name, samples in memory.items() for problem in growing(name, samples)]
    mine = CONNECTIONS / len(apis)
    return {
        "connections": CONNECTIONS,
        "connections_by_node": counted,
        "connections_by_node_at_the_end": counted_after,
        "opened_s": round(opened_s, 1),
        "seconds": size,
        "reads": len(waits),
        "reads_per_s": round(len(waits) / size, 1),
        **latency(waits, "read_"),
        "few_connections": FEW,
        **latency(few.waits, "few_read_"),
        "kib_per_connection": {name: round((opened[name] - before[name]) / 1024 / mine, 1) for name in names},
        "memory_by_process_mib": {name: mib(samples) for name, samples in memory.items()},
        "connections_max": BOUND,
        "one_more": bound,
        "leader": leader.node_id,
        "problems": problems,
    }


async def at_the_bound(api: str, problems: list[str]) -> dict[str, Any]:
    """Open connections to one node until it takes no more; what it says then, and after one has left."""
    place = (urlsplit(api).hostname or "127.0.0.1", urlsplit(api).port or 80)
    extra: list[Connection] = []
    refusal = b""
    while len(extra) <= BOUND:
        connection = await connected(place)
        if await connection.ask(asking_for("/healthz")) == 503:
            break
        extra.append(connection)
    for _ in range(PATIENCE):  # what it says; one of the others may leave just then
        reader, writer = await asyncio.open_connection(*place)
        writer.write(asking_for("/healthz", "Connection: close\r\n"))
        refusal = await reader.read()
        writer.close()
        if b" 503 " in refusal.partition(b"\r\n")[0]:
            break
    if b"too_many_connections" not in refusal or b"retry-after" not in refusal.lower():
        problems.append(f"one more than the bound was answered {refusal[:300]!r}")
    if extra and (gone := extra.pop().transport) is not None:
        gone.abort()

    async def served() -> bool:
        connection = await connected(place)
        try:
            return await connection.ask(asking_for("/healthz")) == 200
        except OSError:
            return False
        finally:
            if connection.transport is not None:
                connection.transport.abort()

    await eventually(served, deadline_s=10)
    for connection in extra:
        if connection.transport is not None:
            connection.transport.abort()
    return {"taken_beside": len(extra), "answer": refusal.partition(b"\r\n")[0].decode("latin-1")}


async def open_connections(http: httpx.AsyncClient, apis: tuple[str, ...]) -> list[int]:
    """As each node counts them, those among them that nodes, and this client, opened for asking."""
    found = []
    for api in apis:
        lines = (await http.get(f"{api}/metrics")).text.splitlines()
        found.append(int(float(next(line for line in lines if line.startswith("triarch_api_connections ")).split()[1])))
    return found


async def connected(place: tuple[str, int]) -> Connection:
    """A new one. Raises OSError."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, *place)
    return connection


def asking_for(target: str, more: str = "") -> bytes:
    """A request for it; `more`: lines of its head."""
    return f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\n{more}\r\n".encode()


def allow_files(wanted: int) -> None:
    """Raise this process's bound, which the nodes inherit. Raises PlantError where the host gives less."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise PlantError(f"{wanted} open files are wanted, this host allows {hard}: raise the hard limit (ulimit -Hn)")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
