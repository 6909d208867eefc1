"""Which silences hold, and for which alerts. Pure: the time is an argument, unix seconds."""

from collections.abc import Mapping

from orchestrator.monitoring.alert_commands import AlertRow, SilenceRow

__all__ = ["active", "silenced_by"]


def active(silences: Mapping[str, SilenceRow], now: float) -> list[SilenceRow]:
    """Those that are not over, ordered by when they will be."""
    return sorted((row for row in silences.values() if row.until > now), key=lambda row: (row.until, row.id))


def silenced_by(row: AlertRow, silences: Mapping[str, SilenceRow], now: float) -> tuple[str, ...]:
    """The ids of the silences that hold for an alert that fires; none for one that is resolved.

    A silence that names subjects holds while all members that the alert names match it: one more member, and it is
    heard again.
    """
    if not row.firing:
        return ()
    return tuple(silence.id for silence in active(silences, now) if silence.matches(row))
