"""The settings of histories and alerts."""

from typing import Literal

from pydantic import Field

from orchestrator.config_section import Section

__all__ = ["MonitoringSettings"]


class MonitoringSettings(Section):
    """Histories of metrics, and alerts."""

    history_series_max: int = Field(
        default=4_000,
        ge=100,
        le=100_000,
        description="Metrics of components whose history the leader keeps in memory: up to 38 kB each when 24 h are "
        "full. Further ones are refused and counted.",
    )
    notify: tuple[str, ...] = Field(
        default=(),
        max_length=20,
        description="Names in `notifications.channels`: who is told that an alert fires, and that it is over. Each "
        "notice comes at least once, with the same `id` when it comes twice.",
    )
    notify_from: Literal["info", "warning", "error", "critical"] = Field(
        default="warning", description="The least severe alerts that are told."
    )
