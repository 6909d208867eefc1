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

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from orchestrator.drills.histories.operations import CheckTimedOut, Operation, identity
from orchestrator.drills.histories.unknown_outcomes import NOTHING, OTHER, SPARE, Unknown, UnknownOutcomes, Used

_READ, _MISMATCH, _WRITE, _CAS = range(4)

Order = tuple[int, "Order"] | None
"""what was placed, last first: (number of the operation, what was placed before it); an operation of unknown outcome
has its number there, n, as -2 - n, and a spare write is -1"""

Configuration = tuple[tuple[int, ...], int, int, Used, bool, Order]
"""known operations in progress that are not placed, by return · how many known ones are invoked · value of the
register · operations of unknown outcome used · whether the last one placed is of these and nothing needed it yet ·
what was placed"""


class Deadline(msgspec.Struct, frozen=True):
    """When to give up, by the clock that is handed in: seconds that only grow."""

    limit_s: float
    ends: float
    now: Callable[[], float]

    @classmethod
    def after(cls, limit_s: float, now: Callable[[], float]) -> "Deadline":
        """From now on."""
        return cls(limit_s, now() + limit_s, now)

    def check(self, key: str) -> None:
        """CheckTimedOut once it has passed."""
        if self.now() >= self.ends:
            raise CheckTimedOut(self.limit_s, key)


class Obstacle(msgspec.Struct, frozen=True):
    """Where a register stops being linearizable: until `unplaced[0]` returned an order exists, from then on none."""

    prefix: tuple[Operation, ...]
    """an order of what could be placed, first to last"""
    unplaced: tuple[Operation, ...]
    """in progress at that return and not in `prefix`; the first is the one that returned"""
    held: tuple[Any, ...]
    """the values that the register may have held then"""


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
                result = number.get(identity(operation.value), OTHER)
                if operation.kind == "cas":
                    self._append(_CAS, number[identity(operation.expected)], result)
                else:
                    self._append(_WRITE, -1, result)
        self.initial = number.get(identity(initial), OTHER)
        self.unknown = self._unknown_outcomes(unknown, number)
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

    def _unknown_outcomes(self, unknown: list[Operation], number: dict[Any, int]) -> UnknownOutcomes:
        asked = [-1] * (len(number) + 1)
        given = [-1] * (len(number) + 1)
        for index, (needs, gives) in enumerate(zip(self.needs, self.gives, strict=True)):
            if needs >= 0:
                asked[needs] = index
            if gives >= 0:
                given[gives] = index
        each = [
            Unknown(
                operation,
                number[identity(operation.expected)] if operation.kind == "cas" else -1,
                number.get(identity(operation.value), OTHER),
            )
            for operation in unknown
        ]
        return UnknownOutcomes(each, asked, given, [operation.returned for operation in self.known])

    def _append(self, kind: int, needs: int, gives: int) -> None:
        self.kind.append(kind)
        self.needs.append(needs)
        self.gives.append(gives)


def find_obstacle(operations: Sequence[Operation], initial: Any, deadline: Deadline | None) -> Obstacle | None:
    """None where these operations, all on one register that held `initial`, are linearizable."""
    history = _History(operations, initial)
    tried: dict[tuple[tuple[int, ...], int, bool], list[Used]] = {}
    furthest = -1
    reached: dict[tuple[tuple[int, ...], int], Order] = {}
    stack: list[Configuration] = [((), 0, history.initial, NOTHING, False, None)]
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
            reached.setdefault((pending, state), order)
        if history.unknown.asked[state] < pending[0]:
            state = OTHER
        if used is not NOTHING:
            used = history.unknown.still_matters(used, state, pending[0])
        failed = tried.setdefault((pending, state, after_unknown), [])
        if any(other.within(used) for other in failed):
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
    history: _History, pending: tuple[int, ...], begun: int, state: int, used: Used, after_unknown: bool, order: Order
) -> Iterator[Configuration]:
    """The configurations after each operation that can be placed next, the most promising last."""
    kinds, needs, gives = history.kind, history.needs, history.gives
    due = pending[0]
    if history.unknown:
        wanted = {needs[index] for index in pending if kinds[index] in (_READ, _CAS)} - {state}
        anything = any(kinds[index] == _MISMATCH for index in pending)
        for number, result, with_it in history.unknown.moves(
            state, wanted, anything=anything, after_unknown=after_unknown, used=used, due=due
        ):
            yield pending, begun, result, with_it, True, (SPARE if number == SPARE else -2 - number, order)
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


def _obstacle(history: _History, reached: dict[tuple[tuple[int, ...], int], Order], initial: Any) -> Obstacle:
    prefixes = [(_first_to_last(history, order), pending) for (pending, _), order in reached.items()]
    held = []
    for prefix, _ in prefixes:
        changes = [operation for operation in prefix if operation.kind != "read" and operation.outcome != "mismatch"]
        held.append(changes[-1].value if changes else initial)
    prefix, pending = max(prefixes, key=lambda found: len(found[0]))
    return Obstacle(prefix, tuple(history.known[index] for index in pending), tuple(held))


def _first_to_last(history: _History, order: Order) -> tuple[Operation, ...]:
    numbers = []
    while order is not None:
        number, order = order
        numbers.append(number)
    operations: list[Operation] = []
    used = set()
    spare = iter(history.unknown.spare_writes)
    for number in reversed(numbers):
        if number >= 0:
            operations.append(history.known[number])
            continue
        # Which spare write was used does not matter to the search; a person wants to see one that it can have been.
        operation = (
            next(each for each in spare if id(each) not in used)
            if number == SPARE
            else history.unknown.operation(-2 - number)
        )
        used.add(id(operation))
        operations.append(operation)
    return tuple(operations)
