"""The settings of one node as one frozen tree. `load_config` reads and checks them; nothing else reads the environment.

What a single value must be stands here and in `orchestrator.config_values`; what several must be together, in
`orchestrator.config_checks`.
Durations are seconds. Secrets are `SecretStr`: no text form of the tree shows them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator

from cluster.settings import ClusterSettings, Member
from framebuffer.durability import Durability
from framebuffer.pressure import MARGIN, Thresholds
from orchestrator.config_api import ApiSettings, OidcSettings, TlsSettings
from orchestrator.config_audit import AuditSettings
from orchestrator.config_components import ComponentSettings
from orchestrator.config_monitoring import MonitoringSettings
from orchestrator.config_notifications import NotificationSettings
from orchestrator.config_redis import RedisSettings
from orchestrator.config_section import Section
from orchestrator.config_telemetry import TelemetrySettings
from orchestrator.config_values import checked_address, checked_api_url, checked_id, host_and_port

__all__ = [
    "ApiSettings",
    "ClusterSection",
    "ComponentSettings",
    "FrameSettings",
    "MonitoringSettings",
    "NodeConfig",
    "NodeMember",
    "NodeSettings",
    "NotificationSettings",
    "OidcSettings",
    "RedisSettings",
    "TelemetrySettings",
    "TlsSettings",
    "load_config",
]

_thresholds = Thresholds()


def _default(name: str) -> Any:
    """The cluster's own default, so that there is one only."""
    return ClusterSettings.model_fields[name].default


class NodeSettings(Section):
    """This process: who it is, and where it keeps what must survive it."""

    id: str = Field(description="Which of `cluster.members` this node is.")
    data_dir: Path = Field(
        description="Belongs to this node alone; made if absent. Relative to the configuration file; `~` is expanded."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="What is less severe is not logged."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="`json`: a line of JSON a record, with what it is about: for whoever collects logs."
    )

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str) -> str:
        return checked_id(value)


class NodeMember(Section):
    """One node as the others reach it."""

    id: str = Field(description="Unique in the cluster: 1 to 64 letters, digits, `.`, `_`, `-`.")
    raft: str = Field(description="`host:port` at which the other nodes reach its Raft; IPv6 in brackets.")
    api: str = Field(description="`http://host:port` or `https://host:port` at which nodes and clients reach its API.")

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str) -> str:
        return checked_id(value)

    @field_validator("raft")
    @classmethod
    def _check_raft(cls, value: str) -> str:
        return checked_address(value)

    @field_validator("api")
    @classmethod
    def _check_api(cls, value: str) -> str:
        return checked_api_url(value)


class ClusterSection(Section):
    """The nodes and how they agree. All but `raft_bind` is the same on the nodes that the cluster began with."""

    name: str = Field(
        default="triarch",
        min_length=1,
        max_length=64,
        description="Kept in the data directory: a node of another cluster does not start on it.",
    )
    mode: Literal["active-active", "active-passive"] = Field(
        default="active-active",
        description="Whether followers answer reads that allow it (`active-active`), or the leader answers everything.",
    )
    members: tuple[NodeMember, ...] = Field(
        description="The nodes that the cluster began with: one, or an odd number. Who came and went since need not "
        "stand here: the nodes keep that themselves (`triarch cluster members`)."
    )
    join: bool = Field(
        default=False,
        description="This node is added to a cluster that runs, with `triarch cluster add`: until then it only "
        "listens. `members` lists those that are there, and this node. Means nothing once it is a member.",
    )
    raft_bind: str | None = Field(
        default=None, description="`host:port` to listen on, where that is not this node's `raft` address."
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Encrypts and authenticates what the nodes say to each other. At least 32 characters.",
    )
    secret_file: Path | None = Field(
        default=None, description="File that holds the secret, closed to group and others. Relative as `node.data_dir`."
    )
    heartbeat_s: float = Field(
        default=_default("heartbeat_s"), gt=0, description="Between two heartbeats of the leader."
    )
    election_min_s: float = Field(
        default=_default("election_min_s"),
        gt=0,
        description="Shortest silence of the leader after which a node stands for election; over three heartbeats.",
    )
    election_max_s: float = Field(
        default=_default("election_max_s"), gt=0, description="Longest such silence; nodes pick one in between."
    )
    step_down_s: float = Field(
        default=_default("step_down_s"), gt=0, description="A leader no majority answered for so long steps down."
    )
    takeover_budget_s: float = Field(
        default=_default("takeover_budget_s"),
        gt=0,
        description="What `election_max_s` and `step_down_s` together must stay within.",
    )

    @field_validator("raft_bind")
    @classmethod
    def _check_bind(cls, value: str | None) -> str | None:
        return None if value is None else checked_address(value)

    def timings(self) -> dict[str, float]:
        """The durations as `ClusterSettings` names them."""
        names = ("heartbeat_s", "election_min_s", "election_max_s", "step_down_s", "takeover_budget_s")
        found: dict[str, float] = {name: getattr(self, name) for name in names}
        # Not a setting here: a connection is given up no sooner than the leader.
        found["connection_timeout_s"] = max(_default("connection_timeout_s"), self.election_max_s)
        return found


class FrameSettings(Section):
    """How frames are passed from the buffer to the processors."""

    dispatch_batch: int = Field(default=64, ge=1, le=1000, description="Frames moved in one call to the server.")
    strategy: Literal["least_loaded", "affinity", "round_robin"] = Field(
        default="least_loaded",
        description="Who gets a frame: the processor with the least of its capacity in use; the one that the camera's "
        "frames went to before; or each in turn.",
    )
    direct: bool = Field(
        default=True,
        description="While nothing waits, the server routes frames by the leader's table as they are published, "
        "instead of the leader's next call.",
    )
    router: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
        description="`module:name` of a Python function that decides instead, the slow path: see docs/frames.md.",
    )
    heartbeat_timeout_s: float = Field(
        default=3.0, gt=0, description="A processor silent for so long gets no more frames; its queue is returned."
    )
    inline_bytes_max: int = Field(
        default=4096, ge=0, le=1 << 20, description="A larger payload is kept apart from its frame and fetched by key."
    )
    max_attempts: int = Field(
        default=5, ge=1, le=100, description="A frame that failed so often is put aside as dead, with the reason."
    )
    results_kept: int = Field(
        default=100_000,
        ge=100,
        le=100_000_000,
        description="About so many of the newest results are kept, in each shard; a reader that is further behind "
        "misses some, and is told so.",
    )
    lease_s: float = Field(
        default=30.0,
        ge=0.5,
        le=3600,
        description="A frame that a processor holds for so long without renewing goes to another attempt.",
    )
    capacity_max: int = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="A processor gets no more frames at once than this, whatever capacity it claims.",
    )
    health_interval_s: float = Field(
        default=10.0, gt=0, description="How often processors with a `health_url` are asked there."
    )
    health_timeout_s: float = Field(
        default=5.0, gt=0, description="How long the answer may take; at most half of `health_interval_s`."
    )
    breaker_failures: int = Field(
        default=3, ge=1, le=1000, description="So many failures in a row and a processor is kept away from (OPEN)."
    )
    breaker_open_s: float = Field(
        default=30.0, gt=0, description="For so long; then it is tried with one frame at a time (HALF_OPEN)."
    )
    breaker_successes: int = Field(
        default=3, ge=1, le=1000, description="So many frames done in a row then, and it counts as well again (CLOSED)."
    )
    pressure_low: float = Field(
        default=_thresholds.low,
        gt=MARGIN,
        le=10,
        description="LOW from this share of the processors' capacity on.",
    )
    pressure_high: float = Field(
        default=_thresholds.high, gt=MARGIN, le=10, description="HIGH from this share on: producers halve their rates."
    )
    pressure_critical: float = Field(
        default=_thresholds.critical, gt=MARGIN, le=10, description="CRITICAL from this share on: producers pause."
    )
    pressure_smoothing_s: float = Field(
        default=0.3,
        ge=0.01,
        le=2.0,
        description="Time constant of the usage that the level follows upwards: bursts that are shorter do not count.",
    )

    def thresholds(self) -> Thresholds:
        """Of backpressure. Errors: ValueError, which `load_config` has ruled out."""
        return Thresholds(self.pressure_low, self.pressure_high, self.pressure_critical)


class NodeConfig(Section):
    """The whole tree. Made by `load_config`, which also checks what concerns several settings."""

    node: NodeSettings
    cluster: ClusterSection
    api: ApiSettings = ApiSettings()
    redis: RedisSettings = RedisSettings()
    frames: FrameSettings = FrameSettings()
    components: ComponentSettings = ComponentSettings()
    notifications: NotificationSettings = NotificationSettings()
    telemetry: TelemetrySettings = TelemetrySettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    audit: AuditSettings = AuditSettings()

    def member(self) -> NodeMember:
        """This node as the others reach it. KeyError when it is not among them, which `load_config` refuses."""
        for member in self.cluster.members:
            if member.id == self.node.id:
                return member
        raise KeyError(self.node.id)

    def api_bind(self) -> str:
        """`host:port` on which this node's API listens."""
        return self.api.bind or host_and_port(self.member().api)

    def raft_bind(self) -> str:
        """`host:port` on which this node's Raft listens."""
        return self.cluster.raft_bind or self.member().raft

    def api_token(self) -> str | None:
        """The bearer token in the clear; None where the API is open."""
        return self.api.bearer_token

    def redis_password(self) -> str | None:
        """The server's password in the clear, whether it was given as a value or as a file."""
        return None if self.redis.password is None else self.redis.password.get_secret_value()

    def sentinel_password(self) -> str | None:
        """The sentinels' password in the clear."""
        secret = self.redis.sentinel_password
        return None if secret is None else secret.get_secret_value()

    def durability(self) -> Durability:
        """How many replicas must have a frame, as producers take it."""
        chosen = self.redis.durability
        return "majority" if chosen == "majority" else int(chosen)

    def cluster_settings(self) -> ClusterSettings:
        """What the cluster is told. Errors: pydantic's ValidationError, which `load_config` has ruled out."""
        section = self.cluster
        return ClusterSettings(
            node_id=self.node.id,
            members=tuple(Member(id=member.id, address=member.raft, api=member.api) for member in section.members),
            join=section.join,
            data_dir=self.node.data_dir / "cluster",
            cluster_name=section.name,
            bind=section.raft_bind,
            secret=section.secret,
            **section.timings(),
        )


def load_config(
    path: Path, overrides: Mapping[str, str], *, environment: Mapping[str, str] | None = None
) -> NodeConfig:
    """Read, merge and check the settings of a node: the file, above it the environment, above that `overrides`.

    Args:
        path: the YAML file.
        overrides: value by dotted field, `{"node.log_level": "debug"}`; the value of a list is YAML or JSON.
        environment: of the process, if not given.

    Errors: ConfigurationInvalid with every problem; RefusedInsecure where only secrets are missing.
    """
    # The loader stands on this module.
    from orchestrator.config_load import load

    return load(path, overrides, environment=environment)
