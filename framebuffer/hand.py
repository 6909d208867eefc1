"""The frames that a processor has taken and not settled yet: the order of work, and whose leases are renewed.

Pure: monotonic times in seconds are passed in.
"""

import heapq
from collections.abc import Collection

from framebuffer.wire import TakenFrame

__all__ = ["Hand"]

AGEING_MS = 10_000
"""So much waiting is worth one level of priority, as in the server's functions."""


class _Held:
    __slots__ = ("frame", "lost", "since", "started")

    def __init__(self, frame: TakenFrame, now: float) -> None:
        self.frame = frame
        self.since = now
        self.started = False
        self.lost = False


class Hand:
    """`work_limit_s`: a frame that is worked on for longer is not renewed any more."""

    def __init__(self, work_limit_s: float) -> None:
        self._work_limit_s = work_limit_s
        self._held: dict[str, _Held] = {}
        self._waiting: list[tuple[float, int, str]] = []
        self._arrivals = 0

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, entry_id: str) -> bool:
        return entry_id in self._held

    def ids(self) -> set[str]:
        return set(self._held)

    def add(self, frame: TakenFrame, now: float) -> None:
        """A frame was taken. It waits behind those of a higher priority; waiting itself raises it, so none starves."""
        self._held[frame.entry_id] = _Held(frame, now)
        rank = frame.published_ms / AGEING_MS - frame.priority
        self._arrivals += 1
        heapq.heappush(self._waiting, (rank, self._arrivals, frame.entry_id))

    def start(self, now: float) -> TakenFrame | None:
        """The frame to work on next; None when none waits."""
        while self._waiting:
            _, _, entry_id = heapq.heappop(self._waiting)
            held = self._held.get(entry_id)
            if held is not None and not held.started:
                held.started, held.since = True, now
                return held.frame
        return None

    def drop(self, entry_id: str) -> None:
        """It is settled, or another's."""
        self._held.pop(entry_id, None)

    def withdraw(self) -> list[str]:
        """Those that nobody works on yet; from now on nobody will."""
        self._waiting.clear()
        return [entry_id for entry_id, held in self._held.items() if not held.started]

    def overdue(self, now: float) -> int:
        """How many are worked on for longer than the limit."""
        return sum(held.started and self._late(held, now) for held in self._held.values())

    def renewable(self, now: float) -> list[str]:
        """Those whose lease is to be renewed now."""
        return [entry_id for entry_id, held in self._held.items() if not held.lost and not self._late(held, now)]

    def lose(self, entry_ids: Collection[str]) -> list[str]:
        """They are another's by now. Those that nobody works on are dropped; returns the others."""
        working = []
        for entry_id in entry_ids:
            held = self._held.get(entry_id)
            if held is None:
                continue
            if held.started:
                held.lost = True
                working.append(entry_id)
            else:
                del self._held[entry_id]
        return working

    def _late(self, held: _Held, now: float) -> bool:
        return now - held.since >= self._work_limit_s
