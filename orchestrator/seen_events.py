"""Which events were taken before: a repeat is answered as the first time, and does nothing. Pure.

An event is known by its source and its id. The memory is bounded in number and in time. What is older than the memory
reaches back is refused by its `time` (`EventTooOld`). Clocks of two hosts differ, so that bound is generous, and one
must be wrong by more than it before an honest event is refused; the refusal then shows both clocks. Reports of state
and heartbeats are not judged here: their sequence orders them, and no clock is needed.
"""

import hashlib
import json
from collections import OrderedDict
from datetime import UTC, datetime

from orchestrator.errors import EventReused, EventTooOld
from orchestrator.events import Event

EVENTS_MAX = 50_000
"""Events remembered, about 10 MB; the oldest is forgotten first."""


class SeenEvents:
    """What was taken within `max_age_s` seconds, at most `most` events."""

    def __init__(self, max_age_s: float, *, most: int = EVENTS_MAX) -> None:
        self._max_age_s = max_age_s
        self._most = most
        self._seen: OrderedDict[tuple[str, str], tuple[bytes, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._seen)

    def is_new(self, event: Event, now: float) -> bool:
        """Whether it was not taken before; `now` in unix seconds. Raises EventTooOld, EventReused."""
        known = self._seen.get((event.source, event.id))
        if known is not None:
            if known[0] != _digest(event):
                raise EventReused(f"id: {event.source} has sent another event under the id {event.id}; use a new one")
            return False
        apart = now - event.time.timestamp()
        if abs(apart) > self._max_age_s:
            clock = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
            side = "behind" if apart > 0 else "ahead of"
            raise EventTooOld(
                f"time: {event.time.isoformat(timespec='seconds')} is {abs(apart):.0f} s {side} this node's clock, "
                f"{clock}; the bound is {self._max_age_s:g} s (components.event_max_age_s); is a clock wrong, or the "
                "event an old one?"
            )
        return True

    def taken(self, event: Event, now: float) -> None:
        """Remember it: it was taken. Call this after what it led to has been done."""
        self._seen[event.source, event.id] = (_digest(event), now)
        while self._seen:
            key, (_, at) = next(iter(self._seen.items()))
            # Twice the bound: an event may be dated ahead of this clock by as much as it may be behind.
            if len(self._seen) <= self._most and now - at <= 2 * self._max_age_s:
                return
            del self._seen[key]


def _digest(event: Event) -> bytes:
    """Of what it says: a sender that leaves `time` out gets another one with each attempt."""
    text = json.dumps([event.type, event.target, event.payload], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
