"""What a client did to a register, as it saw it: the operations that a history consists of.

HistoryError
├── InvalidOperation    an operation that contradicts itself, as a return before its invocation
├── UnreadableHistory   a file that holds no history: names file, line, and what is wrong there
└── CheckTimedOut       no verdict within the deadline
"""

import math
from collections.abc import Hashable
from typing import Any, Literal

import msgspec

Kind = Literal["read", "write", "cas"]
Outcome = Literal["ok", "mismatch", "unknown", "failed"]


class HistoryError(Exception):
    """Why there is no verdict."""


class InvalidOperation(HistoryError):
    """An operation contradicts itself."""


class UnreadableHistory(HistoryError):
    """A file holds no history that can be judged."""

    def __init__(self, source: str, line: int | None, what: str) -> None:
        place = source if line is None else f"{source}:{line}"
        super().__init__(f"{place}: {what}")
        self.source = source
        self.line = line
        self.what = what


class CheckTimedOut(HistoryError):
    """The deadline passed while the search was still going on; nothing is known about the history."""

    def __init__(self, deadline_s: float, key: str) -> None:
        super().__init__(
            f"no verdict within {deadline_s:g} s: the search was at register {key!r}; give it longer, or record fewer "
            "operations of unknown outcome per register"
        )
        self.deadline_s = deadline_s
        self.key = key


class Operation(msgspec.Struct, frozen=True):
    """One operation of one client on one register, from before it was sent until after its answer came.

    `invoked` and `returned` are readings of one clock in any unit. An operation precedes another where it returned
    before the other was invoked; equal times count as concurrent, so whoever records on a clock that stands still
    between events (a simulation) numbers the events instead.
    """

    client: int
    """who did it; not judged, only shown"""
    kind: Kind
    key: str
    """the register; each is independent of the others"""
    value: Any
    """written (write), new value (cas), observed (read); None is an absent register"""
    expected: Any
    """cas only: the value that the register had to hold"""
    outcome: Outcome
    """ok · mismatch: a cas that found another value than `expected`, which is an observation · unknown: takes effect
    at any time after its invocation, or never · failed: certainly had no effect and observed nothing"""
    invoked: float
    returned: float
    """math.inf where the outcome is unknown"""


def validate(operation: Operation) -> None:
    """InvalidOperation where the fields contradict one another."""
    problem = _contradiction(operation)
    if problem is not None:
        raise InvalidOperation(f"{problem}: {operation!r}")


def _contradiction(operation: Operation) -> str | None:
    if not math.isfinite(operation.invoked):
        return f"invoked is {operation.invoked}, not a time"
    if math.isnan(operation.returned) or operation.returned < operation.invoked:
        return f"returned ({operation.returned}) before it was invoked ({operation.invoked})"
    if operation.outcome == "mismatch" and operation.kind != "cas":
        return f"only a cas can find a mismatch, not a {operation.kind}"
    if operation.outcome in ("ok", "mismatch") and math.isinf(operation.returned):
        return f"an outcome that is known ({operation.outcome}) came with a return; `returned` is missing"
    return None


def identity(value: Any) -> Hashable:
    """Equal for two values exactly where a register that holds one of them also holds the other.

    As JSON sees it: 1 and 1.0 are equal, 1 and true are not; lists and objects by content. TypeError where a value is
    none of these.
    """
    if value is None or isinstance(value, (str, bytes, bool)):
        return (type(value).__name__, value)
    if isinstance(value, (int, float)):
        return ("number", value)
    return ("json", msgspec.json.encode(value, order="sorted"))


def describe(operation: Operation) -> str:
    """One operation as a person reads it: `client 3 [12.5, 13.1]: cas 1 → 2 ok`."""
    if operation.kind == "cas":
        act = f"cas {operation.expected!r} → {operation.value!r}"
    elif operation.kind == "read":
        act = f"read {operation.value!r}"
    else:
        act = f"write {operation.value!r}"
    until = "…" if math.isinf(operation.returned) or operation.outcome == "unknown" else f"{operation.returned:g}"
    return f"client {operation.client} [{operation.invoked:g}, {until}]: {act} {operation.outcome}"
