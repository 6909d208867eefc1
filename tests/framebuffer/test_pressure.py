"""The level follows usage that stays: it rises within half a second, and falls at once. On a made-up clock."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framebuffer.backpressure import Backpressure, CrowdedLane, Durability
from framebuffer.pressure import MARGIN, Level, PlantPressure, Pressure, QueueFigures, Thresholds, figures_of
from framebuffer.wire import DispatchReport


def figures(frames: int, capacity: int = 100) -> QueueFigures:
    return QueueFigures(outstanding=min(frames, capacity), capture=max(0, frames - capacity), capacity=capacity)


def held(pressure: Pressure, frames: int, seconds: float, *, since: float, every_s: float = 0.01) -> float:
    """Measures `frames` of 100 for so long; returns when it ended."""
    steps = round(seconds / every_s)
    for step in range(1, steps + 1):
        pressure.observe(figures(frames), since + step * every_s)
    return since + steps * every_s


def started(frames: int = 0) -> Pressure:
    """Has had so many for a while."""
    pressure = Pressure()
    held(pressure, frames, 4.0, since=-4.0)
    return pressure


@pytest.mark.parametrize(
    ("frames", "level"),
    [(0, 0), (59, 0), (60, 1), (79, 1), (80, 2), (94, 2), (95, 3), (100, 3), (10_000, 3)],
)
def test_usage_that_stays_is_told_by_its_level(frames: int, level: int) -> None:
    pressure = started()
    held(pressure, frames, 4.0, since=0.0)
    assert pressure.level == level


def test_overload_is_noticed_within_half_a_second_and_its_end_at_once() -> None:
    pressure = started(30)
    now = held(pressure, 300, 0.5, since=0.0)
    assert pressure.level is Level.CRITICAL
    assert pressure.observe(figures(30), now + 0.01) is Level.NORMAL


def test_rare_measurements_notice_it_too() -> None:
    pressure = started(0)
    held(pressure, 100, 2.0, since=0.0, every_s=0.2)  # an idle dispatcher looks five times a second
    assert pressure.level is Level.CRITICAL


def test_a_burst_through_capture_is_no_overload() -> None:
    pressure = started(40)
    for cycle in range(100):  # 40 ms of a hundred, several times the capacity
        now = held(pressure, 800, 0.04, since=cycle * 0.1)
        assert pressure.level <= Level.LOW
        held(pressure, 40, 0.05, since=now)
        assert pressure.level is Level.NORMAL
    quiet = started()
    assert quiet.observe(figures(2_000), 60.0) is Level.NORMAL  # one call in a burst, after a minute of nothing


def test_a_level_is_left_a_margin_below_its_threshold() -> None:
    pressure = started(96)
    for frames, level in ((95, 3), (91, 3), (89, 2), (94, 2), (76, 2), (74, 1), (56, 1), (54, 0), (59, 0)):
        pressure.observe(figures(frames), 1.0)  # the clock stands: usage only falls
        held(pressure, frames, 3.0, since=1.0)
        assert pressure.level == level, frames


def test_without_capacity_any_frame_is_too_many() -> None:
    for stuck in (QueueFigures(capture=1), QueueFigures(waiting=1), QueueFigures(unserved=1)):
        pressure = Pressure()
        for step in range(60):
            pressure.observe(stuck, step * 0.01)
        assert pressure.level == 3
        assert pressure.observe(QueueFigures(), 1.0) == 0


def test_a_new_leader_goes_on_where_the_one_before_was() -> None:
    told = Backpressure(2, {"slow": 3})
    plant = PlantPressure(told=told)
    crowd = called(90, {"slow": (500, 8, 8)}, capture=20)  # and more that piled up meanwhile
    assert plant.observe(crowd, 0.0) == told
    assert PlantPressure(told=told).observe(called(90, {}), 0.0) == Backpressure(2)
    assert PlantPressure(told=told).observe(called(10, {}), 0.0) == Backpressure(0)
    assert PlantPressure().observe(called(100, {}, capture=9_000), 0.0) == Backpressure(0)


@given(
    level=st.integers(0, 3),
    crowded=st.dictionaries(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,15}", fullmatch=True), st.integers(1, 3)),
    durability=st.sampled_from([None, 0, 1, 2, "majority"]),
)
def test_what_publishers_are_told_is_read_as_it_was_written(
    level: int, crowded: dict[str, int], durability: Durability | None
) -> None:
    told = Backpressure(level, crowded, durability)
    assert Backpressure.parse(str(told)) == told


def test_what_a_newer_release_tells_is_left_out_or_taken_for_the_most() -> None:
    assert Backpressure.parse("1 face=3 something face=x =") == Backpressure(1, {"face": 3}, "majority")
    assert Backpressure.parse("1 =two") == Backpressure(1, {}, "majority")
    assert Backpressure.parse("9 face=9") == Backpressure(3, {"face": 3})
    assert Backpressure.parse("") == Backpressure()


def test_frames_that_nobody_can_take_do_not_slow_the_others() -> None:
    report = DispatchReport(0, 0, [], [], {}, 1_010, False, {}, "0-0", capture=3, outstanding=5, capacity=100)
    assert figures_of(report).usage == pytest.approx(10.18)
    without = figures_of(
        DispatchReport(
            **{name: getattr(report, name) for name in report.__struct_fields__} | {"unserved": {"bird": 1_000}}
        )
    )
    assert without == QueueFigures(outstanding=5, waiting=10, capture=3, capacity=100, unserved=1_000)
    assert without.usage == pytest.approx(0.18)
    assert str(without) == (
        "18 frames, 18% of 100: 5 in queues, 10 in lanes, 3 in capture; "
        "1000 more wait for a capability that nobody offers"
    )
    assert str(QueueFigures(waiting=2)).startswith("2 frames, no processor can take any: ")


def called(outstanding: int, lanes: dict[str, tuple[int, int, int]], *, capture: int = 0) -> DispatchReport:
    """A call on a plant of 100: lanes as (waiting, outstanding, capacity)."""
    crowded = tuple(CrowdedLane(name, *row) for name, row in lanes.items())
    waiting = sum(lane.waiting for lane in crowded)
    figures: dict[str, Any] = {"outstanding": outstanding, "capacity": 100, "capture": capture, "crowded": crowded}
    return DispatchReport(0, 0, [], [], {}, waiting, False, {}, "0-0", **figures)


def test_a_capability_that_is_too_slow_holds_up_no_other() -> None:
    plant = PlantPressure()
    assert plant.observe(called(20, {}), 0.0) == Backpressure(0)
    slow = called(28, {"slow": (500, 8, 8)})
    assert plant.observe(slow, 0.01) == Backpressure(0)  # a moment is no crowd
    for step in range(60):
        told = plant.observe(slow, 0.02 + step * 0.01)
    assert told == Backpressure(0, {"slow": 3})
    assert (told.highest, str(told)) == (3, "0 slow=3")
    assert plant.observe(called(25, {"slow": (0, 5, 8)}), 1.0) == Backpressure(0, {"slow": 1})
    assert plant.observe(called(20, {}), 1.0) == Backpressure(0)
    for step in range(60):
        told = plant.observe(called(100, {"slow": (9, 8, 8), "fast": (1, 92, 92)}, capture=30), 2.0 + step * 0.01)
    assert told == Backpressure(3)  # all are full


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0", Backpressure()),
        ("2 a.b-c=3 d=2", Backpressure(2, {"a.b-c": 3, "d": 2})),
        ("1 later=word x=7 y", Backpressure(1, {"x": 3})),
        ("", Backpressure()),
        ("much", Backpressure()),
    ],
)
def test_what_publishers_are_told_is_text(text: str, told: Backpressure) -> None:
    assert Backpressure.parse(text) == told
    assert Backpressure.parse(str(told)) == told


@given(st.lists(st.tuples(st.integers(0, 400), st.floats(0.0, 0.5)), max_size=60))
def test_the_level_never_exceeds_what_was_measured(steps: list[tuple[int, float]]) -> None:
    pressure, now = Pressure(), 0.0
    for frames, passed in steps:
        now += passed
        before = pressure.level
        level = pressure.observe(figures(frames), now)
        usage = frames / 100
        assert pressure.usage <= min(usage, 1.25) + 1e-9
        if level > before:
            assert usage >= pressure.thresholds.of(level)
        if level < before:
            assert usage < pressure.thresholds.of(before) - MARGIN


@pytest.mark.parametrize("wrong", [(0.8, 0.6, 0.95), (0.6, 0.6, 0.95), (0.01, 0.8, 0.95), (0.6, math.nan, 0.95)])
def test_thresholds_ascend(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="ascend"):
        Thresholds(*wrong)


def test_smoothing_takes_time() -> None:
    with pytest.raises(ValueError, match="smoothing_s"):
        Pressure(smoothing_s=0)
