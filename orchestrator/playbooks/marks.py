"""What triggers remember in the replicated state, so that the next leader goes on where the last one was. Pure.

By trigger and subject: since when what it looks at holds, and whether it went off for that. By trigger alone: that it
is armed, and for which wording; of a schedule also the last time that was due.
"""

from typing import TypeVar

import msgspec

from orchestrator.playbooks.triggering import Armed

MARKS_MAX = 10_000
"""Of all triggers together."""

T = TypeVar("T")


class Level(msgspec.Struct, frozen=True, omit_defaults=True):
    """It holds since the plant time `since`, by the change at `index`; `fired`: it went off for that."""

    since: float
    index: int = 0
    fired: bool = False


class Arming(msgspec.Struct, frozen=True, omit_defaults=True):
    """`due`: of a schedule, unix seconds of the last time that was looked at."""

    digest: str
    due: float = 0.0


def level_key(armed: Armed, subject: str) -> str:
    return f"{armed.name}/{subject}"


def arming_key(armed: Armed) -> str:
    """No subject is empty."""
    return f"{armed.name}/"


def trigger_of(key: str) -> tuple[str, str]:
    """(the trigger's name, the subject) of a mark's key. Neither playbooks nor numbers have a slash."""
    playbook, _, rest = key.partition("/")
    number, _, subject = rest.partition("/")
    return f"{playbook}/{number}", subject


def text_of(mark: Level | Arming | None) -> str:
    """As it is replicated; None is forgotten."""
    return "" if mark is None else msgspec.json.encode(mark).decode()


def level_of(text: str | None) -> Level | None:
    """None also for what cannot be read: then it is looked at anew."""
    return _read(text, Level)


def arming_of(text: str | None) -> Arming | None:
    return _read(text, Arming)


def _read(text: str | None, kind: type[T]) -> T | None:
    if not text:
        return None
    try:
        return msgspec.json.decode(text.encode(), type=kind)
    except msgspec.MsgspecError:
        return None


def judged(
    mark: Level | None, holds: bool | None, *, hold_s: float, at: float, index: int
) -> tuple[Level | None, bool]:
    """(what to remember, whether it goes off now). `holds` None: between the bounds; what fired stays, else nothing."""
    if holds is None:
        return (mark, False) if mark is not None and mark.fired else (None, False)
    if not holds:
        return None, False
    if mark is None:
        return Level(since=at, index=index, fired=hold_s <= 0), hold_s <= 0
    if not mark.fired and at - mark.since >= hold_s:
        return Level(since=mark.since, index=mark.index, fired=True), True
    return mark, False
