"""`client.cluster`: who leads, who belongs to it, its state as a file. `client.health`: how one node is."""

from typing import Unpack

from orchestrator.client.calls import Call, ReadOptions, nothing
from orchestrator.client.endpoints import M, Noun, endpoint
from orchestrator.client.exchanging import Answer
from orchestrator.client.shapes.cluster import ClusterStatus, Led, Member, Restored, Transferred
from orchestrator.client.shapes.health import Alive, ControlStatus, Health, Leads, NodeFacts, Ready

FILE_PATIENCE_S = 60.0
MEMBER_PATIENCE_S = 5.0
"""How long a node may take beyond what it was told to wait."""


class Cluster(Noun[M]):
    @endpoint("GET", "/v1/cluster")
    def status(self, **read: Unpack[ReadOptions]) -> Call[ClusterStatus]:
        """As the node that answers sees it; `consistency="leader"`: as the leader does."""
        return Call(ClusterStatus, query=read)

    @endpoint("POST", "/v1/cluster/transfer")
    def transfer(self, to: str | None = None, *, key: str | None = None) -> Call[Transferred]:
        """Hand leadership over, to the member `to` or whoever is fit, and wait until the new leader leads."""
        return Call(Transferred, body={} if to is None else {"to": to}, key=key)

    @endpoint("GET", "/v1/cluster/members")
    def members(self, **read: Unpack[ReadOptions]) -> Call[list[Member]]:
        return Call(list[Member], query=read)

    @endpoint("GET", "/v1/cluster/members/{member_id}")
    def member(self, member_id: str, **read: Unpack[ReadOptions]) -> Call[Member]:
        return Call(Member, {"member_id": member_id}, query=read)

    @endpoint("POST", "/v1/cluster/members")
    def add(self, member_id: str, raft: str, api: str, *, wait_s: float = 5.0, key: str | None = None) -> Call[Member]:
        """Add a node, and wait `wait_s` seconds for it to vote; `voter` says whether it does. Repeat it to wait on."""
        body = {"id": member_id, "raft": raft, "api": api}
        return Call(
            Member, query={"timeout": wait_s}, body=body, key=key, patience_s=max(16.0, wait_s + MEMBER_PATIENCE_S)
        )

    @endpoint("DELETE", "/v1/cluster/members/{member_id}")
    def remove(self, member_id: str, *, wait_s: float | None = None, key: str | None = None) -> Call[None]:
        """Remove a member for good, and wait until that is committed."""
        return nothing({"member_id": member_id}, query={"timeout": wait_s}, key=key)

    @endpoint("GET", "/v1/cluster/leaderships")
    def leaderships(self, **read: Unpack[ReadOptions]) -> Call[list[Led]]:
        """Who led since when, and how long nobody did before."""
        return Call(list[Led], query=read)

    @endpoint("GET", "/v1/cluster/snapshot")
    def snapshot(self, **read: Unpack[ReadOptions]) -> Call[bytes]:
        """The whole replicated state, checksummed, for `restore`."""
        return Call(query=read, patience_s=FILE_PATIENCE_S, read=_body)

    @endpoint("POST", "/v1/cluster/restore")
    def restore(self, snapshot: bytes, *, key: str | None = None) -> Call[Restored]:
        """Replace the state of all members."""
        return Call(
            Restored,
            content=snapshot,
            content_type="application/octet-stream",
            key=key,
            patience_s=FILE_PATIENCE_S,
        )


class HealthOfNode(Noun[M]):
    """Of the node that answers."""

    @endpoint("GET", "/healthz")
    def alive(self) -> Call[Alive]:
        return Call(Alive)

    @endpoint("GET", "/readyz")
    def ready(self) -> Call[Ready]:
        """Raises Unavailable while it is not, after all nodes were asked."""
        return Call(Ready)

    @endpoint("GET", "/leader")
    def leads(self) -> Call[Leads]:
        return Call(Leads)

    @endpoint("GET", "/health")
    def get(self) -> Call[Health]:
        return Call(Health)

    @endpoint("GET", "/control/status")
    def control(self) -> Call[ControlStatus]:
        """How fast frames are dispatched, and the backpressure."""
        return Call(ControlStatus)

    @endpoint("GET", "/v1/node")
    def facts(self) -> Call[NodeFacts]:
        """What it runs with: releases, settings without secrets, files, its last lines of log. For admins."""
        return Call(NodeFacts)

    @endpoint("GET", "/metrics")
    def metrics(self) -> Call[str]:
        """Prometheus text."""
        return Call(read=lambda answer: answer.body.decode())


def _body(answer: Answer) -> bytes:
    return answer.body
