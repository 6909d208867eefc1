"""Shapes of answers: health. Generated from the API by `make docs`; not edited by hand."""

import msgspec


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    status: str | None = None
    node: str


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


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    status: str | None = None
    node: str
    role: str
    leader: str | None
    epoch: str | None
    refusals: dict[str, str]
    """Members that refuse this node, and why."""
