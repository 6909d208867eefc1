"""How far another host's clock is from this one's, as far as a round trip can tell. Pure.

    here      sent ─────────────────── received        by this host's clock, `took` by its monotonic one
    there               said                           by the other host's clock

What was said was true at some moment between; without knowing when, the middle is the best guess, and half of the
round trip is what it may be wrong by. Clocks order nothing in the product; but tokens expire, schedules come due and
people read logs by them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["ClockOffset", "best", "of_round_trip"]


@dataclass(frozen=True, slots=True)
class ClockOffset:
    """Seconds. `offset_s`: the other clock minus this one, right within plus or minus `uncertainty_s`."""

    offset_s: float
    uncertainty_s: float

    @property
    def least_s(self) -> float:
        """How far they are apart at the least, with the same sign; 0 where they may be the same."""
        if abs(self.offset_s) <= self.uncertainty_s:
            return 0.0
        return self.offset_s - self.uncertainty_s if self.offset_s > 0 else self.offset_s + self.uncertainty_s

    def told(self) -> str:
        """For people: `+0.0021 s (within 0.0004 s)`."""
        return f"{self.offset_s:+.4g} s (within {self.uncertainty_s:.2g} s)"


def of_round_trip(sent: float, said: float, took: float, *, resolution_s: float = 0.0) -> ClockOffset:
    """`sent`: this clock before the question; `said`: theirs in the answer, rounded down to `resolution_s`; `took`: the
    whole exchange. All in seconds, the clocks since 1970.
    """
    middle = sent + took / 2
    return ClockOffset(said + resolution_s / 2 - middle, (took + resolution_s) / 2)


def best(measured: Iterable[ClockOffset]) -> ClockOffset | None:
    """The one that is known most exactly; None of none."""
    return min(measured, key=lambda one: one.uncertainty_s, default=None)
