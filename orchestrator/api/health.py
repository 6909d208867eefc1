"""What balancers, supervisors and people ask first: does it live, is it ready, does it lead, how is the whole."""

import time
from typing import Any, Literal

import msgspec
from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask
from orchestrator.api.documented import problems
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView

BEHIND_MAX = 100
"""Committed entries that a ready node may still have to apply: at a high rate there is always some."""

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    status: Literal["ok"] = "ok"
    node: str
    time: float = Field(
        default=0.0, description="This node's clock as it answered, seconds since 1970: others measure theirs by it."
    )


class Ready(BaseModel):
    status: Literal["ready"] = "ready"
    node: str
    role: str
    leader: str | None
    epoch: str | None
    refusals: dict[str, str] = Field(description="Members that refuse this node, and why.", examples=[{}])


class Leads(BaseModel):
    node: str
    leader: str
    epoch: str | None


class RedisHealth(BaseModel):
    ok: bool
    reason: str


class MembersHealth(BaseModel):
    total: int
    reachable: int
    has_quorum: bool


class Counted(BaseModel):
    total: int
    healthy: int


class Health(BaseModel):
    """`degraded`: it works, and something is missing. `unhealthy`: it does not work now; `reasons` say what."""

    status: Literal["healthy", "degraded", "unhealthy"]
    reasons: list[str]
    node: str
    leader: str | None
    epoch: str | None
    redis: RedisHealth
    members: MembersHealth
    processors: Counted


class PressureAlert(BaseModel):
    """While the level is critical: since when (unix seconds), and how it came to be."""

    since: float
    message: str


PRESSURE_EXAMPLE: dict[str, Any] = {
    "level": 0,
    "name": "normal",
    "crowded": {},
    "usage": 0.1,
    "outstanding": 12,
    "waiting": 3,
    "capture": 0,
    "capacity": 160,
    "unserved": {},
    "alert": None,
}


class Pressure(BaseModel):
    """The backpressure that producers are told: the level of the fullest capability, and the figures of all together.

    Frames in queues (`outstanding`), in lanes (`waiting`) and in capture, beside what processors may hold (`capacity`).
    """

    level: int = Field(description="0 to 3.")
    name: str = Field(description="`normal`, `low`, `high` or `critical`.")
    crowded: dict[str, str] = Field(description="Capabilities that are fuller than the rest, with the level of each.")
    usage: float | None = Field(description="Null where frames wait and nobody can take any.")
    outstanding: int
    waiting: int
    capture: int
    capacity: int
    unserved: dict[str, int] = Field(description="Frames by capability, where no processor has it.")
    alert: PressureAlert | None


class ControlStatus(BaseModel):
    """How fast frames are dispatched, as the leader knows it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "node": "n1",
                "leading": True,
                "paused": False,
                "consumption_rate": 239.6,
                "dispatched_total": 71988,
                "leaderships_total": 3,
                "backpressure": PRESSURE_EXAMPLE,
            }
        }
    )

    node: str
    leading: bool
    paused: bool
    consumption_rate: float = Field(description="Frames a second.")
    dispatched_total: int = Field(description="By this node, since it started.")
    leaderships_total: int = Field(description="Changes of leadership that this node has seen.")
    backpressure: Pressure | None = Field(description="Null while this node has no leader's duties.")


@router.get("/healthz", summary="The process lives", responses=problems())
async def healthz(ask: Ask) -> Alive:
    """Says nothing of the cluster: whoever restarts a node by this does so only when the node itself hangs."""
    return alive(ask.node)


def alive(node: NodeView) -> Alive:
    """As of now."""
    return Alive(node=node.config.node.id, time=time.time())


@router.get("/readyz", summary="This node can serve", responses=problems("not_ready"))
async def readyz(ask: Ask) -> Ready:
    """200 only when a leader is known, this node's state has caught up and Redis answers; else 503 with `reasons`."""
    status = ask.node.cluster.status()
    facts: dict[str, Any] = {
        "node": status.node_id,
        "role": status.role,
        "leader": status.leader_id,
        "epoch": epoch_text(ask.node),
        "refusals": status.farewells,
    }
    reasons = not_ready(ask.node)
    if reasons:
        raise Problem("not_ready", "; ".join(reasons), reasons=reasons, **facts)
    return Ready(**facts)


def epoch_text(node: NodeView) -> str | None:
    """The newest epoch applied here, as `term.index`."""
    epoch = node.epoch()
    return None if epoch is None else str(epoch)


def not_ready(node: NodeView) -> list[str]:
    """Why this node is not ready; empty when it is."""
    status = node.cluster.status()
    reasons = []
    if not status.is_member:
        reasons.append("this node is no member of the cluster: it waits to be added, or was removed")
    if status.leader_id is None:
        reasons.append("no leader is known")
        reasons += [f"{member} refuses this node: {why}" for member, why in sorted(status.farewells.items())]
    elif status.leader_id == status.node_id and node.duties() is None:
        reasons.append("the leader's duties are not taken up yet")
    behind = status.commit_index - status.applied_index
    if behind > BEHIND_MAX:
        reasons.append(f"{behind} committed changes are not applied here yet")
    redis_ok, redis_reason = node.redis_health()
    if not redis_ok:
        reasons.append(f"Redis does not answer: {redis_reason}")
    return reasons


@router.get("/leader", summary="200 on the leader, 503 elsewhere", responses=problems("not_leader"))
async def leader(ask: Ask) -> Leads:
    """For balancers that send everything to the leader. 503 also where nobody leads; the body says who does."""
    status = ask.node.cluster.status()
    leading = ask.node.leading()
    if leading is None or not ask.node.is_leader():
        epoch = epoch_text(ask.node)
        known = "no leader is known" if status.leader_id is None else f"the leader is {status.leader_id}"
        raise Problem("not_leader", known, node=status.node_id, leader=status.leader_id, epoch=epoch)
    # Its own: the claim of the next leader can be applied here before this one has put its duties down.
    return Leads(node=status.node_id, leader=status.node_id, epoch=str(leading))


@router.get("/health", summary="How the whole is, seen from here", responses=problems(also={503: {"model": Health}}))
async def health(ask: Ask, response: Response) -> Health:
    """200 when `healthy` or `degraded`, 503 when `unhealthy`."""
    seen = seen_by(ask.node)
    if seen.status == "unhealthy":
        response.status_code = 503
    return seen


def seen_by(node: NodeView) -> Health:
    """The whole, as a node sees it."""
    status = node.cluster.status()
    redis_ok, redis_reason = node.redis_health()
    rows = [row.healthy for row in node.state.processors.rows.values()]
    members = [member for member in status.members if member.connected]
    broken = [] if status.leader_id is not None else ["no leader is known"]
    if not redis_ok:
        broken.append(f"Redis does not answer: {redis_reason}")
    weak = []
    if len(members) < len(status.members):
        weak.append(f"{len(status.members) - len(members)} of {len(status.members)} nodes cannot be reached from here")
    if not all(rows):
        weak.append(f"{rows.count(False)} of {len(rows)} processors are not healthy")
    return Health(
        status="unhealthy" if broken else "degraded" if weak else "healthy",
        reasons=broken + weak,
        node=status.node_id,
        leader=status.leader_id,
        epoch=epoch_text(node),
        redis=RedisHealth(ok=redis_ok, reason=redis_reason),
        members=MembersHealth(total=len(status.members), reachable=len(members), has_quorum=status.has_quorum),
        processors=Counted(total=len(rows), healthy=rows.count(True)),
    )


@router.get(
    "/control/status",
    summary="How fast frames are dispatched",
    response_model=ControlStatus,
    responses=problems("no_leader"),
)
async def control_status(ask: Ask) -> Response:
    """The leader's figures: `consumption_rate` in frames a second, `paused`, and those of the dispatcher."""
    return Response(msgspec.json.encode(ask.node.control_status()), media_type="application/json")
