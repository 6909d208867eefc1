"""One outage of what is on the other side: growing pauses between tries, a log line when it begins and when it ends."""

import logging
import time

from framebuffer.connection import Backoff


class Outage:
    """`failed` after each failed try says how long to pause; `over` after each good one. Both are cheap."""

    def __init__(self, what: str, log: logging.Logger, *, first_s: float = 0.05, most_s: float = 1.0) -> None:
        self._what = what
        self._log = log
        self._backoff = Backoff(first_s, most_s)
        self._began: float | None = None

    @property
    def lasts(self) -> bool:
        return self._began is not None

    def failed(self, error: BaseException) -> float:
        """The pause in seconds before the next try."""
        if self._began is None:
            self._began = time.monotonic()
            self._log.warning("%s: %s; trying again until it works", self._what, error)
        return self._backoff.next_s()

    def over(self) -> None:
        if self._began is not None:
            self._log.warning("%s: works again after %.1f s", self._what, time.monotonic() - self._began)
            self._began = None
            self._backoff.reset()
