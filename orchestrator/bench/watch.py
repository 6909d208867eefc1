"""`triarch bench watch`: how long after a write was answered do those who watch know of it?

Three nodes with their server; watchers by server-sent events, spread over the nodes; changes written to the leader at a
fixed rate. Writers and watchers share one process and so one clock. The ceiling beside it is the same with one watcher.
With components the plant is at work meanwhile: their heartbeats, and frames where there are processors and cameras.
"""

import asyncio
import itertools
import json
import os
import re
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchestrator.bench.api_plant import HEARTBEAT_S, frames_at_work
from orchestrator.bench.api_plant import SETTLE_S as WORK_SETTLE_S
from orchestrator.bench.components import fleet
from orchestrator.bench.figures import latency, percentile, say
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import run_bench
from orchestrator.dev.errors import MeasurementFailed, NotReached
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from orchestrator.dev.waiting import until

WANTED_P99_MS = 100.0
RATE = 200.0
"""Changes a second where nothing else is said."""
RATE_REACHED = 0.9
"""Of what was asked for: delays under a smaller load would say little."""
WRITERS = 32
NAMES = 50
SETTLE_S = 10.0
PART = 1 << 16
_CHANGE = re.compile(rb"id: (\d+)\nevent: change\n")
_KEPT = 64
"""Bytes of one piece that may be the beginning of a match that the next one ends."""


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("watch", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """One watcher for a quarter of the time, then all for all of it."""
    rate = options.rate or RATE
    load = os.getloadavg()[0]  # what else the machine has to do shows in every figure below
    async with AsyncExitStack() as stack:
        plant = await stack.enter_async_context(LocalPlant(on_free_ports(directory)))
        await plant.wait_ready()
        if options.components:
            say(f"bench watch: {options.components} components register")
            order = await stack.enter_async_context(fleet(plant, options.components, HEARTBEAT_S))
            await order("register")
            await frames_at_work(stack, plant, options)
            await asyncio.sleep(WORK_SETTLE_S)  # what registering left behind is not what is measured
        say("bench watch: one watcher")
        alone = await _phase(plant, 1, rate, max(1.0, options.seconds / 4))
        say(f"bench watch: {options.watchers} watchers")
        found = await _phase(plant, options.watchers, rate, options.seconds)
    exact = not (found["lost"] or found["doubled"] or found["disordered"])
    reached = found["writes_per_s"] >= RATE_REACHED * rate
    ok = exact and reached and found["p99_ms"] <= WANTED_P99_MS
    return {
        "ok": ok,
        "watchers": options.watchers,
        **{name: getattr(options, name) for name in ("components", "processors", "cameras")},
        "rate": rate,
        "seconds": options.seconds,
        "load_average_before": round(load, 1),
        "wanted_p99_ms": WANTED_P99_MS,
        **found,
        **{f"ceiling_{name}": alone[name] for name in ("p50_ms", "p99_ms", "max_ms")},
    }


@dataclass(slots=True)
class Watcher:
    """`seen`: (index, monotonic seconds) in the order of arrival."""

    api: str
    seen: list[tuple[int, float]] = field(default_factory=list)
    ready: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self) -> None:
        """Until cancelled. Raises MeasurementFailed when the stream ends."""
        parts = urlsplit(self.api)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        try:
            writer.write(f"GET /v1/watch?subjects=variables HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise MeasurementFailed(f"{self.api}: {head[:200].decode(errors='replace')}")
            await reader.readuntil(b"event: ready\n")
            self.ready.set()
            rest = b""
            while piece := await reader.read(PART):
                now = time.perf_counter()
                text = rest + piece
                end = 0
                for found in _CHANGE.finditer(text):
                    self.seen.append((int(found[1]), now))
                    end = found.end()
                rest = text[max(end, len(text) - _KEPT) :]
        finally:
            writer.close()
        raise MeasurementFailed(f"{self.api} ended a stream")


class Writer:
    """One connection that stays open. `put` answers (index, when it was sent, when it was answered)."""

    def __init__(self, api: str) -> None:
        self._netloc = urlsplit(api).netloc
        self._free = asyncio.Lock()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def put(self, name: str, value: int) -> tuple[int, float, float]:
        """Set a variable. Raises MeasurementFailed for any refusal."""
        async with self._free:
            if self._streams is None:
                host, _, port = self._netloc.rpartition(":")
                self._streams = await asyncio.open_connection(host, int(port))
            reader, writer = self._streams
            body = b'{"value":%d}' % value
            head = f"PUT /v1/variables/{name} HTTP/1.1\r\nHost: {self._netloc}\r\nContent-Type: application/json\r\n"
            sent = time.perf_counter()
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
            text = await reader.readexactly(int(length[1]) if length else 0)
            answered = time.perf_counter()
        if answer.split(b" ", 2)[1] not in (b"200", b"201"):
            raise MeasurementFailed(f"a write was refused: {text[:200].decode(errors='replace')}")
        return int(json.loads(text)["revision"]), sent, answered

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._streams is not None:
            self._streams[1].close()


async def _phase(plant: LocalPlant, count: int, rate: float, seconds: float) -> dict[str, Any]:
    apis = plant.topology.apis
    watchers = [Watcher(apis[number % len(apis)]) for number in range(count)]
    watching = [asyncio.create_task(each.watch()) for each in watchers]
    try:
        async with asyncio.timeout(SETTLE_S + seconds / 2):
            await asyncio.gather(*(each.ready.wait() for each in watchers))
        written = await _written(plant, rate, seconds)
        last = max(index for index, _, _ in written)

        async def arrived() -> bool:
            for task in watching:
                if task.done():
                    task.result()
            return all(each.seen and each.seen[-1][0] >= last for each in watchers)

        try:
            await until(arrived, seconds=SETTLE_S, what="the last change at every watcher")
        except NotReached as error:  # what did not arrive is counted as lost
            say(f"bench watch: {error}")
    finally:
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return _judged(watchers, written)


async def _written(plant: LocalPlant, rate: float, seconds: float) -> list[tuple[int, float, float]]:
    leader = await plant.current_leader(10.0)
    writers = [Writer(plant.topology.node(leader.node_id).api) for _ in range(WRITERS)]
    began = time.perf_counter()
    tasks: list[asyncio.Task[tuple[int, float, float]]] = []
    try:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
            writer = writers[number % WRITERS]
            tasks.append(asyncio.create_task(writer.put(f"bench.{number % NAMES}", number)))
        return list(await asyncio.gather(*tasks))
    finally:
        for writer in writers:
            writer.close()


def _judged(watchers: list[Watcher], written: list[tuple[int, float, float]]) -> dict[str, Any]:
    answered = {index: at for index, _, at in written}
    sent = {index: at for index, at, _ in written}
    delays: list[float] = []
    whole: list[float] = []
    lost = doubled = disordered = 0
    for watcher in watchers:
        counts = Counter(index for index, _ in watcher.seen)
        lost += len(answered.keys() - counts.keys())
        doubled += sum(number - 1 for number in counts.values())
        order = [index for index, _ in watcher.seen]
        disordered += sum(after <= before for before, after in itertools.pairwise(order))
        # A watcher may know before the writer: then it did not wait.
        delays += [max(0.0, at - answered[index]) for index, at in watcher.seen if index in answered]
        whole += [at - sent[index] for index, at in watcher.seen if index in sent]
    if not delays:
        raise MeasurementFailed("no change arrived at any watcher")
    return {
        "writes": len(written),
        "writes_per_s": round(len(written) / max(1e-9, max(answered.values()) - min(sent.values())), 1),
        "deliveries": len(delays),
        "lost": lost,
        "doubled": doubled,
        "disordered": disordered,
        **latency(delays),
        "max_ms": round(max(delays) * 1_000, 3),
        "from_sent_p99_ms": round(percentile(whole, 0.99) * 1_000, 3),
        **latency([at - sent[index] for index, at in answered.items()], "write_"),
    }
