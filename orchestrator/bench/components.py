"""`triarch bench components`: a thousand components on three nodes, fsync on.

How long it takes to register them; then, while all of them send heartbeats every second: the latency of reads of the
API (one component, and the list of all), and what share of a core the leader takes; then, when some fall silent, how
long it takes until they are shown as UNRESPONSIVE. Everything is asked from outside, over HTTP.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from orchestrator.bench.figures import latency, percentile, say
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import run_bench
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import leashed
from orchestrator.dev.topology import on_free_ports

COMPONENTS = 1_000
HEARTBEAT_S = 1.0
SILENT = 20
LIMIT_S = 3.0
"""`components.heartbeat_timeout_s` as the nodes have it."""
TICK_S = 0.25
"""The leader judges silence once in this time: what it finds within two of them after the limit is in time."""
LOOK_S = 0.1
READS_PER_S = 20.0
"""Of each reader; one asks each node, one in ten for the list."""
LIST_EVERY = 10
REGISTER_MAX_S, READ_P99_MAX_MS, LEADER_CORES_MAX = 5.0, 50.0, 0.5


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code: 0 where all bounds were kept."""
    return run_bench("components", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """The report. Raises MeasurementFailed for a read that is refused, and when leadership changes."""
    steady_s = max(2.0, options.seconds * 0.4)
    async with LocalPlant(on_free_ports(directory)) as plant:
        leader = await plant.wait_ready()
        pid = plant.node(leader.node_id).pid
        async with fleet(plant, COMPONENTS, HEARTBEAT_S) as order:
            report: dict[str, Any] = {"ok": False, "components": COMPONENTS, "heartbeat_s": HEARTBEAT_S}
            say(f"bench components: {COMPONENTS} register")
            registered = await order("register")
            report["register_s"] = registered["seconds"]
            report["registrations_repeated"] = registered["repeated"]
            await asyncio.sleep(2 * HEARTBEAT_S)  # everyone has sent one
            await order("count")
            say("bench components: heartbeats and reads")
            spent, began = cpu_s(pid), time.monotonic()
            one, everything = await _read(plant, steady_s)
            elapsed = time.monotonic() - began
            report["leader_cores"] = round((cpu_s(pid) - spent) / elapsed, 3)
            counted = await order("count")
            report["heartbeats_not_taken"] = counted["refused"]
            report["heartbeats_per_s"] = round(counted["beats"] / elapsed, 1)
            report["heartbeat_p99_ms"] = counted["late_p99_ms"]
            report |= latency([*one, *everything], "read_")
            report |= latency(one, "read_one_") | latency(everything, "read_all_")
            report["reads"] = len(one) + len(everything)
            say(f"bench components: {SILENT} fall silent")
            found = await _silence(plant, (await order(f"silence {SILENT}"))["silent"])
            report["unresponsive_p50_s"] = round(percentile(found, 0.5), 3)
            report["unresponsive_max_s"] = round(max(found), 3)
            report["unresponsive_cycles_after_limit"] = round((max(found) - LIMIT_S) / TICK_S, 2)
            if (await plant.leader()) != leader:
                raise MeasurementFailed("leadership changed in the middle: the figures are of two leaders")
    report["within"] = {
        "register_s": report["register_s"] <= REGISTER_MAX_S,
        "heartbeats_not_taken": report["heartbeats_not_taken"] == 0,
        "read_p99_ms": report["read_p99_ms"] <= READ_P99_MAX_MS,
        "leader_cores": report["leader_cores"] <= LEADER_CORES_MAX,
        "unresponsive_cycles_after_limit": report["unresponsive_cycles_after_limit"] <= 2,
    }
    report["ok"] = all(report["within"].values())
    return report


@asynccontextmanager
async def fleet(plant: LocalPlant, count: int = COMPONENTS, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[Any]:
    """The fleet as a process of its own; what is yielded sends it an order and returns the answer."""
    apis = [part for api in plant.topology.apis for part in ("--api", api)]
    argv = [sys.executable, "-m", "orchestrator.bench.component_fleet", *apis]
    with (plant.topology.logs / "fleet.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *leashed([*argv, "--count", str(count), "--heartbeat-s", str(heartbeat_s)]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None  # noqa: S101 - asked for
    assert stdout is not None  # noqa: S101

    async def order(text: str) -> Any:
        stdin.write(text.encode() + b"\n")
        line = await stdout.readline()
        if not line:
            raise MeasurementFailed(f"the fleet ended; see {plant.topology.logs / 'fleet.log'}")
        return json.loads(line)

    try:
        yield order
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _read(plant: LocalPlant, seconds: float) -> tuple[list[float], list[float]]:
    """Seconds that reads took: of one component, and of all."""
    one: list[float] = []
    everything: list[float] = []
    began = time.monotonic()

    async def reader(api: str, first: int) -> None:
        async with httpx.AsyncClient(base_url=api, timeout=10.0, trust_env=False) as http:
            for number in range(int(seconds * READS_PER_S)):
                await asyncio.sleep(max(0.0, began + number / READS_PER_S - time.monotonic()))
                whole = number % LIST_EVERY == first
                path = "/v1/components" + ("" if whole else f"/fleet-{(7 * number + first) % COMPONENTS:04}")
                sent = time.perf_counter()
                answer = await http.get(path)
                (everything if whole else one).append(time.perf_counter() - sent)
                if answer.is_error or (whole and len(answer.json()) != COMPONENTS):
                    raise MeasurementFailed(f"{path}: {answer.status_code} {answer.text[:200]}")

    await asyncio.gather(*(reader(api, 3 * at) for at, api in enumerate(plant.topology.apis)))
    return one, everything


async def _silence(plant: LocalPlant, silent: dict[str, float]) -> list[float]:
    """Seconds from each one's last heartbeat until it was shown as UNRESPONSIVE."""
    found: dict[str, float] = {}
    deadline = time.monotonic() + 10 * LIMIT_S
    while len(found) < len(silent):
        if time.monotonic() > deadline:
            raise MeasurementFailed(f"only {len(found)} of {len(silent)} that are silent were found")
        shown = (await plant.call("GET", "/v1/components")).json()
        now = time.monotonic()
        for row in shown:
            if row["health"] == "UNRESPONSIVE":
                if row["id"] not in silent:
                    raise MeasurementFailed(f"{row['id']} beats, and is shown as UNRESPONSIVE: {row['health_reason']}")
                found.setdefault(row["id"], now - silent[row["id"]])
        await asyncio.sleep(LOOK_S)
    return list(found.values())


def cpu_s(pid: int) -> float:
    """Seconds of processor time that a process has had, by the kernel's account."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
