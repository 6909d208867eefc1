"""Histories in files: Jepsen's log (jepsen_log.py), or our own recorder's, told apart by their first line.

Our own is JSON lines: each line is one Operation (operations.py), in any order, with the fields of that struct:

{"client":3,"kind":"cas","key":"r7","value":9,"expected":4,"outcome":"ok","invoked":12.5031,"returned":12.5102}
{"client":4,"kind":"write","key":"r7","value":10,"outcome":"unknown","invoked":12.504,"returned":null}

`client`, `kind`, `key`, `outcome` and `invoked` are required. `value` and `expected` are null where left out, which
is an absent register. `returned` is null, or left out, where the outcome is unknown. Fields of other names are
refused, so that a recorder that means more than is judged here (a read that may be stale) is told so. Empty lines are
skipped.
"""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.drills.histories.operations import (
    InvalidOperation,
    Kind,
    Operation,
    Outcome,
    UnreadableHistory,
    validate,
)
from tests.chaos.jepsen_log import is_event, read_events


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    client: int
    kind: Kind
    key: str
    outcome: Outcome
    invoked: float
    value: Any = None
    expected: Any = None
    returned: float | None = None


_DECODER = msgspec.json.Decoder(_Line)


def read_history(path: Path) -> list[Operation]:
    """The operations of a file in either form. UnreadableHistory where it cannot be read or is malformed, or is
    empty.
    """
    source = str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UnreadableHistory(source, None, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableHistory(source, None, f"not text in UTF-8, at byte {error.start}") from error
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    if not lines:
        # Nothing happened, or nothing was recorded; to call it linearizable would hide the second.
        raise UnreadableHistory(source, None, "holds no operations")
    number, first = lines[0]
    if is_event(first):
        return read_events(lines, source)
    if first.lstrip().startswith("{"):
        return [_operation(source, number, line) for number, line in lines]
    raise UnreadableHistory(
        source, number, f"neither an event of a Jepsen log nor an operation as JSON: {first.strip()[:120]!r}"
    )


def encode(operation: Operation) -> bytes:
    """An operation as one line of a file, with its newline."""
    fields = msgspec.structs.asdict(operation)
    if not math.isfinite(operation.returned):
        fields["returned"] = None
    return msgspec.json.encode(fields) + b"\n"


def write_history(path: Path, operations: Iterable[Operation]) -> None:
    """Replaces the file by one that read_history() reads back."""
    with path.open("wb") as file:
        file.writelines(encode(operation) for operation in operations)


def _operation(source: str, number: int, line: str) -> Operation:
    try:
        read = _DECODER.decode(line.encode())
    except msgspec.DecodeError as error:
        raise UnreadableHistory(source, number, f"not an operation: {error}") from error
    returned = math.inf if read.returned is None else read.returned
    operation = Operation(
        read.client, read.kind, read.key, read.value, read.expected, read.outcome, read.invoked, returned
    )
    try:
        validate(operation)
    except InvalidOperation as error:
        raise UnreadableHistory(source, number, str(error)) from error
    return operation
