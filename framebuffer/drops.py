"""Frames that a camera gave up and that the ledger has not been told of yet: an outage of them is one run. Pure."""

from bisect import bisect
from collections import deque

import msgspec

from framebuffer.intake import default_frame_id
from framebuffer.wire import Given, OutgoingFrame

__all__ = ["RUNS_MAX", "Drops"]

RUNS_MAX = 10_000
"""A frame with a name of its own is a run of its own: 2 MB. Beyond that only sequences are kept."""


class _Run(msgspec.Struct):
    """Sequences from ``start`` to before ``stop``, given up in that order. ``frame_id``: of one that has its own."""

    frame_id: str
    start: int
    stop: int
    reason: str
    priority: int


class Drops:
    """Frames that were given up and are not yet in the ledger. An hour's worth of an outage is one run of sequences.

    What is held is bounded however long it lasts: of more than ``RUNS_MAX`` runs the names and priorities are
    forgotten, so that sequences join; the gaps between those are frames that were not given up, and of these a camera
    holds few.
    """

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._runs: deque[_Run] = deque()
        self._nameless: dict[str, list[_Run]] = {}  # by reason, ascending and apart; told after the others
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, frame: OutgoingFrame, reason: str) -> None:
        """Give it up."""
        own = "" if frame.frame_id == default_frame_id(self._camera_id, frame.sequence) else frame.frame_id
        last = self._runs[-1] if self._runs else _Run("", 0, 0, "", 0)
        follows = (last.frame_id, last.stop, last.reason, last.priority) == ("", frame.sequence, reason, frame.priority)
        if self._nameless or (len(self._runs) >= RUNS_MAX and not (follows and not own)):
            self._join(frame.sequence, reason)
        elif follows and not own:
            last.stop += 1
        else:
            self._runs.append(_Run(own, frame.sequence, frame.sequence + 1, reason, frame.priority))
        self._length += 1

    def first(self, limit: int) -> list[Given]:
        """The oldest ones, as the ledger is told them."""
        found: list[Given] = []
        if not self._runs and self._nameless:
            # For good: what is told stands in front until it is recorded, whatever joins the others meanwhile.
            reason, runs = next(iter(self._nameless.items()))
            self._runs.append(runs.pop())
            if not runs:
                del self._nameless[reason]
        for run in self._runs:
            for sequence in range(run.start, min(run.stop, run.start + limit - len(found))):
                name = run.frame_id or default_frame_id(self._camera_id, sequence)
                found.append(Given(name, sequence, run.reason, run.priority))
            if len(found) == limit:
                break
        return found

    def recorded(self, number: int) -> None:
        """So many of the oldest ones are in the ledger."""
        self._length -= number
        while number > 0:
            run = self._runs[0]
            step = min(number, run.stop - run.start)
            run.start += step
            number -= step
            if run.start == run.stop:
                self._runs.popleft()

    def _join(self, sequence: int, reason: str) -> None:
        runs = self._nameless.setdefault(reason, [])
        at = bisect(runs, sequence, key=lambda run: run.start)
        if at and runs[at - 1].stop == sequence:
            runs[at - 1].stop += 1
            if at < len(runs) and runs[at].start == sequence + 1:
                runs[at - 1].stop = runs.pop(at).stop
        elif at < len(runs) and runs[at].start == sequence + 1:
            runs[at].start = sequence
        else:
            runs.insert(at, _Run("", sequence, sequence + 1, reason, 0))
