"""`triarch bench frames`: frames a second from publisher to settled result, beside what the server could do.

    plain        one client, plain Streams commands encoded beforehand, in pipelines of 256; no function, nothing routed
    end_to_end   publisher ▶ leader of three nodes ▶ three workers, each a process, calling the functions in batches
    sdk          the same as users do it: FrameProducer, and `triarch processor run` with a class whose `process_frame`,
                 a plain `def`, does nothing
    latency      end_to_end at 1,000 frames a second: from publish to the worker's hands
    images       end_to_end at 100 frames a second of 100 KB each
    sdk_latency, sdk_images
                 the same two through the SDK: from just before FrameProducer.publish to the first line of process_frame
    cost         the server's own time a frame, against processors, cameras and shards (frames_cost.py)

`ceiling_fps` is one over the server's CPU seconds a frame of `end_to_end`, the same run: what the server could do if
everything else cost nothing. `sdk_calls` says how often `process_frame` was called in `sdk_latency`: once a frame, or
some frames went to another attempt. All run against servers with the same durability, one after the other.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framebuffer.connection import connect
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from orchestrator.bench.figures import percentile, say
from orchestrator.bench.frames_cost import main_thread_s
from orchestrator.bench.frames_part import CAPACITY
from orchestrator.bench.frames_processor import TARGET
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import first_result, last_line, run_bench
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Processes, Program
from orchestrator.dev.topology import on_free_ports
from orchestrator.dev.waiting import until

WORKERS: tuple[str, ...] = ("w1", "w2", "w3")
SHARE = 0.12  # of the time given, for each phase, for some half of it; starting and draining take the rest
DRAIN_S = 60.0
PHASES: tuple[tuple[str, str, int, int, float], ...] = (
    ("end_to_end", "calls", 0, 256, 1.0),
    ("sdk", "sdk", 0, 256, 1.0),
    ("latency", "calls", 1_000, 256, 1.0),
    ("sdk_latency", "sdk", 1_000, 256, 0.5),
    ("images", "calls", 100, 100_000, 1.0),
    ("sdk_images", "sdk", 100, 100_000, 0.5),
)
"""Name, way of calling, frames a second offered (0: as many as go), bytes of a payload, share of a phase's time."""
PREFIXES = {"latency": "", "images": "images_", "sdk_latency": "sdk_", "sdk_images": "sdk_images_"}
"""Of what the phases with a rate report."""


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("frames", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """Run the phases on one plant."""
    phase_s = max(0.5, options.seconds * SHARE)
    report: dict[str, Any] = {"ok": False}
    topology = on_free_ports(directory / "plant")
    async with LocalPlant(topology) as plant:
        redis = connect(topology.redis_url)
        streams = FrameStreams(redis)
        try:
            info = await streams.ready()
            report["server"] = f"{info.software} {info.version}"
            report["allocator"] = plant.server.binary.allocator if plant.server.binary else ""
            say("bench frames: plain")
            report["plain_fps"] = (await _plain(topology.redis_url, directory, phase_s))["fps"]
            await plant.wait_ready()
            for name, mode, fps, payload, share in PHASES:
                say(f"bench frames: {name}")
                part = Part(plant, directory / name, mode=mode, fps=fps, payload=payload)
                report |= _figures(name, fps, await _pipeline(streams, part, phase_s * share))
            ledger = await verify(streams)
            report |= {"lost": ledger.lost, "duplicates": ledger.duplicates, "settled": ledger.settled}
            if not ledger.ledger_ok:
                raise MeasurementFailed(f"the ledger does not add up: {'; '.join(ledger.problems)}")
        finally:
            await streams.aclose()
            await redis.aclose()
    report["ratio"] = round(report["end_to_end_fps"] / report["ceiling_fps"], 3)
    say("bench frames: cost")
    report["cost_us"] = await _cost(directory, phase_s)
    report["ok"] = True
    return report


def _figures(name: str, fps: int, found: dict[str, Any]) -> dict[str, Any]:
    if fps:
        prefix = PREFIXES[name]
        figures = {f"{prefix}offered_fps": fps, f"{prefix}p50_ms": found["p50_ms"], f"{prefix}p99_ms": found["p99_ms"]}
        if prefix.startswith("sdk_"):
            figures |= {f"{prefix}published": found["published"], f"{prefix}calls": found["calls"]}
        return figures
    figures = {f"{name}_fps": found["fps"], f"{name}_server_us": found["server_us"]}
    if name == "end_to_end":
        figures["ceiling_fps"] = round(1e6 / found["server_us"], 1)
    return figures


async def _plain(url: str, directory: Path, phase_s: float) -> dict[str, Any]:
    argv = (sys.executable, "-m", "orchestrator.bench.frames_plain", url, str(phase_s))
    async with Processes(directory / "plain", grace=2.0) as processes:
        return await first_result(await processes.start(Program("plain", argv)), 30.0 + 3 * phase_s)


async def _cost(directory: Path, phase_s: float) -> dict[str, float]:
    argv = (sys.executable, "-m", "orchestrator.bench.frames_cost", str(directory / "cost"), str(phase_s))
    async with Processes(directory / "cost-logs", grace=2.0) as processes:
        return await first_result(await processes.start(Program("cost", argv)), 90.0 + 10 * phase_s)


class Part:
    """The programs of one phase."""

    def __init__(self, plant: LocalPlant, directory: Path, *, mode: str, fps: int, payload: int) -> None:
        self.directory = directory
        self._mode, self._fps, self._payload = mode, fps, payload
        self._redis, self._apis = plant.topology.redis_url, ",".join(plant.topology.apis)

    def publisher(self, seconds: float) -> Program:
        """The cameras, for so long."""
        return self._program("publisher", "--fps", str(self._fps), "--seconds", str(seconds))

    def worker(self, name: str) -> Program:
        """One processor."""
        if self._mode == "sdk":
            return self._processor(name)
        return self._program("worker", "--id", name, name=name)

    def _program(self, role: str, *arguments: str, name: str = "") -> Program:
        command = [sys.executable, "-m", "orchestrator.bench.frames_part", role, *arguments]
        command += ["--redis", self._redis, "--apis", self._apis, "--mode", self._mode]
        return Program(name or role, (*command, "--payload", str(self._payload)))

    def _processor(self, name: str) -> Program:
        command = [sys.executable, "-m", "orchestrator.cli.main", "processor", "run", TARGET, "--id", name]
        command += ["--capacity", str(CAPACITY), "--orchestrator", self._apis, "--redis-url", self._redis]
        return Program(name, tuple(command))


async def _pipeline(streams: FrameStreams, part: Part, phase_s: float) -> dict[str, Any]:
    before = await streams.stats()
    done = sum(camera.settled for camera in before.cameras.values())
    async with Processes(part.directory, grace=5.0) as processes:
        await processes.start(*(part.worker(name) for name in WORKERS))
        await asyncio.gather(*(first_result([processes[name]], 30.0) for name in WORKERS))
        spent = await main_thread_s(streams.redis)
        publisher = await processes.start(part.publisher(phase_s))
        published = await first_result(publisher, 30.0 + 3 * phase_s)

        async def settled() -> bool:
            cameras = (await streams.stats()).cameras.values()
            return sum(camera.settled for camera in cameras) >= done + int(published["published"])

        await until(settled, seconds=DRAIN_S, what="settled frames", interval=0.02)
        elapsed = time.monotonic() - published["began"]
        spent = await main_thread_s(streams.redis) - spent
        await processes.stop(WORKERS)
        ends = [last_line(processes[name]) or {} for name in WORKERS]
        samples = [sample for end in ends for sample in end.get("latencies_ms", [])]
    return {
        "published": published["published"],
        "calls": sum(end.get("calls", 0) for end in ends),
        "fps": round(published["published"] / elapsed, 1),
        "server_us": round(spent / published["published"] * 1e6, 2),
        "p50_ms": _at(samples, 0.50),
        "p99_ms": _at(samples, 0.99),
    }


def _at(samples: Sequence[float], share: float) -> float | None:
    return round(percentile(samples, share), 3) if samples else None
