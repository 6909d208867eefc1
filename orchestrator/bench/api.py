"""`triarch bench api`: requests a second and their latency, against three nodes with their server.

Eight clients on connections that stay open, spread over the nodes: each asks for the list of processors (a read from
the leader, passed on by the followers), nine times, then updates a processor (a replicated write). The ceiling beside
it is `/healthz` of the same nodes: HTTP alone.

With `--components` it is a plant at work that is asked, at a fixed rate: `orchestrator.bench.api_plant`.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx

from orchestrator.bench import api_plant
from orchestrator.bench.figures import latency, say
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import run_bench
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports

CLIENTS = 8
READS_PER_WRITE = 9
PROCESSORS = 10
SHARE = 0.15  # of the time given, for each phase; starting takes the rest

Ask = Callable[[httpx.AsyncClient, int, int], Awaitable[httpx.Response]]
"""One request of client `n`, its `k`-th."""


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("api", options, api_plant.measure if options.components else measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """Run ceiling, reads, writes and the mixture of both. Raises MeasurementFailed for any refusal."""
    phase_s = max(1.0, options.seconds * SHARE)
    async with LocalPlant(on_free_ports(directory)) as plant:
        await plant.wait_ready()
        for number in range(PROCESSORS):
            body = {"id": f"bench-{number}", "capabilities": ["none"], "capacity": 1}
            answer = await plant.call("POST", "/processors/register", json=body)
            if answer.status_code != 201:
                raise MeasurementFailed(f"registration: {answer.status_code} {answer.text[:200]}")
        report: dict[str, Any] = {"ok": False, "clients": CLIENTS}
        for prefix, ask in (("ceiling_", _healthz), ("read_", _read), ("write_", _write), ("", _mixed)):
            say(f"bench api: {prefix.rstrip('_') or 'mixed'}")
            durations, elapsed = await _load(plant, ask, phase_s)
            report[f"{prefix}requests_per_s"] = round(len(durations) / elapsed, 1)
            report |= latency(durations, prefix)
        report["ratio"] = round(report["requests_per_s"] / report["ceiling_requests_per_s"], 3)
        report["ok"] = True
    return report


async def _load(plant: LocalPlant, ask: Ask, seconds: float) -> tuple[list[float], float]:
    durations: list[float] = []
    apis = plant.topology.apis
    began = time.monotonic()

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=apis[number % len(apis)], timeout=10.0, trust_env=False) as http:
            count = 0
            while time.monotonic() < began + seconds:
                sent = time.perf_counter()
                answer = await ask(http, number, count)
                durations.append(time.perf_counter() - sent)
                if answer.is_error:
                    raise MeasurementFailed(f"{answer.request.url}: {answer.status_code} {answer.text[:200]}")
                count += 1

    await asyncio.gather(*(client(number) for number in range(CLIENTS)))
    return durations, time.monotonic() - began


async def _healthz(http: httpx.AsyncClient, _client: int, _count: int, /) -> httpx.Response:
    return await http.get("/healthz")


async def _read(http: httpx.AsyncClient, _client: int, _count: int, /) -> httpx.Response:
    return await http.get("/processors")


async def _write(http: httpx.AsyncClient, client: int, count: int, /) -> httpx.Response:
    return await http.patch(f"/processors/bench-{client}", json={"capacity": 1 + count % 1_000})


async def _mixed(http: httpx.AsyncClient, client: int, count: int, /) -> httpx.Response:
    ask = _write if count % (READS_PER_WRITE + 1) == READS_PER_WRITE else _read
    return await ask(http, client, count)
