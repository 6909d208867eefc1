"""A million frames through 60 kills of the leader, the server and processors, at random: the ledger is exact.

Size: frames. The kills are spread evenly over the first three quarters of them; through the last one nobody is killed.
All the while the resident memory of every process is read; flat means, for each: the largest of the second half of the
samples is at most 16 MiB (the server: 32, which it needs for frames that wait for a leader) above the largest of the
first half. The last quarter is judged by itself as well, as nobody starts anew there.
"""

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from orchestrator.dev.waiting import until
from tests.chaos.faults import Kill
from tests.chaos.frames.faults import PrimaryKill, killed
from tests.chaos.frames.plant import Cameras, FramePlant, Worker
from tests.soak.frame_kills import figures

SIZE = 1_000_000
KILLS = 60
FRAMES_A_KILL = 15_000
KILLED_SHARE = 0.75
IDS = ("cam1", "cam2", "cam3", "cam4")
RATE = 1000.0
"""Frames a second that each camera offers; it takes longer where the machine cannot."""
PROGRESS_S = 120.0
EVERY_S = 1.0
SAMPLES_MIN = 20
GROWTH_BYTES = 16 << 20
SERVER_GROWTH_BYTES = 32 << 20
SERVER = "server"


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` frames, and `KILLS` kills, or one for each 15,000 frames where that is fewer."""
    each = int(size) // len(IDS)
    total = each * len(IDS)
    kills = max(1, min(KILLS, total // FRAMES_A_KILL))
    seed = secrets.randbits(32)
    options = ("--frames", str(each), "--buffer", "512")
    cameras = [Cameras(f"cams-{number}", (name,), RATE, options) for number, name in enumerate(IDS, 1)]
    batch = ("--batch", "64", "--capacity", "256")
    workers = [Worker(name, batch) for name in ("w1", "w2", "w3")]
    began = time.monotonic()
    done: Counter[str] = Counter()
    async with FramePlant(directory, cameras=cameras, workers=workers) as plant:
        memory: dict[str, list[int]] = {}
        undisturbed: dict[str, list[int]] = {}
        sampling = [asyncio.create_task(_sample(plant, memory))]
        try:
            under_load = await _kill(plant, int(total * KILLED_SHARE), kills, random.Random(seed), done)
            sampling.append(asyncio.create_task(_sample(plant, undisturbed)))
            await _published(plant, total, total)
            await plant.drained(PROGRESS_S)
            elapsed = time.monotonic() - began
        finally:
            for task in sampling:
                task.cancel()
            await asyncio.gather(*sampling, return_exceptions=True)
        verdict = await plant.finish()
    problems = [*verdict.problems]
    if verdict.published != total:
        problems.append(f"{total} frames were to be published, the ledger has {verdict.published}")
    if under_load != kills:
        problems.append(f"{under_load} of {kills} kills came while frames were published")
    if total == SIZE:
        problems += [problem for name, found in memory.items() for problem in growing(name, found)]
        problems += [
            f"undisturbed: {problem}" for name, found in undisturbed.items() for problem in growing(name, found)
        ]
    return {
        "seed": seed,
        "kills": done.total(),
        "kills_of_the_leader": done["leader"],
        "kills_of_the_server": done["server"],
        "kills_of_a_processor": done["processor"],
        "seconds": round(elapsed, 1),
        "frames_per_s": round(total / elapsed, 1),
        **figures(verdict),
        "memory_max_mib": round(max(max(found) for found in memory.values()) / (1 << 20), 1),
        "memory_by_process_mib": halves(memory),
        "memory_undisturbed_mib": halves(undisturbed),
        "problems": problems,
    }


async def _kill(plant: FramePlant, total: int, kills: int, choice: random.Random, done: Counter[str]) -> int:
    """All kills, each when its share of the frames is published; how many of them came before the last frame was."""
    under_load, away = 0, ""
    for number in range(kills):
        await _published(plant, int(total * (number + choice.uniform(0.2, 0.8)) / kills), total)
        stats = await plant.stats()
        under_load += stats is not None and sum(camera.published for camera in stats.cameras.values()) < total
        if away:
            await plant.restart(away)
            away = ""
        victim = choice.choice(("leader", "server", "processor"))
        if victim == "leader":
            kill = Kill(plant.nodes, leader=True)
            leader = await plant.nodes.current_leader(10)
            plant.expected_dead.add(leader.node_id)
            await kill.begin()
            await kill.heal()
            plant.expected_dead.discard(leader.node_id)
        elif victim == "server":
            primary = PrimaryKill(plant)
            await primary.begin()
            await primary.heal()
        else:
            away = choice.choice(plant.workers).id
            await killed(plant, away)
            if choice.random() < 0.5:  # else it is away long enough for its queue to go back
                await plant.restart(away)
                away = ""
        done[victim] += 1
    if away:
        await plant.restart(away)
    return under_load


async def _published(plant: FramePlant, count: int, total: int) -> None:
    async def enough() -> bool:
        stats = await plant.stats()
        return stats is not None and sum(camera.published for camera in stats.cameras.values()) >= count

    await until(enough, seconds=PROGRESS_S, what=f"{count} of {total} frames published")


async def _sample(plant: FramePlant, memory: dict[str, list[int]]) -> None:
    names = [*(node.id for node in plant.topology.nodes), *(one.id for one in plant.workers)]
    names += [cameras.name for cameras in plant.cameras]
    while True:
        pids = {name: plant.process(name).pid for name in names if plant.process(name).running}
        if (server := plant.nodes.server.pid) is not None:
            pids[SERVER] = server
        for name, pid in pids.items():
            if found := resident(pid):
                memory.setdefault(name, []).append(found)
        await asyncio.sleep(EVERY_S)


def resident(pid: int) -> int:
    """Resident bytes; 0 where the process is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS:")), "VmRSS: 0 kB")
    return int(line.split()[1]) * 1024


def growing(name: str, samples: Sequence[int]) -> list[str]:
    """What is wrong with the resident memory of one process, of samples in order."""
    half = len(samples) // 2
    if half < SAMPLES_MIN // 2:
        return [f"{name}: {len(samples)} samples of its memory are too few to judge by"]
    first, second = max(samples[:half]), max(samples[half:])
    if second > first + (SERVER_GROWTH_BYTES if name == SERVER else GROWTH_BYTES):
        return [f"{name}: its memory grew from {first} to {second} bytes"]
    return []


def halves(memory: Mapping[str, Sequence[int]]) -> dict[str, dict[str, float]]:
    """The largest of either half of each process's samples, in MiB."""
    return {
        name: {"first_half": mib(found[: len(found) // 2]), "second_half": mib(found[len(found) // 2 :])}
        for name, found in memory.items()
    }


def mib(samples: Sequence[int]) -> float:
    return round(max(samples, default=0) / (1 << 20), 1)
