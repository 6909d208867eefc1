"""Load without a fault: no election. Size: seconds."""

import asyncio
import time
from pathlib import Path
from typing import Any

from orchestrator.bench.clients import RATE, Load
from orchestrator.bench.members import members
from orchestrator.bench.tally import judge
from tests.soak.rejoin import deposed

SIZE = 600


async def run(directory: Path, size: float) -> dict[str, Any]:
    """1,000 proposals a second for `size` seconds."""
    async with members(directory) as group:
        leader, before = await group.settled()
        found: set[tuple[str | None, int]] = set()
        began = time.monotonic()
        async with Load(group) as load:
            while time.monotonic() < began + size:
                found |= {(seen.leader, seen.term) for seen in (await group.all_seen()).values()}
                await asyncio.sleep(0.2)
        elapsed = time.monotonic() - began
        verdict = judge(load.acknowledged, await group.states())
    rate = verdict.acknowledged / elapsed
    problems = deposed((leader, before.term), found)
    if rate < 0.9 * RATE:
        problems.append(f"{rate:.0f} commands a second were acknowledged, {RATE:.0f} were to be")
    return {
        "seconds": round(elapsed, 1),
        "commits_per_s": round(rate, 1),
        "term_before": before.term,
        "terms_seen": sorted({term for _, term in found}),
        "elections": len({term for _, term in found} - {before.term}),
        "retries": load.retries,
        "acknowledged": verdict.acknowledged,
        "lost": verdict.lost,
        "twice": verdict.twice,
        "problems": [*problems, *verdict.problems],
    }
