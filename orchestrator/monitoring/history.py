"""Histories of figures: per component and metric at most 24 h in 2,100 entries. Pure: times are arguments.

A series has three tiers, each a ring of slots on a grid of time; a sample goes into the open slot of each:

    tier   a slot   slots   reaches back
    0      1 s      300     5 min
    1      10 s     360     1 h
    2      60 s     1,440   24 h

A slot holds mean, least and greatest of its samples (8 + 4 + 4 bytes), and NaN where there was none: a gap is seen as a
gap. So a series has 33,600 bytes of slots, whatever the rate of its samples, and from its first one on: what a node
takes is seen at once, and does not creep up for a day. How many series there are is bounded too: beyond `series_max` a
new one is refused and counted, none is pushed out by it.

Times are seconds of one monotonic clock, and never go back.
"""

import math
from array import array
from collections.abc import Iterator, Mapping
from typing import NamedTuple

__all__ = ["ENTRIES_MAX", "METRICS_MAX", "RETENTION_S", "TIERS", "History", "Point", "Series"]

TIERS = ((1.0, 300), (10.0, 360), (60.0, 1440))
"""(seconds of a slot, slots), the finest first."""
RETENTION_S = 24 * 3600.0
ENTRIES_MAX = sum(slots for _, slots in TIERS)
METRICS_MAX = 52
"""Of one component: cpu, memory and its own."""
_FLOAT_MAX = 3.4028234e38
_NAN = math.nan


class Point(NamedTuple):
    """What was seen in `step` seconds from `time` on."""

    time: float
    mean: float
    least: float
    greatest: float


class _Tier:
    """A ring of slots. The open one is kept apart: its samples are still counted."""

    __slots__ = (
        *("_count", "_first", "_greatest", "_greatests", "_held", "_least", "_leasts", "_means", "_open", "_sum"),
        "slots",
    )

    def __init__(self, slots: int) -> None:
        self.slots = slots
        closed = slots - 1  # the open slot is one of them
        self._means = array("d", (_NAN,)) * closed
        self._leasts, self._greatests = array("f", (_NAN,)) * closed, array("f", (_NAN,)) * closed
        self._held = 0  # closed slots that have been written
        self._first = 0  # where in the ring the oldest closed slot is
        self._open: int | None = None  # number of the open slot on the grid
        self._sum, self._count = 0.0, 0
        self._least = self._greatest = 0.0

    def add(self, slot: int, value: float) -> None:
        if self._open is None:
            self._begin(slot, value)
            return
        if slot > self._open:
            self._close()
            # Slots without a sample; more than the ring has would only push one another out.
            if (empty := slot - self._open - 1) > 0:
                for _ in range(min(empty, self.slots)):
                    self._push(_NAN, _NAN, _NAN)
            self._begin(slot, value)
            return
        self._sum += value
        self._count += 1
        if value < self._least:
            self._least = value
        elif value > self._greatest:
            self._greatest = value

    def _begin(self, slot: int, value: float) -> None:
        self._open, self._sum, self._count = slot, value, 1
        self._least = self._greatest = value

    def _close(self) -> None:
        self._push(self._sum / self._count, self._least, self._greatest)

    def _push(self, mean: float, least: float, greatest: float) -> None:
        closed = self.slots - 1
        at = (self._first + self._held) % closed
        self._means[at] = mean
        if least >= -_FLOAT_MAX and greatest <= _FLOAT_MAX:  # not so for NaN
            self._leasts[at], self._greatests[at] = least, greatest
        else:
            self._leasts[at], self._greatests[at] = _single(least), _single(greatest)
        if self._held < closed:
            self._held += 1
        else:
            self._first = (at + 1) % closed

    def points(self, step: float, since: float) -> Iterator[Point]:
        """Those whose slot ends after `since`, the oldest first."""
        if self._open is None:
            return
        held = self._held
        oldest = self._open - held
        skipped = max(0, math.floor(since / step) - oldest) if since > oldest * step else 0
        for offset in range(skipped, held):
            at = (self._first + offset) % (self.slots - 1)
            if not math.isnan(mean := self._means[at]):
                yield Point((oldest + offset) * step, mean, self._leasts[at], self._greatests[at])
        if (self._open + 1) * step > since:
            yield Point(self._open * step, self._sum / self._count, self._least, self._greatest)

    @property
    def entries(self) -> int:
        return self._held + (self._open is not None)

    @property
    def size_bytes(self) -> int:
        return sum(part.itemsize * len(part) for part in (self._means, self._leasts, self._greatests))


class Series:
    """One metric of one component. `latest` is (time, value) of the newest sample, `began` the time of the first."""

    __slots__ = ("_tiers", "began", "latest")

    def __init__(self, now: float) -> None:
        self._tiers = tuple((step, _Tier(slots)) for step, slots in TIERS)
        self.began = now
        self.latest = (now, _NAN)

    def add(self, now: float, value: float) -> None:
        now = max(now, self.latest[0])
        for step, tier in self._tiers:
            tier.add(int(now // step), value)
        self.latest = (now, value)

    def points(self, since: float, step: float = 0.0) -> tuple[float, list[Point]]:
        """The step that the points have, and those from `since` on: of the finest tier that has all there is of them.

        With `step` slots are put together until a point stands for at least so many seconds. A mean of means counts
        each slot that has samples the same.
        """
        ends = self.latest[0]
        back = ends - max(since, self.began)
        at = next((k for k, (each, slots) in enumerate(TIERS) if back <= each * (slots - 1)), len(TIERS) - 1)
        while at + 1 < len(TIERS) and TIERS[at + 1][0] <= step:
            at += 1
        own, _ = TIERS[at]
        since = max(since, ends - RETENTION_S)
        found = list(self._tiers[at][1].points(own, since))
        if step <= own:
            return own, found
        wide = own * math.ceil(step / own)
        return wide, _put_together(found, wide)

    @property
    def entries(self) -> int:
        """Slots held, gaps among them."""
        return sum(tier.entries for _, tier in self._tiers)

    @property
    def size_bytes(self) -> int:
        """Of its slots."""
        return sum(tier.size_bytes for _, tier in self._tiers)


class History:
    """The series of all components, by component and metric. Not thread-safe: one event loop uses it.

    Args:
        now: seconds of the clock that `add` is given; nothing is known from before it.
        series_max: how many series there may be at once.
    """

    def __init__(self, now: float, *, series_max: int = 4_000) -> None:
        self._began = now
        self._series_max = series_max
        self._series: dict[str, dict[str, Series]] = {}
        self._count = 0
        self.refused_total = 0
        """Samples that were not kept: their series would have been one too many, or they were no number."""

    @property
    def began(self) -> float:
        """From when on this node has been able to keep a history."""
        return self._began

    @property
    def series_count(self) -> int:
        return self._count

    def add(self, component_id: str, now: float, values: Mapping[str, float]) -> None:
        """One sample of each metric. A value that is not finite is refused; so are metrics beyond the bounds."""
        held = self._series.get(component_id)
        for name, value in values.items():
            if not math.isfinite(value):
                self.refused_total += 1
                continue
            series = None if held is None else held.get(name)
            if series is None:
                if self._count >= self._series_max or (held is not None and len(held) >= METRICS_MAX):
                    self.refused_total += 1
                    continue
                if held is None:
                    held = self._series[component_id] = {}
                series = held[name] = Series(now)
                self._count += 1
            series.add(now, value)

    def names(self, component_id: str) -> tuple[str, ...]:
        """Of the metrics that are kept of a component, ordered."""
        return tuple(sorted(self._series.get(component_id, ())))

    def series(self, component_id: str, name: str) -> Series | None:
        return self._series.get(component_id, {}).get(name)

    def latest(self, component_id: str, name: str, *, now: float, within_s: float) -> float | None:
        """The newest value, unless it is older than `within_s`."""
        found = self.series(component_id, name)
        if found is None or now - found.latest[0] > within_s:
            return None
        return found.latest[1]

    def forget(self, component_id: str) -> None:
        """All of a component that is no more."""
        self._count -= len(self._series.pop(component_id, {}))

    def expire(self, now: float, *, known: frozenset[str] | set[str]) -> None:
        """Forget series without a sample in 24 h, and all of components that are not `known`."""
        for component_id in list(self._series):
            if component_id not in known:
                self.forget(component_id)
                continue
            held = self._series[component_id]
            for name in [name for name, series in held.items() if now - series.latest[0] > RETENTION_S]:
                del held[name]
                self._count -= 1
            if not held:
                del self._series[component_id]

    @property
    def size_bytes(self) -> int:
        """Of all slots, without what Python needs beside them (3.6 kB for a full series)."""
        return sum(series.size_bytes for held in self._series.values() for series in held.values())


def _put_together(points: list[Point], step: float) -> list[Point]:
    found: list[Point] = []
    group: list[Point] = []
    slot = None
    for point in points:
        at = math.floor(point.time / step)
        if at != slot and group:
            found.append(_one(group, step))
            group = []
        slot = at
        group.append(point)
    if group:
        found.append(_one(group, step))
    return found


def _one(group: list[Point], step: float) -> Point:
    mean = math.fsum(point.mean / len(group) for point in group)
    least, greatest = min(point.least for point in group), max(point.greatest for point in group)
    return Point(math.floor(group[0].time / step) * step, mean, least, greatest)


def _single(value: float) -> float:
    """As much of `value` as a float of 4 bytes holds."""
    return max(-_FLOAT_MAX, min(_FLOAT_MAX, value)) if not math.isnan(value) else value
