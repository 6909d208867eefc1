"""The settings of the plant's components."""

from pydantic import Field

from orchestrator.config_section import Section


class ComponentSettings(Section):
    """The components of the plant."""

    heartbeat_timeout_s: float = Field(
        default=3.0,
        gt=0,
        description="A component silent for so long is UNRESPONSIVE, where it declared no interval of its heartbeats.",
    )
    missed_heartbeats: int = Field(
        default=3,
        ge=2,
        le=100,
        description="So many intervals of silence make a component UNRESPONSIVE that declared one; a second at least.",
    )
    health_hold_s: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="A component that called itself DEGRADED must find itself well for so long before it is OK again.",
    )
    event_max_age_s: float = Field(
        default=3600.0,
        ge=1,
        le=86_400,
        description="An event whose `time` is further from this node's clock is refused; repeats are known for twice "
        "as long.",
    )
    command_timeout_s: float = Field(default=5.0, gt=0, description="How long a component may take to do a command.")
