"""Shapes of answers: health. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec

from orchestrator.client.shapes.several import Pressure


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    status: str | None = None
    node: str
    time: float | None = None
    """This node's clock as it answered, seconds since 1970: others measure theirs by it."""


class ControlStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How fast frames are dispatched, as the leader knows it."""

    node: str
    leading: bool
    paused: bool
    consumption_rate: float
    """Frames a second."""
    dispatched_total: int
    """By this node, since it started."""
    leaderships_total: int
    """Changes of leadership that this node has seen."""
    backpressure: Pressure | None
    """Null while this node has no leader's duties."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    total: int
    healthy: int


class MembersHealth(msgspec.Struct, frozen=True, kw_only=True):
    total: int
    reachable: int
    has_quorum: bool


class RedisHealth(msgspec.Struct, frozen=True, kw_only=True):
    ok: bool
    reason: str


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """`degraded`: it works, and something is missing. `unhealthy`: it does not work now; `reasons` say what."""

    status: str
    reasons: list[str]
    node: str
    leader: str | None
    epoch: str | None
    redis: RedisHealth
    members: MembersHealth
    processors: Counted


class Leads(msgspec.Struct, frozen=True, kw_only=True):
    node: str
    leader: str
    epoch: str | None


class NodeFile(msgspec.Struct, frozen=True, kw_only=True):
    path: str
    """Below `node.data_dir`."""
    bytes: int


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Of one node. No secret is in it: those of the settings are asterisks, and taken out of the log."""

    node: str
    python: str
    platform: str
    processors: int
    """That this process may use."""
    versions: dict[str, str]
    settings: dict[str, Any]
    files: list[NodeFile]
    """Of the data directory, 500 at most."""
    log: list[str]
    """The newest last."""


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    status: str | None = None
    node: str
    role: str
    leader: str | None
    epoch: str | None
    refusals: dict[str, str]
    """Members that refuse this node, and why."""
