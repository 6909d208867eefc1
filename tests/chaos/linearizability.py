"""Did the registers behave as if there were one copy of each? Judges histories that clients recorded.

verdict = check(operations)
assert verdict.linearizable, render(verdict)

As a command it judges files, in the forms of history_files.py:

python -m tests.chaos.linearizability [--explain] [--deadline SECONDS] FILE…

A line a file on stdout, `FILE<tab>linearizable` or `FILE<tab>not-linearizable`; on stderr what went wrong, and with
`--explain` where a history stops being linearizable. Every file is looked at, whatever the others hold. Exit code: 0
all are linearizable · 1 all were judged, and one or more is not linearizable · 2 one or more has no verdict:
unreadable, malformed, holding no operations, or past the deadline (60 s a file by default); such a file has no line.

The search is linearization.py's, one register at a time: a history is linearizable exactly where that of each
register is.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.chaos.history_files import encode, read_history, write_history
from tests.chaos.linearization import Deadline, find_obstacle
from tests.chaos.operations import (
    CheckTimedOut,
    HistoryError,
    InvalidOperation,
    Operation,
    UnreadableHistory,
    describe,
    validate,
)
from tests.chaos.staleness import StaleViolation, stale_violations

__all__ = [
    "CheckTimedOut",
    "HistoryError",
    "InvalidOperation",
    "Operation",
    "StaleViolation",
    "UnreadableHistory",
    "Verdict",
    "check",
    "encode",
    "main",
    "read_history",
    "render",
    "stale_violations",
    "write_history",
]


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
    deadline = None if deadline_s is None else Deadline.after(deadline_s)
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


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.linearizability", description="Are recorded histories linearizable?"
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="a Jepsen log, or JSON lines of our own recorder")
    parser.add_argument("--explain", action="store_true", help="show where a history stops being linearizable (stderr)")
    parser.add_argument(
        "--deadline",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="for each file; past it there is no verdict (60)",
    )
    chosen = parser.parse_args(arguments)
    exit_code = 0
    for name in chosen.files:
        try:
            verdict = check(read_history(Path(name)), deadline_s=chosen.deadline)
        except UnreadableHistory as error:
            print(error, file=sys.stderr)
            exit_code = 2
            continue
        except CheckTimedOut as error:
            print(f"{name}: {error}", file=sys.stderr)
            exit_code = 2
            continue
        print(f"{name}\t{'linearizable' if verdict.linearizable else 'not-linearizable'}", flush=True)
        if not verdict.linearizable:
            exit_code = max(exit_code, 1)
            if chosen.explain:
                print(render(verdict), file=sys.stderr)
    return exit_code


if __name__ == "__main__":
    sys.exit(main())
