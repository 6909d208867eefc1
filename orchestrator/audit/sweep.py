"""Whether the audit's file of this node still is the chain that was written: gone through a little at a time, for ever.

A pass begins at the oldest entry that is kept and ends at the newest; then the next one begins. So also an old line
that is altered on the disk is found, without reading everything at once.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from orchestrator.audit.entry import Entry
from orchestrator.audit.trail import Trail
from orchestrator.audit.verifying import Misfit, verify

__all__ = ["LINES", "AuditSweep"]

log = logging.getLogger(__name__)

LINES = 500
"""Gone through in one step: some milliseconds."""


class AuditSweep:
    """`known`: the entries that the replicated state holds, for what stands in both."""

    def __init__(self, trail: Trail, known: Callable[[], Sequence[Entry]]) -> None:
        self._trail = trail
        self._known = known
        self._after = 0
        self._hash = ""
        self.broken = ""
        """why the chain does not hold, with the place; empty while nothing was found"""
        self.passes = 0
        """that ended at the newest entry"""

    def step(self) -> None:
        """Go through the next `LINES` lines. Blocks; one thread at a time. OSError when the file cannot be read."""
        lines = list(islice(self._trail.read(self._after), LINES))
        if not lines:
            self.passes += self._after > 0
            self._after, self._hash = 0, ""
            return
        # Entries before the step's first one are not read again: its `previous` is held against what was seen.
        held = {entry.number: entry.hash for entry in self._known()}
        if self._hash:
            held[self._after] = self._hash
        try:
            found = verify(_placed(lines), held)
            if self._hash and not found.gaps and found.first != self._after + 1:
                self._missing(found.first)
                return
        except Misfit as misfit:
            if str(misfit) != self.broken:
                log.error("the audit is not the chain that was written: %s; triarch audit verify tells more", misfit)
            self.broken = str(misfit)
            self._after, self._hash = 0, ""
            return
        self._after, self._hash = max(number for number, _ in lines), found.hash if found.entries else ""

    def _missing(self, first: int) -> None:
        """What followed is not there: removed for its age meanwhile, with all before it, or cut out."""
        oldest = next((number for number, _ in self._trail.read(0)), 0)
        if oldest <= self._after:
            raise Misfit(f"entry {first}", self._after + 1, f"entry {self._after + 1} is missing")
        self._after, self._hash = 0, ""


def _placed(lines: Iterable[tuple[int, bytes]]) -> Iterable[tuple[str, bytes]]:
    for number, text in lines:
        yield f"entry {number}" if number else "a line that cannot be read", text
