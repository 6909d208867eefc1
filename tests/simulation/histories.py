"""What clients saw, checked twice: at once against the order of the log, and at the end as a history of registers.

At once: an operation that returned before another was invoked stands before it in the log; a read shows the register
as it was at the index that it was answered from, and a linearizable one misses nothing that was acknowledged before it
was asked; `leader` and `stale` reads miss nothing that was acknowledged longer ago than their bound. (A follower counts
its age from when a leader's message came. How long that was under way it cannot know: so much is added here.)

At the end: `tests.chaos.linearizability` searches for an order by itself, without knowing of any log.
"""

import math
from bisect import bisect_right
from collections.abc import Callable

import msgspec

from tests.chaos.linearizability import CheckTimedOut, Operation, check, render
from tests.simulation.agenda import Agenda
from tests.simulation.invariants import Invariants, Violation
from tests.simulation.machine import Registers


class Begun(msgspec.Struct, frozen=True):
    """An operation's invocation: its number among all events, its time, the highest index acknowledged by then."""

    moment: int
    at: float
    floor: int


class History:
    """All clients' operations. `leader_bound_s`: how old a read of the consistency `leader` may be."""

    def __init__(
        self,
        agenda: Agenda,
        invariants: Invariants,
        *,
        leader_bound_s: float,
        slack_s: float,
        slowest_s: Callable[[], float],
    ) -> None:
        self.operations: list[Operation] = []
        self.counts: dict[str, int] = {}
        self._agenda, self._invariants = agenda, invariants
        self._leader_bound_s, self._slack_s = leader_bound_s, slack_s
        self._slowest_s = slowest_s
        self._moment = 0
        self._floor = 0
        self._known: tuple[list[float], list[int]] = ([], [])
        """(times, the highest index acknowledged by then)"""
        self._values: dict[str, tuple[list[int], list[int]]] = {}
        """register → (indices at which it changed, values from there on)"""
        self._latest = 0

    def applied(self, machine: Registers) -> None:
        """Some member has applied a command; the first one that does tells the register's value from there on."""
        if machine.index > self._latest:
            self._latest = machine.index
            if machine.changed is not None:
                indices, values = self._values.setdefault(machine.changed, ([], []))
                indices.append(machine.index)
                values.append(machine.values[machine.changed])

    def begin(self) -> Begun:
        """An operation is invoked."""
        self._moment += 1
        return Begun(self._moment, self._agenda.now, self._floor)

    def acknowledged(self, command_id: str, index: int, term: int) -> None:
        """A client is told that its command was applied."""
        self._invariants.acknowledged(command_id, index, term)

    def changed(
        self, begun: Begun, client: int, kind: str, key: str, value: int, expected: int | None, outcome: str, index: int
    ) -> None:
        """A write or compare-and-set is over."""
        if outcome in ("ok", "mismatch"):
            if index <= begun.floor:
                raise Violation(
                    "real-time order", f"{kind} of {value} stands at entry {index}, behind {begun.floor} it began"
                )
            self._know(index)
        name = "cas" if kind == "compare_and_set" else "write"
        self._record(begun, client, name, key, value, expected, outcome)
        self._count(f"{kind} {outcome}")

    def read(
        self,
        begun: Begun,
        client: int,
        key: str,
        value: int | None,
        index: int,
        outcome: str,
        consistency: str,
        bound_s: float | None,
    ) -> None:
        """A read is over."""
        self._count(f"{consistency} read {outcome}")
        if outcome != "ok":
            return
        if value != self._value(key, index):
            raise Violation(
                "reads",
                f"a {consistency} read of {key} at entry {index} gave {value}, there it was {self._value(key, index)}",
            )
        if consistency == "linearizable":
            floor = begun.floor
        elif consistency == "leader":
            floor = self._acknowledged_by(begun.at - self._leader_bound_s - self._slack_s)
        else:
            floor = self._acknowledged_by(begun.at - (bound_s or math.inf) - self._slack_s - self._slowest_s())
        if index < floor:
            raise Violation(
                "reads",
                f"a {consistency} read of {key} was answered as of entry {index}, {floor} was acknowledged before",
            )
        if consistency == "linearizable":
            self._know(index)
            self._record(begun, client, "read", key, value, None, outcome)

    def judge(self) -> None:
        """Search for an order of all that was linearizable."""
        try:
            verdict = check(self.operations, deadline_s=20.0)
        except CheckTimedOut:
            self._count("history undecided")
            return
        if not verdict.linearizable:
            raise Violation("linearizability", render(verdict))

    # ── Inside ────────────────────────────────

    def _record(
        self, begun: Begun, client: int, kind: str, key: str, value: int | None, expected: int | None, outcome: str
    ) -> None:
        self._moment += 1
        returned = math.inf if outcome == "unknown" else float(self._moment)
        operation = {"kind": kind, "outcome": outcome}
        self.operations.append(
            msgspec.convert(
                {**operation, "client": client, "key": key, "value": value, "expected": expected,
                 "invoked": float(begun.moment), "returned": returned},
                Operation,
            )
        )  # fmt: skip

    def _know(self, index: int) -> None:
        if index > self._floor:
            self._floor = index
            self._known[0].append(self._agenda.now)
            self._known[1].append(index)

    def _acknowledged_by(self, at: float) -> int:
        position = bisect_right(self._known[0], at)
        return self._known[1][position - 1] if position else 0

    def _value(self, key: str, index: int) -> int | None:
        indices, values = self._values.get(key, ([], []))
        position = bisect_right(indices, index)
        return values[position - 1] if position else None

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1
