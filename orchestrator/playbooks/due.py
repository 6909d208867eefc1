"""When schedules are due, and what becomes of times at which nobody could start a run. Reads files of time zones."""

from typing import NamedTuple

from orchestrator.playbooks.cron import next_after
from orchestrator.playbooks.triggers import Schedule

MISSED_MAX = 100
LATE_S = 10.0
"""A run that begins within so many seconds is on time: a takeover takes some."""
DAY_S = 86_400.0
LOOKED_AT_MAX = 1_500
"""Times that are gone through; a standstill that had more is looked at from a day ago on."""


class Due(NamedTuple):
    """A run to start: its due time (unix seconds), and how many before it were missed and are not made up."""

    time: float
    missed: int


def following(schedule: Schedule, after: float) -> float:
    """The first due time after `after`. ValueError for a line that never comes due."""
    if schedule.every is not None:
        return after + schedule.every
    assert schedule.cron is not None  # noqa: S101 - the model has exactly one rhythm
    return next_after(schedule.cron, after, schedule.timezone)


def due(schedule: Schedule, last: float, now: float) -> tuple[list[Due], float]:
    """(runs to start now, the last time that was due by now), given the last one that was looked at.

    Never a time that is not after `last`: a leader whose clock is behind starts nothing twice.
    """
    times = _times(schedule, last, now)
    if not times:
        return [], last
    newest = times[-1]
    match schedule.missed:
        case "all":
            kept = times[-MISSED_MAX:]
            return [Due(time, len(times) - len(kept) if time == kept[0] else 0) for time in kept], newest
        case "once":
            return [Due(newest, len(times) - 1)], newest
        case _:
            return ([Due(newest, len(times) - 1)] if now - newest <= LATE_S else []), newest


def _times(schedule: Schedule, last: float, now: float) -> list[float]:
    if schedule.every is not None:
        count = int((now - last) / schedule.every) if now > last else 0
        oldest = max(1, count - LOOKED_AT_MAX + 1)
        return [last + schedule.every * number for number in range(oldest, count + 1)]
    times: list[float] = []
    for begin in (last, max(last, now - DAY_S)):
        times = []
        time = following(schedule, begin)
        while time <= now and len(times) <= LOOKED_AT_MAX:
            times.append(time)
            time = following(schedule, time)
        if len(times) <= LOOKED_AT_MAX:
            break
    return times
