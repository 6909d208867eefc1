"""Token buckets by key, in bounded memory. Pure: the time is an argument, in seconds of any clock that never goes back.

A bucket is one number, the time at which it will be full again (the generic cell rate algorithm): a request moves it by
`1/per_second`, and is let through while the bucket is not more than `burst` requests away from full.
"""

import math
from collections import OrderedDict
from typing import NamedTuple


class Rate(NamedTuple):
    """So many requests a second in the long run, and `burst` of them at once."""

    per_second: float
    burst: int

    @property
    def window_s(self) -> float:
        """From an empty bucket to a full one."""
        return self.burst / self.per_second


class Verdict(NamedTuple):
    """`remaining`: requests that would be let through now. `wait_s`: until the next one would be; 0: at once."""

    allowed: bool
    remaining: int
    wait_s: float


class Buckets:
    """One bucket a key, at most `most` of them: the one that was used longest ago is forgotten, which fills it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_at)

    def take(self, key: str, rate: Rate, now: float) -> Verdict:
        """Let a request through, or not; then it costs nothing."""
        full_at = max(self._full_at.get(key, now), now) + 1 / rate.per_second
        over_s = full_at - now - rate.window_s
        if over_s > _ROUNDING_S:
            return Verdict(False, 0, over_s)
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return Verdict(True, _left(full_at, rate, now), 0.0)

    def look(self, key: str, rate: Rate, now: float) -> Verdict:
        """What `take` would say, without taking."""
        full_at = max(self._full_at.get(key, now), now)
        over_s = full_at + 1 / rate.per_second - now - rate.window_s
        allowed = over_s <= _ROUNDING_S
        return Verdict(allowed, _left(full_at, rate, now), 0.0 if allowed else over_s)


_ROUNDING_S = 1e-9


def _left(full_at: float, rate: Rate, now: float) -> int:
    return max(0, math.floor((rate.window_s - (full_at - now)) * rate.per_second + 1e-6))
