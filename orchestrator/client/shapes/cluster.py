"""Shapes of answers: cluster. Generated from the API by `make docs`; not edited by hand."""

import msgspec


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """A member as the answering node sees it. `reachable` is about the Raft connection."""

    id: str
    raft: str
    api: str
    reachable: bool
    role: str
    """`leader`, `follower`, or `learner` until it has caught up"""
    voter: bool
    """It elects and commits; a learner only gets the log."""
    lag: int | None
    """Entries that it lacks; only the leader knows."""
    release: str
    """That it ran when it was last met; empty when it never was."""


class ClusterStatus(msgspec.Struct, frozen=True, kw_only=True):
    """The answering node's own view; `last_contact_s` is the age of its state in seconds, null when unknown."""

    node: str
    role: str
    leader: str | None
    leader_api: str | None
    mode: str
    term: int
    epoch: str | None
    has_quorum: bool
    is_member: bool
    """False: this node waits to be added, or was removed."""
    commit_index: int
    applied_index: int
    last_index: int
    """Of the log here; what is behind `commit_index` may still be cut."""
    log_entries: int
    log_bytes: int
    last_contact_s: float | None
    members: list[Member]
    refusals: dict[str, str]
    """Members that refuse this node, and why: it lost its disk, or was removed."""
    refused: dict[str, int]
    """Connections to the Raft port here that were turned away, by kind."""
    level: int
    """Of the commands that this node's release knows."""
    state_level: int
    """The highest level of any command in this node's state: a release of a lower one cannot read it."""
    warnings: list[str]
    """What works on this node and may not be meant so, such as an API without TLS."""


class Led(msgspec.Struct, frozen=True, kw_only=True):
    """One leadership. `gap_s`: from when the new leader last heard the one before to when its own duties stood,
    by its clock; null at a start, when there was none to hear.
    """

    epoch: str
    node: str
    at: float
    """Unix seconds by the clock of the node that led, for display."""
    gap_s: float | None
    reason: str


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What was replaced, and where in the log."""

    index: int
    """Of the log that the snapshot was taken of."""
    position: list[int]
    """Term and index at which the state was replaced."""
    digest: str | None
    """SHA-256 of the state right after it, without audit and leaderships; null when another restore came since,
    or on a repeat of one that was done before this node started.
    """


class Transferred(msgspec.Struct, frozen=True, kw_only=True):
    leader: str | None
    epoch: str
