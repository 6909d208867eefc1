"""`triarch bench frames`: frames a second from publisher to settled result, beside the server's own ceiling.

    ceiling      one client, plain Streams commands encoded beforehand, in pipelines of 256: what the server can do
    end_to_end   publisher ▶ dispatcher ▶ three workers, each a process, calling the server's functions in batches
    sdk          the same with FrameProducer and the processor's pipeline: validation, JSON and buffering included
    latency      end_to_end again at 1,000 frames a second: from publish to the worker's hands

All of them run against one server with the same durability and frames of the same size, one after the other.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from framebuffer.connection import connect
from framebuffer.embedded import EmbeddedServer
from framebuffer.keys import Keys
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from orchestrator.bench.figures import percentile, say
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import first_result, last_line, run_bench
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Processes, Program
from orchestrator.dev.waiting import until

WORKERS: tuple[str, ...] = ("w1", "w2", "w3")
LATENCY_FPS = 1_000
SHARE = 0.13  # of the time given, for each of the four phases; starting and draining take the rest


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("frames", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """Run the four phases against one server."""
    (port,) = free_ports(1)
    phase_s = max(1.0, options.seconds * SHARE)
    report: dict[str, Any] = {"ok": False}
    async with EmbeddedServer(directory / "redis", port) as server:
        redis = connect(server.url)
        try:
            info = await FrameStreams(redis).ready()
        finally:
            await redis.aclose()
        report["server"] = f"{info.software} {info.version}"
        say("bench frames: ceiling")
        report["ceiling_fps"] = (await _ceiling(server.url, directory, phase_s))["fps"]
        for name, mode, fps in (("end_to_end", "calls", 0), ("sdk", "sdk", 0), ("latency", "calls", LATENCY_FPS)):
            say(f"bench frames: {name}")
            found = await _pipeline(server.url, directory / name, prefix=name, mode=mode, fps=fps, phase_s=phase_s)
            if name == "latency":
                report |= {"offered_fps": fps, "p50_ms": found["p50_ms"], "p99_ms": found["p99_ms"]}
            else:
                report[f"{name}_fps"] = found["fps"]
            report[f"{name}_lost"], report[f"{name}_duplicates"] = found["lost"], found["duplicates"]
            if not found["ledger_ok"]:
                raise MeasurementFailed(f"{name}: the ledger does not add up: {'; '.join(found['problems'])}")
    report["ratio"] = round(report["end_to_end_fps"] / report["ceiling_fps"], 3)
    report["ok"] = True
    return report


async def _ceiling(url: str, directory: Path, phase_s: float) -> dict[str, Any]:
    argv = (sys.executable, "-m", "orchestrator.bench.frames_ceiling", url, str(phase_s))
    async with Processes(directory / "ceiling", grace=2.0) as processes:
        return await first_result(await processes.start(Program("ceiling", argv)), 30.0 + 3 * phase_s)


async def _pipeline(url: str, directory: Path, *, prefix: str, mode: str, fps: int, phase_s: float) -> dict[str, Any]:
    def part(name: str, role: str, *arguments: str) -> Program:
        command = [sys.executable, "-m", "orchestrator.bench.frames_part", role, "--redis", url, "--prefix", prefix]
        return Program(name, (*command, "--mode", mode, *arguments))

    async with AsyncExitStack() as stack:
        processes = await stack.enter_async_context(Processes(directory, grace=5.0))
        redis = connect(url)
        stack.push_async_callback(redis.aclose)
        streams = FrameStreams(redis, Keys(prefix))
        stack.push_async_callback(streams.aclose)
        workers = [part(name, "worker", "--id", name) for name in WORKERS]
        await processes.start(*workers, part("dispatcher", "dispatcher", "--workers", ",".join(WORKERS)))
        await asyncio.gather(*(_printed(processes, name) for name in (*WORKERS, "dispatcher")))
        publisher = part("publisher", "publisher", "--fps", str(fps), "--seconds", str(phase_s))
        published = await first_result(await processes.start(publisher), 30.0 + 3 * phase_s)

        async def settled() -> bool:
            cameras = (await streams.stats()).cameras.values()
            return sum(camera.settled for camera in cameras) >= int(published["published"])

        await until(settled, seconds=60.0, what="settled frames", interval=0.02)
        elapsed = time.monotonic() - published["began"]
        await processes.stop(WORKERS)
        ledger = await verify(streams)
        samples = [sample for name in WORKERS for sample in (last_line(processes[name]) or {}).get("latencies_ms", [])]
    return {
        "fps": round(published["published"] / elapsed, 1),
        "p50_ms": _at(samples, 0.50),
        "p99_ms": _at(samples, 0.99),
        "lost": ledger.lost,
        "duplicates": ledger.duplicates,
        "ledger_ok": ledger.ledger_ok and ledger.settled == published["published"],
        "problems": ledger.problems,
    }


def _at(samples: Sequence[float], share: float) -> float | None:
    return round(percentile(samples, share), 3) if samples else None


async def _printed(processes: Processes, name: str) -> None:
    await first_result([processes[name]], 30.0)
