"""SIGKILL of random members, of all three at once every tenth time, under load and with the log compacted all the time.

Size: kills. After every tenth fault, and at the end, the load rests and the states are judged.
"""

import random
import secrets
from pathlib import Path
from typing import Any

from orchestrator.bench.clients import Load
from orchestrator.bench.members import IDS, members
from orchestrator.bench.tally import judge
from orchestrator.dev.waiting import until

SIZE = 300
RATE = 600.0
PHASE = 10
MOVED = (50, 500)
"""Commands acknowledged between two faults, least and most: members are killed at work, and after a cut of the log."""


async def run(directory: Path, size: float) -> dict[str, Any]:
    """Kill until `size` members were killed."""
    seed = secrets.randbits(32)
    choice = random.Random(seed)
    kills = faults = judged = 0
    problems: list[str] = []
    async with members(directory, compaction_entries=200) as group, Load(group, rate=RATE) as load:
        while kills < size:
            wanted = load.total + choice.randint(*MOVED)

            async def moved(wanted: int = wanted) -> bool:
                return load.total >= wanted

            await until(moved, seconds=30.0, what=f"{wanted} acknowledged commands after {kills} kills")
            faults += 1
            whole = faults % PHASE == 0
            victims = list(IDS) if whole else choice.sample(IDS, choice.choice((1, 1, 1, 2)))
            await group.kill(*victims)
            kills += len(victims)
            await group.start(*victims)
            if whole:
                verdict = await _judged(group, load)
                problems += verdict.problems
                judged += 1
                if problems:
                    break
                load.run()
        verdict = await _judged(group, load)
        problems += verdict.problems
    return {
        "seed": seed,
        "kills": kills,
        "faults": faults,
        "judged": judged + 1,
        "acknowledged": verdict.acknowledged,
        "retries": load.retries,
        "lost": verdict.lost,
        "twice": verdict.twice,
        "problems": problems,
    }


async def _judged(group: Any, load: Load) -> Any:
    await load.rest()
    return judge(load.acknowledged, await group.states())
