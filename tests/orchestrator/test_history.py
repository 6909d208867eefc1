"""Histories of metrics: what they keep, what they forget, and how much room they take. Pure."""

import functools
import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.monitoring.history import ENTRIES_MAX, METRICS_MAX, RETENTION_S, TIERS, History, Series

DAY = 24 * 3600


@functools.cache
def filled(seconds: int, *, every: int = 1) -> Series:
    """A series of a value that is the time itself."""
    series = Series(0.0)
    for at in range(0, seconds, every):
        series.add(float(at), float(at))
    return series


@pytest.mark.parametrize(
    ("back", "step"), [(60, 1.0), (299, 1.0), (300, 10.0), (3_590, 10.0), (3_600, 60.0), (DAY - 60, 60.0)]
)
def test_the_finest_tier_that_reaches_back_so_far_answers(back: int, step: float) -> None:
    series = filled(DAY + 3_600, every=5)
    ends = series.latest[0]
    found, points = series.points(ends - back)
    assert found == step
    assert points[0].time <= ends - back + 5 <= points[0].time + step + 10
    assert {later.time - earlier.time for earlier, later in itertools.pairwise(points)} == {max(step, 5.0)}
    for point in points:
        assert point.time <= point.least <= point.mean <= point.greatest < point.time + step


def test_a_day_is_kept_and_no_more_in_less_than_ten_thousand_entries() -> None:
    series = filled(2 * DAY, every=20)
    assert series.entries == ENTRIES_MAX <= 10_000
    step, points = series.points(0.0)
    assert step == 60.0
    assert series.latest[0] - RETENTION_S - step <= points[0].time <= series.latest[0] - RETENTION_S + step
    assert series.size_bytes == sum(16 * (slots - 1) for _, slots in TIERS)


def test_a_gap_is_seen_as_a_gap() -> None:
    series = filled.__wrapped__(100)
    series.add(10_000.0, 1.0)
    for since, times in ((9_990.0, [10_000.0]), (9_000.0, [10_000.0])):
        assert [point.time for point in series.points(since)[1]] == times
    _, points = series.points(0.0)
    assert [point.time for point in points] == [0.0, 60.0, 9_960.0]


def test_points_are_put_together_to_the_step_that_is_asked_for() -> None:
    series = filled(3_000)
    step, points = series.points(0.0, 100.0)
    assert step == 120.0  # of slots of a minute: the coarsest that are not too coarse
    assert [point.time for point in points] == [120.0 * at for at in range(25)]
    assert [point.mean for point in points] == [120.0 * at + 59.5 for at in range(25)]
    assert all((point.least, point.greatest) == (point.time, point.time + 119) for point in points)


def test_a_young_history_is_shown_as_finely_as_it_is_known() -> None:
    step, points = filled(100).points(-1e9)
    assert (step, len(points)) == (1.0, 100)


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(-1e12, 1e12, allow_subnormal=False)), min_size=1, max_size=120))
def test_whatever_comes_is_in_the_points(steps: list[tuple[float, float]]) -> None:
    series = Series(0.0)
    now = 0.0
    values = []
    for delay, value in steps:
        now += delay
        series.add(now, value)
        values.append(value)
    _, points = series.points(now - RETENTION_S)
    assert points == sorted(points, key=lambda point: point.time)
    assert len({point.time for point in points}) == len(points)
    low, high = min(values), max(values)
    for point in points:
        slack = 1e-6 * max(abs(point.least), abs(point.greatest)) + 1e-30  # of floats of four bytes
        assert point.least - slack <= point.mean <= point.greatest + slack
    assert min(point.least for point in points) == pytest.approx(low, rel=1e-6)
    assert max(point.greatest for point in points) == pytest.approx(high, rel=1e-6)
    assert series.entries <= ENTRIES_MAX


def test_what_is_no_number_and_what_is_one_too_many_is_refused_and_counted() -> None:
    history = History(0.0, series_max=3)
    history.add("press", 1.0, {"cpu": math.nan, "memory": math.inf, "load": 1.0})
    assert (history.names("press"), history.refused_total) == (("load",), 2)
    history.add("oven", 1.0, {"a": 1.0, "b": 2.0, "c": 3.0})
    assert (history.names("oven"), history.series_count, history.refused_total) == (("a", "b"), 3, 3)
    history.add("oven", 2.0, {"a": 4.0})  # what is known goes on
    assert history.latest("oven", "a", now=2.0, within_s=1.0) == 4.0


def test_one_component_cannot_take_all_the_room() -> None:
    history = History(0.0)
    history.add("press", 1.0, {f"m{number}": 0.0 for number in range(METRICS_MAX + 5)})
    assert (len(history.names("press")), history.refused_total) == (METRICS_MAX, 5)


def test_what_is_old_or_gone_is_forgotten() -> None:
    history = History(0.0)
    history.add("press", 1.0, {"cpu": 1.0, "memory": 1.0})
    history.add("oven", 1.0, {"cpu": 1.0})
    history.add("press", RETENTION_S, {"cpu": 2.0})
    assert history.latest("press", "cpu", now=RETENTION_S + 40, within_s=30) is None, "it is not known now"
    history.expire(RETENTION_S + 2.0, known={"press", "oven"})
    assert (history.names("press"), history.names("oven"), history.series_count) == (("cpu",), (), 1)
    history.expire(RETENTION_S + 2.0, known={"oven"})
    assert (history.names("press"), history.series_count, history.size_bytes) == ((), 0, 0)


def test_a_clock_that_stands_still_or_goes_back_does_no_harm() -> None:
    series = Series(100.0)
    for at, value in ((100.0, 1.0), (100.0, 3.0), (40.0, 5.0)):
        series.add(at, value)
    _, points = series.points(0.0)
    assert [(point.least, point.mean, point.greatest) for point in points] == [(1.0, 3.0, 5.0)]
    assert series.latest == (100.0, 5.0)
