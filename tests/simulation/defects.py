"""Protections switched off, one at a time: what stock pysyncobj does, put back in place, to see the simulation find it.

Each entry replaces methods of the real classes while it is in force; the names R1, R5 … are DESIGN.md's in cluster/.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from cluster.ballot import Ballot
from cluster.disk import put
from cluster.elections import Elections
from cluster.errors import SnapshotUnreadable
from cluster.inbound import LEADER, Inbound
from cluster.log import RaftLog
from cluster.messages import Acknowledge, Append, Chunk, ChunkReceived, RequestVote, Vote
from cluster.raft import Raft
from cluster.wal import MAGIC as _MAGIC
from cluster.wal import WriteAheadLog, _entry

Replacement = tuple[type, str, Any]


class Defect(msgspec.Struct, frozen=True):
    """A protection that is off. `scenarios`: which ones are tried, in turn."""

    name: str
    what: str
    scenarios: tuple[str, ...]
    replacements: Callable[[], list[Replacement]]


@contextlib.contextmanager
def planted(defect: Defect) -> Iterator[None]:
    """While this is in force the protection is off, in this process."""
    former = [(owner, name, vars(owner).get(name)) for owner, name, _ in defect.replacements()]
    for owner, name, replacement in defect.replacements():
        setattr(owner, name, replacement)
    try:
        yield
    finally:
        for owner, name, was in former:
            if was is None:
                delattr(owner, name)
            else:
                setattr(owner, name, was)


# ── R1: a follower cuts every entry behind prevLogIdx, and a leader goes back ────────────────────────────────


def _match_as_stock(self: Any, node: Any, message: Append) -> None:
    entries = self._SyncObj__raftLog
    first, last = entries[0][1], entries[-1][1]
    if not first <= message.prev_index <= last:
        self._acknowledge(node, last + 1, success=False)
        return
    if entries[message.prev_index - first][2] != message.prev_term:
        self._acknowledge(node, message.prev_index, success=False)
        return
    if message.prev_index < last:
        entries.deleteEntriesFrom(message.prev_index + 1 - first)
    for entry in message.entries:
        entries.add(*entry)
    self._on_log_changed(message.prev_index + 1, message.entries)
    matched = message.prev_index + len(message.entries)
    self._acknowledge(node, matched + 1, success=True)
    self._SyncObj__raftCommitIndex = max(self._SyncObj__raftCommitIndex, min(message.commit, matched))


_on_answer = Inbound._on_answer


def _answer_goes_back(self: Any, node: Any, message: Any) -> None:
    _on_answer(self, node, message)
    if isinstance(message, Acknowledge) and node in self._SyncObj__raftNextIndex:
        self._SyncObj__raftNextIndex[node] = max(2, min(message.next_index, self._last_index() + 1))


# ── R5: what follows the snapshot is lost when a member starts ────────────────────────────────


def _begin_log_anew(self: Any, snapshot: Any) -> None:
    self._SyncObj__raftLog.replace(snapshot.previous, snapshot.last)


def _write_in_place(self: Any, entries: Any) -> Any:
    """The file is rewritten under its own name: for a moment there is less in it than was acknowledged."""
    file = self._disk.create(self._name)
    file.write(_MAGIC)
    for entry in entries:
        file.write(_entry(*entry))
    file.sync()
    self._disk.sync_names()
    self.bytes = len(file.inode.data)
    return file


# ── R6: a commit index is believed without regard to what was verified ────────────────────────────────

_match = Inbound._match
_load = Raft._load


def _commit_unclamped(self: Any, node: Any, message: Append) -> None:
    _match(self, node, message)
    self._SyncObj__raftCommitIndex = max(self._SyncObj__raftCommitIndex, min(message.commit, self._last_index()))


def _believe_hint(self: Any) -> None:
    _load(self)
    hint = self._host.disk.read("commit")
    if hint is not None:
        self._SyncObj__raftCommitIndex = max(self._SyncObj__raftCommitIndex, int(hint))


_commit = Raft._commit


def _keep_hint(self: Any) -> None:
    """As stock: the leader counts an entry as committed once it has it itself, by the hint that it kept."""
    _commit(self)
    if self._SyncObj__raftState == LEADER and self._host.disk.read("commit") != b"%d" % self._last_index():
        put(self._host.disk, "commit", b"%d" % self._last_index())


# ── R7: term and vote are forgotten; torn records are believed ────────────────────────────────


def _forget_vote(self: Any, vote: Any) -> None:
    self._disk.create(f"{self._name}.tmp").write(b"never put in place")
    self.vote = vote


def _term_of_log(self: Any) -> int:
    return int(max(self._ballot.vote.term, self.wal[-1][2] if len(self.wal) else 0))


def _read_unchecked(self: Any, content: bytes) -> None:
    """Records as they come, without a checksum: zeros in the place of data are data."""
    at = len(_MAGIC)
    while len(content) - at >= 12:
        length = int.from_bytes(content[at : at + 4], "little")
        end = at + 12 + length
        if end > len(content) or length == 0:
            break
        self._replay(content[at + 12 : end], at)
        at = end
    self.bytes = at


# ── R13, R14: answers of an earlier leadership, and votes of those who have none ────────────────────────────────

_on_message = Inbound._SyncObj__onMessageReceived


def _count_old_answers(self: Any, node: Any, message: Any) -> None:
    if isinstance(message, Acknowledge | ChunkReceived) and self._SyncObj__raftState == LEADER:
        message = msgspec.structs.replace(message, term=self._SyncObj__raftCurrentTerm)
    _on_message(self, node, message)


def _ask_everybody(self: Any, message: Any) -> None:
    for node in self._SyncObj__otherNodes | self._SyncObj__readonlyNodes:
        self._transport.send(node, message)


def _count_everybody(self: Any, node: Any, message: Any) -> None:
    campaign = self._campaign
    kind = "vote" if isinstance(message, Vote) else "pre"
    if campaign is not None and (campaign.kind, campaign.term) == (kind, message.term):
        campaign.granted.add(node.id)
        self._count(campaign)


# ── R17, R19: a part of a snapshot acknowledges, or commits, up to the own unverified end ────────────────

_install = Inbound._install


def _chunk_acknowledges(self: Any, node: Any, chunk: Chunk) -> None:
    self._acknowledge(node, self._last_index() + 1, success=True)
    _install(self, node, chunk)


def _chunk_commits(self: Any, node: Any, chunk: Chunk) -> None:
    self._SyncObj__raftCommitIndex = max(self._SyncObj__raftCommitIndex, min(chunk.commit, self._last_index()))
    with contextlib.suppress(SnapshotUnreadable):
        _install(self, node, chunk)


# ── No PreVote, no fsync, no barrier ────────────────────────────────


def _stand_at_once(self: Any) -> None:
    self._postpone_election()
    self._stand()


_on_request = Elections._on_request


def _vote_as_stock(self: Any, node: Any, message: RequestVote) -> None:
    _on_request(self, node, msgspec.structs.replace(message, transfer=True))  # hearing a leader is no reason to refuse


def _write_only(self: Any) -> None:
    if self._pending:
        self._file.write(self._pending)
        self._pending.clear()


_read = Raft.read


def _read_at_once(self: Any, query: Any, consistency: str, max_stale: Any, done: Any) -> None:
    _read(self, query, "leader" if consistency == "linearizable" else consistency, max_stale, done)


DEFECTS = (
    Defect(
        "R1",
        "a follower cuts every entry behind prevLogIdx, and a leader sends again from there",
        ("bursts", "network", "mixed"),
        lambda: [(Inbound, "_match", _match_as_stock), (Inbound, "_on_answer", _answer_goes_back)],
    ),
    Defect(
        "R5",
        "the log behind a snapshot is lost when a member starts",
        ("crashes", "snapshots", "mixed"),
        lambda: [(Inbound, "_begin_log_at", _begin_log_anew)],
    ),
    Defect(
        "R5 in place",
        "the log is rewritten in place when it is compacted",
        ("snapshots", "crashes"),
        lambda: [(WriteAheadLog, "_write_anew", _write_in_place)],
    ),
    Defect(
        "R6",
        "a follower commits up to its own end, verified or not",
        ("deposed", "elections"),
        lambda: [(Inbound, "_match", _commit_unclamped)],
    ),
    Defect(
        "R6 hint",
        "a commit index kept on disk is believed after a restart",
        ("deposed", "crashes"),
        lambda: [(Raft, "_load", _believe_hint), (Raft, "_commit", _keep_hint)],
    ),
    Defect(
        "R7",
        "term and vote are not on disk",
        ("votes",),
        lambda: [(Ballot, "store", _forget_vote), (RaftLog, "getCurrentTerm", _term_of_log)],
    ),
    Defect(
        "R7 checksum",
        "records of the log are believed without their checksum",
        ("disks",),
        lambda: [(WriteAheadLog, "_read", _read_unchecked)],
    ),
    Defect(
        "R13",
        "acknowledgements of an earlier leadership are counted",
        ("minorities",),
        lambda: [(Inbound, "_SyncObj__onMessageReceived", _count_old_answers)],
    ),
    Defect(
        "R14",
        "the vote of a member that has none is asked for and counted",
        ("learners", "members", "mixed"),
        lambda: [(Elections, "_ask", _ask_everybody), (Elections, "_on_granted", _count_everybody)],
    ),
    Defect(
        "R17",
        "a part of a snapshot acknowledges everything up to the own end",
        ("deposed", "snapshots", "mixed"),
        lambda: [(Inbound, "_install", _chunk_acknowledges)],
    ),
    Defect(
        "R19",
        "a part of a snapshot commits everything up to the own end",
        ("deposed", "snapshots", "mixed"),
        lambda: [(Inbound, "_install", _chunk_commits)],
    ),
    Defect(
        "PreVote",
        "a member that hears nobody begins a term at once, and is voted for",
        ("returns", "network", "mixed"),
        lambda: [(Elections, "_ask_for_pre_votes", _stand_at_once), (Elections, "_on_request", _vote_as_stock)],
    ),
    Defect(
        "fsync",
        "the log is written, but not synced",
        ("crashes", "mixed", "disks"),
        lambda: [(WriteAheadLog, "sync", _write_only)],
    ),
    Defect(
        "barrier",
        "a linearizable read is answered without a barrier",
        ("handovers",),
        lambda: [(Raft, "read", _read_at_once)],
    ),
)
