"""When schedules are due, and what becomes of runs that nobody could start in time."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.playbooks.due import LOOKED_AT_MAX, MISSED_MAX, due
from orchestrator.playbooks.triggers import Schedule

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC).timestamp()


def schedule(**members: Any) -> Schedule:
    return Schedule.model_validate({"type": "schedule", **members})


def test_nothing_is_due_before_its_time() -> None:
    assert due(schedule(cron="30 12 * * *"), NOON, NOON + 1799) == ([], NOON)


def test_it_is_due_at_its_time_and_not_again() -> None:
    hourly = schedule(cron="0 * * * *")
    runs, last = due(hourly, NOON, NOON + 3600.2)
    assert ([run.time for run in runs], last) == ([NOON + 3600], NOON + 3600)
    assert due(hourly, last, NOON + 3601) == ([], last)


@pytest.mark.parametrize(
    ("missed", "times", "left_out"),
    [("skip", [], []), ("once", [NOON + 300], [4]), ("all", [NOON + 60 * n for n in range(1, 6)], [0] * 5)],
)
def test_what_nobody_could_start(missed: str, times: list[float], left_out: list[int]) -> None:
    runs, last = due(schedule(cron="* * * * *", missed=missed), NOON, NOON + 330)
    assert [run.time for run in runs] == times
    assert [run.missed for run in runs] == left_out
    assert last == NOON + 300


def test_a_takeover_is_no_reason_to_skip() -> None:
    runs, _ = due(schedule(cron="* * * * *", missed="skip"), NOON, NOON + 63)
    assert [run.time for run in runs] == [NOON + 60]


def test_at_most_so_many_are_made_up_and_the_oldest_are_named() -> None:
    runs, last = due(schedule(every="60s", missed="all"), NOON, NOON + 60 * 250)
    assert len(runs) == MISSED_MAX
    assert runs[0].missed == 150
    assert runs[-1].time == last == NOON + 60 * 250


def test_a_standstill_of_years_is_not_gone_through_minute_by_minute() -> None:
    runs, last = due(schedule(cron="* * * * *"), NOON, NOON + 5 * 365 * 86_400)
    assert [run.time for run in runs] == [last]
    assert runs[0].missed < LOOKED_AT_MAX


@given(
    st.floats(min_value=-1e6, max_value=1e6),
    st.sampled_from(["skip", "once", "all"]),
    st.sampled_from([{"every": "90s"}, {"cron": "*/7 * * * *"}]),
)
def test_never_twice_for_one_due_time_whatever_the_next_leaders_clock_shows(
    skew: float, missed: str, rhythm: dict[str, str]
) -> None:
    planned = schedule(missed=missed, **rhythm)
    first, last = due(planned, NOON, NOON + 1000)
    second, newest = due(planned, last, NOON + 1000 + skew)
    assert newest >= last
    assert not {run.time for run in first} & {run.time for run in second}
