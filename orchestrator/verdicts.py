"""How the leader judges a component: how long its silence may last, and which of its own words count. Pure.

Only transitions are replicated, and a component that flaps must not flood the agreement. So bad news counts at once,
and good news only once it has held: DEGRADED is left after `hold_s` of nothing but OK, and a new reason for it counts
once in `hold_s`. At most two transitions come of a component in that time, however fast it changes its mind.
"""

from typing import NamedTuple

SILENCE_MIN_S = 1.0
"""A second without a heartbeat is what a busy host takes, not a failure."""


def silence_limit(declared_s: float | None, *, missed: int, timeout_s: float) -> float:
    """Seconds of silence after which a component is UNRESPONSIVE.

    `missed` heartbeats of the interval that it declared; `timeout_s` where it declared none.
    """
    return timeout_s if declared_s is None else max(SILENCE_MIN_S, missed * declared_s)


class Word(NamedTuple):
    """What a component says of itself, or what is replicated of that."""

    degraded: bool
    reason: str = ""


class Damping:
    """One component's own reports since `now` (monotonic seconds), damped over `hold_s`."""

    def __init__(self, now: float, *, hold_s: float) -> None:
        self._hold_s = hold_s
        self._ok_since: float | None = now
        self._noted_at = now - hold_s

    def due(self, said: Word, held: Word, now: float) -> Word | None:
        """What is to be replicated now that the component says `said` and `held` is what is replicated; mostly None."""
        if said.degraded:
            self._ok_since = None
            return said if not held.degraded or (said != held and now - self._noted_at >= self._hold_s) else None
        if self._ok_since is None:
            self._ok_since = now
        return Word(False) if held.degraded and now - self._ok_since >= self._hold_s else None

    def noted(self, now: float) -> None:
        """What was due has been replicated."""
        self._noted_at = now
