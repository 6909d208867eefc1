"""What became of all frames, judged from four accounts that do not share a mistake. Pure.

The ledger (counters, bitmaps and queues of the server), the results that an onlooker counted, what the cameras were
told, and the leaders' fence records.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from framebuffer.ledger import LedgerReport
from framebuffer.wire import FenceRecord
from orchestrator.demo.tally import Tally

NAMED = 5


@dataclass(frozen=True)
class Verdict:
    """The figures, and in `problems` whatever does not agree."""

    published: int
    settled: int
    dead: int
    dropped: int
    lost: int
    duplicates: int
    results: int
    confirmed: int
    duplicate_publishes: int
    reigns: int
    dead_by_camera: Mapping[str, int] = field(default_factory=dict)
    problems: Sequence[str] = ()


def judge(
    report: LedgerReport, tally: Tally, cameras: Iterable[Mapping[str, Any]], *reigns: Iterable[FenceRecord]
) -> Verdict:
    """`cameras`: what each producer said at its end; several of one camera count together. `reigns`: of each shard."""
    in_order = [sorted(shard, key=lambda reign: reign.epoch) for shard in reigns]
    said = list(cameras)
    problems = [*report.problems, *_final(report), *_results(report, tally), *_told(report, said)]
    problems += [problem for shard in in_order for problem in _apart(shard)]
    return Verdict(
        published=report.published,
        settled=report.settled,
        dead=report.dead,
        dropped=report.dropped,
        lost=report.lost,
        duplicates=report.duplicates + tally.duplicates,
        results=tally.results,
        confirmed=sum(camera["confirmed"] for camera in said),
        duplicate_publishes=sum(camera.duplicate_publishes for camera in report.cameras.values()),
        reigns=max(map(len, in_order)),
        dead_by_camera={name: camera.dead for name, camera in report.cameras.items() if camera.dead},
        problems=problems,
    )


def _final(report: LedgerReport) -> list[str]:
    final = report.settled + report.dead + report.dropped
    if not report.published:
        return ["nothing was published: this proves nothing"]
    if report.published != final:
        return [f"{report.published} frames were published, {final} are final after the drain"]
    return []


def _results(report: LedgerReport, tally: Tally) -> list[str]:
    problems = []
    if tally.duplicates:
        problems.append(f"{tally.duplicates} results too many were seen: {', '.join(tally.twice()[:NAMED])}")
    if tally.frames != report.settled:
        problems.append(f"{report.settled} frames are settled, results of {tally.frames} were seen")
    if tally.unreadable:
        problems.append(f"{tally.unreadable} results cannot be read")
    return problems


def _told(report: LedgerReport, said: Sequence[Mapping[str, Any]]) -> list[str]:
    """A camera was told of each frame that it was told of rightly: at least those are there, and none it never sent. So
    it is with those it gave up.
    """
    problems = []
    for name in sorted({camera["camera_id"] for camera in said} | set(report.cameras)):
        own = [camera for camera in said if camera["camera_id"] == name]
        confirmed, accepted = (sum(camera[field] for camera in own) for field in ("confirmed", "accepted"))
        found = report.cameras[name].published if name in report.cameras else 0
        if not confirmed <= found <= accepted:
            problems.append(f"{name}: {confirmed} frames of {accepted} were confirmed, the ledger has {found}")
        given_up = sum(camera.get("dropped", 0) for camera in own)
        dropped = report.cameras[name].dropped if name in report.cameras else 0
        if given_up > dropped:
            problems.append(
                f"{name}: {given_up} frames were given up and recorded, {dropped} are dropped in the ledger"
            )
    return problems


def _apart(reigns: Sequence[FenceRecord]) -> list[str]:
    """By the server's clock no leader moves a frame after its successor has begun."""
    moved = [reign for reign in reigns if reign.frames]
    return [
        f"{old.node} (epoch {old.term}.{old.index}) moved frames {old.last_us - new.first_us} µs into the time of "
        f"{new.node} (epoch {new.term}.{new.index})"
        for old, new in itertools.pairwise(moved)
        if old.last_us > new.first_us
    ]
