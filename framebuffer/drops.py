"""Frames that a camera gave up and that the ledger has not been told of yet: an outage of them is one run. Pure."""

from collections import deque

import msgspec

from framebuffer.intake import default_frame_id
from framebuffer.wire import Given, OutgoingFrame

__all__ = ["Drops"]


class _Run(msgspec.Struct):
    """Sequences from ``start`` to before ``stop``, given up in that order. ``frame_id``: of one that has its own."""

    frame_id: str
    start: int
    stop: int
    reason: str
    priority: int


class Drops:
    """Frames that were given up and are not yet in the ledger. An hour's worth of an outage is one run of sequences."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id
        self._runs: deque[_Run] = deque()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, frame: OutgoingFrame, reason: str) -> None:
        """Give it up."""
        own = "" if frame.frame_id == default_frame_id(self._camera_id, frame.sequence) else frame.frame_id
        last = self._runs[-1] if self._runs else _Run("", 0, 0, "", 0)
        follows = (last.frame_id, last.stop, last.reason, last.priority) == ("", frame.sequence, reason, frame.priority)
        if follows and not own:
            last.stop += 1
        else:
            self._runs.append(_Run(own, frame.sequence, frame.sequence + 1, reason, frame.priority))
        self._length += 1

    def first(self, limit: int) -> list[Given]:
        """The oldest ones, as the ledger is told them."""
        found: list[Given] = []
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
