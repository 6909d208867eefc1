"""When something kept happening, written to a file by the process in which it does: a drill asks for the gaps in it.

A line is `FIRST LAST COUNT`: times of this machine's monotonic clock, which all of its processes share. What happens
within `BUCKET_S` becomes one line, so a file grows by 50 lines a second at most, and a gap is exact to that.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from orchestrator.drills.recorded import Beat

BUCKET_S = 0.02


class Beats:
    """Appends to `file`. Each line is written at once: a kill loses the bucket that is open, and no more."""

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._first = self._last = 0.0
        self._count = 0

    def note(self, now: float, count: int = 1) -> None:
        """It happened `count` times at `now`."""
        if self._count and now - self._first >= BUCKET_S:
            self.flush()
        if not self._count:
            self._first = now
        self._last = now
        self._count += count

    def flush(self) -> None:
        """Write what is open."""
        if self._count:
            os.write(self._file, f"{self._first:.4f} {self._last:.4f} {self._count}\n".encode())
            self._count = 0


def read_beats(files: Iterable[Path]) -> list[Beat]:
    """All beats of some files by time. A line that is cut off in the middle is left out; so is a file not made yet."""
    found = []
    for file in files:
        try:
            text = file.read_text(encoding="ascii")
        except FileNotFoundError:
            continue
        for line in text.split("\n")[:-1]:
            first, last, count = line.split(" ")
            found.append(Beat(float(first), float(last), int(count)))
    return sorted(found)
