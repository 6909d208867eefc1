"""Reads that may be stale, but only so far: was each within its bound?"""

import math
from bisect import bisect_right
from collections.abc import Hashable, Iterable
from itertools import accumulate
from typing import Any

import msgspec

from orchestrator.drills.histories.operations import Operation, describe, identity, validate


class StaleViolation(msgspec.Struct, frozen=True):
    """A read of a value that its register certainly did not hold from `bound_s` before it began until it returned."""

    read: Operation
    bound_s: float
    overwritten: float | None
    """by when the value was gone for certain; None where nobody can have written it by the time the read returned"""

    def __str__(self) -> str:
        if self.overwritten is None:
            reason = "nobody can have written this value by then"
        else:
            behind = f"{self.read.invoked - self.overwritten:g} s before the read began"
            reason = f"overwritten by {self.overwritten:g}, {behind}; the bound is {self.bound_s:g} s"
        return f"register {self.read.key!r}: {describe(self.read)}: {reason}"


def stale_violations(operations: Iterable[Operation], bound_s: float, *, initial: Any = None) -> list[StaleViolation]:
    """The reads among `operations`, in their order, that are certainly staler than `bound_s`, which is in seconds.

    All reads with an outcome are judged; give only those with consistency `stale`, and with them every write and cas
    that any client sent to their registers, whatever came of it. A write left out makes a read of its value a
    violation.

    What it assumes: all times are readings of one clock in seconds; each register held `initial` before the first of
    its operations; a write or cas took effect once, between its invocation and its return (unknown: at any time after
    its invocation, or never), which is what check() proves of the writes. Only what is certain is reported: a value
    counts as current from the invocation of a write of it until an operation that began after that write returned has
    itself returned; a value whose only writes are of unknown outcome never stops being current. Linearizable reads,
    which would narrow this further, are not taken into account.
    """
    registers: dict[str, list[Operation]] = {}
    reads = []
    for operation in operations:
        validate(operation)
        if operation.kind != "read":
            registers.setdefault(operation.key, []).append(operation)
        elif operation.outcome == "ok":
            reads.append(operation)
    lives = {key: _lives(changes, initial) for key, changes in registers.items()}
    untouched = _lives([], initial)
    violations = []
    for read in reads:
        begins, ends = lives.get(read.key, untouched).get(identity(read.value), ([], []))
        begun = bisect_right(begins, read.returned)
        last = ends[begun - 1] if begun else None
        if last is None or last < read.invoked - bound_s:
            violations.append(StaleViolation(read, bound_s, last))
    return violations


def _lives(changes: list[Operation], initial: Any) -> dict[Hashable, tuple[list[float], list[float]]]:
    """For each value: when it may have become current, rising, and the latest end of all that began by then."""
    took_effect = [operation for operation in changes if operation.outcome == "ok"]
    took_effect.sort(key=lambda operation: operation.invoked)
    invoked = [operation.invoked for operation in took_effect]
    # By when an operation has certainly taken effect that was invoked at this place or later.
    done = [math.inf, *accumulate((operation.returned for operation in reversed(took_effect)), min)][::-1]
    spans: dict[Hashable, list[tuple[float, float]]] = {identity(initial): [(-math.inf, done[0])]}
    for operation in changes:
        if operation.outcome == "ok":
            end = done[bisect_right(invoked, operation.returned)]
        elif operation.outcome == "unknown":
            end = math.inf
        else:
            continue
        spans.setdefault(identity(operation.value), []).append((operation.invoked, end))
    lives = {}
    for value, of_value in spans.items():
        of_value.sort()
        lives[value] = ([begin for begin, _ in of_value], [*accumulate((end for _, end in of_value), max)])
    return lives
