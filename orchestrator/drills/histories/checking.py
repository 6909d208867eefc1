"""Did the registers behave as if there were one copy of each? Judges the operations that clients recorded.

    verdict = check(operations, deadline_s=60.0)
    assert verdict.linearizable, render(verdict)

The search is linearization.py's, one register at a time: a history is linearizable exactly where that of each
register is.
"""

import time
from collections.abc import Iterable
from typing import Any

import msgspec

from orchestrator.drills.histories.linearization import Deadline, find_obstacle
from orchestrator.drills.histories.operations import Operation, describe, validate

__all__ = ["Verdict", "check", "render"]


class Verdict(msgspec.Struct, frozen=True):
    """Whether a history is linearizable; where not, the first register found that shows it, and how far it goes."""

    linearizable: bool
    key: str | None = None
    prefix: tuple[Operation, ...] = ()
    """the largest prefix of the register's history that is linearizable, in an order that shows it"""
    unplaced: tuple[Operation, ...] = ()
    """what could not be placed after it: the first by the time it returned, then what was in progress beside it"""
    held: tuple[Any, ...] = ()
    """the values that the register may have held when the first of `unplaced` had to take effect"""


def check(operations: Iterable[Operation], *, initial: Any = None, deadline_s: float | None = None) -> Verdict:
    """Judges operations, in any order, on registers that each held `initial` at first.

    InvalidOperation where one contradicts itself; CheckTimedOut where there is no verdict within `deadline_s`.
    """
    deadline = None if deadline_s is None else Deadline.after(deadline_s, time.monotonic)
    registers: dict[str, list[Operation]] = {}
    for operation in operations:
        validate(operation)
        registers.setdefault(operation.key, []).append(operation)
    for key, of_register in registers.items():
        if deadline is not None:
            deadline.check(key)
        obstacle = find_obstacle(of_register, initial, deadline)
        if obstacle is not None:
            return Verdict(False, key, obstacle.prefix, obstacle.unplaced, obstacle.held)
    return Verdict(True)


def render(verdict: Verdict, *, last: int = 12) -> str:
    """The verdict as text, with the `last` operations before the one that could not be placed."""
    if verdict.linearizable:
        return "linearizable"
    shown = verdict.prefix[-last:]
    values = " or ".join(sorted({repr(value) for value in verdict.held}))
    lines = [
        f"not linearizable: register {verdict.key!r}",
        f"  {len(verdict.prefix)} operations can be put in an order, which ends:",
        *(f"    {describe(operation)}" for operation in shown),
        f"  then the register held {values}, and by the time it returned this one fits nowhere:",
        f"    {describe(verdict.unplaced[0])}",
    ]
    if len(verdict.unplaced) > 1:
        lines += ["  in progress beside it:", *(f"    {describe(operation)}" for operation in verdict.unplaced[1:])]
    return "\n".join(lines)
