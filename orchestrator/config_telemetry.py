"""The settings of spans."""

from pydantic import Field, field_validator

from framebuffer.otlp import DEFAULT_RATIO
from orchestrator.config_section import Section
from orchestrator.config_values import checked_otlp_url

__all__ = ["TelemetrySettings"]


class TelemetrySettings(Section):
    """Spans of frames and of executions, for whoever collects OpenTelemetry traces. Needs the extra `telemetry`."""

    otlp_endpoint: str | None = Field(
        default=None,
        description="Base URL of a receiver of OTLP over HTTP, `http://collector:4318`. Without it no span is made.",
    )
    sample_ratio: float = Field(
        default=DEFAULT_RATIO,
        ge=0,
        le=1,
        description="Share of the frames whose way is recorded. Decided by whoever publishes: the cameras of "
        "`triarch dev`, and programs of your own that read the variables of this section.",
    )

    @field_validator("otlp_endpoint")
    @classmethod
    def _check_endpoint(cls, value: str | None) -> str | None:
        return None if value is None else checked_otlp_url(value)
