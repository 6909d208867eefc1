"""A change of many rows, as a note tells it: their ids, in pieces that an entry has room for. Pure."""

from collections.abc import Sequence
from typing import Any

from orchestrator.audit.entry import NAME_CHARS_MAX, Entry

MANY_PREFIX = "group."
"""Kinds of notes about all members of a group."""
PIECE = "ids_"
PIECES_MAX = 15
"""Of `NAME_CHARS_MAX` characters each: an entry that is larger would be told by its digest."""


def pieces(ids: Sequence[str]) -> dict[str, Any]:
    """How many there are (`members`), their ids with commas between them as `ids_1`, `ids_2`, …, and `left_out`: how
    many of them had no room.
    """
    told: list[list[str]] = [[]]
    for each in ids:
        if len(",".join((*told[-1], each))) > NAME_CHARS_MAX and told[-1]:
            told.append([])
        told[-1].append(each)
    found: dict[str, Any] = {"members": len(ids)}
    found |= {f"{PIECE}{number}": ",".join(some) for number, some in enumerate(told[:PIECES_MAX], 1)}
    if left_out := sum(map(len, told[PIECES_MAX:])):
        found["left_out"] = left_out
    return found


def among(entry: Entry, id: str) -> bool:
    """Whether an entry tells of this row, by itself or among many."""
    if id == entry.id or id in entry.id.split(","):
        return True
    if not entry.kind.startswith(MANY_PREFIX) or not isinstance(entry.after, dict):
        return False
    return any(name.startswith(PIECE) and id in str(value).split(",") for name, value in entry.after.items())
