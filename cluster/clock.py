"""The clock of everything that is timed here: the one that pysyncobj uses, which is not time.monotonic().

CLOCK_MONOTONIC_RAW is not slewed by NTP, so the two drift apart, by seconds over days; a deadline made by one and
checked against the other comes early or late by that much. pinned.py checks at start that it still is the same clock.
"""

import time


def now() -> float:
    """Seconds since some moment; never goes back; not comparable between hosts, nor with time.monotonic()."""
    return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)
