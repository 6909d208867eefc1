"""Records histories of the real HTTP API of three real nodes under faults, and judges them.

    python -m tests.chaos.recorder --operations 200000 --seed 1 --directory DIR --report FILE

The operations are shared out among the places that this machine has (tests/chaos/places.py). Exits with 0 only when
every promise was kept and every fault happened. Whatever ends it early, what was recorded is written and judged.
"""

import argparse
import sys
import time
import traceback
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import uvloop

from tests.chaos.places import PLACES, lacking
from tests.chaos.recording import CLIENTS, Recording, record
from tests.soak import report


class Campaign:
    """The recordings of one run, by place, and what went wrong besides violations."""

    def __init__(self, *, seed: int) -> None:
        self.seed = seed
        self.recordings: dict[str, Recording] = {}
        self.problems: list[str] = []
        self.left_out: dict[str, str] = {}
        """place → why it is not on this machine"""

    async def record(
        self, places: Sequence[str], directory: Path, operations: int, *, seconds: float, clients: int = CLIENTS
    ) -> None:
        """Record at each place in turn, an equal share of the operations, and of the seconds that are left."""
        ends = time.monotonic() + seconds
        for at, place in enumerate(places):
            left = len(places) - at
            recording = self.recordings[place] = Recording()
            async with PLACES[place](directory / place) as (plant, faults, token):
                await record(
                    plant,
                    operations=operations // len(places) + (at < operations % len(places)),
                    seed=self.seed,
                    faults=faults,
                    token=token,
                    clients=clients,
                    seconds=(ends - time.monotonic()) / left,
                    into=recording,
                )
            missing = set(faults) - {fault.name for fault in recording.faults}
            if missing:
                self.problems.append(f"{place}: never happened: {', '.join(sorted(missing))}")
            pace = f"{len(recording.history)} operations in {recording.seconds:.0f} s"
            print(f"recorder: {place}: {pace}", file=sys.stderr, flush=True)


def judged(campaign: Campaign) -> dict[str, Any]:
    """The figures of a campaign as JSON data, with every violation."""
    began = time.monotonic()
    violations = {place: recording.history.violations() for place, recording in campaign.recordings.items()}
    checked_s = time.monotonic() - began
    recordings = campaign.recordings.values()
    problems = [*campaign.problems]
    problems += [f"{place}: {len(found)} violations" for place, found in violations.items() if found]
    by_kind: dict[str, Counter[str]] = {}
    for recording in recordings:
        for kind, outcomes in recording.history.counts().items():
            by_kind.setdefault(kind, Counter()).update(outcomes)
    return {
        "campaign": "histories",
        "ok": not problems,
        "problems": problems,
        "seed": campaign.seed,
        **_figures(recordings),
        "checked_s": round(checked_s, 1),
        "violated": sum(map(len, violations.values())),
        "left_out": campaign.left_out,
        "by_kind": {kind: dict(sorted(outcomes.items())) for kind, outcomes in sorted(by_kind.items())},
        "faults": _faults(recordings),
        "by_place": {
            place: {**_figures([recording]), "violated": len(violations[place]), "faults": _faults([recording])}
            for place, recording in campaign.recordings.items()
        },
        "happened": {place: msgspec.to_builtins(one.faults) for place, one in campaign.recordings.items()},
        "violations": {place: msgspec.to_builtins(found) for place, found in violations.items()},
    }


def _figures(recordings: Collection[Recording]) -> dict[str, Any]:
    operations = sum(len(one.history) for one in recordings)
    seconds = sum(one.seconds for one in recordings)
    return {
        "operations": operations,
        "seconds": round(seconds, 1),
        "operations_per_s": round(operations / seconds, 1) if seconds else 0.0,
        "registers": sum(one.registers for one in recordings),
        "repeated": sum(one.repeated for one in recordings),
        "faults_in_all": sum(len(one.faults) for one in recordings),
    }


def _faults(recordings: Collection[Recording]) -> dict[str, int]:
    return dict(sorted(Counter(fault.name for one in recordings for fault in one.faults).items()))


def show(found: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [f"{_pace(found)}; seed {found['seed']}"]
    lines += [f"  {place:<26}{_pace(figures)}" for place, figures in found["by_place"].items()]
    lines += [f"  {place:<26}left out: {why}" for place, why in found["left_out"].items()]
    for kind, outcomes in found["by_kind"].items():
        lines.append(f"  {kind:<26}" + "  ".join(f"{outcome} {count}" for outcome, count in outcomes.items()))
    lines.append(f"  {found['repeated']} times an unknown outcome was asked for again under its key")
    lines += [f"  {name:<26}{count} times" for name, count in found["faults"].items()]
    lines.append(f"{found['violated']} violations, found in {found['checked_s']:g} s")
    for place, violations in found["violations"].items():
        lines += [f"{place} [{violation['part']}] {violation['text']}" for violation in violations]
    return "\n".join([*lines, *found["problems"]])


def _pace(figures: Mapping[str, Any]) -> str:
    return (
        f"{figures['operations']} operations on {figures['registers']} registers in {figures['seconds']:g} s, "
        f"{figures['operations_per_s']:g} a second, with {figures['faults_in_all']} faults"
    )


def main(argv: Sequence[str]) -> int:
    """Record, write, judge, report. 0: every fault happened and there is no violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.recorder", description=__doc__.splitlines()[0])
    parser.add_argument("--operations", type=int, default=200_000)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end then, with fewer operations")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--clients", type=int, default=CLIENTS, help="at work at a time [default: %(default)s]")
    parser.add_argument("--directory", type=Path, required=True, help="of the plants, and of the histories")
    parser.add_argument("--report", type=Path, help="where the JSON report goes, and a page beside it")
    parser.add_argument(
        "--place", action="append", choices=list(PLACES), help="only there; may be repeated [default: all there are]"
    )
    given = parser.parse_args(argv)
    origin = report.origin(argv, report.commit(), module="tests.chaos.recorder")
    campaign = Campaign(seed=given.seed)
    campaign.left_out = {place: why for place in given.place or PLACES if (why := lacking(place)) is not None}
    if given.place and campaign.left_out:
        parser.error("; ".join(f"--place {place}: {why}" for place, why in campaign.left_out.items()))
    places = [place for place in given.place or PLACES if place not in campaign.left_out]
    try:
        uvloop.run(
            campaign.record(
                places, given.directory, given.operations, seconds=given.minutes * 60, clients=given.clients
            )
        )
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - is told, and what there is by then is judged
        traceback.print_exc()
        campaign.problems.append(f"{list(campaign.recordings)[-1]}: stopped by {type(error).__name__}: {error}")
    for place, recording in campaign.recordings.items():
        recording.history.write(given.directory / "histories" / place)
    found = judged(campaign)
    told = show(found)
    print(told)
    print(f"histories: {given.directory / 'histories'}")
    if given.report is not None:
        report.write(given.report, {**found, "origin": origin}, told=told)
    return 0 if found["ok"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
