"""Whom to tell what about alerts, and in which words. Pure."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from orchestrator.monitoring.alert_commands import AlertRow, SilenceRow
from orchestrator.monitoring.alert_rules import SEVERITIES
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.monitoring.silencing import silenced_by

__all__ = ["FIRED", "RESOLVED", "Notice", "due"]

FIRED, RESOLVED = "fired", "resolved"
AGE_MAX_S = 3600.0
"""Nobody is told of what was over longer ago: a node that is configured to tell would begin with old stories."""


class Notice(NamedTuple):
    """One thing to be told. `key` is the same however often, and by whichever leader, it is told."""

    alert: str
    phase: str
    severity: str
    message: str
    data: dict[str, Any]

    @property
    def key(self) -> str:
        return f"alert/{self.alert}/{self.phase}"


def due(alerts: AlertRegistry, now: float, *, least: str) -> Iterator[Notice]:
    """What nobody was told yet, of alerts from severity `least` on, the oldest first. `now`: unix seconds.

    Of an alert that began and ended before it could be told, only the end is. Of one that was silenced when it began,
    nothing is told until the silence is over; when it ends before, nothing at all.
    """
    silences = alerts.silences
    for row in alerts.resolved:
        recent = row.resolved_time is not None and now - row.resolved_time <= AGE_MAX_S
        untold = RESOLVED not in row.told and (FIRED in row.told or not _was_silenced(row, list(silences.values())))
        if recent and untold and _severe(row, least):
            yield _notice(row, RESOLVED)
    for row in sorted(alerts.firing.values(), key=lambda row: row.revision):
        if FIRED not in row.told and _severe(row, least) and not silenced_by(row, silences, now):
            yield _notice(row, FIRED)


def _was_silenced(row: AlertRow, silences: Sequence[SilenceRow]) -> bool:
    """Whether a silence held for it when it ended."""
    ended = row.resolved_time or 0.0
    return any(each.created_time <= ended < each.until and each.matches(row) for each in silences)


def _severe(row: AlertRow, least: str) -> bool:
    return row.severity not in SEVERITIES or SEVERITIES.index(row.severity) >= SEVERITIES.index(least)


def _notice(row: AlertRow, phase: str) -> Notice:
    data = msgspec.to_builtins(row)
    del data["told"]
    state = "FIRING" if phase == FIRED else "RESOLVED"
    return Notice(row.id, phase, row.severity, f"{state} {row.rule}: {row.summary}", {**data, "state": state})
