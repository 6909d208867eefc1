"""The cluster itself: who leads, who is reachable, and handing leadership over."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, problems
from orchestrator.api.health import epoch_text
from orchestrator.api.problems import Problem

router = APIRouter(prefix="/v1/cluster", tags=["cluster"])


class Member(BaseModel):
    """A member as the answering node sees it. `reachable` is about the Raft connection."""

    id: str
    raft: str
    api: str
    reachable: bool
    role: str = Field(description="`leader` or `follower`", examples=["follower"])


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
    commit_index: int
    applied_index: int
    log_entries: int
    last_contact_s: float | None
    members: list[Member]


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
    node = ask.node
    seen = node.cluster.status()
    addresses = {member.id: member for member in node.config.cluster.members}
    return ClusterStatus(
        node=seen.node_id,
        role=seen.role,
        leader=seen.leader_id,
        leader_api=node.leader_api(),
        mode=node.config.cluster.mode,
        term=seen.term,
        epoch=epoch_text(node),
        has_quorum=seen.has_quorum,
        commit_index=seen.commit_index,
        applied_index=seen.applied_index,
        log_entries=seen.log_entries,
        last_contact_s=seen.last_contact_s,
        members=[
            Member(
                id=member.id,
                raft=member.address,
                api=addresses[member.id].api,
                reachable=member.connected,
                role="leader" if member.id == seen.leader_id else "follower",
            )
            for member in seen.members
        ],
    )


@router.post(
    "/transfer",
    summary="Hand leadership over",
    responses=problems("member_unknown", "transfer_failed", "no_leader", "outcome_unknown"),
)
async def transfer(ask: Ask, wanted: Transfer | None = None) -> Transferred:
    """Answers once the new leader's claim is applied. A transfer to the node that leads already changes nothing."""
    to = wanted.to if wanted else None
    cluster, epoch = ask.node.cluster, ask.node.epoch()
    if to is not None and to not in {member.id for member in ask.node.config.cluster.members}:
        raise Problem("member_unknown", f"{to} is not a member of this cluster")
    if to == ask.node.config.node.id and ask.node.is_leader() and epoch is not None:
        return Transferred(leader=to, epoch=str(epoch))
    epoch = await cluster.transfer(to)
    return Transferred(leader=cluster.status().leader_id, epoch=str(epoch))
