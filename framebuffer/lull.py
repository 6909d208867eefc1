"""How long a processor takes nothing after it has released all that it took.

A frame that is released goes back to dispatch, and where nobody else has room it is here again within a millisecond or
two. A processor that can do nothing now (its model is still loading) would send it round for ever, at the cost of the
server and of the records that `frames trace` reads.

Pure: monotonic times in seconds are passed in.
"""

from collections.abc import Collection

from framebuffer.wire import SettleOutcome

__all__ = ["BESIDE_S", "FIRST_S", "MOST_S", "RECENT_S", "Lull"]

FIRST_S = 0.01
MOST_S = 1.0
BESIDE_S, RECENT_S = 0.05, 10.0
"""At most so long where something else than a release happened so short a time ago: the processor can do some of its
frames, and those that it can do may stand behind those that it cannot.
"""


class Lull:
    """Of one queue. It grows once for all that was taken together, and ends with the first other outcome."""

    def __init__(self) -> None:
        self._length_s = 0.0
        self._until = 0.0
        self._taken = False
        self._other_at: float | None = None

    def took(self) -> None:
        """Frames were taken."""
        self._taken = True

    def settled(self, outcomes: Collection[SettleOutcome], now: float) -> None:
        """What the server answered to settlements of frames that had been taken."""
        if any(outcome != "released" for outcome in outcomes):
            self._length_s = self._until = 0.0
            self._other_at = now
            return
        if self._taken:
            most = BESIDE_S if self._other_at is not None and now - self._other_at < RECENT_S else MOST_S
            self._length_s = min(max(2 * self._length_s, FIRST_S), most)
            self._taken = False
        self._until = now + self._length_s

    def left_s(self, now: float) -> float:
        """Seconds in which nothing is to be taken, from now on."""
        return max(0.0, self._until - now)
