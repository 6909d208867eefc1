"""Is the history of one register linearizable? The search, and why it may leave out what it leaves out.

A history is linearizable where each operation can be given one instant between its invocation and its return so that,
one after the other, they behave as a register does. The search is Wing and Gong's (1993) with Lowe's memory of what
was tried (2017), and just-in-time: the operation whose return comes next must be placed before time passes that
return. So a configuration is small whatever the length of the history: the operations in progress that are not placed
yet, the value of the register, and which operations of unknown outcome were used. All operations that returned
earlier are placed, and none that is invoked later can be.

What keeps it from being exponential, each without changing a verdict ("completion": an order of what is left to place):

1. *An observation that holds now is placed now* (a read of the present value, a cas that finds another one). It changes
   nothing, all that had to precede it is placed, so any completion with it later is one with it now.
2. *An operation of unknown outcome is used only where the next operation would not have been possible without it.*
   Take a completion and an unknown operation `u` in it. If nothing follows, leave `u` out: nobody saw it. If a write
   follows, leave it out: its value was gone unseen. If an observation follows that holds without it as well, let `u`
   come after that one: it never returns, so later is always allowed. If a cas follows that also succeeds without it,
   `u` had not changed the value: leave it out. Each step leaves fewer or later ones, so it ends: in a completion
   where each `u` is directly followed by an operation that needs it. In particular a write of unknown outcome whose
   value nobody observed is only ever tried where a cas that found a mismatch needs the register to have changed.
3. *Of unknown operations with the same effect the one invoked first is used first*: in any completion that uses
   another one, the earlier one fits into its place, and later is allowed for the one that is set free.
4. *Values that nobody asks about are one value*: a value that no read returned and no cas expected can only be told
   from the ones asked about, not from others of its sort.
5. *A configuration that used a superset of the unknown operations of one that failed* (same place, same value) *fails
   as well*: whatever would complete it would have completed the other.

So the number of configurations at one place grows with the operations in progress, not with the length of the
history, and with the number of different effects of unknown outcome, not with that of their subsets.
"""

import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from tests.chaos.operations import CheckTimedOut, Operation, identity

_READ, _MISMATCH, _WRITE, _CAS = range(4)
_OTHER = 0
"""the state that stands for all values that nobody asks about"""

Order = tuple[int, "Order"] | None
"""what was placed, last first: (number of the operation, what was placed before it)"""


class Deadline(msgspec.Struct, frozen=True):
    """When to give up, on the monotonic clock."""

    limit_s: float
    ends: float

    @classmethod
    def after(cls, limit_s: float) -> "Deadline":
        """From now on."""
        return cls(limit_s, time.monotonic() + limit_s)

    def check(self, key: str) -> None:
        """CheckTimedOut once it has passed."""
        if time.monotonic() >= self.ends:
            raise CheckTimedOut(self.limit_s, key)


class Obstacle(msgspec.Struct, frozen=True):
    """Where a register stops being linearizable: an order exists until just before `unplaced[0]` returned, not after."""

    prefix: tuple[Operation, ...]
    """an order of what could be placed, first to last"""
    unplaced: tuple[Operation, ...]
    """in progress at that return and not in `prefix`; the first is the one that returned"""
    held: tuple[Any, ...]
    """the values that the register may have held then"""


class _Effects:
    """The operations of unknown outcome, grouped by effect. A set of used ones is an int with a bit for each.

    The bits of one effect stand side by side in the order of invocation, and are used in that order (rule 3).
    """

    def __init__(self, unknown: Sequence[Operation], number: dict[Any, int]) -> None:
        groups: dict[tuple[int, int], list[Operation]] = {}
        for operation in sorted(unknown, key=lambda op: op.invoked):
            expected = number[identity(operation.expected)] if operation.kind == "cas" else -1
            groups.setdefault((expected, number.get(identity(operation.value), _OTHER)), []).append(operation)
        self.operations: list[Operation] = []
        self._writes: dict[int, tuple[int, list[float]]] = {}
        self._cas: dict[tuple[int, int], tuple[int, list[float]]] = {}
        self._expected_for: dict[int, list[int]] = {}
        self._results_of: dict[int, list[int]] = {}
        for (expected, result), group in groups.items():
            if expected == result:
                continue  # changes nothing
            times = (len(self.operations), [operation.invoked for operation in group])
            self.operations += group
            if expected < 0:
                self._writes[result] = times
            else:
                self._cas[expected, result] = times
                self._expected_for.setdefault(result, []).append(expected)
                self._results_of.setdefault(expected, []).append(result)

    def moves(
        self, state: int, wanted: set[int], *, anything: bool, after_unknown: bool, used: int, now: float
    ) -> Iterator[tuple[int, int]]:
        """(bit of an operation that may be used now, state after it), of those that may lead to a state in `wanted`.

        `anything`: every change of state is wanted. `after_unknown`: only a cas needs what an unknown operation left.
        """
        goals = self._leading_to(wanted)
        if anything:
            goals = goals | self._writes.keys() | set(self._results_of.get(state, ()))
        for result in self._results_of.get(state, ()):
            if result in goals:
                bit = _next_of(self._cas[state, result], used, now)
                if bit >= 0:
                    yield bit, result
        if after_unknown:
            return
        for result in goals:
            group = self._writes.get(result)
            if group is not None and result != state:
                bit = _next_of(group, used, now)
                if bit >= 0:
                    yield bit, result

    def _leading_to(self, wanted: set[int]) -> set[int]:
        """`wanted`, and what a chain of cas of unknown outcome turns into one of them."""
        goals = set(wanted)
        todo = list(wanted)
        while todo:
            for expected in self._expected_for.get(todo.pop(), ()):
                if expected not in goals:
                    goals.add(expected)
                    todo.append(expected)
        return goals


def _next_of(group: tuple[int, list[float]], used: int, now: float) -> int:
    """The bit of the first operation of a group that is unused, -1 where there is none or it is not invoked yet."""
    first, times = group
    position = ((used >> first) & ((1 << len(times)) - 1)).bit_length()
    return first + position if position < len(times) and times[position] <= now else -1


class _History:
    """The operations of one register as the search wants them: numbered by return, with values as numbers."""

    def __init__(self, operations: Sequence[Operation], initial: Any) -> None:
        known = [operation for operation in operations if operation.outcome in ("ok", "mismatch")]
        unknown = [operation for operation in operations if operation.outcome == "unknown" and operation.kind != "read"]
        self.known = sorted(known, key=lambda operation: operation.returned)
        number = self._number_values(unknown)
        self.kind: list[int] = []
        self.needs: list[int] = []
        """the value it observed, or (a mismatch) did not observe; -1: a write"""
        self.gives: list[int] = []
        """the value it left; -1: the one that was there"""
        for operation in self.known:
            if operation.kind == "read":
                self._append(_READ, number[identity(operation.value)], -1)
            elif operation.outcome == "mismatch":
                self._append(_MISMATCH, number[identity(operation.expected)], -1)
            else:
                result = number.get(identity(operation.value), _OTHER)
                if operation.kind == "cas":
                    self._append(_CAS, number[identity(operation.expected)], result)
                else:
                    self._append(_WRITE, -1, result)
        self.initial = number.get(identity(initial), _OTHER)
        self.effects = _Effects(unknown, number)
        count = len(self.known)
        self.by_invocation = sorted(range(count), key=lambda index: self.known[index].invoked)
        invoked = [self.known[index].invoked for index in self.by_invocation]
        self.begun = [bisect_right(invoked, operation.returned) for operation in self.known]
        """how many are invoked by the return of each"""
        self.next_return = [*self.by_invocation, count]
        """the first that returns of those from a place in `by_invocation` on"""
        for place in reversed(range(count)):
            self.next_return[place] = min(self.next_return[place], self.next_return[place + 1])

    def _number_values(self, unknown: list[Operation]) -> dict[Any, int]:
        """A number from 1 for each value that someone asks about (rule 4)."""
        number: dict[Any, int] = {}
        for operation in [*self.known, *unknown]:
            if operation.kind != "write":
                asked = operation.value if operation.kind == "read" else operation.expected
                number.setdefault(identity(asked), len(number) + 1)
        return number

    def _append(self, kind: int, needs: int, gives: int) -> None:
        self.kind.append(kind)
        self.needs.append(needs)
        self.gives.append(gives)

    def operation(self, index: int) -> Operation:
        """By the number that an Order holds: the known ones first, the unknown ones after them."""
        return self.known[index] if index < len(self.known) else self.effects.operations[index - len(self.known)]


def find_obstacle(operations: Sequence[Operation], initial: Any, deadline: Deadline | None) -> Obstacle | None:
    """None where these operations, all on one register that held `initial`, are linearizable."""
    history = _History(operations, initial)
    tried: dict[tuple[tuple[int, ...], int, bool], list[int]] = {}
    furthest = -1
    reached: dict[int, tuple[Order, tuple[int, ...]]] = {}
    stack: list[tuple[tuple[int, ...], int, int, int, bool, Order]] = [((), 0, history.initial, 0, False, None)]
    rounds = 0
    while stack:
        pending, begun, state, used, after_unknown, order = stack.pop()
        rounds += 1
        if deadline is not None and rounds % 1024 == 0:
            deadline.check(operations[0].key)
        before = order
        pending, begun, order = _settle(history, pending, begun, state, order)
        if not pending:
            return None
        # An observation that needed the unknown operation was placed: the next one is free again.
        after_unknown = after_unknown and order is before
        if pending[0] > furthest:
            furthest = pending[0]
            reached = {}
        if pending[0] == furthest:
            reached.setdefault(state, (order, pending))
        failed = tried.setdefault((pending, state, after_unknown), [])
        if any(not other & ~used for other in failed):
            continue  # rule 5
        failed.append(used)
        stack += _moves(history, pending, begun, state, used, after_unknown, order)
    return _obstacle(history, reached, initial)


def _settle(
    history: _History, pending: tuple[int, ...], begun: int, state: int, order: Order
) -> tuple[tuple[int, ...], int, Order]:
    """Lets time pass as far as nothing has to be decided, and places the observations that hold (rule 1).

    `pending`: in progress and not placed, by return. It comes back empty where all is placed.
    """
    kinds, needs = history.kind, history.needs
    end = len(kinds)
    while True:
        due = history.next_return[begun]
        if pending and pending[0] < due:
            due = pending[0]
        if due == end:
            return (), begun, order
        until = history.begun[due]
        if until > begun:
            pending = tuple(sorted([*pending, *history.by_invocation[begun:until]]))
            begun = until
        rest = []
        for index in pending:
            kind = kinds[index]
            if (kind == _READ and needs[index] == state) or (kind == _MISMATCH and needs[index] != state):
                order = (index, order)
            else:
                rest.append(index)
        if len(rest) == len(pending):
            return pending, begun, order
        pending = tuple(rest)


def _moves(
    history: _History, pending: tuple[int, ...], begun: int, state: int, used: int, after_unknown: bool, order: Order
) -> Iterator[tuple[tuple[int, ...], int, int, int, bool, Order]]:
    """The configurations after each operation that can be placed next, the most promising last."""
    kinds, needs, gives = history.kind, history.needs, history.gives
    if history.effects.operations:
        wanted = {needs[index] for index in pending if kinds[index] in (_READ, _CAS)} - {state}
        anything = any(kinds[index] == _MISMATCH for index in pending)
        now = history.known[pending[0]].returned
        for bit, result in history.effects.moves(
            state, wanted, anything=anything, after_unknown=after_unknown, used=used, now=now
        ):
            yield pending, begun, result, used | 1 << bit, True, (len(history.known) + bit, order)
    due = pending[0]
    promising = []
    for place in reversed(range(len(pending))):
        index = pending[place]
        if kinds[index] == _CAS:
            if needs[index] != state:
                continue
        elif kinds[index] != _WRITE or after_unknown:
            continue
        after = (pending[:place] + pending[place + 1 :], begun, gives[index], used, False, (index, order))
        if kinds[due] in (_READ, _CAS) and gives[index] == needs[due]:
            promising.append(after)
        else:
            yield after
    yield from promising


def _obstacle(history: _History, reached: dict[int, tuple[Order, tuple[int, ...]]], initial: Any) -> Obstacle:
    prefixes = [(_first_to_last(history, order), pending) for order, pending in reached.values()]
    held = []
    for prefix, _ in prefixes:
        changes = [operation for operation in prefix if operation.kind != "read" and operation.outcome != "mismatch"]
        held.append(changes[-1].value if changes else initial)
    prefix, pending = max(prefixes, key=lambda found: len(found[0]))
    return Obstacle(prefix, tuple(history.known[index] for index in pending), tuple(held))


def _first_to_last(history: _History, order: Order) -> tuple[Operation, ...]:
    indexes = []
    while order is not None:
        index, order = order
        indexes.append(index)
    return tuple(history.operation(index) for index in reversed(indexes))
