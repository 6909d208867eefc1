"""SIGKILL of the leader at every commit point and every I/O point of a playbook of 18 steps: at the first passing, at
the second, … until a run passes the point less often. Each run must end right, and each effect must be there once.

Size: passings of one point, most.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from orchestrator.failpoints import POINTS
from tests.chaos.crash_plant import CRASH, CrashPlant, Outcome

SIZE = 60
PASSINGS_LEAST = {"playbook.before_commit": 10, "playbook.before_effect": 8, "trigger.before_commit": 2}
"""Fewer would mean that the points are not where they were."""


async def run(directory: Path, size: float) -> dict[str, Any]:
    """Every passing of every point, up to `size` of each."""
    outcomes: list[Outcome] = []
    async with CrashPlant(directory) as plant:
        for name in POINTS:
            for passing in range(1, int(size) + 1):
                outcome = await plant.run(f"{name}:{passing}")
                outcomes.append(outcome)
                if not outcome.killed:
                    break
    killed = [outcome for outcome in outcomes if outcome.killed]
    passings = Counter(outcome.point.partition(":")[0] for outcome in killed)
    return {
        "steps": CRASH.count("type: ") - CRASH.count("type: event_received"),
        "runs": len(outcomes),
        "kills": len(killed),
        "ended_right": sum(not outcome.problems for outcome in outcomes),
        "passings": dict(passings),
        "points": [{"point": outcome.point, "killed": outcome.killed} for outcome in outcomes],
        "problems": [*(problem for outcome in outcomes for problem in outcome.problems), *too_few(passings, size)],
    }


def too_few(passings: Counter[str], size: float) -> list[str]:
    """Points that a run passed less often than it must."""
    wanted = {name: min(least, int(size)) for name, least in PASSINGS_LEAST.items()}
    return [
        f"{name} was passed {passings[name]} times in a run, at least {least} are there"
        for name, least in wanted.items()
        if passings[name] < least
    ]
