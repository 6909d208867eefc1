"""Followers that come back depose nobody: stopped for longer than an election takes, or killed and restarted.

Size: rejoins of each kind, under load. After each the same member must lead in the same term, as every member sees it.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from cluster import ClusterSettings
from orchestrator.bench.clients import Load
from orchestrator.bench.members import IDS, Members, members
from orchestrator.bench.tally import judge

SIZE = 20
AWAY_S = 2 * ClusterSettings.model_fields["election_max_s"].default
WATCHED_S = 1.5
"""after a follower has come back and caught up: a candidate would have stood by then, twice"""


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` rejoins of each kind."""
    problems: list[str] = []
    counts = {"stop": 0, "kill": 0}
    async with members(directory) as group:
        async with Load(group) as load:
            for number in range(int(size)):
                for kind in counts:
                    leader, before = await group.settled()
                    followers = [name for name in IDS if name != leader]
                    await _away(group, followers[number % len(followers)], kind)
                    found = deposed((leader, before.term), await _terms(group, WATCHED_S))
                    problems += [f"{kind} {number + 1}: {what}" for what in found]
                    counts[kind] += not found
        verdict = judge(load.acknowledged, await group.states())
    return {
        "rejoins_each": int(size),
        "stopped_deposed_nobody": counts["stop"],
        "killed_deposed_nobody": counts["kill"],
        "acknowledged": verdict.acknowledged,
        "lost": verdict.lost,
        "twice": verdict.twice,
        "problems": [*problems, *verdict.problems],
    }


async def _away(group: Members, follower: str, kind: str) -> None:
    if kind == "stop":
        group.pause(follower)
        await asyncio.sleep(AWAY_S)
        group.resume(follower)
    else:
        await group.kill(follower)
        await asyncio.sleep(AWAY_S)
        await group.start(follower)
    await group.settled()


async def _terms(group: Members, seconds: float) -> set[tuple[str | None, int]]:
    """Every (leader, term) that any member tells of within the time; a member that knows no leader now gives None."""
    ends = time.monotonic() + seconds
    found = set()
    while time.monotonic() < ends:
        found |= {(seen.leader, seen.term) for seen in (await group.all_seen()).values()}
        await asyncio.sleep(0.05)
    return found


def deposed(before: tuple[str, int], found: set[tuple[str | None, int]]) -> list[str]:
    """What was seen beside the leader and term from before. A member out of touch for a moment deposes nobody."""
    others = found - {before, (None, before[1])}
    said = sorted(f"{leader or 'nobody'} in term {term}" for leader, term in others)
    return [f"{before[0]} led in term {before[1]}, then {other}" for other in said]
