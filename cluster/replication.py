"""Raft's log matching (section 5.3 of the paper), purely.

pysyncobj cuts a follower's log after every `prevLogIdx`, also entries that match and were acknowledged (defect R1).
Here an entry is cut only at the first real conflict, and never at or below the commit index.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from cluster.errors import LogDiverged
from cluster.snapshot_codec import Entry


class Log(Protocol):
    """The log, as far as it is read here: consecutive entries, never empty."""

    def __getitem__(self, position: int, /) -> Entry:
        """The entry at a position, not at an index."""
        ...

    def __len__(self) -> int:
        """How many entries are held."""
        ...


class Refuse(msgspec.Struct, frozen=True):
    """The entries do not fit here: send from `next_index` on."""

    next_index: int


class Accept(msgspec.Struct, frozen=True):
    """Cut the log from `cut_from` on (None: nothing), append `add`; up to `matched` it is then the leader's log."""

    cut_from: int | None
    add: Sequence[Entry]
    matched: int


def match(log: Log, commit: int, prev_index: int, prev_term: int, entries: Sequence[Entry]) -> Refuse | Accept:
    """What a follower does with append_entries of the current term. LogDiverged: it contradicts a committed entry."""
    first, last = log[0][1], log[-1][1]
    if prev_index > last:
        return Refuse(last + 1)
    if prev_index > commit:
        term_here = log[prev_index - first][2]
        if term_here != prev_term:
            # Step over the whole term that conflicts, instead of one entry a round trip.
            conflict = prev_index
            while conflict - 1 > commit and log[conflict - 1 - first][2] == term_here:
                conflict -= 1
            return Refuse(conflict)
    matched = max(commit, prev_index + len(entries))
    for position, (_, index, term) in enumerate(entries):
        if index > last:
            return Accept(None, entries[position:], matched)
        if index < first or log[index - first][2] == term:
            continue
        if index <= commit:
            raise LogDiverged(
                f"the leader sent an entry of term {term} for index {index}, which is committed here with term "
                f"{log[index - first][2]}; this node must be rebuilt from an empty data directory"
            )
        return Accept(index, entries[position:], matched)
    return Accept(None, (), matched)
