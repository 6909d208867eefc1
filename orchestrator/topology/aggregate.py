"""The state of many components as one. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.lifecycle import State

if TYPE_CHECKING:
    from orchestrator.components import ComponentRow

MIXED, EMPTY = "MIXED", "EMPTY"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`state`: that of all members when they share one, else MIXED; EMPTY without members. `counts`: by state.

    `offline`: members that are not heard, whose state is the last one known. `absent`: members that are not registered.
    `troubled`: a member is in FAULT, is not heard, or is not registered.
    """

    state: str
    counts: Mapping[str, int]
    offline: int
    absent: int

    @property
    def troubled(self) -> bool:
        return bool(self.offline or self.absent or self.counts.get(State.FAULT))


def aggregate(members: Iterable[str], rows: "Mapping[str, ComponentRow]") -> Aggregate:
    """Of `members`, by what is known of them in `rows`."""
    members = tuple(members)
    known = [row for each in members if (row := rows.get(each)) is not None]
    counts = Counter(str(row.state) for row in known)
    absent = len(members) - len(known)
    state = MIXED if len(counts) > 1 or absent else next(iter(counts), EMPTY)
    return Aggregate(state, dict(sorted(counts.items())), sum(not row.online for row in known), absent)
