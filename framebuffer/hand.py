"""The frames that a processor has taken and not settled yet: the order of work, and whose leases are renewed.

Also how many more to take. A frame in hand has left its queue, and what comes to the queue later cannot pass it there:
so no more wait in hand than keep the workers busy while the next ones are fetched.

Pure: monotonic times in seconds are passed in.
"""

import heapq
import math
from collections.abc import Collection
from typing import Literal

from framebuffer.wire import TakenFrame

__all__ = ["Hand", "ahead"]

AGEING_MS = 10_000
"""So much waiting is worth one level of priority, as in the server's functions."""

AHEAD_S = 0.005
"""So much work may wait in hand for each worker at least: taking frames takes a millisecond or two on a busy server."""
AHEAD_FETCHES = 2.0
"""And as much as is done while frames are taken so many times: where the server is far away, that is more."""
AHEAD_WORTH = 0.05
"""Where all that may wait is less than this share of a frame, none waits: fetching it first costs hardly any time."""
_LATEST_SHARE = 0.1


class _Held:
    __slots__ = ("frame", "since", "state")

    def __init__(self, frame: TakenFrame) -> None:
        self.frame = frame
        self.state: Literal["waiting", "in work", "done", "lost", "leaving"] = "waiting"
        self.since = 0.0  # when work on it began


class Hand:
    """`work_limit_s`: a frame that is worked on for longer is not renewed any more."""

    def __init__(self, work_limit_s: float) -> None:
        self._work_limit_s = work_limit_s
        self._held: dict[str, _Held] = {}
        self._waiting: list[tuple[float, int, str]] = []
        self._arrivals = 0
        self._unfinished = 0  # frames held that are not "done"
        self._work_s: float | None = None
        self._fetch_s: float | None = None

    def __len__(self) -> int:
        return len(self._held)

    def ids(self) -> set[str]:
        return set(self._held)

    def add(self, frame: TakenFrame) -> None:
        """A frame was taken. It waits behind those of a higher priority; waiting itself raises it, so none starves."""
        known = self._held.get(frame.entry_id)
        self._unfinished += known is None or known.state == "done"
        self._held[frame.entry_id] = _Held(frame)
        rank = frame.published_ms / AGEING_MS - frame.priority
        self._arrivals += 1
        heapq.heappush(self._waiting, (rank, self._arrivals, frame.entry_id))

    def start(self, now: float) -> TakenFrame | None:
        """The frame to work on next; None when none waits."""
        while self._waiting:
            _, _, entry_id = heapq.heappop(self._waiting)
            held = self._held.get(entry_id)
            if held is not None and held.state == "waiting":
                held.state, held.since = "in work", now
                return held.frame
        return None

    def finish(self, entry_id: str, now: float) -> None:
        """Work on it has ended; it is still to be settled."""
        held = self._held.get(entry_id)
        if held is None or held.state != "in work":
            return
        held.state = "done"
        self._unfinished -= 1
        self._work_s = _mean(self._work_s, now - held.since)

    def fetched(self, took_s: float) -> None:
        """So long it took to take frames from the server."""
        self._fetch_s = _mean(self._fetch_s, took_s)

    def room(self, limit: int, workers: int) -> int:
        """How many frames to take now, for at most `limit` in hand and `workers` frames in work at once; 0 for none.

        While half of those that may wait still wait, it is 0: they last until others are fetched, and many at a time
        cost hardly more than one.
        """
        room = limit - len(self._held)
        if self._work_s is not None:
            unfinished = self._unfinished
            waiting = min(ahead(workers, self._work_s, self._fetch_s or 0.0), max(limit - workers, 0))
            room = 0 if unfinished > workers + waiting // 2 else min(room, workers + waiting - unfinished)
        return max(room, 0)

    @property
    def unfinished(self) -> int:
        """Frames held that wait or are in work."""
        return self._unfinished

    def another_within(self, seconds: float) -> bool:
        """Whether there is a frame that will be done in so short a time, by what the last ones took."""
        return self._work_s is not None and self._work_s < seconds and self._unfinished > 0

    def drop(self, entry_id: str) -> None:
        """It is settled."""
        held = self._held.pop(entry_id, None)
        self._unfinished -= held is not None and held.state != "done"

    def withdraw(self) -> list[str]:
        """Those that nobody works on yet; from now on nobody will."""
        found = [(entry_id, held) for entry_id, held in self._held.items() if held.state == "waiting"]
        for _, held in found:
            held.state = "leaving"
        return [entry_id for entry_id, _ in found]

    def overdue(self, now: float) -> int:
        """How many are worked on for longer than the limit."""
        return sum(held.state in ("in work", "lost") and self._late(held, now) for held in self._held.values())

    def renewable(self, now: float) -> list[str]:
        """Those whose lease is to be renewed now."""
        return [
            entry_id
            for entry_id, held in self._held.items()
            if held.state in ("waiting", "leaving", "done") or (held.state == "in work" and not self._late(held, now))
        ]

    def lose(self, entry_ids: Collection[str]) -> list[str]:
        """They are another's by now. Those that nobody works on are dropped; returns the others."""
        working = []
        for entry_id in entry_ids:
            held = self._held.get(entry_id)
            if held is None:
                continue
            if held.state == "waiting":
                self.drop(entry_id)
            else:
                self._unfinished += held.state == "done"
                held.state = "lost"
                working.append(entry_id)
        return working

    def _late(self, held: _Held, now: float) -> bool:
        return now - held.since >= self._work_limit_s


def ahead(workers: int, work_s: float, fetch_s: float) -> int:
    """How many frames may wait in hand for `workers`, each of whom needs `work_s` for one, when taking some takes
    `fetch_s` (both in seconds).
    """
    frames = workers * max(AHEAD_S, AHEAD_FETCHES * fetch_s) / max(work_s, 1e-6)
    return math.ceil(frames) if frames >= AHEAD_WORTH else 0


def _mean(before: float | None, latest: float) -> float:
    latest = max(latest, 0.0)
    return latest if before is None else before + _LATEST_SHARE * (latest - before)
