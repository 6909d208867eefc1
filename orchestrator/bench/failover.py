"""`triarch bench failover`: how long dispatch stands still when the leader is killed, again and again under load.

Three nodes, the server and two processors, each a process; two cameras of 100 frames a second each. A run: SIGKILL of
whoever leads, the next leader takes over, the victim is restarted and rejoins. The gap is read from the fence records
of the streams: last frame dispatched by the old leader to first frame by the new one, both on the server's clock.

Then the same of agreement alone, beside the stock library and etcd: takeover.py.
"""

import asyncio
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from framebuffer.connection import connect
from framebuffer.ledger import verify
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from orchestrator.bench import takeover
from orchestrator.bench.figures import percentile, say
from orchestrator.bench.options import BenchOptions
from orchestrator.bench.running import run_bench
from orchestrator.demo.monitor import in_flight
from orchestrator.demo.parts import healthy_processors
from orchestrator.demo.report import takeover_ms
from orchestrator.demo.schedule import Schedule
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.local import Leader, LocalPlant
from orchestrator.dev.processes import Program
from orchestrator.dev.topology import on_free_ports
from orchestrator.dev.waiting import until

CAMERAS = 2
FPS = 100.0
WORKERS = ("bench-1", "bench-2")
PAYLOAD = bytes(1_024)
SETTLE_S = 1.0  # a leader dispatches this long before it is killed
DISPATCH_SHARE = 0.5
"""Of the time given; the rest is for the part about agreement."""
END_S = 12.0  # of the time given: for the last restart, draining and the ledger


def run(options: BenchOptions) -> int:
    """Measure, write the report, return the exit code."""
    return run_bench("failover", options, measure)


async def measure(options: BenchOptions, directory: Path) -> dict[str, Any]:
    """Both parts; fewer faults than asked for where the time is over. Raises MeasurementFailed, NotReached."""
    began = time.monotonic()
    report = await _dispatch(options, directory / "plant", began + options.seconds * DISPATCH_SHARE - END_S)
    left = began + options.seconds - time.monotonic()
    report |= await takeover.measure(options, directory, left)
    report["ok"] = report["ok"] and not report["takeover_problems"]
    return report


async def _dispatch(options: BenchOptions, directory: Path, ends: float) -> dict[str, Any]:
    topology = on_free_ports(directory)
    async with AsyncExitStack() as stack:
        plant = await stack.enter_async_context(LocalPlant(topology))
        redis = connect(topology.redis_url)
        stack.push_async_callback(redis.aclose)
        streams = FrameStreams(redis)
        stack.push_async_callback(streams.aclose)
        orchestrators = [part for api in topology.apis for part in ("--orchestrator", api)]
        await plant.processes.start(
            *(
                Program(name, (sys.executable, "-m", "orchestrator.bench.worker", "--id", name, *orchestrators))
                for name in WORKERS
            )
        )
        await plant.wait_ready()
        await healthy_processors(plant, WORKERS, 30.0)
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            cameras = [group.create_task(_camera(topology.redis_url, f"cam{n}", stop)) for n in range(CAMERAS)]
            try:
                killed = await _kills(plant, options.runs, ends)
                await asyncio.sleep(SETTLE_S)
            finally:
                stop.set()
        published = sum(camera.result() for camera in cameras)

        async def drained() -> bool:
            return in_flight(await streams.stats()) == 0

        await until(drained, seconds=15.0, what="empty queues")
        stats = await streams.stats()
        ledger = await verify(streams)
    reigns = [*stats.leaders, *([stats.fence] if stats.fence else [])]
    gaps = [gap for leader in killed if (gap := takeover_ms(reigns, leader.epoch)) is not None]
    if not gaps:
        raise MeasurementFailed("no gap could be read: no killed leader had dispatched a frame, or none followed it")
    return {
        "ok": ledger.ledger_ok and ledger.lost == 0 and ledger.duplicates == 0 and len(gaps) == len(killed),
        "runs": len(gaps),
        "kills": len(killed),
        "gap_p50_ms": percentile(gaps, 0.5),
        "gap_max_ms": max(gaps),
        "gaps_ms": gaps,
        "published": ledger.published,
        "acknowledged": published,
        "settled": ledger.settled,
        "lost": ledger.lost,
        "duplicates": ledger.duplicates,
        "ledger_ok": ledger.ledger_ok,
    }


async def _kills(plant: LocalPlant, runs: int, ends: float) -> list[Leader]:
    killed: list[Leader] = []
    while len(killed) < runs and (not killed or time.monotonic() < ends):
        leader = await plant.wait_ready()
        await asyncio.sleep(SETTLE_S)
        leader = await plant.current_leader(10.0)
        status = await plant.kill(leader.node_id)
        if status != -9:
            raise MeasurementFailed(f"{leader.node_id} ended with {status} instead of by SIGKILL")
        following = await plant.other_leader(leader)
        say(f"bench failover: {leader} killed, {following} leads")
        killed.append(leader)
        await asyncio.sleep(SETTLE_S)
        await plant.restart(leader.node_id)
    await plant.wait_ready()
    return killed


async def _camera(redis_url: str, camera_id: str, stop: asyncio.Event) -> int:
    """Publish at a steady rate until told to stop; the number of frames confirmed."""
    async with FrameProducer(camera_id, redis_url) as producer:
        schedule = Schedule(time.monotonic(), FPS, frames=0)
        tick = 0
        while not stop.is_set():
            await asyncio.sleep(schedule.wait(tick, time.monotonic()))
            await producer.publish(PAYLOAD, width=32, height=32, format="raw")
            tick += 1
        await producer.flush()
        return producer.counters.published + producer.counters.duplicates
