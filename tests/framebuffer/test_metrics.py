"""The exported metrics: their names, zeros from the start, and labels that stay bounded."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from framebuffer.latency import summed_up
from framebuffer.metrics import POLICIES, REASONS_MAX, FrameMetrics
from framebuffer.pressure import Level
from framebuffer.wire import CameraCounters, DispatchReport, PlaceStats, StreamStats

LABELS = ("processor_id", "camera_id", "result", "capability", "node_id", "version", "reason", "place", "share")


def report(
    routed: list[tuple[str, str, int]] | None = None,
    parked: list[tuple[str, int]] | None = None,
    depths: dict[str, int] | None = None,
) -> DispatchReport:
    return DispatchReport(
        read=0,
        drained=0,
        routed=routed or [],
        parked=parked or [],
        depths=depths or {},
        waiting=0,
        more=False,
        capture_ids={"0": "0-0"},
        last_wake_id="0-0",
    )


class Exported:
    """Metrics and what a scrape of them says."""

    def __init__(self, **options: int) -> None:
        self.registry = CollectorRegistry()
        self.metrics = FrameMetrics(self.registry, node_id="n1", version="0.1", **options)

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        text = generate_latest(self.registry).decode()
        return {
            tuple(sample.labels[label] for label in LABELS if label in sample.labels): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def routed(self) -> dict[tuple[str, ...], float]:
        """Rows of (processor, camera, result) that have a processor."""
        found = self.samples("frame_buffer_frames_routed_total")
        return {row: value for row, value in found.items() if "-" not in row}


@pytest.mark.parametrize(
    "name",
    [
        "frame_buffer_frames_routed_total",
        "frame_buffer_routing_duration_seconds_count",
        "frame_buffer_dispatch_batch_size_count",
        "frame_buffer_backpressure_level",
        "frame_buffer_frames_waiting",
        "frame_buffer_redis_outages_total",
        "frame_buffer_unserved_capabilities",
        "frame_buffer_frames_lost",
        "frame_buffer_dead_letters",
        "frame_buffer_frames_dropped",
        "frame_buffer_oldest_frame_age_seconds",
        "frame_buffer_frame_latency_seconds",
        "frame_buffer_fenced_calls_total",
        "frame_buffer_spans_total",
    ],
)
def test_zeros_are_exported_from_the_start(name: str) -> None:
    found = Exported().samples(name)
    assert found
    assert set(found.values()) == {0.0}


def test_the_node_is_named() -> None:
    assert Exported().samples("frame_buffer_orchestrator_info") == {("n1", "0.1"): 1.0}


def test_a_dispatch_call_is_counted() -> None:
    exported = Exported()
    exported.metrics.keep(processors=["p1", "p2"])
    assert exported.samples("frame_buffer_processor_queue_depth") == {("p1",): 0, ("p2",): 0}
    exported.metrics.observe(
        report(routed=[("p1", "cam1", 3), ("p1", "cam2", 1)], parked=[("people", 2)], depths={"p1": 4, "p2": 0}), 0.002
    )
    exported.metrics.observe(report(routed=[("p1", "cam1", 1)], depths={"p1": 5, "p2": 0}), 0.002)
    exported.metrics.observe(report(depths={"p1": 5, "p2": 0}), 0.0005)

    routed = exported.samples("frame_buffer_frames_routed_total")
    assert routed[("p1", "cam1", "routed")] == 4
    assert routed[("p1", "cam2", "routed")] == 1
    assert routed[("-", "-", "parked")] == 2
    assert exported.samples("frame_buffer_routing_duration_seconds_count") == {(): 3}
    assert exported.samples("frame_buffer_dispatch_batch_size_count") == {(): 2}  # the empty call moved nothing
    assert exported.samples("frame_buffer_dispatch_batch_size_sum") == {(): 7}
    assert exported.samples("frame_buffer_processor_queue_depth") == {("p1",): 5, ("p2",): 0}


def test_rows_of_who_is_gone_are_removed() -> None:
    exported = Exported()
    exported.metrics.observe(
        report(routed=[("p1", "cam1", 1), ("p2", "cam1", 1), ("p2", "cam2", 1)], depths={"p1": 1, "p2": 2}), 0.001
    )
    exported.metrics.keep(processors=["p2"])
    assert set(exported.routed()) == {("p2", "cam1", "routed"), ("p2", "cam2", "routed")}
    exported.metrics.keep(processors=["p2"], cameras=["cam2"])
    assert set(exported.routed()) == {("p2", "cam2", "routed")}
    exported.metrics.set_waiting({"people": 3})
    exported.metrics.backpressure_level.set(Level.HIGH)
    exported.metrics.reset()
    assert exported.routed() == {}
    assert exported.samples("frame_buffer_processor_queue_depth") == {}
    assert exported.samples("frame_buffer_frames_waiting") == {("default",): 0}
    assert exported.samples("frame_buffer_backpressure_level") == {(): 0}


def test_beyond_the_bound_cameras_count_as_other() -> None:
    exported = Exported(cameras_max=2)
    for camera in ("c1", "c2", "c3", "c4", "c1"):
        exported.metrics.observe(report(routed=[("p1", camera, 1)], depths={"p1": 0}), 0.001)
    assert exported.routed() == {
        ("p1", "c1", "routed"): 2,
        ("p1", "c2", "routed"): 1,
        ("p1", "other", "routed"): 2,
    }


def test_pairs_of_processor_and_camera_are_bounded_too() -> None:
    exported = Exported(rows_max=3)
    for number in range(4):
        exported.metrics.observe(
            report(routed=[("p1", f"c{number}", 1), ("p2", f"c{number}", 1)], depths={"p1": 0, "p2": 0}), 0.001
        )
    assert len(exported.routed()) <= 3 + 2
    assert sum(exported.routed().values()) == 8


def test_waiting_frames_are_shown_per_capability() -> None:
    exported = Exported(capabilities_max=2)
    exported.metrics.set_waiting({"face": 3, "people": 4, "smoke": 5, "zebra": 6})
    assert exported.samples("frame_buffer_frames_waiting") == {
        ("default",): 0, ("face",): 3, ("people",): 4, ("other",): 11,
    }  # fmt: skip
    exported.metrics.set_waiting({"people": 1})
    assert exported.samples("frame_buffer_frames_waiting") == {("default",): 0, ("people",): 1}


def stats(**changes: Any) -> StreamStats:
    empty: dict[str, Any] = {"capture_len": 0, "capture_pending": 0, "lanes": {}, "ready": {}, "results_len": 0}
    rest: dict[str, Any] = {"dead_len": 0, "cameras": {}, "fence": None, "leaders": [], "results_added": 0}
    return StreamStats(**{**empty, **rest, **changes})


def counters(highest: int, published: int, settled: int, **changes: Any) -> CameraCounters:
    return CameraCounters("token", highest, published, settled, 0, 0, 0, 0, **changes)


def test_what_the_streams_hold() -> None:
    exported = Exported()
    cameras = {"c1": counters(9, 8, 3), "c2": counters(4, 5, 1, dropped_by_reason={"freshest": 2, "odd": 1})}
    places = {"lane:face:p3": PlaceStats(2, 1_000), "lane:plate": PlaceStats(1, 4_000), "ready:w1:ps": PlaceStats(1, 0)}
    exported.metrics.set_stats(
        stats(cameras=cameras, capture_len=3, lanes={"face": 2, "plate": 1}, dead_len=7, places=places, server_ms=6_500)
    )
    # Of c1 two sequences never arrived; nine frames are owed, and six are there.
    assert exported.samples("frame_buffer_frames_lost") == {(): 2 + 3}
    assert exported.samples("frame_buffer_dead_letters") == {(): 7}
    assert exported.samples("frame_buffer_frames_dropped") == {
        ("deadline",): 0, ("freshest",): 2, ("odd",): 1, ("refused",): 0,
    }  # fmt: skip
    ages = {("capture",): 0, ("lane",): 5.5, ("ready",): 0}
    assert exported.samples("frame_buffer_oldest_frame_age_seconds") == ages
    exported.metrics.reset()
    assert exported.samples("frame_buffer_frames_lost") == {(): 0}
    assert ("odd",) not in exported.samples("frame_buffer_frames_dropped")


def test_how_long_frames_took() -> None:
    exported = Exported()
    exported.metrics.set_latency(summed_up(range(1, 1001), server_ms=5, window_s=10.0, complete=False))
    told = {("0.5",): 0.5, ("0.95",): 0.95, ("0.99",): 0.99}
    assert exported.samples("frame_buffer_frame_latency_seconds") == told
    exported.metrics.set_latency(summed_up((), server_ms=5, window_s=10.0, complete=True))
    assert exported.samples("frame_buffer_frame_latency_seconds") == dict.fromkeys(told, 0.0)


def test_reasons_of_drops_are_bounded() -> None:
    exported = Exported()
    reasons = {f"reason_{'x' * number}": number + 1 for number in range(40)}
    exported.metrics.set_stats(stats(cameras={"c": counters(-1, 0, 0, dropped_by_reason=reasons)}))
    found = exported.samples("frame_buffer_frames_dropped")
    assert len(found) == REASONS_MAX + len(POLICIES) + 1
    assert sum(found.values()) == sum(reasons.values())


def test_a_batch_costs_less_than_a_millisecond() -> None:
    """Of processor time, so that a busy machine does not count."""
    exported = Exported()
    full = report(routed=[(f"p{n % 3}", f"c{n}", 1) for n in range(64)], depths={f"p{n}": 1 for n in range(50)})
    assert median_s(lambda: exported.metrics.observe(full, 0.001)) < 0.001


def median_s(work: Callable[[], None]) -> float:
    """Seconds of processor time that the work takes."""
    costs = []
    for _ in range(41):
        began = time.thread_time()
        work()
        costs.append(time.thread_time() - began)
    return statistics.median(costs)
