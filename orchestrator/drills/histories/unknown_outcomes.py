"""The operations of unknown outcome in the history of one register, as the search (linearization.py) may use them.

There can be many, each may take effect at any time or never, and a search that tries each subset never ends. So they
are grouped by effect, and a configuration remembers of those it used only what can still make a difference. "Asked
about" below: a read or a successful cas needs the value, or a mismatch needs another one.

- *Within a group the one invoked first is used first* (rule 3 of the search): the used ones of a group are its first
  ones.
- *A write of a value that nobody asks about any more is spare*: it can only serve a mismatch that needs the register to
  have changed, and there each spare one does as well as the next. Which were used does not matter, only how many.
- *A cas is useless once nobody asks any more about the value it expects*, nor about one that it leads to; or once the
  register cannot hold that value again. It is forgotten.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from orchestrator.drills.histories.operations import Operation

OTHER = 0
"""the state that stands for all values that nobody asks about"""
SPARE = -1
"""in place of an operation's number: one of the spare writes, whichever"""


class Used(NamedTuple):
    """What a configuration used: a bit for each write and cas that still matters, and the number of spare writes."""

    writes: int
    cas: int
    spare: int

    def within(self, other: "Used") -> bool:
        """Whether whatever is left to `other` is left here as well."""
        return not self.writes & ~other.writes and not self.cas & ~other.cas and self.spare <= other.spare


NOTHING = Used(0, 0, 0)


class Unknown(NamedTuple):
    """An operation of unknown outcome, its values as the numbers that the search gives them."""

    operation: Operation
    expected: int
    """-1: a write"""
    result: int


class _Group(NamedTuple):
    """Operations with the same effect, by invocation; they have consecutive bits."""

    first: int
    invoked: list[float]

    def bit(self, used: int, now: float) -> int:
        """Of the next one to use, 0 where none is left or it is not invoked yet."""
        position = ((used >> self.first) & ((1 << len(self.invoked)) - 1)).bit_length()
        return 1 << (self.first + position) if position < len(self.invoked) and self.invoked[position] <= now else 0


class UnknownOutcomes:
    """All of one register. `due` tells the time: the number, by return, of the known operation to place next."""

    def __init__(self, unknown: Sequence[Unknown], asked: list[int], given: list[int], returns: list[float]) -> None:
        """`asked`, `given`: the number of the last known operation that asks about each value, that leaves it.

        -1 where there is none. `returns`: when the known operations returned, rising.
        """
        self._returns = returns
        groups: dict[tuple[int, int], list[Operation]] = {}
        for operation, expected, result in sorted(unknown, key=lambda each: each.operation.invoked):
            if expected != result:
                groups.setdefault((expected, result), []).append(operation)
        self._expected_for: dict[int, list[int]] = {}
        self._results_of: dict[int, list[int]] = {}
        given = list(given)
        for expected, result in groups:
            given[result] = len(returns)
            if expected >= 0:
                self._expected_for.setdefault(result, []).append(expected)
                self._results_of.setdefault(expected, []).append(result)
        self.asked = self._asked_through_cas(asked)
        self._changers: dict[int, list[int]] = {}
        self._number_writes({result: group for (expected, result), group in groups.items() if expected < 0})
        self._number_cas({effect: group for effect, group in groups.items() if effect[0] >= 0}, given)

    def _asked_through_cas(self, asked: list[int]) -> list[int]:
        """A value is also asked about while one is that a cas of unknown outcome makes of it."""
        asked = list(asked)
        todo = list(self._expected_for)
        while todo:
            result = todo.pop()
            for expected in self._expected_for.get(result, ()):
                if asked[expected] < asked[result]:
                    asked[expected] = asked[result]
                    todo.append(expected)
        return asked

    def _number_writes(self, groups: dict[int, list[Operation]]) -> None:
        """The bits go by when nobody asks any more, so that the spare ones are the lowest."""
        self._writes: list[Operation] = []
        self._writes_of: dict[int, _Group] = {}
        self._write_ends: list[int] = []
        for result in sorted(groups, key=lambda result: self.asked[result]):
            group = groups[result]
            self._writes_of[result] = _Group(len(self._writes), [operation.invoked for operation in group])
            self._writes += group
            self._write_ends += [self.asked[result]] * len(group)
        spare_from = [
            max(end + 1, bisect_left(self._returns, operation.invoked))
            for operation, end in zip(self._writes, self._write_ends, strict=True)
        ]
        self.spare_writes = [self._writes[bit] for bit in sorted(range(len(spare_from)), key=spare_from.__getitem__)]
        """in the order in which they become spare"""
        self._spare_from = sorted(spare_from)

    def _number_cas(self, groups: dict[tuple[int, int], list[Operation]], given: list[int]) -> None:
        """The bits go by when the cas becomes useless, but to a configuration whose register holds what it expects."""
        self._cas: list[Operation] = []
        self._cas_of: dict[tuple[int, int], _Group] = {}
        self._cas_ends: list[int] = []
        self._cas_bits: dict[int, int] = {}
        for effect in sorted(groups, key=lambda effect: min(self.asked[effect[0]], given[effect[0]])):
            group = groups[effect]
            first = len(self._cas)
            self._cas_of[effect] = _Group(first, [operation.invoked for operation in group])
            self._cas += group
            self._cas_ends += [min(self.asked[effect[0]], given[effect[0]])] * len(group)
            self._cas_bits[effect[0]] = self._cas_bits.get(effect[0], 0) | ((1 << len(group)) - 1) << first

    def __bool__(self) -> bool:
        return bool(self._writes or self._cas)

    def operation(self, number: int) -> Operation:
        """By the number that moves() gave it, which is not SPARE."""
        return self._writes[number] if number < len(self._writes) else self._cas[number - len(self._writes)]

    def still_matters(self, used: Used, state: int, due: int) -> Used:
        """`used` without what makes no difference any more."""
        writes, cas, spare = used
        if writes:
            end = bisect_left(self._write_ends, due)
            writes = writes >> end << end
            spare += (used.writes ^ writes).bit_count()
        if cas:
            end = bisect_left(self._cas_ends, due)
            of_state = self._cas_bits.get(state, 0) if self.asked[state] >= due else 0
            cas = cas >> end << end | cas & of_state
        return Used(writes, cas, spare)

    def moves(
        self, state: int, wanted: set[int], *, anything: bool, after_unknown: bool, used: Used, due: int
    ) -> Iterator[tuple[int, int, Used]]:
        """(number of an operation that may be used now, state after it, what is used then), the most promising last.

        Only what may lead to a state in `wanted`, by way of further ones perhaps; `anything`: to any other than this
        one. `after_unknown`: only a cas needs what an operation of unknown outcome left.
        """
        now = self._returns[due]
        goals = self._leading_to(wanted)
        for result in self._results_of.get(state, ()):
            if anything or result in goals:
                bit = self._cas_of[state, result].bit(used.cas, now)
                if bit:
                    number = len(self._writes) + bit.bit_length() - 1
                    yield number, result, Used(used.writes, used.cas | bit, used.spare)
        if after_unknown:
            return
        for result in self._changers_at(due) if anything else goals:
            group = self._writes_of.get(result)
            if group is not None and result != state:
                bit = group.bit(used.writes, now)
                if bit:
                    yield bit.bit_length() - 1, result, Used(used.writes | bit, used.cas, used.spare)
        if anything and used.spare < bisect_right(self._spare_from, due):
            yield SPARE, OTHER, Used(used.writes, used.cas, used.spare + 1)

    def _leading_to(self, wanted: set[int]) -> set[int]:
        """`wanted`, and what a chain of cas turns into one of them."""
        goals = set(wanted)
        todo = list(wanted)
        while todo:
            for expected in self._expected_for.get(todo.pop(), ()):
                if expected not in goals:
                    goals.add(expected)
                    todo.append(expected)
        return goals

    def _changers_at(self, due: int) -> list[int]:
        """The values that a write invoked by then may leave and somebody still asks about."""
        changers = self._changers.get(due)
        if changers is None:
            now = self._returns[due]
            changers = [
                result
                for result, group in self._writes_of.items()
                if self.asked[result] >= due and group.invoked[0] <= now
            ]
            self._changers[due] = changers
        return changers
