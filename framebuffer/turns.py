"""Whose turn it is: the cameras of a gateway send one after the other, and one that is slowed waits for its moment."""

import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable

from framebuffer.line import Line
from framebuffer.wire import OutgoingFrame

__all__ = ["Batch", "Turns"]

_BATCH_FRAMES = 64
_BATCH_BYTES = 4 << 20

Batch = list[tuple[Line, OutgoingFrame]]


class Turns:
    """Costs a batch what its own cameras cost, however many others are open. Times are monotonic seconds.

    ``on_drops``: called when a camera gave frames up while it had its turn.
    """

    def __init__(self, on_drops: Callable[[], None]) -> None:
        self._on_drops = on_drops
        self._ready: deque[Line] = deque()
        self._timers: list[tuple[float, int, Line]] = []
        self._count = itertools.count()

    @property
    def due(self) -> float | None:
        """When a camera that waits for its moment may send; None where none does."""
        return self._timers[0][0] if self._timers else None

    def enqueue(self, line: Line, now: float) -> None:
        """The camera may have something to send, now or later."""
        due = line.outbox.next_at(now)
        if due is None or line.gone:
            return
        if due <= now:
            if not line.queued:
                line.queued = True
                self._ready.append(line)
        elif due < line.due:
            line.due = due
            heapq.heappush(self._timers, (due, next(self._count), line))

    def gather(self, now: float) -> Batch:
        """What goes next; those frames are in flight from now on."""
        while self._timers and self._timers[0][0] <= now:
            _, _, line = heapq.heappop(self._timers)
            line.due = math.inf
            self.enqueue(line, now)
        batch: Batch = []
        size = _BATCH_BYTES
        for _ in range(len(self._ready)):
            if len(batch) == _BATCH_FRAMES or size <= 0:
                break
            line = self._ready.popleft()
            line.queued = False
            if line.gone:
                continue
            before = len(line.outbox)
            for frame in line.outbox.turn(now, _BATCH_FRAMES - len(batch), size):
                batch.append((line, frame))
                size -= len(frame.payload) + len(frame.event)
            self.enqueue(line, now)
            if len(line.outbox) < before:
                line.pulse()
                self._on_drops()
        return batch
