"""SIGKILL of the leader while cameras publish: how long no frame is dispatched, and that none is lost or settled twice.

Size: kills. The gap is measured by the server's clock: from the last frame that the killed leader moved to the first
that the next one did. The cameras' 600 frames a second add 2 ms to it at most.
"""

import dataclasses
import itertools
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from framebuffer.wire import FenceRecord
from orchestrator.dev.local import Leader
from tests.chaos.faults import Kill
from tests.chaos.frames.plant import Cameras, FramePlant
from tests.chaos.frames.verdict import Verdict

SIZE = 20
CAMERAS = (Cameras("cams-1", ("cam1", "cam2", "cam3"), 200.0),)
BETWEEN = 500
"""Frames settled between two kills, least: the leader is killed at work."""
GAP_P50_MS = 700.0
GAP_MAX_MS = 1500.0


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` kills, each of the node that leads; it is ready again before the next."""
    killed: list[Leader] = []
    async with FramePlant(directory, cameras=CAMERAS) as plant:
        for _ in range(int(size)):
            await plant.moves(BETWEEN)
            kill = Kill(plant.nodes, leader=True)
            leader = await plant.nodes.current_leader(5)
            plant.expected_dead.add(leader.node_id)
            await kill.begin()
            killed.append(leader)
            await kill.heal()
            plant.expected_dead.clear()
        await plant.moves(BETWEEN)
        verdict = await plant.finish()
        stats = await plant.streams.stats(leaders=10 * len(killed))
    reigns = [*stats.leaders, *([stats.fence] if stats.fence else [])]
    gaps = [gap for leader in killed if (gap := gap_ms(leader.epoch, reigns)) is not None]
    return {
        "kills": len(killed),
        "gap_p50_ms": round(statistics.median(gaps), 1) if gaps else None,
        "gap_max_ms": round(max(gaps), 1) if gaps else None,
        "gaps_ms": [round(gap, 1) for gap in gaps],
        **figures(verdict),
        "problems": [*verdict.problems, *too_long(gaps, len(killed))],
    }


def gap_ms(epoch: tuple[int, int], reigns: Iterable[FenceRecord]) -> float | None:
    """Milliseconds without a moved frame between the leader of that epoch and the next that moved one."""
    moved = sorted((reign for reign in reigns if reign.frames), key=lambda reign: reign.epoch)
    for old, new in itertools.pairwise(moved):
        if old.epoch == epoch:
            return (new.first_us - old.last_us) / 1000
    return None


def too_long(gaps: list[float], kills: int) -> list[str]:
    """What breaks the promise."""
    if len(gaps) != kills or not gaps:
        return [f"{len(gaps)} gaps were measured for {kills} kills"]
    problems = []
    if (middle := statistics.median(gaps)) > GAP_P50_MS:
        problems.append(f"half of the gaps are longer than {middle:.0f} ms, wanted {GAP_P50_MS:.0f}")
    if max(gaps) > GAP_MAX_MS:
        problems.append(f"the longest gap is {max(gaps):.0f} ms, wanted {GAP_MAX_MS:.0f}")
    return problems


def figures(verdict: Verdict) -> dict[str, Any]:
    """The numbers of a verdict, for a report."""
    found = dataclasses.asdict(verdict)
    del found["problems"], found["dead_by_camera"]
    return found
