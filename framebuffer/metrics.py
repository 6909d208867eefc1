"""The Prometheus metrics of frame distribution, all in this one place.

Labels stay bounded: rows of processors and cameras that are gone are removed, beyond `cameras_max` cameras (or
`rows_max` pairs of processor and camera) a frame counts under camera `other`. A value that does not apply is `-`: a
parked frame has no processor. Everything is there with zero from the start, so that a rate or an alert works before
the first frame.
"""

from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from framebuffer.breaker import BreakerState
from framebuffer.models import DEFAULT_CAPABILITY
from framebuffer.pressure import Level
from framebuffer.wire import DispatchReport

NONE = "-"
OTHER = "other"
ROUTED = "routed"
PARKED = "parked"

BREAKER_VALUES = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}

# A dispatch call of 64 frames takes 0.1 to 3 ms; the buckets reach to a server that hardly answers any more.
_DURATION_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5)
_BATCH_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class FrameMetrics:
    """Metrics in `registry`; call `observe` after each dispatch call. Not thread-safe: one event loop uses it."""

    def __init__(
        self,
        registry: CollectorRegistry,
        *,
        node_id: str = "",
        version: str = "",
        cameras_max: int = 2_000,
        rows_max: int = 10_000,
        capabilities_max: int = 200,
    ) -> None:
        self._cameras_max = cameras_max
        self._rows_max = rows_max
        self._capabilities_max = capabilities_max
        self._cameras: set[str] = set()
        self._rows: set[tuple[str, str]] = set()
        self._processors: set[str] = set()
        self._registered: set[str] = set()
        self._capabilities: set[str] = set()
        self.frames_routed = Counter(
            "frame_buffer_frames_routed",
            "Frames that dispatch gave to a processor's queue (routed) or put aside until one can take them (parked).",
            ("processor_id", "camera_id", "result"),
            registry=registry,
        )
        self.routing_duration = Histogram(
            "frame_buffer_routing_duration_seconds",
            "One dispatch call, as the leader sees it: a whole batch, with the way to the server and back.",
            buckets=_DURATION_BUCKETS,
            registry=registry,
        )
        self.batch_size = Histogram(
            "frame_buffer_dispatch_batch_size",
            "Frames moved by one dispatch call that moved any.",
            buckets=_BATCH_BUCKETS,
            registry=registry,
        )
        self.backpressure_level = Gauge(
            "frame_buffer_backpressure_level", "0 normal, 1 low, 2 high, 3 critical.", registry=registry
        )
        self.backpressure_alerts = Counter(
            "frame_buffer_backpressure_alerts",
            "Times that the plant was so full that producers were told to pause.",
            registry=registry,
        )
        self.queue_depth = Gauge(
            "frame_buffer_processor_queue_depth",
            "Frames in a processor's queue, waiting and in work together.",
            ("processor_id",),
            registry=registry,
        )
        self.breaker_state = Gauge(
            "frame_buffer_breaker_state",
            "Whether the leader keeps away from a processor: 0 CLOSED (no), 1 HALF_OPEN (a frame at a time), 2 OPEN.",
            ("processor_id",),
            registry=registry,
        )
        self.waiting = Gauge(
            "frame_buffer_frames_waiting",
            "Frames that wait because no processor with their capability can take them now.",
            ("capability",),
            registry=registry,
        )
        self.redis_outages = Counter(
            "frame_buffer_redis_outages", "Times that dispatch lost its Redis server.", registry=registry
        )
        self.info = Info("frame_buffer_orchestrator", "The node that reports these figures.", registry=registry)
        self.info.info({"node_id": node_id, "version": version})
        self._count(NONE, NONE, ROUTED, 0)
        self._count(NONE, NONE, PARKED, 0)
        self.set_waiting({})

    def observe(self, report: DispatchReport, duration_s: float) -> None:
        """One dispatch call: what it did and how long it took."""
        self.routing_duration.observe(duration_s)
        parked = sum(count for _, count in report.parked)
        if moved := report.moved + parked:
            self.batch_size.observe(moved)
        for processor_id, camera_id, count in report.routed:
            self._count(processor_id, self._camera_label(processor_id, camera_id), ROUTED, count)
        if parked:
            self._count(NONE, NONE, PARKED, parked)
        for processor_id, depth in report.depths.items():
            self.queue_depth.labels(processor_id).set(depth)
            self._processors.add(processor_id)

    def set_waiting(self, lanes: Mapping[str, int]) -> None:
        """Frames waiting per capability, from the streams' statistics. A lane that is gone loses its row."""
        # Cameras choose the names of capabilities, so their number is bounded here.
        named = dict(sorted(lanes.items())[: self._capabilities_max])
        rest = sum(lanes.values()) - sum(named.values())
        shown = {DEFAULT_CAPABILITY: 0, **named, **({OTHER: rest} if rest else {})}
        for gone in self._capabilities.difference(shown):
            self.waiting.remove(gone)
        for capability, length in shown.items():
            self.waiting.labels(capability).set(length)
        self._capabilities = set(shown)

    def set_breaker(self, processor_id: str, state: BreakerState) -> None:
        """Of a processor that has a row (`keep`)."""
        if processor_id in self._registered:
            self.breaker_state.labels(processor_id).set(BREAKER_VALUES[state])

    def keep(self, *, processors: Collection[str], cameras: Collection[str] | None = None) -> None:
        """Remove the rows of everything else. Registered processors get a row with zero. `cameras` None: leave them."""
        for gone in self._processors.difference(processors):
            self.queue_depth.remove(gone)
        for new in set(processors).difference(self._processors):
            self.queue_depth.labels(new).set(0)
        for gone in self._registered.difference(processors):
            self.breaker_state.remove(gone)
        for new in set(processors).difference(self._registered):
            self.breaker_state.labels(new).set(BREAKER_VALUES[BreakerState.CLOSED])
        self._processors = set(processors)
        self._registered = set(processors)
        if cameras is not None:
            self._cameras.intersection_update(cameras)
        for row in [row for row in self._rows if not self._kept(row)]:
            self.frames_routed.remove(*row, ROUTED)
            self._rows.discard(row)

    def reset(self) -> None:
        """The node leads no more: its gauges would show what was true then."""
        self.keep(processors=())
        self.set_waiting({})
        self.backpressure_level.set(Level.NORMAL)

    def _kept(self, row: tuple[str, str]) -> bool:
        processor_id, camera_id = row
        return processor_id in self._processors and (camera_id == OTHER or camera_id in self._cameras)

    def _camera_label(self, processor_id: str, camera_id: str) -> str:
        if (processor_id, camera_id) in self._rows:
            return camera_id
        if len(self._rows) >= self._rows_max:
            return OTHER
        if camera_id not in self._cameras:
            if len(self._cameras) >= self._cameras_max:
                return OTHER
            self._cameras.add(camera_id)
        return camera_id

    def _count(self, processor_id: str, camera_id: str, result: str, by: int) -> None:
        self.frames_routed.labels(processor_id, camera_id, result).inc(by)
        if processor_id != NONE:
            self._rows.add((processor_id, camera_id))
