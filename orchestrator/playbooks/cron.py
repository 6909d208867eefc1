"""When a cron line comes due, in any time zone, also where clocks are put forward and back. Reads the files of zones.

Five fields (minute, hour, day of the month, month, day of the week), as Debian's cron reads them: what stands at a time
that a change of the clocks leaves out runs when that hour is over; what stands at a time that comes twice runs once, at
the first. A line whose minute or hour begins with `*` goes by real time instead, and misses and repeats nothing.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

TIME_MAX = 32_503_680_000.0
"""The year 3000, unix seconds."""
_PROBE = datetime(2026, 1, 1, tzinfo=UTC)
_SHORTHANDS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


def next_after(cron: str, time: float, timezone: str = "UTC") -> float:
    """Unix seconds of the first time after `time` (unix seconds) at which the line is due.

    Raises ValueError for a line or a zone that is wrong, and for a time before 1970 or after 3000.
    """
    if not 0 <= time <= TIME_MAX:
        raise ValueError(f"the time {time} lies outside of the years 1970 to 3000")
    # Whole seconds, as a time just before one would be rounded up to it.
    start = datetime.fromtimestamp(math.floor(time), zone(timezone))
    for due in _from(cron, start):
        # Where a time comes twice, the line's own is the first, which may be over.
        if due.timestamp() > time:
            return due.timestamp()
    raise ValueError(f"cron {cron!r} never comes due")


def check_cron(cron: str) -> None:
    """Raises ValueError that says what is wrong with the line."""
    if next(_from(cron, _PROBE), None) is None:
        raise ValueError(f"{cron!r} never comes due")


@lru_cache(maxsize=64)
def zone(name: str) -> tzinfo:
    """The time zone of an IANA name such as Europe/Warsaw. Raises ValueError when there is none."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # also of a name that is a path, or a directory
        raise ValueError(f"there is no time zone {name[:60]!r}; write one as Europe/Warsaw, or UTC") from None


def _from(cron: str, start: datetime) -> Iterator[datetime]:
    fields = cron.split()
    if len(fields) == 1 and fields[0].lower() in _SHORTHANDS:
        raise ValueError(f"{cron!r} has to be written as {_SHORTHANDS[fields[0].lower()]!r}")
    if len(fields) != 5 or len(cron) > 200:
        raise ValueError(
            f"a cron line has five fields (minute, hour, day of month, month, day of week), this one {len(fields)}"
        )
    if not cron.isascii():
        raise ValueError(f"{cron[:60]!r} is no cron line")
    try:
        return CronSim(cron, start)
    except CronSimError as error:
        raise ValueError(f"{cron!r}: {str(error).replace('Bad', 'cannot read the')}") from None
