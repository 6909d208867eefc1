"""Explores what may become of a playbook, breadth first: the first counterexample of a kind is a shortest one. Pure.

Before that one run is made in which nothing goes wrong, to its end: there a loop that never ends is found, if long.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from orchestrator.playbooks.checker.judging import Finding, Judge, Kind, restarts
from orchestrator.playbooks.checker.moves import Move, all_moves, good
from orchestrator.playbooks.checker.situation import Situation
from orchestrator.playbooks.checker.starts import Start, Wanted, starts
from orchestrator.playbooks.execution import Status
from orchestrator.playbooks.models import Playbook

STATES_MAX = 20_000
DEPTH_MAX = 200
"""Moves of one run of the exploration."""
GOOD_RUN_MAX = 3_000
"""Moves of a run in which nothing goes wrong."""


@dataclass(frozen=True, slots=True)
class Happened:
    """One line of a run: what happened, when, and the components' states after it."""

    time: float
    what: str
    components: dict[str, str]


@dataclass(frozen=True, slots=True)
class Defect:
    """`run`: the shortest that shows it, the beginning first."""

    kind: Kind
    message: str
    run: tuple[Happened, ...]


@dataclass(slots=True)
class Report:
    """`complete`: everything within the numbers of faults and takeovers was looked at; else `cut` says what was not."""

    playbook: str
    defects: list[Defect] = field(default_factory=list)
    states: int = 0
    depth: int = 0
    starts: int = 0
    complete: bool = True
    cut: str = ""

    @property
    def ok(self) -> bool:
        return not self.defects


@dataclass(slots=True)
class _Node:
    parent: "_Node | None"
    happened: Happened
    depth: int

    def run(self) -> tuple[Happened, ...]:
        lines: list[Happened] = []
        node: _Node | None = self
        while node is not None:
            lines.append(node.happened)
            node = node.parent
        return tuple(reversed(lines))


def check(
    playbook: Playbook,
    others: Sequence[Playbook] = (),
    wanted: Wanted | None = None,
    *,
    bound: int = STATES_MAX,
    depth: int = DEPTH_MAX,
) -> Report:
    """Explore the playbook. `others`: those that it may run. SimulationInvalid for what cannot be explored."""
    return _Search(playbook, bound, depth).over(starts(playbook, others, wanted or Wanted()))


class _Search:
    def __init__(self, playbook: Playbook, bound: int, depth: int) -> None:
        self._playbook, self._judge = playbook, Judge(playbook)
        self._bound, self._depth = bound, depth
        self._report = Report(playbook.name)
        self._known: set[tuple[Kind, str]] = set()
        self._unprovoked: list[Defect] = []
        self._succeeds = False

    def over(self, begun: Sequence[Start]) -> Report:
        self._report.starts = len(begun)
        for start in begun:
            self._good_run(start)
        if not self._succeeds and self._unprovoked:
            # However the plant begins: then it is not the beginning that is wrong.
            shortest = min(self._unprovoked, key=lambda defect: len(defect.run))
            self._report.defects.append(shortest)
        self._breadth_first(begun)
        order = list(Kind)
        self._report.defects.sort(key=lambda defect: (order.index(defect.kind), len(defect.run)))
        return self._report

    # ── The run in which nothing goes wrong ────────────────────────────────

    def _good_run(self, start: Start) -> None:
        situation, node = start.situation, _first(start)
        for _ in range(GOOD_RUN_MAX):
            stuck = self._judged(situation, node)
            if situation.ended:
                self._succeeds = self._succeeds or situation.root.status == Status.SUCCEEDED
                return
            move = next(good(situation), None)
            if stuck or move is None:
                return
            situation, node = self._after(move), _following(node, move)
        message = f"after {GOOD_RUN_MAX} moves, and {situation.now:g} s, it has not ended, though nothing went wrong"
        self._found(Finding(Kind.NEVER_ENDS, message, "timeout"), node)

    # ── All runs ────────────────────────────────

    def _breadth_first(self, begun: Sequence[Start]) -> None:
        queue: deque[tuple[Situation, _Node]] = deque()
        seen: set[bytes] = set()
        for start in begun:
            if (digest := start.situation.digest()) not in seen:
                seen.add(digest)
                queue.append((start.situation, _first(start)))
        while queue:
            situation, node = queue.popleft()
            self._report.states += 1
            self._report.depth = max(self._report.depth, node.depth)
            if self._judged(situation, node) or situation.ended:
                continue
            if node.depth >= self._depth:
                self._cut(f"runs of more than {self._depth} moves were not followed")
                continue
            for move in all_moves(situation):
                after = self._after(move)
                digest = after.digest()
                if digest in seen:
                    continue
                if len(seen) >= self._bound:
                    self._cut(f"more than {self._bound} states: those that are further away were not looked at")
                    break
                seen.add(digest)
                queue.append((after, _following(node, move)))

    def _after(self, move: Move) -> Situation:
        """The situation after a move, which notes when that would start the playbook again."""
        after = move.after
        if move.changed and move.changed not in after.harmed and not after.restarts:
            after.restarts = restarts(self._playbook, after, move.changed)
        return after

    def _cut(self, why: str) -> None:
        self._report.complete = False
        self._report.cut = self._report.cut or why

    # ── Findings ────────────────────────────────

    def _judged(self, situation: Situation, node: _Node) -> bool:
        """Note what is wrong; whether nothing more can come of the situation."""
        final = False
        for finding in self._judge.findings(situation):
            final = final or finding.final
            if finding.kind is Kind.FAILS_UNPROVOKED:
                self._unprovoked.append(Defect(finding.kind, finding.message, node.run()))
            else:
                self._found(finding, node)
        return final

    def _found(self, finding: Finding, node: _Node) -> None:
        if (finding.kind, finding.subject) in self._known:
            return
        self._known.add((finding.kind, finding.subject))
        self._report.defects.append(Defect(finding.kind, finding.message, node.run()))


def _first(start: Start) -> _Node:
    return _Node(None, Happened(0.0, start.what, start.situation.states()), 0)


def _following(node: _Node, move: Move) -> _Node:
    after = move.after
    return _Node(node, Happened(round(after.now, 3), move.what, after.states()), node.depth + 1)


def lines(report: Report) -> Iterator[str]:
    """The report for people."""
    extent = f"{report.states} states, runs of up to {report.depth} moves, from {report.starts} beginnings"
    if report.ok:
        yield f"{report.playbook}: no defect found ({extent})"
    else:
        count = len(report.defects)
        yield f"{report.playbook}: {count} defect{'s' if count > 1 else ''} ({extent})"
    if not report.complete:
        yield f"  not complete: {report.cut}"
    for defect in report.defects:
        yield ""
        yield f"  {defect.kind}: {defect.message}"
        before: dict[str, str] = {}
        for number, each in enumerate(defect.run):
            shown = {name: state for name, state in each.components.items() if before.get(name) != state}
            before = each.components
            states = "   " + " ".join(f"{name}={state}" for name, state in shown.items()) if shown else ""
            yield f"    {number:>3}  {each.time:>9.3f} s  {each.what}{states}"
