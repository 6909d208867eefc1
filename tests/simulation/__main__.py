"""`python -m tests.simulation`: run seeds, tell how one fails, or show that planted defects are found."""

import argparse
import json
import sys
from pathlib import Path

from tests.simulation.campaign import SHRUNK_MOST, as_report, campaign, explain, processors
from tests.simulation.plan import draw
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.world import World


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 where every run passed."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation",
        description="Runs the real agreement code of all members on a virtual clock, network and disk, with faults.",
    )
    parser.add_argument("--seeds", metavar="A-B", type=_seeds, help="run these seeds")
    parser.add_argument(
        "--minutes", metavar="M", type=float, help="then go on with seeds never run before until so long has passed"
    )
    parser.add_argument("--report", metavar="FILE", type=Path, help="write the figures as JSON")
    parser.add_argument("--trace", action="store_true", help="show what happens in each run, step by step")
    parser.add_argument("--scenario", choices=[entry.name for entry in SCENARIOS], help="of --trace; else the seed's")
    parser.add_argument("--jobs", type=int, default=processors(), help="processes (default: one a core)")
    parser.add_argument("--defects", action="store_true", help="plant each known defect and count the seeds to find it")
    options = parser.parse_args(arguments)
    if options.defects:
        from tests.simulation.hunt import hunt_all

        return hunt_all(jobs=options.jobs, report=options.report, say=_say)
    if options.seeds is None:
        parser.error("--seeds A-B or --defects is required")
    first, last = options.seeds
    if options.trace:
        return _trace(first, last, options.scenario)
    return _campaign(first, last, options.minutes, options.jobs, options.report)


def _seeds(text: str) -> tuple[int, int]:
    first, dash, last = text.partition("-")
    if not first.isdecimal() or (dash and not last.isdecimal()):
        raise argparse.ArgumentTypeError(f"{text!r} is not A-B, for example 1-200")
    numbers = int(first), int(last or first)
    if numbers[0] > numbers[1]:
        raise argparse.ArgumentTypeError(f"{text!r}: the first seed is greater than the last")
    return numbers


def _campaign(first: int, last: int, minutes: float | None, jobs: int, report: Path | None) -> int:
    summary = campaign(first, last, minutes=minutes, jobs=jobs, say=_say)
    for result in sorted(summary.failures, key=lambda failed: failed.seed)[:SHRUNK_MOST]:
        for line in explain(result.seed):
            _say(line)
    if summary.new_from is not None:
        new = max(0, summary.passed + summary.failed - (last - first + 1))
        _say(f"{new} new seeds from {summary.new_from} on, beside {first}-{last}")
    ran = summary.passed + summary.failed
    _say(
        f"{ran} runs, {summary.virtual_s:.0f} virtual seconds in {summary.seconds:.0f} s: "
        f"{summary.counts.get('committed', 0)} entries committed, {summary.counts.get('terms', 0)} leaders, "
        f"{summary.counts.get('starts', 0)} starts of a member"
    )
    if report is not None:
        report.write_text(json.dumps(as_report(summary), indent=2) + "\n")
    _say(f"{summary.passed} passed, {summary.failed} failed")
    return 1 if summary.failed else 0


def _trace(first: int, last: int, scenario: str | None) -> int:
    failed = 0
    for seed in range(first, last + 1):
        plan = draw(seed, scenario)
        result = World(plan, trace=True).run()
        _say(f"seed {seed} ({plan.scenario}): {msgspec_text(plan)}")
        for line in result.trace:
            _say(f"  {line}")
        if result.invariant:
            failed += 1
            for line in explain(seed, scenario):
                _say(line)
        _say(f"seed {seed}: trace {result.trace_hash}, {result.counts}")
    _say(f"{last - first + 1 - failed} passed, {failed} failed")
    return 1 if failed else 0


def msgspec_text(plan: object) -> str:
    """A plan's conditions in one line."""
    return str(getattr(plan, "conditions", plan))


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
