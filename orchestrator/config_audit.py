"""The settings of the audit."""

from pydantic import Field

from orchestrator.config_section import Section

__all__ = ["AuditSettings"]


class AuditSettings(Section):
    """The file of the audit in `node.data_dir`. How much of it the replicated state keeps beside is no setting."""

    keep_days: float = Field(
        default=400.0,
        ge=1,
        le=36_500,
        allow_inf_nan=False,
        description="Segments of the file that were last written to longer ago are removed from this node.",
    )
    keep_bytes: int = Field(
        default=1 << 30,
        ge=16 << 20,
        description="So much of the file is kept on this node, beside the segment that is written to: about 700 bytes "
        "a change.",
    )
