"""The settings of histories and alerts."""

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
