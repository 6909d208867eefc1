"""The cluster itself: who leads, who is reachable, handing leadership over; below it the members, and backups."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from cluster import OutcomeUnknown
from orchestrator.api import backup, members
from orchestrator.api.asking import Ask, Read, builtins
from orchestrator.api.documented import READ, problems
from orchestrator.api.health import epoch_text
from orchestrator.api.members import Member, rows_of
from orchestrator.api.problems import Problem, outcome_unknown
from orchestrator.api.view import NodeView
from orchestrator.config_checks import warnings

router = APIRouter(prefix="/v1/cluster", tags=["cluster"])


class ClusterStatus(BaseModel):
    """The answering node's own view; `last_contact_s` is the age of its state in seconds, null when unknown."""

    node: str
    role: str
    leader: str | None
    leader_api: str | None
    mode: str
    term: int
    epoch: str | None = Field(examples=["3.17"])
    has_quorum: bool
    is_member: bool = Field(description="False: this node waits to be added, or was removed.")
    commit_index: int
    applied_index: int
    last_index: int = Field(description="Of the log here; what is behind `commit_index` may still be cut.")
    log_entries: int
    log_bytes: int
    last_contact_s: float | None
    members: list[Member]
    refusals: dict[str, str] = Field(
        description="Members that refuse this node, and why: it lost its disk, or was removed.", examples=[{}]
    )
    refused: dict[str, int] = Field(
        description="Connections to the Raft port here that were turned away, by kind.", examples=[{"secret": 2}]
    )
    level: int = Field(description="Of the commands that this node's release knows.", examples=[3])
    state_level: int = Field(
        description="The highest level of any command in this node's state: a release of a lower one cannot read it.",
        examples=[3],
    )
    warnings: list[str] = Field(
        description="What works on this node and may not be meant so, such as an API without TLS.", examples=[[]]
    )


class Transfer(BaseModel):
    """`to` is the id of a member; without it the cluster chooses."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"to": "n2"}})

    to: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class Transferred(BaseModel):
    leader: str | None
    epoch: str


@router.get("", summary="The cluster as the answering node sees it", responses=problems(*READ))
async def status(ask: Ask, _consistency: Read) -> ClusterStatus:
    """Answered by the node that is asked, also without a leader; `consistency=leader` asks the leader instead."""
    return seen_by(ask.node)


def seen_by(node: NodeView) -> ClusterStatus:
    """The cluster as a node sees it."""
    seen = node.cluster.status()
    return ClusterStatus(
        node=seen.node_id,
        role=seen.role,
        leader=seen.leader_id,
        leader_api=node.leader_api(),
        mode=node.config.cluster.mode,
        term=seen.term,
        epoch=epoch_text(node),
        has_quorum=seen.has_quorum,
        is_member=seen.is_member,
        commit_index=seen.commit_index,
        applied_index=seen.applied_index,
        last_index=seen.last_index,
        log_entries=seen.log_entries,
        log_bytes=seen.log_bytes,
        last_contact_s=seen.last_contact_s,
        members=rows_of(node),
        refusals=seen.farewells,
        refused=seen.refused,
        level=node.state.level,
        state_level=node.state.uses,
        warnings=warnings(node.config),
    )


class Led(BaseModel):
    """One leadership. `gap_s`: from when the new leader last heard the one before to when its own duties stood, by its
    clock; null at a start, when there was none to hear.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"epoch": "3.17", "node": "n2", "at": 1767225600.0, "gap_s": 0.61, "reason": "election"}
        }
    )

    epoch: str
    node: str
    at: float = Field(description="Unix seconds by the clock of the node that led, for display.")
    gap_s: float | None
    reason: Literal["start", "election", "transfer"]


@router.get("/leaderships", summary="Who led when", responses=problems(*READ))
async def leaderships(read: Read) -> list[Led]:
    """The last 200, the newest first. A leadership that ended at once may be missing."""
    rows = await read(lambda state: state.leaderships.rows)
    return [Led(**builtins(row)) for row in reversed(rows)]


@router.post(
    "/transfer",
    summary="Hand leadership over",
    responses=problems("member_unknown", "transfer_failed", "no_leader", "outcome_unknown"),
)
async def transfer(ask: Ask, wanted: Transfer | None = None) -> Transferred:
    """Answers once the new leader's claim is applied. A transfer to the node that leads already changes nothing.

    `transfer_failed`: nobody was asked to take over, or somebody else leads. `outcome_unknown`: a member was asked, and
    was not seen to do it in time; it may still. Repeat it under the same key: without `to`, it moves leadership no
    further where that has moved since the key was first used.
    """
    to = wanted.to if wanted else None
    cluster, epoch = ask.node.cluster, ask.node.epoch()
    if to is not None and to not in {member.id for member in cluster.members()}:
        raise Problem("member_unknown", f"{to} is not a member of this cluster")
    if to == ask.node.config.node.id and ask.node.is_leader() and epoch is not None:
        return Transferred(leader=to, epoch=str(epoch))
    try:
        async with ask.noted("cluster.transfer", "cluster", to or "", moves=True) as told:
            first = told.first_asked
            if to is not None or first is None or epoch is None or epoch.index < first.index:
                epoch = await cluster.transfer(to)
            told.members.update(leader=cluster.status().leader_id, epoch=str(epoch))
    except OutcomeUnknown as error:
        raise outcome_unknown(ask.key, error.reason) from error
    return Transferred(leader=cluster.status().leader_id, epoch=str(epoch))


router.include_router(members.router)
router.include_router(backup.router)
