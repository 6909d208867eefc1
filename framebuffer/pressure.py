"""How full the plant is, as a level. Pure.

Usage is frames / capacity, from the exact figures of a dispatch call, and there is one for all and one for each
capability that frames wait for:

- for all: (frames in queues + frames in capture) / (capacity of the routing table),
- for a capability: (frames in its lane + frames in the queues of processors that offer it) / (their capacity).

So one capability that is too slow holds up the cameras that use it and no others. Frames whose capability no processor
offers hold up nobody: they wait in their lane. Where there is no capacity at all, any frame is one too many.

What counts is usage that stays. Capture and lanes fill for a moment whenever cameras fire together, and a call that
comes in that moment sees several times the capacity. So usage counts with its lowest recent value: it grows towards
what is measured with the time constant ``smoothing_s``, and falls to it at once. A queue that stays more than full is
critical after about 1.4 time constants (0.4 s), and every call that finds the plant less full ends that. The way down
needs ``MARGIN`` below the threshold, so that a level does not flap around it.
"""

import math
from enum import IntEnum

import msgspec

from framebuffer.backpressure import Backpressure
from framebuffer.wire import DispatchReport

__all__ = ["MARGIN", "Level", "PlantPressure", "Pressure", "QueueFigures", "Thresholds", "figures_of"]

MARGIN = 0.05
"""How far below its threshold usage must be before a level is left."""

_CEILING = 1.25  # more than this counts as this: how far beyond full it is says nothing about how long
_NEAR = 0.005  # an exponential never arrives
_STEP_S = 0.1  # one measurement speaks for no longer than this, however long the one before is ago


class Level(IntEnum):
    """What publishers are told: HIGH asks them to halve their rate, CRITICAL to pause."""

    NORMAL = 0
    LOW = 1
    HIGH = 2
    CRITICAL = 3


class Thresholds(msgspec.Struct, frozen=True):
    """Usage from which on a level holds; ascending, above ``MARGIN``. Errors: ValueError."""

    low: float = 0.6
    high: float = 0.8
    critical: float = 0.95

    def __post_init__(self) -> None:
        if not MARGIN < self.low < self.high < self.critical:
            raise ValueError(
                f"thresholds must ascend from above {MARGIN}: low {self.low}, high {self.high}, "
                f"critical {self.critical}"
            )

    def of(self, level: Level) -> float:
        """Usage from which on ``level`` holds."""
        return (0.0, self.low, self.high, self.critical)[level]


class QueueFigures(msgspec.Struct, frozen=True):
    """Frames by where they are, and what the processors may hold together."""

    outstanding: int = 0  # in processors' queues, those in work included
    waiting: int = 0  # in lanes whose capability some processor offers
    capture: int = 0
    capacity: int = 0
    unserved: int = 0  # in lanes whose capability no processor offers

    @property
    def frames(self) -> int:
        """All that are not final, also the unserved."""
        return self.outstanding + self.waiting + self.capture + self.unserved

    @property
    def usage(self) -> float:
        """Frames as a share of the capacity; infinite where frames wait and there is none."""
        if self.capacity <= 0:
            return math.inf if self.frames else 0.0
        return (self.outstanding + self.waiting + self.capture) / self.capacity

    def __str__(self) -> str:
        share = "no processor can take any" if math.isinf(self.usage) else f"{self.usage:.0%} of {self.capacity}"
        text = (
            f"{self.frames - self.unserved if self.capacity > 0 else self.frames} frames, {share}: "
            f"{self.outstanding} in queues, {self.waiting} in lanes, {self.capture} in capture"
        )
        return f"{text}; {self.unserved} more wait for a capability that nobody offers" if self.unserved else text


def figures_of(report: DispatchReport) -> QueueFigures:
    """What a dispatch call left behind."""
    unserved = min(sum(report.unserved.values()), report.waiting)
    return QueueFigures(
        outstanding=report.outstanding,
        waiting=report.waiting - unserved,
        capture=report.capture,
        capacity=report.capacity,
        unserved=unserved,
    )


class Pressure:
    """The level of one pool of processors, measurement by measurement.

    ``smoothing_s``: seconds. ``level``: what it begins with. Errors: ValueError.
    """

    def __init__(
        self, thresholds: Thresholds | None = None, *, smoothing_s: float = 0.3, level: Level = Level.NORMAL
    ) -> None:
        if not smoothing_s > 0:
            raise ValueError(f"smoothing_s must be above 0, is {smoothing_s}")
        self.thresholds = thresholds or Thresholds()
        self.level = level
        self.usage = self.thresholds.of(level)
        """What the level follows: usage as it has stayed lately, at most 1.25."""
        self._smoothing_s = smoothing_s
        self._measured_at: float | None = None

    def observe(self, figures: QueueFigures, now: float) -> Level:
        """One measurement at ``now`` (monotonic seconds); returns the level."""
        measured = min(figures.usage, _CEILING)
        if measured <= self.usage:
            self.usage = measured
        elif self._measured_at is not None:
            passed = min(max(0.0, now - self._measured_at), _STEP_S)
            self.usage += (measured - self.usage) * -math.expm1(-passed / self._smoothing_s)
            if measured - self.usage < _NEAR:
                self.usage = measured
        self._measured_at = now
        self.level = self._level()
        return self.level

    def _level(self) -> Level:
        reached = max(level for level in Level if self.usage >= self.thresholds.of(level))
        if reached >= self.level:
            return reached
        held = [level for level in Level if level <= self.level and self.usage >= self.thresholds.of(level) - MARGIN]
        return max(held)


class PlantPressure:
    """The levels of a plant, dispatch call by dispatch call.

    ``smoothing_s``: seconds. ``told``: what publishers were told last, by another leader perhaps. What piled up while
    there was none is no overload yet, and an overload that was is not over. Errors: ValueError.
    """

    def __init__(
        self,
        thresholds: Thresholds | None = None,
        *,
        smoothing_s: float = 0.3,
        told: Backpressure = Backpressure(),  # noqa: B008 - it is frozen
    ) -> None:
        self._thresholds = thresholds or Thresholds()
        self._smoothing_s = smoothing_s
        self._all = self._at(told.level)
        self._crowded = {name: self._at(level) for name, level in told.crowded.items()}

    def _at(self, level: int) -> Pressure:
        return Pressure(self._thresholds, smoothing_s=self._smoothing_s, level=Level(level))

    def observe(self, report: DispatchReport, now: float) -> Backpressure:
        """What publishers are to be told after this call. ``now``: monotonic seconds."""
        figures = figures_of(report)
        if figures.capacity > 0:
            figures = msgspec.structs.replace(figures, waiting=0, unserved=0)  # they count where they wait
        level = self._all.observe(figures, now)
        lanes = {lane.capability: lane for lane in report.crowded}
        for gone in self._crowded.keys() - lanes.keys():
            del self._crowded[gone]
        levels: dict[str, int] = {}
        for name, lane in lanes.items():
            own = self._crowded.get(name)
            if own is None:
                own = self._crowded[name] = self._at(Level.NORMAL)
            found = own.observe(QueueFigures(lane.outstanding, lane.waiting, 0, lane.capacity), now)
            if found > level:
                levels[name] = int(found)
        return Backpressure(int(level), levels)
