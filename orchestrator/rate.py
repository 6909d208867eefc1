"""How often something happens: a sliding window."""

import time


class Rate:
    """Events a second over a sliding window, in one-second buckets of the monotonic clock."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._buckets: dict[int, int] = {}
        self.total = 0

    def add(self, count: int) -> None:
        second = int(time.monotonic())
        self.total += count
        if count and second not in self._buckets:
            self._buckets = {at: n for at, n in self._buckets.items() if at > second - self._window_s}
        if count:
            self._buckets[second] = self._buckets.get(second, 0) + count

    def per_second(self) -> float:
        # Whole seconds only: the one that runs would pull the figure down.
        now = int(time.monotonic())
        return sum(n for at, n in self._buckets.items() if now - self._window_s <= at < now) / self._window_s
