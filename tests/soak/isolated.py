"""Both followers stop: the leader must stop answering reads that only a leader may answer. Size: runs.

From SIGSTOP of the followers to the last answer the leader gave; asked all the time by readers of both consistencies.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from orchestrator.bench.asking import Declined, Unanswered
from orchestrator.bench.figures import percentile
from orchestrator.bench.members import IDS, Members, members
from orchestrator.dev.errors import MeasurementFailed

SIZE = 20
BOUND_MS = 500.0
WATCHED_S = 1.5
READERS = 4
ALIVE_NS = 100_000_000
CONSISTENCIES = ("leader", "linearizable")


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` isolations."""
    found: dict[str, list[float]] = {consistency: [] for consistency in CONSISTENCIES}
    async with members(directory) as group:
        for _ in range(int(size)):
            leader, _ = await group.settled()
            for consistency, lasted in (await _isolate(group, leader)).items():
                found[consistency].append(lasted)
    report: dict[str, Any] = {"runs": int(size)}
    for consistency, times in found.items():
        report[f"{consistency}_p50_ms"] = percentile(times, 0.5)
        report[f"{consistency}_max_ms"] = max(times)
    return {**report, "problems": late(found), "times_ms": found}


def late(found: dict[str, list[float]]) -> list[str]:
    """The runs in which the leader answered for too long; by consistency, milliseconds."""
    return [
        f"run {number}: {consistency} reads were answered for {lasted:g} ms, the bound is {BOUND_MS:g}"
        for consistency, times in found.items()
        for number, lasted in enumerate(times, 1)
        if lasted > BOUND_MS
    ]


async def _isolate(group: Members, leader: str) -> dict[str, float]:
    followers = [name for name in IDS if name != leader]
    answered = dict.fromkeys(CONSISTENCIES, 0)
    ends = time.monotonic() + WATCHED_S

    async def read(consistency: str) -> None:
        while time.monotonic() < ends:
            try:
                await group.asking[leader].ask("read", consistency=consistency, timeout=WATCHED_S)
                answered[consistency] = max(answered[consistency], time.monotonic_ns())
            except (Declined, Unanswered):
                pass
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as readers:
        for consistency in CONSISTENCIES:
            for _ in range(READERS):
                readers.create_task(read(consistency))
        await asyncio.sleep(0.2)  # readers at work
        at = group.pause(*followers)
    group.resume(*followers)
    for consistency, last in answered.items():
        if last < at - ALIVE_NS:
            raise MeasurementFailed(f"{leader} answered no {consistency} read in the 0.1 s before it was isolated")
    return {consistency: round(max(0, last - at) / 1e6, 1) for consistency, last in answered.items()}
