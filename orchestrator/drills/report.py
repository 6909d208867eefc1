"""The report of one drill: a document that is written as JSON, and drawn as a page from that JSON alone. Pure.

Times in it are seconds since the fault was done (`at_s` below 0 is before it), by the controller's clock.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import msgspec

from orchestrator.drills.budget import Budget, fitting
from orchestrator.drills.judge import Verdict, judge, passed
from orchestrator.drills.measures import Figures, ledger_since, measure, where_longest
from orchestrator.drills.recorded import Beat, LedgerCounts, Recorded, Sighting
from orchestrator.drills.target import DrillError, Evidence, Fault

__all__ = ["Report", "ReportUnreadable", "Run", "build", "read"]

FORMAT = 1
BIN_S = 0.1
BINS_MAX = 6000
"""Ten minutes; a longer drill is drawn in wider bins."""


class ReportUnreadable(DrillError):
    """A file that is no report of a drill, or of a newer format."""

    code: ClassVar[str] = "report_unreadable"


class Moment(msgspec.Struct, frozen=True):
    at_s: float
    what: str
    node: str = ""


class Bar(msgspec.Struct, frozen=True):
    """How a node answered for a time: "leads" under `epoch`, "follows", "silent"."""

    from_s: float
    to_s: float
    state: str
    epoch: str = ""


class Shown(msgspec.Struct, frozen=True):
    """Of the evidence. `takes_primary`: the Redis primary ran on the host that ended."""

    fault: str
    victim: str
    how: str
    proof: dict[str, Any]
    takes_primary: bool = False


class Picture(msgspec.Struct, frozen=True):
    """What the timeline is drawn from. Rates: frames a second in bins of `bin_s` from `from_s` on."""

    from_s: float
    to_s: float
    healed_s: float
    settled_s: float | None
    bin_s: float
    published: list[float]
    arrived: list[float]
    publish_gap: tuple[float, float]
    dispatch_gap: tuple[float, float]
    nodes: dict[str, list[Bar]]


class Books(msgspec.Struct, frozen=True):
    """Of the drill's cameras. `confirmed`: frames that the cameras were told are stored."""

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int
    confirmed: int
    problems: list[str]


class Run(msgspec.Struct, frozen=True):
    """Beside what was seen: which drill of how many, where, when and of which code."""

    drill: str
    target: str
    cameras: int
    fps: float
    started: str
    version: str
    commit: str
    number: int = 1
    of: int = 1


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`verdict`: passed, failed, unproven."""

    format: int = FORMAT
    drill: str
    target: str
    verdict: str
    ok: bool
    number: int
    of: int
    started: str
    version: str
    commit: str
    cameras: int
    fps: float
    verdicts: list[Verdict]
    evidence: Shown | None
    unproven: str
    timeline: list[Moment]
    takeover_s: float | None = None
    dispatch_gap_s: float | None = None
    publish_gap_s: float | None = None
    dispatch_gap_before_s: float | None = None
    publish_gap_before_s: float | None = None
    recovery_s: float | None = None
    lost: int | None = None
    duplicates: int | None = None
    unconfirmed: int | None = None
    effects: int | None = None
    ordered_effects: int | None = None
    stale_effects: int | None = None
    double_effects: int | None = None
    missing_effects: int | None = None
    unfinished: list[str] = []
    leadership_changes: int | None = None
    shared_epochs: list[str] = []
    leaderships: list[dict[str, str]] = []
    ledger: Books | None = None
    linearizable: bool | None = None
    operations: int = 0
    history: str = ""
    picture: Picture | None = None


def build(
    run: Run,
    budget: Budget,
    *,
    evidence: Evidence | None,
    unproven: str,
    moments: Sequence[tuple[float, str, str]],
    recorded: Recorded | None,
) -> Report:
    """The report. `moments`: (time, what, node) by the controller's clock."""
    figures = None if recorded is None else measure(recorded)
    allowed = fitting(budget, takes_primary=evidence is not None and evidence.takes_primary)
    verdicts = judge(figures, allowed, {} if evidence is None else evidence.proof)
    zero = evidence.at if evidence is not None else min((at for at, _, _ in moments), default=0.0)
    ok = passed(verdicts)
    report = Report(
        **msgspec.structs.asdict(run),
        verdict="unproven" if not verdicts[0].ok else "passed" if ok else "failed",
        ok=ok,
        verdicts=verdicts,
        evidence=None
        if evidence is None
        else Shown(
            str(evidence.fault),
            evidence.victim,
            evidence.how,
            dict(evidence.proof),
            takes_primary=evidence.takes_primary,
        ),
        unproven=unproven,
        timeline=[Moment(_s(at - zero), what, node) for at, what, node in sorted(moments)],
    )
    if recorded is None or figures is None:
        return report
    return msgspec.structs.replace(report, **_figures(figures, recorded), picture=_picture(recorded))


def read(text: bytes, source: str) -> Report:
    """A report that was written before. Raises ReportUnreadable."""
    try:
        report = msgspec.json.decode(text, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ReportUnreadable(
            f"{source} is no report of a drill: {error}; give the .json of triarch drill run"
        ) from None
    if report.format > FORMAT:
        raise ReportUnreadable(f"{source} is of format {report.format}; this version draws up to {FORMAT}")
    if report.drill not in list(Fault):
        raise ReportUnreadable(f"{source}: {report.drill!r} is no drill that this version knows")
    return report


def _figures(figures: Figures, recorded: Recorded) -> Mapping[str, Any]:
    books = ledger_since(recorded)
    known = msgspec.structs.asdict(figures)
    for shown_elsewhere in ("unfinished_runs", "dead", "dropped", "in_flight", "settled"):
        del known[shown_elsewhere]
    rounded = {name: _s(value) if isinstance(value, float) else value for name, value in known.items()}
    return {
        **rounded,
        "shared_epochs": list(figures.shared_epochs),
        "unfinished": list(recorded.unfinished),
        "effects": len(recorded.effects),
        "leaderships": _leaderships(recorded),
        "ledger": None if books is None else _books(books, recorded),
        "operations": recorded.operations,
        "history": recorded.history,
    }


def _books(own: LedgerCounts, recorded: Recorded) -> Books:
    return Books(
        published=own.published,
        settled=own.settled,
        dead=own.dead,
        dropped=own.dropped,
        in_flight=own.in_flight,
        confirmed=sum(recorded.confirmed.values()),
        problems=list(own.problems),
    )


def _leaderships(recorded: Recorded) -> list[dict[str, str]]:
    """The newest twenty, the oldest first."""
    known = sorted(set(recorded.leaderships))[-20:]
    return [{"epoch": f"{epoch[0]}.{epoch[1]}", "node": node} for epoch, node in known]


def _picture(recorded: Recorded) -> Picture:
    zero, began, ended = recorded.at, recorded.began, recorded.ended
    width = max(BIN_S, (ended - began) / BINS_MAX)

    def gap(beats: Sequence[Beat]) -> tuple[float, float]:
        start, end = where_longest(beats, recorded.at, ended)
        return _s(start - zero), _s(end - zero)

    return Picture(
        from_s=_s(began - zero),
        to_s=_s(ended - zero),
        healed_s=_s(recorded.healed - zero),
        settled_s=None if recorded.settled is None else _s(recorded.settled - zero),
        bin_s=width,
        published=_rates(recorded.published, began, ended, width),
        arrived=_rates(recorded.arrived, began, ended, width),
        publish_gap=gap(recorded.published),
        dispatch_gap=gap(recorded.arrived),
        nodes=_bars(recorded.sightings, began, ended, zero),
    )


def _rates(beats: Sequence[Beat], began: float, ended: float, width: float) -> list[float]:
    bins = [0] * (int((ended - began) / width) + 1)
    for beat in beats:
        if began <= beat.first < ended:
            bins[int((beat.first - began) / width)] += beat.number
    return [round(number / width, 1) for number in bins]


def _bars(sightings: Sequence[Sighting], began: float, ended: float, zero: float) -> dict[str, list[Bar]]:
    """By node, one bar after the other."""
    bars: dict[str, list[Bar]] = {}
    for node in sorted({one.node for one in sightings}):
        own = sorted((one for one in sightings if one.node == node), key=lambda one: one.at)
        ends = [*(one.at for one in own[1:]), ended]
        bars[node] = [
            Bar(
                _s(max(one.at, began) - zero),
                _s(end - zero),
                one.state,
                "" if one.epoch is None else f"{one.epoch[0]}.{one.epoch[1]}",
            )
            for one, end in zip(own, ends, strict=True)
            if end > began
        ]
    return bars


def _s(seconds: float) -> float:
    return round(seconds, 3)
