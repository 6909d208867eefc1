"""The clocks of everything that is timed here, pysyncobj included: `raft.py` gives it this one.

Deadlines are made by one clock and checked against the same one, or they come early or late by the drift between two.
A simulation puts its own `source` in place, before it makes a node.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now(self) -> float:
        """Seconds since some moment; never goes back; not comparable between hosts."""
        ...

    def wall(self) -> float:
        """Unix seconds: for people and records, never compared."""
        ...


class SystemClock:
    """This host's."""

    now = staticmethod(time.monotonic)
    wall = staticmethod(time.time)


source: Clock = SystemClock()


def now() -> float:
    """See Clock.now."""
    return source.now()


def wall() -> float:
    """See Clock.wall."""
    return source.wall()
