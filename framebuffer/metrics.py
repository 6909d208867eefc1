"""The Prometheus metrics of frame distribution, all in this one place.

Labels stay bounded: rows of processors and cameras that are gone are removed, beyond `cameras_max` cameras (or
`rows_max` pairs of processor and camera) a frame counts under camera `other`. A value that does not apply is `-`: a
parked frame has no processor. Everything is there with zero from the start, so that a rate or an alert works before
the first frame.
"""

from collections import Counter as Totals
from collections.abc import Collection, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

from framebuffer.breaker import BreakerState
from framebuffer.latency import FrameLatency
from framebuffer.models import DEFAULT_CAPABILITY
from framebuffer.otlp import EXPORTED, QUEUE_FULL, RECEIVER
from framebuffer.pressure import Level
from framebuffer.wire import DispatchReport, StreamStats

NONE = "-"
OTHER = "other"
ROUTED = "routed"
PARKED = "parked"

PLACES = ("capture", "lane", "ready")
POLICIES = ("deadline", "freshest", "refused")
SHARES = ("0.5", "0.95", "0.99")
REASONS_MAX = 16
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
        self._rows: dict[tuple[str, str], Counter] = {}
        self._processors: set[str] = set()
        self._depths: dict[str, Gauge] = {}
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
        self.unserved = Gauge(
            "frame_buffer_unserved_capabilities",
            "Capabilities that frames wait for and no processor that may get frames has.",
            registry=registry,
        )
        self.lost = Gauge(
            "frame_buffer_frames_lost",
            "Frames that the ledger misses: gaps below a camera's highest sequence, published ones that are nowhere.",
            registry=registry,
        )
        self.difference = Gauge(
            "frame_buffer_ledger_difference",
            "What the ledger's figures of one instant differ by from what the streams hold; 0: it is exact.",
            registry=registry,
        )
        self.dead = Gauge(
            "frame_buffer_dead_letters", "Dead frames that are kept, to be replayed or dropped.", registry=registry
        )
        self.dropped = Gauge(
            "frame_buffer_frames_dropped",
            "Frames that producers gave up before publishing them, since the ledger began.",
            ("reason",),
            registry=registry,
        )
        self.oldest = Gauge(
            "frame_buffer_oldest_frame_age_seconds",
            "Since the frame that is next there was published.",
            ("place",),
            registry=registry,
        )
        self.latency = Gauge(
            "frame_buffer_frame_latency_seconds",
            "From publish to result, of the newest results of the last ten seconds; 0 where there are none.",
            ("share",),
            registry=registry,
        )
        self.fenced = Counter(
            "frame_buffer_fenced_calls",
            "Calls of this node that the fence of a newer leader refused.",
            registry=registry,
        )
        self.spans = Counter(
            "frame_buffer_spans",
            "Spans exported, or dropped as the queue was full or the receiver did not take them.",
            ("result",),
            registry=registry,
        )
        self.info = Info("frame_buffer_orchestrator", "The node that reports these figures.", registry=registry)
        self.info.info({"node_id": node_id, "version": version})
        self._count(NONE, NONE, ROUTED, 0)
        self._count(NONE, NONE, PARKED, 0)
        for result in (EXPORTED, QUEUE_FULL, RECEIVER):
            self.spans.labels(result)
        self.measured: Mapping[str, Mapping[str, float]] | None = None
        """What `set_stats` saw last, by figure and subject, for whoever watches them; None while nothing was seen."""
        self._reasons: set[str] = set()
        self.set_waiting({})
        self._zero()

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
        self.unserved.set(len(report.unserved))
        for processor_id, depth in report.depths.items():
            row = self._depths.get(processor_id)  # looking a row up by its labels costs more than setting it
            if row is None:
                row = self._depths[processor_id] = self.queue_depth.labels(processor_id)
                self._processors.add(processor_id)
            row.set(depth)

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

    def set_stats(self, stats: StreamStats) -> None:
        """What the streams hold, of one instant of the server."""
        self.set_waiting(stats.lanes)
        counters = stats.cameras.values()
        gaps = sum(max(0, camera.highest + 1 - camera.published) for camera in counters)
        owed = sum(camera.in_flight + camera.surplus for camera in counters)
        lost = gaps + max(0, owed - stats.in_flight)
        self.lost.set(lost)
        unwritten = max(0, sum(camera.results for camera in counters) - stats.results_added)
        self.difference.set(gaps + abs(owed - stats.in_flight) + unwritten + abs(stats.dead_len - stats.dead_owed))
        self.dead.set(stats.dead_len)
        dropped: Totals[str] = Totals()
        for camera in counters:
            if camera.dropped_by_reason:  # of few cameras, and asking costs as much as all the rest for one
                dropped.update(camera.dropped_by_reason)
        self._set_dropped(dropped)
        oldest: dict[str, float] = {}
        for place in PLACES:
            ages = [
                stats.server_ms - one.oldest_ms
                for name, one in stats.places.items()
                if name.rpartition("/")[2].partition(":")[0] == place and one.oldest_ms
            ]
            oldest[place] = max([0, *ages]) / 1000
            self.oldest.labels(place).set(oldest[place])
        self.measured = {"frames_lost": {NONE: lost}, "dead_letters": {NONE: stats.dead_len}, "oldest_frame_s": oldest}

    def set_latency(self, found: FrameLatency) -> None:
        """How long frames took lately."""
        for share, ms in zip(SHARES, (found.p50_ms, found.p95_ms, found.p99_ms), strict=True):
            self.latency.labels(share).set((ms or 0) / 1000)

    def count_spans(self, result: str, number: int) -> None:
        """From any thread."""
        self.spans.labels(result).inc(number)

    def set_breaker(self, processor_id: str, state: BreakerState) -> None:
        """Of a processor that has a row (`keep`)."""
        if processor_id in self._registered:
            self.breaker_state.labels(processor_id).set(BREAKER_VALUES[state])

    def keep(self, *, processors: Collection[str], cameras: Collection[str] | None = None) -> None:
        """Remove the rows of everything else. Registered processors get a row with zero. `cameras` None: leave them."""
        for gone in self._processors.difference(processors):
            self.queue_depth.remove(gone)
            self._depths.pop(gone, None)
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
            del self._rows[row]

    def reset(self) -> None:
        """The node leads no more: its gauges would show what was true then."""
        self.keep(processors=())
        self.set_waiting({})
        self.backpressure_level.set(Level.NORMAL)
        self.measured = None
        self._zero()

    def _zero(self) -> None:
        for gauge in (self.lost, self.difference, self.dead, self.unserved):
            gauge.set(0)
        for place in PLACES:
            self.oldest.labels(place).set(0)
        for share in SHARES:
            self.latency.labels(share).set(0)
        self._set_dropped({})

    def _set_dropped(self, dropped: Mapping[str, int]) -> None:
        # Producers choose the reasons, so their number is bounded here.
        named = dict(sorted(dropped.items(), key=lambda one: -one[1])[:REASONS_MAX])
        rest = sum(dropped.values()) - sum(named.values())
        shown = {**dict.fromkeys(POLICIES, 0), **named, **({OTHER: rest} if rest else {})}
        for gone in self._reasons.difference(shown):
            self.dropped.remove(gone)
        for reason, number in shown.items():
            self.dropped.labels(reason).set(number)
        self._reasons = set(shown)

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
        row = self._rows.get((processor_id, camera_id))
        if row is None:
            row = self.frames_routed.labels(processor_id, camera_id, result)
            if processor_id != NONE:
                self._rows[processor_id, camera_id] = row
        row.inc(by)
