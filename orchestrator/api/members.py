"""Who the members are, and changing that: one at a time, each step committed before the next."""

import functools
import importlib.metadata
from typing import Annotated

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

import cluster
from cluster.settings import is_loopback
from orchestrator.api.asking import Ask, Read
from orchestrator.api.documented import READ, Responses, problems
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView
from orchestrator.config_checks import is_every_interface
from orchestrator.config_values import checked_address, checked_api_url, checked_id, host_and_port
from orchestrator.raft_figures import lag_of

router = APIRouter(prefix="/members")

WAIT_MAX_S = 10.0
"""A request is passed on to the leader, which is given 15 s: what takes longer is asked for again."""
CHANGE = ("member_change_refused", "no_leader", "queue_full", "outcome_unknown", "read_timed_out")

MemberId = Annotated[str, Path(min_length=1, max_length=64, examples=["n4"])]
Wait = Annotated[
    float, Query(ge=0.1, le=WAIT_MAX_S, allow_inf_nan=False, description="Seconds to wait for the step to be done.")
]


class Member(BaseModel):
    """A member as the answering node sees it. `reachable` is about the Raft connection."""

    id: str
    raft: str
    api: str
    reachable: bool
    role: str = Field(description="`leader`, `follower`, or `learner` until it has caught up", examples=["follower"])
    voter: bool = Field(description="It elects and commits; a learner only gets the log.")
    lag: int | None = Field(description="Entries that it lacks; only the leader knows.", examples=[0])
    release: str = Field(description="That it ran when it was last met; empty when it never was.", examples=["1.4.0"])


class NewMember(BaseModel):
    """A node that waits, started with `cluster.join`, an empty data directory and an id that was never a member's."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"id": "n4", "raft": "10.0.0.4:7101", "api": "http://10.0.0.4:8101"}},
    )

    id: str
    raft: str = Field(description="`host:port` at which the other nodes reach its Raft.")
    api: str = Field(description="`http://host:port` or `https://host:port` at which nodes and clients reach its API.")

    @field_validator("id")
    @classmethod
    def _check_id(cls, value: str) -> str:
        return checked_id(value)

    @field_validator("raft")
    @classmethod
    def _check_raft(cls, value: str) -> str:
        return _reachable(checked_address(value))

    @field_validator("api")
    @classmethod
    def _check_api(cls, value: str) -> str:
        url = checked_api_url(value)
        _reachable(host_and_port(url))
        return url


def _reachable(address: str) -> str:
    if is_every_interface(address):
        raise ValueError(f"{address} is no address that other nodes could reach")
    return address


def rows_of(node: NodeView) -> list[Member]:
    """All members as `node` sees them, in the order in which they were added."""
    seen = node.cluster.status()
    return [
        Member(
            id=member.id,
            raft=member.address,
            api=node.api_of(member.id) or "",
            reachable=member.connected,
            role="leader" if member.id == seen.leader_id else "follower" if member.voter else "learner",
            voter=member.voter,
            lag=0 if member.id == seen.node_id and seen.role == "leader" else lag_of(seen, member.match_index),
            release=_own_release() if member.id == seen.node_id else member.release,
        )
        for member in seen.members
    ]


@functools.cache
def _own_release() -> str:
    """Looked up in a file of the installation."""
    return importlib.metadata.version("triarch")


def _row_of(node: NodeView, member_id: str) -> Member:
    for row in rows_of(node):
        if row.id == member_id:
            return row
    raise Problem("member_unknown", f"{member_id} is not a member of this cluster")


@router.get("", summary="All members", responses=problems(*READ))
async def members(ask: Ask, read: Read) -> list[Member]:
    """As the leader sees them; with `consistency=stale` as the node that is asked does."""
    await read(lambda _: None)
    return rows_of(ask.node)


@router.get("/{member_id}", summary="One member", responses=problems("member_unknown", *READ))
async def member(ask: Ask, read: Read, member_id: MemberId) -> Member:
    """Whether it votes, is reachable, and how far behind it is, as the leader sees it."""
    await read(lambda _: None)
    return _row_of(ask.node, member_id)


LEARNS: Responses = {202: {"model": Member, "description": "It is added and catches up; it votes once it has."}}


@router.post(
    "",
    status_code=201,
    summary="Add a member",
    responses=problems(*CHANGE, also=LEARNS),
)
async def add(ask: Ask, wanted: NewMember, response: Response, timeout: Wait = WAIT_MAX_S) -> Member:
    """201 once it votes, 202 when it still learns the log. The same request again waits on: it changes nothing."""
    node = ask.node
    _refuse_exposed(node, wanted)
    response.headers["Location"] = f"/v1/cluster/members/{wanted.id}"
    async with ask.noted("member.add", "cluster", wanted.id, raft=wanted.raft, api=wanted.api) as told:
        try:
            await node.cluster.add_member(
                cluster.Member(id=wanted.id, address=wanted.raft, api=wanted.api), timeout=timeout
            )
        except cluster.OutcomeUnknown:
            row = next((row for row in rows_of(node) if row.id == wanted.id), None)
            if row is None or not node.is_leader():
                raise
            response.status_code = 202
            told.members["votes"] = False
            return row
    return _row_of(node, wanted.id)


def _refuse_exposed(node: NodeView, wanted: NewMember) -> None:
    """What the settings refuse at a start, for a member that comes later."""
    config = node.config
    if config.redis.mode == "embedded":
        raise Problem(
            "member_change_refused",
            "redis.mode is embedded: another node would not reach the server that carries the frames; "
            "set redis.mode: url with a server that all nodes reach, and restart this node first",
        )
    for address, setting, value in (
        (wanted.raft, "cluster.secret", config.cluster.secret),
        (host_and_port(wanted.api), "api.token", config.api_token()),
    ):
        if value is None and not is_loopback(address):
            raise Problem(
                "member_change_refused",
                f"{address} is on another host, and this cluster has no {setting}; give it to every node first",
            )


@router.delete(
    "/{member_id}", status_code=204, summary="Remove a member", responses=problems("member_unknown", *CHANGE)
)
async def remove(ask: Ask, member_id: MemberId, timeout: Wait = 5.0) -> None:
    """Its id is never given again. The leader is removed after a transfer. End its process: it is refused from now on.

    After `outcome_unknown`, look whether it is still a member.
    """
    _row_of(ask.node, member_id)
    async with ask.noted("member.remove", "cluster", member_id, moves=True):
        await ask.node.cluster.remove_member(member_id, timeout=timeout)
