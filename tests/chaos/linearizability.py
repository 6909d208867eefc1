"""Did the registers behave as if there were one copy of each? Judges histories that clients recorded.

verdict = check(operations)
assert verdict.linearizable, render(verdict)

As a command it judges files, in the forms of history_files.py:

python -m tests.chaos.linearizability [--explain] [--deadline SECONDS] FILE…

A line a file on stdout, `FILE<tab>linearizable` or `FILE<tab>not-linearizable`; on stderr what went wrong, and with
`--explain` where a history stops being linearizable. Every file is looked at, whatever the others hold. Exit code: 0
all are linearizable · 1 all were judged, and one or more is not linearizable · 2 one or more has no verdict:
unreadable, malformed, holding no operations, or past the deadline (60 s a file by default); such a file has no line.

The judging is orchestrator/drills/histories': a drill judges by it too.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.drills.histories.checking import Verdict, check, render
from orchestrator.drills.histories.operations import (
    CheckTimedOut,
    HistoryError,
    InvalidOperation,
    Operation,
    UnreadableHistory,
)
from tests.chaos.history_files import encode, read_history, write_history
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
