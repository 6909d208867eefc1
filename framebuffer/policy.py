"""How a camera gives way to backpressure: its policy, and its pace. Pure.

========  ==============================  ============================================================
level     lossless, deadline              freshest
========  ==============================  ============================================================
HIGH      half the rate of lately         the same; of those that would wait only the newest is kept
CRITICAL  pause; the buffer fills, and    pause; only the newest frame is kept, and sent when the level
          then ``publish`` blocks         falls
========  ==============================  ============================================================

All policies have one measure of a rate, so that a camera that drops takes no more of what there is than one that waits.
When the level falls below HIGH, the rate rises from there, e-fold in half a second, and is free after 1.4 s.
``deadline`` also drops, at any level, frames older than ``deadline_s`` when their turn comes, and its ``publish``
blocks no longer than that, also where all that it holds was sent and the server does not answer. Frames of priority
``urgent`` and above give way to nothing: they neither wait nor are dropped.
"""

import math
from typing import Literal, get_args

import msgspec

__all__ = ["DEADLINE", "FRESHEST", "LOSSLESS", "REFUSED", "Pace", "Policy", "PolicyName"]

PolicyName = Literal["lossless", "freshest", "deadline"]

LOSSLESS, FRESHEST, DEADLINE = get_args(PolicyName)
REFUSED = "refused"
"""Beside the policies' names a reason for which a frame is dropped: the server refused it."""

_RATE_FLOOR = 5.0  # frames a second: a camera that was idle must not be slowed to nothing
_RISE_S = 0.5  # in which the limit grows e-fold after pressure
_RISE_TIMES = 16.0  # and beyond so many times it is none any more
_BURST_S = 0.1  # frames of so much time may go at once: what a batch needs


class Policy(msgspec.Struct, frozen=True):
    """A camera's policy. ``deadline_s`` belongs to ``deadline``; ``urgent`` 11 means none. Errors: ValueError."""

    name: PolicyName = "lossless"
    deadline_s: float | None = None
    urgent: int = 10

    def __post_init__(self) -> None:
        if self.name not in get_args(PolicyName):
            raise ValueError(f"policy {self.name!r} is not one of: {', '.join(get_args(PolicyName))}")
        if self.name == DEADLINE and not (self.deadline_s is not None and 0 < self.deadline_s < math.inf):
            raise ValueError(f"policy 'deadline' needs deadline_s, seconds above 0; it is {self.deadline_s}")
        if self.name != DEADLINE and self.deadline_s is not None:
            raise ValueError(f"deadline_s means nothing under policy {self.name!r}: use policy 'deadline'")
        if not 1 <= self.urgent <= 11:
            raise ValueError(f"urgent must be a priority from 1 to 10, or 11 for none; it is {self.urgent}")


class Pace:
    """How fast a camera has been sending, and how fast it may. Times are monotonic seconds.

    The rate is that of the last second or so, without the time in which it was paused.
    """

    def __init__(self, *, window_s: float = 1.0) -> None:
        self._window_s = window_s
        self._weight = 0.0  # exponentially decayed count of frames
        self._lived = 0.0  # seconds measured, pauses left out
        self._at: float | None = None
        self._paused = False
        self._limit: float | None = None  # frames a second
        self._rises_from: float | None = None  # since when the limit rises
        self._free_at = 0.0  # when the next frame may go, were there no burst

    def limit(self, now: float) -> float | None:
        """Frames a second at most; None without a limit."""
        if self._limit is None or self._rises_from is None:
            return self._limit
        times = math.exp(min((now - self._rises_from) / _RISE_S, _RISE_TIMES))  # of minutes it would overflow
        if times > _RISE_TIMES:
            self._limit = self._rises_from = None
            return None
        return self._limit * times

    def rate(self, now: float) -> float:
        """Frames a second, lately."""
        self._age(now)
        share = -math.expm1(-self._lived / self._window_s)
        return self._weight / (self._window_s * share) if share > 0 else 0.0

    def sent(self, frames: int, now: float) -> None:
        """So many frames have just been sent."""
        self._age(now)
        self._weight += frames
        if (limit := self.limit(now)) is not None:
            self._free_at = max(self._free_at, now - _BURST_S) + frames / limit

    def pause(self, now: float) -> None:
        """Time that passes from now on does not count."""
        self._age(now)
        self._paused = True

    def halve(self, now: float) -> None:
        """From now on half the rate of lately."""
        self._resume(now)
        self._limit, self._rises_from = max(self.rate(now) / 2, _RATE_FLOOR), None
        self._free_at = now

    def free(self, now: float) -> None:
        """From half the rate of lately, or the limit that there is, upwards, and soon without a limit.

        Producers that all came back at once, with full buffers, would be too much again before anybody could notice.
        """
        if self._limit is None:
            self.halve(now)
        self._resume(now)
        self._rises_from = now

    def allowed(self, now: float) -> int | None:
        """How many frames may go at once; None: any number."""
        limit = self.limit(now)
        if limit is None:
            return None
        behind = min(now - self._free_at, _BURST_S)
        return 0 if behind < 0 else 1 + int(behind * limit)

    def next_at(self, now: float) -> float:
        """When a frame may go."""
        return now if self.limit(now) is None else max(now, self._free_at)

    def _resume(self, now: float) -> None:
        self._age(now)
        self._paused = False

    def _age(self, now: float) -> None:
        passed = 0.0 if self._at is None else max(0.0, now - self._at)
        self._at = now
        if not self._paused and passed:
            self._weight *= math.exp(-passed / self._window_s)
            self._lived += passed
