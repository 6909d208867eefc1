"""A million commands in a small state: log and memory stay bounded, and a restarted member is ready at once.

Size: commands. They are proposed in the leader's process, 1,000 outstanding. All the while the bytes of the files of
each member's data directory (without temporary ones) and its resident memory are read. Bounded means, for each member:
the largest of the second half of the samples is at most a quarter and 1 MiB (files), or 16 MiB (memory), above the
largest of the first half. Kept for ever, the commands would take about 100 bytes each in both, and both would double.
Then each member is killed and restarted in turn; it is ready when it knows the leader and has applied all that was
committed when it was started.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.bench.asking import Declined
from orchestrator.bench.members import IDS, Members, members
from orchestrator.bench.tally import judge
from orchestrator.dev.waiting import until

SIZE = 1_000_000
CHUNK = 20_000
OUTSTANDING = 1_000
EVERY_S = 0.1
SAMPLES_MIN = 8
FILES_GROWTH = 1.25
FILES_GROWTH_BYTES = 1 << 20
MEMORY_GROWTH_BYTES = 16 << 20
READY_S = 2.0
MOVES_MAX = 3
MOVED = ("no_leader", "not_leader", "outcome_unknown")


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` commands, then a restart of each member."""
    async with members(directory) as group:
        samples: dict[str, list[tuple[int, int]]] = {name: [] for name in IDS}
        sampling = asyncio.create_task(_sample(group, samples))
        began = time.monotonic()
        try:
            acknowledged = await _load(group, int(size))
        finally:
            sampling.cancel()
            await asyncio.gather(sampling, return_exceptions=True)
        elapsed = time.monotonic() - began
        states = await group.states()
        restarts = {name: await _restart(group, name) for name in IDS}
        after = await group.states()
    verdict = judge(acknowledged, after)
    problems = [*verdict.problems]
    files = {name: max((one[0] for one in found), default=0) for name, found in samples.items()}
    memory = {name: max((one[1] for one in found), default=0) for name, found in samples.items()}
    if after != states:
        problems.append("a restart changed a state")
    for name, found in samples.items():
        problems += growing(name, found)
        if restarts[name] > READY_S:
            problems.append(f"{name} was ready {restarts[name]:.2f} s after its restart, not within {READY_S:g}")
    return {
        "commands": verdict.acknowledged,
        "commits_per_s": round(verdict.acknowledged / elapsed, 1),
        "files_max_bytes": files,
        "memory_max_bytes": memory,
        "files_max_mib": round(max(files.values()) / (1 << 20), 1),
        "memory_max_mib": round(max(memory.values()) / (1 << 20), 1),
        "ready_s": restarts,
        "ready_max_s": max(restarts.values()),
        "lost": verdict.lost,
        "twice": verdict.twice,
        "problems": problems,
        "samples": samples,
    }


def growing(name: str, samples: Sequence[tuple[int, int]]) -> list[str]:
    """What grew without bound, of samples (bytes of the files, bytes of memory) in order."""
    half = len(samples) // 2
    if half < SAMPLES_MIN // 2:
        return [f"{name}: {len(samples)} samples are too few to judge by"]
    problems = []
    files = [max(one[0] for one in part) for part in (samples[:half], samples[half:])]
    memory = [max(one[1] for one in part) for part in (samples[:half], samples[half:])]
    if files[1] > files[0] * FILES_GROWTH + FILES_GROWTH_BYTES:
        problems.append(f"{name}: its files grew from {files[0]} to {files[1]} bytes")
    if memory[1] > memory[0] + MEMORY_GROWTH_BYTES:
        problems.append(f"{name}: its memory grew from {memory[0]} to {memory[1]} bytes")
    return problems


async def _load(group: Members, size: int) -> dict[str, int]:
    acknowledged: dict[str, int] = {}
    leader, _ = await group.settled()
    clients, begun = 0, 0
    number, chunks = 0, math.ceil(size / CHUNK)
    while number < chunks:
        count = min(CHUNK, size - number * CHUNK)
        # The same clients again and again: the state stays small. Their numbers go on where they ended.
        try:
            answer = await group.asking[leader].ask(
                "load",
                timeout=120.0,
                client=f"load{clients}",
                number=(number - begun) * CHUNK // OUTSTANDING,
                count=count,
                outstanding=OUTSTANDING,
            )
        except Declined as error:
            # Leadership moved on, which is not measured here. How far each client came is not known: other ones.
            if error.code not in MOVED or clients == MOVES_MAX:
                raise
            clients, begun = clients + 1, number
            leader, _ = await group.settled()
            continue
        number += 1
        for client, done in answer["acknowledged"].items():
            acknowledged[client] = acknowledged.get(client, 0) + done
    return acknowledged


async def _sample(group: Members, samples: dict[str, list[tuple[int, int]]]) -> None:
    while True:
        for name, found in samples.items():
            found.append((_files(group.data(name)), await _memory(group.processes[name].pid)))
        await asyncio.sleep(EVERY_S)


def _files(directory: Path) -> int:
    total = 0
    for file in directory.rglob("*"):
        try:
            total += 0 if file.suffix == ".tmp" else file.stat().st_size
        except FileNotFoundError:  # replaced meanwhile
            continue
    return total


async def _memory(pid: int) -> int:
    """Resident bytes; by ps, which Linux and macOS have alike."""
    asked = await asyncio.create_subprocess_exec("ps", "-o", "rss=", "-p", str(pid), stdout=asyncio.subprocess.PIPE)
    out, _ = await asked.communicate()
    return int(out) * 1024


async def _restart(group: Members, name: str) -> float:
    """Seconds from the start of the process until it is ready."""
    await group.settled()
    await group.kill(name)
    _, leader = await group.leader()
    began = time.monotonic()
    await group.start(name)

    async def ready() -> bool:
        seen = await group.seen(name)
        return seen is not None and seen.leader is not None and seen.applied >= leader.commit

    await until(ready, seconds=60.0, what=f"{name} ready again", interval=0.02)
    return round(time.monotonic() - began, 3)
