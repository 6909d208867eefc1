"""What this process takes of its machine."""

import os
import resource
import sys
import time

LOAD_EVERY_S = 0.5
STATM = "/proc/self/statm"


class Load:
    """CPU and memory of this process."""

    def __init__(self) -> None:
        self._at = time.monotonic()
        self._spent = time.process_time()
        self._share = 0.0

    def cpu(self) -> float:
        """Share of one core over at least `LOAD_EVERY_S`: whoever else asks does not shorten the time measured."""
        now, spent = time.monotonic(), time.process_time()
        if now - self._at >= LOAD_EVERY_S:
            self._share = max(0.0, (spent - self._spent) / (now - self._at))
            self._at, self._spent = now, spent
        return self._share

    @staticmethod
    def memory() -> int:
        """Resident bytes (the peak, where the system does not tell the present)."""
        try:
            with open(STATM, encoding="ascii") as file:
                return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        except OSError:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            return peak if sys.platform == "darwin" else peak * 1024
