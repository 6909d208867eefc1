"""Named points in the code at which a test kills the process.

    TRIARCH_FAIL_POINTS=playbook.before_commit:7=kill     at the seventh passing of that point
    TRIARCH_FAIL_POINTS=playbook.before_commit=log,…      writes a line at each passing
    TRIARCH_FAIL_POINTS=@/run/points                      what the file says, also after it changed; counted from then

Without the variable `reach` does nothing. A kill is announced on standard error first, so that a test can tell that
the process died here and not elsewhere: `fail point playbook.before_commit:7: kill`.
"""

import os
import re
import signal
from typing import Final, NamedTuple

__all__ = ["POINTS", "VARIABLE", "FailPointInvalid", "Point", "arm", "parse", "reach"]

VARIABLE: Final = "TRIARCH_FAIL_POINTS"
POINTS: Final = (
    "playbook.before_commit",
    "playbook.after_commit",
    "playbook.before_effect",
    "playbook.after_effect",
    "trigger.before_commit",
    "trigger.after_commit",
)
_SPEC = re.compile(r"(?P<name>[a-z_.]+)(?::(?P<count>[1-9][0-9]*))?=(?P<action>kill|log)")


class FailPointInvalid(ValueError):
    """The variable says what is not understood."""


class Point(NamedTuple):
    """`passing`: which one is meant; 0: each."""

    name: str
    passing: int
    action: str


def parse(text: str) -> tuple[Point, ...]:
    """The points of `NAME[:COUNT]=kill|log`, separated by commas. FailPointInvalid."""
    found = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        match = _SPEC.fullmatch(part)
        if match is None or match["name"] not in POINTS:
            raise FailPointInvalid(
                f"{VARIABLE}: {part[:80]!r} is not NAME[:COUNT]=kill or =log; names: {', '.join(POINTS)}"
            )
        if match["action"] == "kill" and match["count"] is None:
            raise FailPointInvalid(f"{VARIABLE}: {part[:80]!r}: a kill needs the passing, {match['name']}:1=kill")
        found.append(Point(match["name"], int(match["count"] or 0), match["action"]))
    return tuple(found)


class _Armed:
    """The points of this process, and how often each was passed."""

    def __init__(self, text: str) -> None:
        self._file = text.removeprefix("@") if text.startswith("@") else ""
        self._points = () if self._file else parse(text)
        self._passed: dict[str, int] = {}
        self._stamp: tuple[int, int] | None = None

    def reach(self, name: str) -> None:
        if self._file:
            self._reload()
        passed = self._passed[name] = self._passed.get(name, 0) + 1
        for point in self._points:
            if point.name != name or point.passing not in (0, passed):
                continue
            # Not by way of logging: nothing may be buffered when the process dies.
            os.write(2, f"fail point {name}:{passed}: {point.action}\n".encode())
            if point.action == "kill":
                os.kill(os.getpid(), signal.SIGKILL)

    def _reload(self) -> None:
        try:
            status = os.stat(self._file)
        except FileNotFoundError:
            self._points, self._stamp = (), None
            return
        if (stamp := (status.st_mtime_ns, status.st_ino)) != self._stamp:
            with open(self._file, encoding="utf-8") as file:
                self._points = parse(file.read())
            self._passed, self._stamp = {}, stamp


_armed: _Armed | None = None


def arm(text: str) -> None:
    """What the variable says holds from now on. FailPointInvalid."""
    global _armed  # noqa: PLW0603 - it is the process that is armed
    _armed = _Armed(text) if text else None


arm(os.environ.get(VARIABLE, ""))


def reach(name: str) -> None:
    """This point is passed now."""
    if _armed is not None:
        _armed.reach(name)
