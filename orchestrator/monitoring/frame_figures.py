"""Figures of the frames that rules look at, put together from what the leader's other duties have measured."""

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from prometheus_client import Histogram

from framebuffer.isolation import Gates
from framebuffer.metrics import FrameMetrics
from framebuffer.registry import ProcessorRegistry
from orchestrator.monitoring.alert_reports import NO_SUBJECT

__all__ = ["DispatchTimes", "FrameFigures", "percentile"]

WINDOW_S = 60.0
CALLS_MIN = 20
"""Fewer calls in the window than this have no 95th percentile."""

Buckets = tuple[tuple[float, float], ...]
"""(upper bound, observations up to it), ascending."""


class FrameFigures:
    """Values by figure and subject, of what is known now. See `alert_rules.FIGURES`.

    Args:
        pressure: the figures of backpressure (`PressureDuty.figures`).
        metrics: where the streams' statistics and the times of dispatch calls stand.
        processors: those that are registered.
        gates: the processors that are kept away from.
    """

    def __init__(
        self,
        pressure: Callable[[], Mapping[str, Mapping[str, float]]],
        metrics: FrameMetrics,
        processors: ProcessorRegistry,
        gates: Callable[[], Gates],
    ) -> None:
        self._pressure = pressure
        self._metrics = metrics
        self._processors = processors
        self._gates = gates
        self._times = DispatchTimes(metrics.routing_duration)

    def __call__(self, now: float) -> dict[str, Mapping[str, float]]:
        """At `now`, seconds of the monotonic clock."""
        found = {**self._pressure(), **(self._metrics.measured or {})}
        gates = self._gates()
        found["unhealthy_processors"] = {
            name: float(not row.healthy or name in gates) for name, row in self._processors.rows.items()
        }
        if (p95 := self._times.percentile(now, 0.95)) is not None:
            found["dispatch_p95_s"] = {NO_SUBJECT: p95}
        return found


class DispatchTimes:
    """Percentiles of a histogram over the last `WINDOW_S`, from what its buckets held before and hold now."""

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._before: deque[tuple[float, Buckets]] = deque()

    def percentile(self, now: float, share: float) -> float | None:
        """Seconds; None until there were enough calls. To be asked about once a second."""
        buckets = _buckets(self._histogram)
        while len(self._before) > 1 and self._before[1][0] <= now - WINDOW_S:
            self._before.popleft()
        if not self._before or now - self._before[-1][0] >= 1.0:
            self._before.append((now, buckets))
        return percentile(self._before[0][1], buckets, share, least=CALLS_MIN)


def percentile(before: Buckets, after: Buckets, share: float, *, least: int = 1) -> float | None:
    """Of what was observed between two readings, as a straight line within a bucket; None with fewer than `least`.

    Beyond the last bound it is that bound.
    """
    counts = [(bound, late - early) for (bound, early), (_, late) in zip(before, after, strict=True)]
    total = counts[-1][1] if counts else 0.0
    if total < least:
        return None
    wanted = share * total
    floor = below = 0.0
    for bound, count in counts:
        if count >= wanted:
            if math.isinf(bound):
                return floor
            return floor + (bound - floor) * ((wanted - below) / (count - below) if count > below else 1.0)
        floor, below = bound, count
    return floor


def _buckets(histogram: Histogram) -> Buckets:
    samples: Sequence[object] = [sample for metric in histogram.collect() for sample in metric.samples]
    return tuple(
        (float(sample.labels["le"]), sample.value)  # type: ignore[attr-defined]
        for sample in samples
        if sample.name.endswith("_bucket")  # type: ignore[attr-defined]
    )
