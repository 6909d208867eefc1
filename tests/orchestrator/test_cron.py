"""Cron lines, also where clocks are put forward and back."""

import math
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from orchestrator.playbooks.cron import TIME_MAX, check_cron, next_after, zone

ZONES = ("UTC", "Europe/Warsaw", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia")
_LINES = st.builds(
    lambda minute, hour, day, month, weekday: f"{minute} {hour} {day} {month} {weekday}",
    st.sampled_from(["*", "0", "30", "59", "*/15", "5,35", "10-20"]),
    st.sampled_from(["*", "0", "1", "2", "3", "23", "*/6", "1-3"]),
    st.sampled_from(["*", "1", "29", "31", "1-7", "*/10"]),
    st.sampled_from(["*", "2", "3", "10", "JAN-JUN", "*/4"]),
    st.sampled_from(["*", "0", "7", "MON", "MON-FRI", "SUN#2", "5L"]),
)
# Around the changes of clocks of 2026 half of the time, anywhere else the other half.
_TIMES = st.one_of(
    st.sampled_from([1774746000, 1792890000, 1772953200, 1793512800, 1775314800, 1790953200]).flatmap(
        lambda change: st.integers(change - 90_000, change + 90_000)
    ),
    st.integers(0, 4_000_000_000),
)


def unix(text: str, zone_name: str = "UTC", fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone_name), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("line", "after", "zone_name", "due"),
    [
        ("30 6 * * MON-FRI", "2026-11-28T09:00", "UTC", "2026-11-30T06:30"),
        ("0 0 1 * *", "2026-11-30T23:59:59", "UTC", "2026-12-01T00:00"),
        ("*/5 * * * *", "2026-11-28T09:00", "UTC", "2026-11-28T09:05"),
        ("0 12 29 2 *", "2026-01-01T00:00", "UTC", "2028-02-29T12:00"),
        ("0 7 * * *", "2026-11-28T06:59:59.5", "Europe/Warsaw", "2026-11-28T07:00"),
        ("15 10 13 * FRI", "2026-11-01T00:00", "UTC", "2026-11-06T10:15"),  # either of the two days
        # 2026-03-29 has no 02:30 in Warsaw: the line runs when that hour is over.
        ("30 2 * * *", "2026-03-28T12:00", "Europe/Warsaw", "2026-03-29T03:00"),
        ("30 2 * * *", "2026-03-29T03:00", "Europe/Warsaw", "2026-03-30T02:30"),
        # 2026-10-25 has 02:30 twice there: the line runs once, at the first.
        ("30 2 * * *", "2026-10-25T00:00", "Europe/Warsaw", "2026-10-25T02:30"),
        ("30 2 * * *", "2026-10-25T02:30", "Europe/Warsaw", "2026-10-26T02:30"),
    ],
)
def test_next_after(line: str, after: str, zone_name: str, due: str) -> None:
    assert next_after(line, unix(after, zone_name), zone_name) == unix(due, zone_name)


def test_a_line_that_goes_by_real_time_repeats_the_hour_that_comes_twice() -> None:
    first, second = unix("2026-10-25T02:30", "Europe/Warsaw"), unix("2026-10-25T02:30", "Europe/Warsaw", fold=1)
    assert second - first == 3600
    assert next_after("*/30 * * * *", first, "Europe/Warsaw") == first + 1800
    assert next_after("*/30 * * * *", second, "Europe/Warsaw") == second + 1800
    # A fixed time is over once it was there, also in the second of the two hours.
    assert next_after("30 2 * * *", second - 900, "Europe/Warsaw") == unix("2026-10-26T02:30", "Europe/Warsaw")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "five fields"),
        ("* * * *", "five fields .* this one 4"),
        ("* * * * * *", "five fields .* this one 6"),
        ("60 * * * *", "minute"),
        ("* 24 * * *", "hour"),
        ("* * 0 * *", "day-of-month"),
        ("* * * 13 *", "month"),
        ("* * * * 8", "day-of-week"),
        ("5-1 * * * *", "minute"),
        ("*/0 * * * *", "minute"),
        ("1,,2 * * * *", "minute"),
        ("a * * * *", "minute"),
        ("-1 * * * *", "minute"),
        ("1/1/1 * * * *", "minute"),
        ("* * * * MON#6", "day-of-week"),
        ("* * * * L", "day-of-week"),
        ("0 0 31 2 *", "day-of-month"),
        ("@daily", "has to be written as '0 0 \\* \\* \\*'"),
        ("@reboot", "five fields"),
        ("٣ * * * *", "no cron line"),
        ("9" * 150 + " * * * *", "minute"),
        ("1" + ",1" * 150 + " * * * *", "five fields"),
    ],
)
def test_wrong_lines_are_refused(line: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        check_cron(line)
    with pytest.raises(ValueError, match=said):
        next_after(line, 0.0)


@pytest.mark.parametrize(
    "name", ["", "Europe/Atlantis", "../../etc/passwd", "/etc/localtime", "Europe", "UTC\0", "a" * 500]
)
def test_wrong_zones_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="there is no time zone"):
        zone(name)


@pytest.mark.parametrize("time", [-1.0, TIME_MAX + 1, float("nan"), float("inf")])
def test_times_outside_of_the_calendar_are_refused(time: float) -> None:
    with pytest.raises(ValueError, match="outside of the years"):
        next_after("* * * * *", time)


@settings(max_examples=150, deadline=None)
@given(line=_LINES, time=_TIMES, zone_name=st.sampled_from(ZONES), share=st.floats(0, 1, exclude_max=True))
def test_nothing_is_due_in_between(line: str, time: int, zone_name: str, share: float) -> None:
    """Asked at any time before the next one, the answer is that one: so a leader that takes over misses nothing."""
    try:
        check_cron(line)
    except ValueError:  # February has no 31st
        reject()
    due = next_after(line, time, zone_name)
    assert due > time
    assert due % 60 == 0
    between = min(time + share * (due - time), math.nextafter(due, 0))
    assert next_after(line, between, zone_name) == due
    assert next_after(line, due, zone_name) > due


@settings(max_examples=60, deadline=None)
@given(
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=3),
    weekdays=st.sets(st.integers(0, 6), min_size=1, max_size=3),
    time=st.integers(0, 4_000_000_000),
)
def test_agrees_with_looking_at_every_minute(minutes: set[int], hours: set[int], weekdays: set[int], time: int) -> None:
    line = " ".join([",".join(map(str, sorted(minutes))), ",".join(map(str, sorted(hours))), "* *"])
    line += " " + ",".join(map(str, sorted(weekdays)))
    moment = datetime.fromtimestamp(time - time % 60, UTC)
    while True:
        moment += timedelta(minutes=1)
        if moment.hour not in hours:
            moment += timedelta(minutes=59 - moment.minute)
            continue
        if moment.minute in minutes and (moment.weekday() + 1) % 7 in weekdays:
            break
    assert next_after(line, time) == moment.timestamp()
