"""The report of a run and what it takes for a run to count as good. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from orchestrator.demo.options import DemoOptions
from orchestrator.demo.tally import Tally

TAKEOVER_BUDGET_MS = 2_000


class Reign(Protocol):
    """One leader's time at the streams (`framebuffer.FenceRecord`): microseconds of the server's clock."""

    @property
    def term(self) -> int: ...
    @property
    def index(self) -> int: ...
    @property
    def node(self) -> str: ...
    @property
    def first_us(self) -> int: ...
    @property
    def last_us(self) -> int: ...
    @property
    def frames(self) -> int: ...


class Ledger(Protocol):
    """The sums of `framebuffer.ledger.LedgerReport`."""

    @property
    def published(self) -> int: ...
    @property
    def settled(self) -> int: ...
    @property
    def dead(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def in_flight(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def duplicates(self) -> int: ...
    @property
    def ledger_ok(self) -> bool: ...
    @property
    def problems(self) -> Sequence[str]: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """The kill of a run. Times are seconds after the cameras' start, on this machine's monotonic clock.

    `exit_status` is what the operating system said of the victim: -9 is death by SIGKILL; None for the primary, whose
    new process id proves it. `epoch` is that of a killed leader, `rejoined_s` how long it took from its restart until
    it was ready again (None: it was not).
    """

    what: str
    victim: str
    pid: int
    exit_status: int | None
    at_s: float
    server_ms: int
    epoch: tuple[int, int] | None = None
    new_pid: int | None = None
    restarted_at_s: float | None = None
    rejoined_s: float | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was seen of a run when it was over."""

    options: DemoOptions
    ledger: Ledger
    reigns: Sequence[Reign]
    tally: Tally
    fault: Fault | None
    cameras: Sequence[Mapping[str, Any]]
    expected: int
    drained: bool
    components: Mapping[str, str]
    run_directory: str
    elapsed_s: float
    server: str = ""
    video: str = ""
    failures: Sequence[str] = field(default_factory=tuple)


def ordered(reigns: Sequence[Reign]) -> list[Reign]:
    """Reigns by epoch, oldest first; only those that dispatched something."""
    return sorted((one for one in reigns if one.frames > 0), key=lambda one: (one.term, one.index))


def successor(reigns: Sequence[Reign], epoch: tuple[int, int]) -> Reign | None:
    """The first leader after the one of `epoch` that dispatched something."""
    return next((one for one in ordered(reigns) if (one.term, one.index) > epoch), None)


def takeover_ms(reigns: Sequence[Reign], epoch: tuple[int, int]) -> float | None:
    """From the last frame that the leader of `epoch` dispatched to the first one of the next leader, in milliseconds.

    Both times are the server's: no clock of another host is compared. None where either of them is missing.
    """
    old = next((one for one in ordered(reigns) if (one.term, one.index) == epoch), None)
    new = successor(reigns, epoch)
    if old is None or new is None:
        return None
    return round((new.first_us - old.last_us) / 1_000, 1)


def build(facts: Facts) -> dict[str, Any]:
    """Return the report, a JSON object; `ok` and `broken` are its verdict on itself."""
    ledger, fault, tally = facts.ledger, facts.fault, facts.tally
    report: dict[str, Any] = {
        "ok": False,
        "broken": [],
        "published": ledger.published,
        "settled": ledger.settled,
        "dead": ledger.dead,
        "dropped": ledger.dropped,
        "in_flight": ledger.in_flight,
        "lost": ledger.lost,
        "duplicates": max(ledger.duplicates, tally.duplicates),
        "detections": tally.detections,
        "takeover_ms": None,
        "primary_gap_ms": None,
        "ledger_ok": ledger.ledger_ok,
        "kill": facts.options.kill,
        "cameras": facts.options.cameras,
        "fps": facts.options.fps,
        "seconds": facts.options.seconds,
        "expected": facts.expected,
        "acknowledged": sum(int(camera.get("published", 0)) for camera in facts.cameras),
        "results": dict(sorted(tally.by_kind.items())),
        "results_counted": tally.results,
        "frames_with_result": tally.frames,
        "detections_by_kind": dict(sorted(tally.detections_by_kind.items())),
        "leaders": [
            {
                "node": one.node,
                "epoch": f"{one.term}.{one.index}",
                "frames": one.frames,
                "first_us": one.first_us,
                "last_us": one.last_us,
            }
            for one in ordered(facts.reigns)
        ],
        "fault": None,
        "standstill_ms": None,
        "drained": facts.drained,
        "components": dict(facts.components),
        "camera_counters": [dict(camera) for camera in facts.cameras],
        "server": facts.server,
        "video": facts.video,
        "run_directory": facts.run_directory,
        "elapsed_s": round(facts.elapsed_s, 1),
    }
    if fault is not None:
        report["fault"] = {
            "what": fault.what,
            "victim": fault.victim,
            "pid": fault.pid,
            "new_pid": fault.new_pid,
            "exit_status": fault.exit_status,
            "epoch": None if fault.epoch is None else f"{fault.epoch[0]}.{fault.epoch[1]}",
            "at_s": round(fault.at_s, 2),
            "restarted_at_s": None if fault.restarted_at_s is None else round(fault.restarted_at_s, 2),
            "rejoined_s": None if fault.rejoined_s is None else round(fault.rejoined_s, 2),
        }
        report["standstill_ms"] = tally.gap_ms(fault.server_ms)
        if fault.what == "primary":
            report["primary_gap_ms"] = report["standstill_ms"]
        elif fault.epoch is not None:
            report["takeover_ms"] = takeover_ms(facts.reigns, fault.epoch)
    report["broken"] = [*facts.failures, *broken_promises(facts, report)]
    report["ok"] = not report["broken"]
    return report


def broken_promises(facts: Facts, report: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each promise of a run that did not hold; none of them: the run is good."""
    broken = []
    if report["published"] == 0:
        broken.append("no frame was published")
    if report["acknowledged"] != report["published"]:
        broken.append(f"cameras had {report['acknowledged']} frames acknowledged, the ledger has {report['published']}")
    if report["acknowledged"] != facts.expected:
        broken.append(f"cameras published {report['acknowledged']} of {facts.expected} frames")
    if report["lost"]:
        broken.append(f"{report['lost']} frames were lost")
    if report["duplicates"]:
        named = ", ".join(facts.tally.twice())
        broken.append(f"{report['duplicates']} results came twice" + (f": {named}" if named else ""))
    if not report["ledger_ok"]:
        broken.append("the ledger does not add up" + "".join(f"; {problem}" for problem in facts.ledger.problems))
    if report["in_flight"] or not facts.drained:
        broken.append(f"{report['in_flight']} frames were still in flight when the time to drain was over")
    if report["dead"]:
        broken.append(f"{report['dead']} frames were given up")
    if report["dropped"]:
        broken.append(f"{report['dropped']} frames were dropped")
    if report["frames_with_result"] != report["settled"]:
        broken.append(f"{report['settled']} frames are settled, {report['frames_with_result']} have a result")
    broken.extend(
        f"component {name} ended in {state}, not in STOPPED"
        for name, state in sorted(facts.components.items())
        if state != "STOPPED"
    )
    if facts.tally.unreadable:
        broken.append(f"{facts.tally.unreadable} results cannot be read")
    if not report["detections"]:
        broken.append("nothing was detected")
    if facts.options.kill != "none":
        broken.extend(_broken_by_fault(facts, report))
    return broken


def _broken_by_fault(facts: Facts, report: Mapping[str, Any]) -> list[str]:
    fault = facts.fault
    if fault is None:
        return [f"the {facts.options.kill} was not killed"]
    broken = []
    if fault.exit_status != -9 and (fault.what == "leader" or fault.exit_status is not None):
        broken.append(f"{fault.victim} (pid {fault.pid}) did not die by SIGKILL: exit status {fault.exit_status}")
    if fault.rejoined_s is None or fault.new_pid in (None, fault.pid):
        broken.append(f"{fault.victim} did not come back")
    if fault.what == "primary":
        if report["primary_gap_ms"] is None:
            broken.append("no result came after the primary's kill")
        return broken
    if len({one["node"] for one in report["leaders"]}) < 2:
        broken.append("no second node has led")
    if report["takeover_ms"] is None:
        broken.append("no other leader dispatched a frame after the kill")
    elif report["takeover_ms"] < 0:
        broken.append(f"takeover took {report['takeover_ms']:g} ms: the server's clock was set back")
    elif report["takeover_ms"] >= TAKEOVER_BUDGET_MS:
        broken.append(f"takeover took {report['takeover_ms']:g} ms, {TAKEOVER_BUDGET_MS} is the budget")
    next_leader = None if fault.epoch is None else successor(facts.reigns, fault.epoch)
    if next_leader is not None and next_leader.first_us < fault.server_ms * 1_000:
        broken.append(f"{fault.victim} did not lead any more when it was killed: {next_leader.node} dispatched already")
    return broken


def summary(report: Mapping[str, Any]) -> list[str]:
    """Return the report as a few lines for people."""
    fault = report["fault"]
    seen = ", ".join(f"{count} {kind}" for kind, count in report["detections_by_kind"].items())
    verdict = "adds up" if report["ledger_ok"] else "DOES NOT ADD UP"
    unfinished = f"{report['dead']} dead, {report['dropped']} dropped, {report['in_flight']} in flight"
    lines = [
        f"frames      {report['published']} published, {report['settled']} settled, {unfinished}",
        f"ledger      {verdict}: {report['lost']} lost, {report['duplicates']} duplicates",
        f"detections  {report['detections']} ({seen or 'none'})",
        "leaders     " + (" → ".join(f"{one['node']} ({one['epoch']})" for one in report["leaders"]) or "none"),
    ]
    if fault is not None:
        came_back = (
            "never came back" if fault["rejoined_s"] is None else f"back {fault['rejoined_s']:g} s after its restart"
        )
        lines.append(f"kill        {fault['victim']} (pid {fault['pid']}) at {fault['at_s']:g} s, {came_back}")
    if report["takeover_ms"] is not None:
        lines.append(f"takeover    {report['takeover_ms']:g} ms without dispatch")
    if report["primary_gap_ms"] is not None:
        lines.append(f"standstill  {report['primary_gap_ms']:g} ms without a result")
    lines.append(f"run         {report['elapsed_s']:g} s, logs in {report['run_directory']}")
    lines.append("verdict     " + ("every promise held" if report["ok"] else "; ".join(report["broken"])))
    return lines
