"""Virtual time: what is due, in order. Nothing waits. Pure."""

import heapq
from collections.abc import Callable


class VirtualTime:
    """`now`: seconds since the beginning. What is due at the same time happens in the order in which it was set."""

    def __init__(self) -> None:
        self.now = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.now + seconds, action)

    def at(self, time: float, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._due, (max(time, self.now), self._count, action))

    @property
    def next(self) -> float | None:
        """When something is due next."""
        return self._due[0][0] if self._due else None

    def advance(self, until: float | None) -> bool:
        """Go on to the next thing that is due, or to `until` if that comes first; False: there is neither."""
        due = self.next
        if due is None and until is None:
            return False
        if due is None or (until is not None and until < due):
            self.now = max(self.now, until or 0.0)
            return True
        self.now = due
        while self._due and self._due[0][0] <= self.now:
            heapq.heappop(self._due)[2]()
        return True
