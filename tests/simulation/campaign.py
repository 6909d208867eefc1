"""Many seeds, on several processes; and the report of a failure."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any

import msgspec

from tests.simulation.plan import draw
from tests.simulation.shrink import shrink
from tests.simulation.world import Result, World

BATCH = 5
SHRUNK_MOST = 3
"""failures that are made shorter; the others are only named"""


class Summary(msgspec.Struct):
    """Of a campaign. `counts`: of what happened in all runs together."""

    passed: int = 0
    failed: int = 0
    seconds: float = 0.0
    virtual_s: float = 0.0
    counts: dict[str, int] = {}
    failures: list[Result] = []
    new_from: int | None = None
    """the first of the seeds that were new"""

    def add(self, result: Result) -> None:
        """Count a run."""
        self.virtual_s += result.virtual_s
        for what, count in result.counts.items():
            self.counts[what] = self.counts.get(what, 0) + count
        if result.invariant:
            self.failed += 1
            self.failures.append(result)
        else:
            self.passed += 1


def run_seed(seed: int, scenario: str | None = None) -> Result:
    """One run."""
    return World(draw(seed, scenario)).run()


def campaign(first: int, last: int, *, minutes: float | None, jobs: int, say: Callable[[str], None]) -> Summary:
    """Run these seeds; with `minutes`, go on with new ones until so long has passed."""
    began = time.monotonic()
    ends = began + 60 * minutes if minutes is not None else None
    summary = Summary(new_from=new_seeds() if ends is not None else None)
    with ProcessPoolExecutor(max_workers=jobs) as pool:
        work = _batches(first, last, summary.new_from, ends)
        running: set[Future[list[Result]]] = set()
        while True:
            while len(running) < jobs * 2 and (batch := next(work, None)) is not None:
                running.add(pool.submit(_run_batch, batch, None))
            if not running:
                break
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                for result in future.result():
                    summary.add(result)
                    if result.invariant:
                        say(f"seed {result.seed} failed: {result.invariant}: {result.what}")
    summary.seconds = time.monotonic() - began
    return summary


def new_seeds() -> int:
    """The first of the new seeds: others with every commit, and the same again for one, so that CI ends alike."""
    asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return int(asked.stdout[:10], 16) * 100_000 if asked.returncode == 0 else int(time.time()) * 1000


def _batches(first: int, last: int, new_from: int | None, ends: float | None) -> Iterator[range]:
    for start in range(first, last + 1, BATCH):
        yield range(start, min(start + BATCH, last + 1))
    start = new_from or 0
    while ends is not None and time.monotonic() < ends:
        yield range(start, start + BATCH)
        start += BATCH


def _run_batch(seeds: range, scenario: str | None) -> list[Result]:
    return [run_seed(seed, scenario) for seed in seeds]


def explain(seed: int, scenario: str | None = None, *, runs: int = 250) -> Iterator[str]:
    """The lines that tell a person how this seed fails: the shortest plan found, and what happens in it."""
    plan = draw(seed, scenario)
    failed = World(plan).run()
    if not failed.invariant:
        yield f"seed {seed} ({plan.scenario}) passes"
        return
    shorter, _ = shrink(plan, failed, lambda candidate: World(candidate).run(), runs=runs)
    result = World(shorter, trace=True).run()
    yield f"seed {seed} ({plan.scenario}) violates: {result.invariant}"
    yield f"  {result.what}"
    yield f"  shortest plan found: {len(shorter.steps)} of {len(plan.steps)} steps"
    yield from (f"    {step}" for step in shorter.steps)
    yield "  what happened:"
    yield from (f"    {line}" for line in result.trace)
    yield f"  again: python -m tests.simulation --seeds {seed}-{seed} --trace"


def processors() -> int:
    """How many processes to use."""
    return max(1, min(os.cpu_count() or 1, 8))


def as_report(summary: Summary) -> dict[str, Any]:
    """The report's fields."""
    return {
        "passed": summary.passed,
        "failed": summary.failed,
        "seconds": round(summary.seconds, 1),
        "virtual_s": round(summary.virtual_s),
        "new_from": summary.new_from,
        "failed_seeds": [result.seed for result in summary.failures],
        "counts": dict(sorted(summary.counts.items())),
    }
