"""The plant's event journal: the last things that happened, in order. Pure, deterministic, bounded."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from orchestrator.playbooks.execution import JournalEntry, Position
from orchestrator.playbooks.told import Change

ENTRIES_MAX = 1_000
BYTES_MAX = 1 << 20
"""Of all entries' texts: the journal is kept in memory and in snapshots of every node."""


class JournalLine(msgspec.Struct, frozen=True, kw_only=True):
    """`number` counts all lines that ever were. `time`: unix seconds of the proposer's clock, for display."""

    number: int
    index: int
    time: float
    entry: JournalEntry


class Journal:
    """`lines`, the oldest first, is replaced on change and never altered: any thread may read it without a lock."""

    def __init__(self) -> None:
        self.lines: tuple[JournalLine, ...] = ()
        self.count = 0
        self._bytes = 0

    def snapshot(self) -> dict[str, Any]:
        return {"count": self.count, "lines": [msgspec.to_builtins(line) for line in self.lines]}

    def restore(self, data: Mapping[str, Any]) -> None:
        self.count = msgspec.convert(data["count"], int)
        self.lines = tuple(msgspec.convert(data["lines"], list[JournalLine]))
        self._bytes = sum(_size(line) for line in self.lines)

    def add(self, entries: Sequence[JournalEntry], *, time: float, position: Position) -> list[Change]:
        """Append; the oldest lines go when there are too many."""
        if not entries:
            return []
        lines, changes = list(self.lines), []
        for entry in entries:
            self.count += 1
            line = JournalLine(number=self.count, index=position[1], time=time, entry=entry)
            lines.append(line)
            self._bytes += _size(line)
            changes.append(Change("event.logged", entry.source, public(line)))
        gone = 0
        while len(lines) - gone > ENTRIES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= _size(lines[gone])
            gone += 1
        self.lines = tuple(lines[gone:])
        return changes


def public(line: JournalLine) -> dict[str, Any]:
    """As the API shows it, `data` still as JSON text."""
    return {"number": line.number, "index": line.index, "time": line.time, **msgspec.to_builtins(line.entry)}


def _size(line: JournalLine) -> int:
    entry = line.entry
    return len(entry.data) + len(entry.message) + len(entry.type) + len(entry.source) + 100
