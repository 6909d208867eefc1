"""Shapes of answers: events. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec


class EventLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line. `number` counts all lines that ever were; `index` is where in the replicated log it came."""

    number: int
    index: int
    time: str
    """RFC 3339, by the clock of the node that took it; for display."""
    type: str
    source: str
    level: str
    message: str
    data: Any
    execution: str
    """The execution whose step wrote it, or empty."""


class EventPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. `cursor` is null on the last page."""

    events: list[EventLine]
    cursor: str | None
