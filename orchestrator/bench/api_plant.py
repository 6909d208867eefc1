"""`triarch bench api --components N …`: the API of a plant at work, asked at a fixed rate on all three nodes.

Components send a heartbeat a second; cameras publish a frame a second each, and processors take and settle them. Then
`orchestrator.bench.api_load` asks `/healthz` at the rate given (the ceiling: HTTP alone, on the same busy machine), and
after it the mixture of reads and writes: a few seconds for what is there the first time only, reported by themselves
(`first_read_p99_ms`, `first_write_p99_ms`), and then the figures. A request is timed from when it was due, not from
when it could be sent.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from orchestrator.bench.components import cpu_s, fleet
from orchestrator.bench.figures import say
from orchestrator.bench.options import BenchOptions
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import leashed
from orchestrator.dev.topology import on_free_ports

HEARTBEAT_S = 1.0
SETTLE_S = 3.0
"""After everybody has registered: what that left behind is not what is measured."""
RATE = 500.0
"""Reads a second where nothing else is said."""
FIRST_S = 3.0
"""A node that is asked for the first time makes the texts of its lists and opens its connections to the server."""
CEILING_SHARE, LOAD_SHARE = 0.1, 0.6
"""Of the time given; starting and registering take the rest."""
READ_P99_MAX_MS, WRITE_P99_MAX_MS = 20.0, 30.0


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """The report. Raises MeasurementFailed when a part of the load ends."""
    async with AsyncExitStack() as stack:
        plant = await stack.enter_async_context(LocalPlant(on_free_ports(directory)))
        leader = await plant.wait_ready()
        order = await stack.enter_async_context(fleet(plant, options.components, HEARTBEAT_S))
        say(f"bench api: {options.components} components register")
        report: dict[str, Any] = {"ok": False, **_asked(options), "register_s": (await order("register"))["seconds"]}
        frames = await frames_at_work(stack, plant, options)
        await asyncio.sleep(SETTLE_S)
        say("bench api: ceiling")
        ceiling = await _load(plant, options, options.seconds * CEILING_SHARE, "ceiling")
        say("bench api: the first seconds")
        first = await _load(plant, options, FIRST_S, "mixture")
        say("bench api: reads and writes")
        pids = {node.id: plant.node(node.id).pid for node in plant.topology.nodes}
        await order("count")
        spent, began = {name: cpu_s(pid) for name, pid in pids.items()}, time.monotonic()
        before = await frames("count") if frames else None
        found = await _load(plant, options, options.seconds * LOAD_SHARE, "mixture")
        elapsed = time.monotonic() - began
        report |= found
        report["ceiling_p50_ms"], report["ceiling_p99_ms"] = ceiling["p50_ms"], ceiling["p99_ms"]
        report["first_read_p99_ms"], report["first_write_p99_ms"] = first["read_p99_ms"], first.get("write_p99_ms")
        report["ratio"] = round(ceiling["p99_ms"] / found["p99_ms"], 3)
        report["cores"] = {name: round((cpu_s(pid) - spent[name]) / elapsed, 3) for name, pid in pids.items()}
        report["leader"] = str(leader)
        counted = await order("count")
        report["heartbeats_per_s"] = round(counted["beats"] / elapsed, 1)
        report["heartbeats_not_taken"] = counted["refused"]
        report["heartbeat_p99_ms"] = counted["late_p99_ms"]
        if frames and before:
            after = await frames("count")
            report["frames_per_s"] = round((after["settled"] - before["settled"]) / elapsed, 1)
            report["processor_heartbeats_missed"] = after["missed"] - before["missed"]
        report["leader_at_the_end"] = str(await plant.leader())
    report["within"] = {
        "one_leader": report["leader_at_the_end"] == report["leader"],
        "read_p99_ms": report["read_p99_ms"] <= READ_P99_MAX_MS,
        "write_p99_ms": options.write_rate == 0 or report["write_p99_ms"] <= WRITE_P99_MAX_MS,
        "refused": not report["refused"],
        "heartbeats_not_taken": report["heartbeats_not_taken"] == 0,
        "requests_per_s": report["requests_per_s"] >= 0.98 * ((options.rate or RATE) + options.write_rate),
    }
    report["ok"] = all(report["within"].values())
    return report


def _asked(options: BenchOptions) -> dict[str, Any]:
    names = ("components", "processors", "cameras", "rate", "write_rate")
    return {name: getattr(options, name) for name in names}


async def frames_at_work(stack: AsyncExitStack, plant: LocalPlant, options: BenchOptions) -> Any:
    """Processors that work and cameras that publish, in a process of their own; None where there are none."""
    if not options.processors:
        return None
    say(f"bench: {options.processors} processors, {options.cameras} cameras")
    argv = ["orchestrator.bench.api_frames", "--redis", plant.topology.redis_url, "--apis", *plant.topology.apis]
    argv += ["--processors", str(options.processors), "--cameras", str(options.cameras)]
    order = await stack.enter_async_context(_part(plant, "frames", argv))
    await order("start")
    return order


async def _load(plant: LocalPlant, options: BenchOptions, seconds: float, what: str) -> dict[str, Any]:
    argv = ["orchestrator.bench.api_load", "--apis", *plant.topology.apis, "--seconds", str(max(2.0, seconds))]
    argv += ["--rate", str(options.rate or RATE), "--write-rate", str(options.write_rate), "--what", what]
    argv += ["--components", str(options.components), "--processors", str(options.processors)]
    async with _part(plant, "load", argv) as order:
        found: dict[str, Any] = await order("go")
    return found


@asynccontextmanager
async def _part(plant: LocalPlant, name: str, argv: list[str]) -> AsyncIterator[Any]:
    """A part of the load as a process; what is yielded sends it a line and returns the object that it answers."""
    log_path = plant.topology.logs / f"{name}.log"
    with log_path.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *leashed([sys.executable, "-m", *argv]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            limit=1 << 20,
        )
    stdin, stdout = process.stdin, process.stdout
    assert stdin is not None  # noqa: S101 - asked for
    assert stdout is not None  # noqa: S101

    async def order(text: str) -> Any:
        stdin.write(text.encode() + b"\n")
        line = await stdout.readline()
        if not line:
            raise MeasurementFailed(f"{name} ended; see {log_path}")
        return json.loads(line)

    try:
        yield order
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
