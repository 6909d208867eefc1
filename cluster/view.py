"""What the Raft thread shows to others: plain values, replaced as a whole."""

from collections.abc import Callable
from typing import Any

import msgspec

from cluster.commands import Change, Epoch
from cluster.core import Claim
from cluster.leadership import LeadershipChange
from cluster.membership import Membership
from cluster.peers import Met

Batch = list[tuple[Callable[[Any], None], Any]]


class Counters(msgspec.Struct):
    """Since the node started. Written by the Raft thread, read by any."""

    elections: int = 0
    """this node stood for"""
    votes: int = 0
    """given to others"""
    leaderships: int = 0
    """claims of this node that were applied"""
    step_downs: int = 0
    barrier_reads: int = 0
    proposals: int = 0
    """appended here"""
    takeover_s: float = 0.0
    """of the latest leadership here: from when the former leader was last heard to the claim applied"""
    handed_over: bool = False
    """the latest election that this node stood for was asked for by the leader before"""


class View(msgspec.Struct, frozen=True):
    """What a tick leaves for the other threads to see. Times are now()."""

    role: str = "follower"
    term: int = 0
    epoch: Epoch | None = None
    claim: Claim | None = None
    leader_id: str | None = None
    commit_index: int = 0
    applied_index: int = 0
    last_index: int = 0
    log_entries: int = 0
    log_bytes: int = 0
    syncs: int = 0
    sync_seconds: float = 0.0
    sync_counts: tuple[int, ...] = ()
    snapshots: int = 0
    heard_at: float | None = None
    fresh_at: float | None = None
    """when the state here was as new as the leader's"""
    connected: frozenset[str] = frozenset()
    match_index: dict[str, int] = {}
    membership: Membership = Membership(())
    met: dict[str, Met] = {}
    refused: dict[str, int] = {}
    """connections and what came over them, by kind"""
    farewells: dict[str, str] = {}
    """members that refuse this node, and why"""
    listening: bool = False


class Sink(msgspec.Struct, frozen=True):
    """Where results go: `batch` takes what one tick produced, to be run on the event loop."""

    batch: Callable[[Batch], None]
    leadership: Callable[[LeadershipChange], None]
    change: Callable[[Change], None]
    claim: Callable[[Claim], None]
    restored: Callable[[int], None]
