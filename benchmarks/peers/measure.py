"""One run of one peer (its processes, the go, what it took, what was lost or came twice), and all of them in turn."""

import asyncio
import json
import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from benchmarks.peers.catalogue import CATALOGUE, Entry
from benchmarks.peers.nats_servers import nats_servers, nats_version
from benchmarks.peers.peer import WORKERS, tallied
from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.errors import FrameBufferError
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Process, Processes, Program
from orchestrator.dev.waiting import until
from orchestrator.errors import OrchestratorError

ROOT = Path(__file__).resolve().parents[2]
START_S = 30.0
RUN_S = 60.0
"""A run that is not done by then has failed; what it had not acknowledged is reported."""
SERVER_OPTIONS = ("auto-aof-rewrite-percentage 0",)  # rewritten between runs, not within one


@dataclass(frozen=True, slots=True)
class Run:
    """What one run gave. `server_us`: processor time of the server, or servers, for an event; Linux only."""

    events_per_s: float = 0.0
    elapsed_s: float = 0.0
    publish_s: float = 0.0
    outstanding: int = 0
    lost: int = 0
    duplicates: int = 0
    server_us: float | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether its figure counts."""
        return not (self.error or self.outstanding or self.lost or self.duplicates)


@dataclass(slots=True)
class Plan:
    """What to run. `pythons`: interpreter of each environment. `nats_server`: its binary, None leaves NATS out."""

    names: tuple[str, ...]
    pythons: Mapping[str, str]
    repeats: int = 3
    scale: float = 1.0
    nats_server: Path | None = None
    found: dict[str, dict[str, str]] = field(default_factory=dict)  # versions, by peer

    def events(self, entry: Entry) -> int:
        """How many events a run of the peer has."""
        return max(1, round(entry.events * self.scale))


async def printed(process: Process, key: str, seconds: float) -> dict[str, Any]:
    """The JSON line with `key` that a process prints. Raises ProcessDied, NotReached."""

    async def look() -> dict[str, Any] | None:
        lines = process.out.read_text(encoding="utf-8", errors="replace").splitlines() if process.out.exists() else []
        for line in lines:
            if line.startswith("{") and key in (found := json.loads(line)):
                return dict(found)
        if not process.running:
            raise process.ended()
        return None

    return await until(look, seconds=seconds, what=f"{process.name}: {key}", interval=0.02)


def cpu_s(pids: Iterable[int]) -> float | None:
    """Processor time that the processes have used, in seconds; None where the system does not tell."""
    ticks = 0
    try:
        for pid in pids:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    except OSError:
        return None
    return ticks / os.sysconf("SC_CLK_TCK")


async def empty(redis: Redis) -> None:
    """Delete everything and shrink the append-only file, so that every run starts alike."""
    await execute(redis, "FLUSHALL")
    await execute(redis, "BGREWRITEAOF")

    async def rewritten() -> bool:
        info = await redis.info("persistence")
        return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]

    await until(rewritten, seconds=START_S, what="the append-only file rewritten")


async def one_run(name: str, plan: Plan, server: EmbeddedServer, directory: Path) -> Run:
    """Measure one peer once, in a directory that is not there yet. Raises OrchestratorError, FrameBufferError."""
    entry, events = CATALOGUE[name], plan.events(CATALOGUE[name])
    data = directory / "data"
    await asyncio.to_thread(data.mkdir, parents=True)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, shutil.rmtree, data)
        redis = await stack.enter_async_context(connect(server.url))
        await empty(redis)
        pids, server_version = [server.pid or 0], {}
        common = ["--directory", str(data), "--events", str(events), "--redis", server.url]
        if entry.nats:
            if plan.nats_server is None:
                raise MeasurementFailed("no nats-server")
            urls, pids = await stack.enter_async_context(
                nats_servers(plan.nats_server, data / "nats", directory / "logs")
            )
            common += ["--nats", ",".join(urls)]
            server_version = {"nats-server": await nats_version(plan.nats_server)}
        for port in free_ports(entry.replicas):
            options = (*SERVER_OPTIONS, f"replicaof 127.0.0.1 {server.port}")
            replica = EmbeddedServer(data / f"replica-{port}", port, options=options)
            pids.append((await stack.enter_async_context(replica)).pid or 0)
        await _replicated(redis, entry.replicas)
        processes = await stack.enter_async_context(Processes(directory / "logs", grace=2.0))

        def part(role: str, number: int = 0) -> Program:
            argv = (plan.pythons[entry.environment], "-m", "benchmarks.peers.part", name, role, *common)
            extra = ("--number", str(number), "--seconds", str(RUN_S))
            return Program(f"{role}-{number}" if number else role, (*argv, *extra), {"PYTHONPATH": str(ROOT)})

        (producer,) = await processes.start(part("produce"))
        versions = (await printed(producer, "prepared", START_S))["versions"]
        plan.found[name] = {**server_version, **versions}
        others = await processes.start(
            *(part(role) for role in entry.roles), *(part("work", number) for number in range(1, WORKERS + 1))
        )
        await asyncio.gather(*(printed(process, "ready", START_S) for process in others))
        before = cpu_s(pids)
        (data / "go").touch()
        result = await printed(producer, "elapsed_s", RUN_S + START_S)
        after = cpu_s(pids)
        for process in others:
            if not process.running:
                raise process.ended()
        # What a system hands out twice it may hand out late: the workers are still there until here.
        await processes.stop([process.name for process in others], grace=2.0)
        unseen, duplicates = tallied(data, events)
    return Run(
        events_per_s=round(events / result["elapsed_s"], 1),
        elapsed_s=round(result["elapsed_s"], 3),
        publish_s=round(result["publish_s"], 3),
        outstanding=result["outstanding"],
        lost=max(0, unseen - result["outstanding"]),  # what time ran out for is not lost
        duplicates=duplicates,
        server_us=None if before is None or after is None else round((after - before) / events * 1e6, 1),
    )


async def _replicated(redis: Redis, replicas: int) -> None:
    async def linked() -> bool:
        info = await redis.info("replication")
        states = [value["state"] for key, value in info.items() if key.startswith("slave") and isinstance(value, dict)]
        return states.count("online") >= replicas

    await until(linked, seconds=START_S, what=f"{replicas} replicas that follow")


async def measure(plan: Plan, directory: Path) -> tuple[str, dict[str, list[Run]]]:
    """All peers `repeats` times, in rounds, each round starting one further: what server, and the runs by peer."""
    runs: dict[str, list[Run]] = {name: [] for name in plan.names}
    (port,) = free_ports(1)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedServer(directory / "redis", port, options=SERVER_OPTIONS))
        redis = await stack.enter_async_context(connect(server.url))
        stack.push_async_callback(empty, redis)  # leave no data behind
        info = await redis.info("server")
        software = "Valkey" if info.get("server_name") == "valkey" else "Redis"
        version = f"{software} {info.get('valkey_version') or info['redis_version']}"
        if server.binary is not None:
            version += f" with {server.binary.allocator}"
        for repeat in range(plan.repeats):
            shift = repeat * len(plan.names) // plan.repeats
            for name in (*plan.names[shift:], *plan.names[:shift]):
                began = time.monotonic()
                try:
                    run = await one_run(name, plan, server, directory / f"{name}-{repeat + 1}")
                except (OrchestratorError, FrameBufferError) as error:
                    run = Run(error=str(error))
                runs[name].append(run)
                found = run.error or f"{run.events_per_s:,.0f} events/s"
                flaw = "" if run.ok or run.error else f"  {run.outstanding=} {run.lost=} {run.duplicates=}"
                took = time.monotonic() - began
                sys.stderr.write(f"{repeat + 1}/{plan.repeats} {name:18}{found}{flaw}  ({took:.1f} s)\n")
    return version, runs
