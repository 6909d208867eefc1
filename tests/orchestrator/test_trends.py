"""Trends: slope, smoothed value and forecasts, held against what must be true of them. Pure."""

import math
import random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.monitoring.trends import POINTS_MIN, Forecast, Outlook, ewma, forecast, slope

RATES = st.floats(-1e3, 1e3).filter(lambda rate: abs(rate) > 1e-3)
STARTS = st.floats(-1e6, 1e6)


def line(
    start: float, per_s: float, *, points: int = 60, every: float = 10.0, at: float = 1e6
) -> list[tuple[float, float]]:
    return [(at + number * every, start + number * every * per_s) for number in range(points)]


@given(STARTS, RATES, st.integers(2, 100), st.floats(0.1, 60))
def test_the_slope_of_a_line_is_the_lines(start: float, per_s: float, points: int, every: float) -> None:
    found = slope(line(start, per_s, points=points, every=every))
    assert found is not None
    assert found.per_s == pytest.approx(per_s, rel=1e-4, abs=1e-6)
    assert found.value == pytest.approx(start + per_s * (points - 1) * every, rel=1e-6, abs=1e-3)


@given(
    st.lists(st.tuples(st.floats(0, 1e4), st.floats(-1e6, 1e6)), min_size=3, max_size=40),
    st.floats(-1e5, 1e5),
    st.floats(0.1, 100),
)
def test_the_slope_does_not_mind_where_zero_is_and_scales(
    samples: list[tuple[float, float]], shift: float, factor: float
) -> None:
    samples = sorted(samples)
    assume(samples[-1][0] - samples[0][0] > 1.0)
    found = slope(samples)
    shifted = slope([(time, value + shift) for time, value in samples])
    scaled = slope([(time, value * factor) for time, value in samples])
    assert found is not None
    assert shifted is not None
    assert scaled is not None
    assert shifted.per_s == pytest.approx(found.per_s, rel=1e-4, abs=1e-3)
    assert scaled.per_s == pytest.approx(found.per_s * factor, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("samples", [[], [(1.0, 2.0)], [(1.0, 2.0), (1.0, 3.0)]])
def test_without_two_points_in_time_there_is_no_slope(samples: list[tuple[float, float]]) -> None:
    assert slope(samples) is None
    assert forecast(samples, above=10.0) == Forecast(Outlook.INSUFFICIENT_DATA)


@given(st.lists(st.floats(allow_nan=False), min_size=2, max_size=40), st.floats(-1e308, 1e308))
def test_figures_that_no_sum_holds_are_no_error(values: list[float], threshold: float) -> None:
    """A component reports what it likes, and a mean of such figures may be infinite."""
    samples = [(float(second), value) for second, value in enumerate(values)]
    found = slope(samples)
    assert found is None or math.isfinite(found.per_s)
    for outlook in (forecast(samples, above=threshold), forecast(samples, below=threshold)):
        assert outlook.in_s is None or math.isfinite(outlook.in_s)
    ewma(samples, 1.0)


def test_a_figure_whose_square_no_float_holds_has_no_slope() -> None:
    assert slope([(0.0, 0.0), (1.0, 1e200), (2.0, 0.0)]) is None
    assert slope([(0.0, 1.7e308), (1.0, -1.7e308), (2.0, 1.7e308)]) is None


@given(st.lists(st.tuples(st.floats(0, 1e3), st.floats(-1e9, 1e9)), min_size=1, max_size=50), st.floats(0.01, 1e4))
def test_the_smoothed_value_stays_among_the_samples(steps: list[tuple[float, float]], half_life: float) -> None:
    samples, now = [], 0.0
    for delay, value in steps:
        now += delay
        samples.append((now, value))
    found = ewma(samples, half_life)
    assert found is not None
    assert min(value for _, value in samples) <= found <= max(value for _, value in samples)


def test_the_smoothed_value_forgets_by_half_in_a_half_life() -> None:
    assert ewma([(0.0, 0.0), (10.0, 8.0)], 10.0) == pytest.approx(4.0)
    assert ewma([(0.0, 0.0), (20.0, 8.0)], 10.0) == pytest.approx(6.0)
    assert ewma([(0.0, 0.0), (0.0, 8.0)], 10.0) == 4.0
    assert ewma([], 10.0) is None
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="half_life_s"):
            ewma([(0.0, 1.0)], wrong)


@given(STARTS, st.floats(1e-2, 1e3), st.floats(1.0, 500.0), st.booleans())
def test_a_line_meets_its_threshold_when_it_says(start: float, rate: float, ahead: float, rising: bool) -> None:
    samples = line(start, rate if rising else -rate)
    threshold = samples[-1][1] + (ahead * rate if rising else -ahead * rate)
    found = forecast(samples, **{"above" if rising else "below": threshold})
    assert found.outlook is Outlook.EXPECTED
    assert found.in_s is not None
    assert found.in_s == pytest.approx(ahead, rel=1e-3, abs=1e-2)
    assert found.earliest_s is not None
    assert found.earliest_s <= found.in_s
    assert found.latest_s is None or found.latest_s >= found.in_s
    away = forecast(samples, **{"below" if rising else "above": samples[0][1] - (rate if rising else -rate)})
    assert away == Forecast(Outlook.NEVER)


@given(st.floats(-1e6, 1e6), st.floats(0.1, 1e6))
def test_what_stays_never_gets_there(value: float, distance: float) -> None:
    flat = [(float(at), value) for at in range(60)]
    assert forecast(flat, above=value + distance) == Forecast(Outlook.NEVER)
    assert forecast(flat, below=value - distance) == Forecast(Outlook.NEVER)
    assert forecast(flat, above=value - distance) == Forecast(Outlook.REACHED)


def test_noise_is_no_trend() -> None:
    """Of a thousand series without a trend, next to none is taken for one: a slope is three standard errors away."""
    chance = random.Random(5)
    outlooks = [
        forecast([(float(at), chance.gauss(100.0, 5.0)) for at in range(60)], above=200.0).outlook for _ in range(1_000)
    ]
    assert outlooks.count(Outlook.UNCERTAIN) >= 985


def test_a_trend_is_found_in_noise() -> None:
    chance = random.Random(6)
    samples = [(at * 60.0, 1e9 + at * 60 * 1e5 + chance.gauss(0, 2e7)) for at in range(60)]
    found = forecast(samples, above=2e9)
    assert found.outlook is Outlook.EXPECTED
    assert found.in_s is not None
    assert found.in_s == pytest.approx((2e9 - 1e9 - 59 * 60 * 1e5) / 1e5, rel=0.1)
    assert found.earliest_s is not None
    assert found.latest_s is not None
    assert found.earliest_s < found.in_s < found.latest_s


def test_too_little_is_said_to_be_too_little() -> None:
    assert forecast(line(0.0, 1.0, points=POINTS_MIN - 1), above=1e3).outlook is Outlook.INSUFFICIENT_DATA
    assert forecast(line(0.0, 1.0, points=10, every=1.0), above=1e6).outlook is Outlook.TOO_FAR


@pytest.mark.parametrize("thresholds", [{}, {"above": 1.0, "below": 0.0}])
def test_a_forecast_has_one_threshold(thresholds: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="one threshold"):
        forecast(line(0.0, 1.0), **thresholds)
