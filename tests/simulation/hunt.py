"""How many seeds does it take to find each planted defect? As a table; it fails when one is not found."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import msgspec

from tests.simulation.defects import DEFECTS, Defect, planted
from tests.simulation.plan import draw
from tests.simulation.world import Result, World

SEEDS_MOST = 100
"""seeds tried before a defect counts as not found"""
FIRST_SEEDS = (1, 1001, 2001)
"""each defect is looked for so often, from these seeds on"""


class Found(msgspec.Struct, frozen=True):
    """One search. `seeds`: how many it took; 0 where none of them found it."""

    defect: str
    first_seed: int
    seeds: int
    seed: int = 0
    scenario: str = ""
    invariant: str = ""
    what: str = ""


def hunt(name: str, first_seed: int, *, most: int = SEEDS_MOST) -> Found:
    """Plant a defect and run seeds of its scenarios until an invariant breaks."""
    defect = defect_named(name)
    with planted(defect):
        for tried in range(most):
            seed = first_seed + tried
            scenario = defect.scenarios[tried % len(defect.scenarios)]
            result: Result = World(draw(seed, scenario)).run()
            if result.invariant:
                return Found(name, first_seed, tried + 1, seed, scenario, result.invariant, result.what)
    return Found(name, first_seed, 0)


def defect_named(name: str) -> Defect:
    """KeyError."""
    return {defect.name: defect for defect in DEFECTS}[name]


def hunt_all(*, jobs: int, report: Path | None, say: Callable[[str], None]) -> int:
    """Look for all of them; the table goes to `say`. 0 where each was found each time."""
    began = time.monotonic()
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        searches = [(defect.name, first) for defect in DEFECTS for first in FIRST_SEEDS]
        found = []
        for search in pool.map(hunt, *zip(*searches, strict=True)):
            found.append(search)
            say(f"{search.defect}: seed {search.seed}, {search.seeds} tried: {search.invariant or 'not found'}")
    for line in table(found):
        say(line)
    if report is not None:
        report.write_text(json.dumps(msgspec.to_builtins(found), indent=2) + "\n")
    missed = sorted({search.defect for search in found if not search.seeds})
    took = time.monotonic() - began
    say(f"{len(DEFECTS)} defects planted, {len(DEFECTS) - len(missed)} found each time, in {took:.0f} s")
    if missed:
        say(f"not found within {SEEDS_MOST} seeds: {', '.join(missed)}")
    return 1 if missed else 0


def table(found: list[Found]) -> list[str]:
    """Markdown: a row a defect, with the seeds that each search took."""
    lines = [
        "| protection that is off | what happens then | seeds until it was found | by |",
        "| --- | --- | --- | --- |",
    ]
    for defect in DEFECTS:
        searches = [search for search in found if search.defect == defect.name]
        seeds = ", ".join(str(search.seeds) if search.seeds else "—" for search in searches)
        by = ", ".join(dict.fromkeys(search.invariant for search in searches if search.seeds))
        lines.append(f"| {defect.name} | {defect.what} | {seeds} | {by} |")
    return lines
