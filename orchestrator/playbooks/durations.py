"""Lengths of time as playbooks write them: `500ms`, `30s`, `5m`, `1h`, `2d`, or several together: `1m30s`. Pure."""

import re

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PART = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)(ms|s|m|h|d)")
LONGEST_S = 366 * 86400.0


def parse_duration(value: object) -> float:
    """Seconds. A number counts as seconds. Raises ValueError for what is no length, is 0, or is above a year."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(  # noqa: TRY004 - pydantic wants this one
            f"a duration is text such as 30s, 5m or 1h, not {type(value).__name__}"
        )
    if isinstance(value, str):
        text = value.strip()
        parts = list(_PART.finditer(text))
        if not parts or "".join(part[0] for part in parts) != text:
            raise ValueError(f"{text[:40]!r} is not a duration; write 500ms, 30s, 5m, 1h, 2d or 1m30s")
        seconds = sum(float(part[1]) * _UNITS[part[2]] for part in parts)
    else:
        seconds = float(value)
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"a duration is more than 0 and at most 366d, not {value!s}")
    return seconds


def format_duration(seconds: float) -> str:
    """As a person reads it: `1m30s`, `250ms`, `2h`. Rounded to the millisecond."""
    milliseconds = round(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    text = ""
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        count, milliseconds = divmod(milliseconds, size)
        text += f"{count}{unit}" if count else ""
    return text + (f"{milliseconds}ms" if milliseconds else "")
