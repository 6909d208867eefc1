"""Trends in a history: slope, smoothed value, and when a threshold will be reached. Pure.

    slope      least squares over the points, units per second, with its standard error
    ewma       exponentially weighted mean whose weights halve every `half_life_s`, whatever the gaps between points
    forecast   when the line through the points meets a threshold

A forecast is given only where the data carries one: with `POINTS_MIN` points or more over a span that is at least a
tenth of the time ahead, and a slope that its noise does not explain (`CERTAIN` standard errors). Else it says why there
is none.
"""

import math
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

__all__ = ["Forecast", "Outlook", "Slope", "ewma", "forecast", "slope"]

POINTS_MIN = 10
SPAN_SHARE = 0.1
"""A line is not drawn further ahead than ten times the span of what it stands on."""
CERTAIN = 3.0
"""Standard errors that a slope must be away from 0."""

Sample = tuple[float, float]
"""(seconds, value)."""


class Slope(NamedTuple):
    """A straight line through points: `per_s` its slope, `error` the slope's standard error, both in units a second.

    `at` and `value`: a point on the line, at the time of the newest sample. `span_s`: from the first to the last.
    """

    per_s: float
    error: float
    at: float
    value: float
    points: int
    span_s: float

    @property
    def certain(self) -> bool:
        """Not explained by noise."""
        return abs(self.per_s) > CERTAIN * self.error


class Outlook(StrEnum):
    """What a forecast says."""

    INSUFFICIENT_DATA = "insufficient_data"  # too few points, or over too short a time
    UNCERTAIN = "uncertain"  # the slope is not told from noise
    NEVER = "never"  # it stays, or moves away from the threshold
    TOO_FAR = "too_far"  # further ahead than the data says anything about
    EXPECTED = "expected"
    REACHED = "reached"  # it is there already


class Forecast(NamedTuple):
    """`in_s`: seconds from the newest sample until the threshold is reached; `earliest_s`, `latest_s`: with the slope
    two standard errors steeper or flatter, None where the flatter one never gets there. None unless EXPECTED.
    """

    outlook: Outlook
    in_s: float | None = None
    earliest_s: float | None = None
    latest_s: float | None = None


def slope(samples: Sequence[Sample]) -> Slope | None:
    """The line of least squares; None with fewer than two points in time, and where no float holds its sums."""
    try:
        return _slope(samples)
    except (OverflowError, ValueError):  # values of 1e200: their squares; or infinities that cancel each other out
        return None


def _slope(samples: Sequence[Sample]) -> Slope | None:
    count = len(samples)
    if count < 2:
        return None
    last = samples[-1][0]
    # Relative to the newest time and to the first value: squares of a clock's or a counter's readings lose digits.
    base = samples[0][1]
    mean_time = math.fsum(time - last for time, _ in samples) / count
    mean = math.fsum(value - base for _, value in samples) / count
    spread = math.fsum((time - last - mean_time) ** 2 for time, _ in samples)
    if spread <= 0.0 or not math.isfinite(spread):
        return None
    per_s = math.fsum((time - last - mean_time) * (value - base - mean) for time, value in samples) / spread
    if not math.isfinite(per_s):
        return None
    start = mean - per_s * mean_time  # on the line, at the newest time
    rest = math.fsum((value - base - start - per_s * (time - last)) ** 2 for time, value in samples)
    error = math.sqrt(rest / (count - 2) / spread) if count > 2 and math.isfinite(rest) else math.inf
    return Slope(per_s, error, last, base + start, count, last - samples[0][0])


def ewma(samples: Sequence[Sample], half_life_s: float) -> float | None:
    """Of samples in the order of time; None without any. ValueError unless `half_life_s` is above 0.

    Never below the least sample and never above the greatest.
    """
    if not half_life_s > 0.0:
        raise ValueError(f"half_life_s must be above 0, is {half_life_s}")
    if not samples:
        return None
    before, found = samples[0]
    for time, value in samples[1:]:
        kept = 0.5 ** (max(0.0, time - before) / half_life_s)
        # Two samples of one instant weigh the same.
        found = found * kept + value * (1.0 - kept) if kept < 1.0 else (found + value) / 2
        before = time
    low, high = min(value for _, value in samples), max(value for _, value in samples)
    return min(high, max(low, found))


def forecast(samples: Sequence[Sample], *, above: float | None = None, below: float | None = None) -> Forecast:
    """When the line through `samples` rises above, or falls below, a threshold. ValueError unless one is given."""
    if (above is None) == (below is None):
        raise ValueError("a forecast has one threshold: above or below")
    line = slope(samples)
    if line is None or line.points < POINTS_MIN:
        return Forecast(Outlook.INSUFFICIENT_DATA)
    # As if it were always rising.
    sign = 1.0 if above is not None else -1.0
    distance = sign * ((above if above is not None else below or 0.0) - line.value)
    if distance <= 0.0:
        return Forecast(Outlook.REACHED)
    rise = sign * line.per_s
    if line.per_s == 0.0 and line.error == 0.0:
        return Forecast(Outlook.NEVER)
    if not line.certain:
        return Forecast(Outlook.UNCERTAIN)
    if rise <= 0.0:
        return Forecast(Outlook.NEVER)
    ahead = distance / rise
    if not math.isfinite(ahead) or line.span_s < SPAN_SHARE * ahead:
        return Forecast(Outlook.TOO_FAR)
    flatter = rise - 2 * line.error
    latest = distance / flatter if flatter > 0.0 else math.inf
    return Forecast(
        Outlook.EXPECTED, ahead, distance / (rise + 2 * line.error), latest if math.isfinite(latest) else None
    )
