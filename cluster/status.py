"""What `Cluster` says of itself, made of what the Raft thread shows."""

import msgspec

from cluster.clock import now
from cluster.commands import Epoch
from cluster.membership import MemberRecord
from cluster.settings import ClusterSettings
from cluster.view import View


class MemberStatus(msgspec.Struct, frozen=True):
    """A member as this node sees it. `match_index` is known to the leader only."""

    id: str
    address: str
    connected: bool
    match_index: int | None = None
    api: str = ""
    voter: bool = True
    release: str = ""
    """that it ran when it was last met; empty when it never was"""


class Status(msgspec.Struct, frozen=True):
    """This node and what it knows of the cluster, as of its latest tick."""

    node_id: str
    role: str
    """leader | follower | candidate, in Raft's sense: a leader leads only once it has an epoch"""
    term: int
    epoch: Epoch | None
    """of this node's own established leadership"""
    leader_id: str | None
    """by the applied claim; None when that member is not known to lead and to be reachable now"""
    commit_index: int
    applied_index: int
    log_entries: int
    has_quorum: bool
    """a majority answers this leader, or this follower hears a leader"""
    last_contact_s: float | None
    """since a leader was heard (on the leader: since a majority answered); None: never"""
    members: tuple[MemberStatus, ...]
    last_index: int = 0
    """of the log here; what of it is behind `commit_index` may still be cut"""
    log_bytes: int = 0
    syncs: int = 0
    sync_seconds: float = 0.0
    """spent in them, since the start"""
    sync_counts: tuple[int, ...] = ()
    """of them, how many took up to each of `SYNC_BOUNDS_S` and more than the one before; the last: more than all"""
    snapshots: int = 0
    """taken since the start"""
    refused: dict[str, int] = {}
    """connections to the Raft port that were turned away, by kind"""
    farewells: dict[str, str] = {}
    """members that refuse this node, and why: it lost its disk, or was removed"""
    listening: bool = False
    """others can connect to the Raft port"""
    fresh_s: float | None = None
    """since the state here was as new as the leader's (on the leader: since a majority answered); None: never"""
    is_member: bool = True
    """False: this node waits to be added, or was removed"""


def members_of(settings: ClusterSettings, view: View, *, running: bool) -> tuple[MemberStatus, ...]:
    """All members, in the order in which they were added. Before the start, the settings'."""
    records = view.membership.members or tuple(
        MemberRecord(member.id, member.address, member.api) for member in settings.members
    )
    return tuple(
        MemberStatus(
            id=member.id,
            address=member.address,
            connected=running and (member.id == settings.node_id or member.id in view.connected),
            match_index=view.match_index.get(member.id),
            api=member.api,
            voter=member.voter,
            release=view.met[member.id].release if member.id in view.met else "",
        )
        for member in records
    )


def leader_of(settings: ClusterSettings, view: View, *, running: bool) -> str | None:
    """`Status.leader_id`."""
    age = None if view.heard_at is None else now() - view.heard_at
    led = view.claim is not None and view.claim.node_id == view.leader_id
    led = led and (view.role != "leader" or view.epoch is not None)
    return view.leader_id if led and _in_touch(settings, view, age, running=running) else None


def _in_touch(settings: ClusterSettings, view: View, age: float | None, *, running: bool) -> bool:
    bound = settings.step_down_s if view.role == "leader" else settings.election_max_s
    return running and age is not None and age <= bound + settings.heartbeat_s


def status_of(settings: ClusterSettings, view: View, *, running: bool) -> Status:
    """As of the latest tick (at most a heartbeat ago)."""
    age = None if view.heard_at is None else now() - view.heard_at
    in_touch = _in_touch(settings, view, age, running=running)
    return Status(
        node_id=settings.node_id,
        role=view.role if running else "follower",
        term=view.term,
        epoch=view.epoch if running else None,
        leader_id=leader_of(settings, view, running=running),
        commit_index=view.commit_index,
        applied_index=view.applied_index,
        log_entries=view.log_entries,
        has_quorum=in_touch,
        last_contact_s=age,
        members=members_of(settings, view, running=running),
        last_index=view.last_index,
        log_bytes=view.log_bytes,
        syncs=view.syncs,
        sync_seconds=view.sync_seconds,
        sync_counts=view.sync_counts,
        snapshots=view.snapshots,
        refused=view.refused,
        farewells=view.farewells,
        listening=running and view.listening,
        fresh_s=None if view.fresh_at is None else now() - view.fresh_at,
        is_member=not view.membership.members or view.membership.get(settings.node_id) is not None,
    )
