"""What other members say to this one: a part of `Raft`, which see. Runs in the tick thread."""

import logging
from collections.abc import Sequence
from typing import Any

from cluster.clock import now
from cluster.errors import LogDiverged, SnapshotUnreadable
from cluster.messages import (
    Acknowledge,
    Append,
    Chunk,
    ChunkReceived,
    Message,
    Newer,
)
from cluster.replication import Refuse, match
from cluster.snapshot_codec import Entry, Snapshot

log = logging.getLogger(__name__)

FOLLOWER, CANDIDATE, LEADER = 0, 1, 2
NO_MAJORITY = "no majority answered in time"


class Inbound:
    """Replaces pysyncobj's message handling: log matching, acknowledgements, snapshot installation."""

    # pysyncobj's, and Raft's
    _SyncObj__connectedNodes: set[Any]
    _SyncObj__lastResponseTime: dict[Any, float]
    _SyncObj__otherNodes: set[Any]
    _SyncObj__readonlyNodes: set[Any]
    _SyncObj__raftCommitIndex: int
    _SyncObj__raftCurrentTerm: int
    _SyncObj__raftLastApplied: int
    _SyncObj__raftLeader: Any
    _SyncObj__raftLog: Any
    _SyncObj__raftMatchIndex: dict[Any, int]
    _SyncObj__raftNextIndex: dict[Any, int]
    _SyncObj__raftState: int
    _SyncObj__votedForNodeId: str | None
    _replica: Any
    _settings: Any
    _sink: Any
    _store: Any
    _transport: Any
    _acknowledgements: list[tuple[Any, Message]]
    _arrived_after: float
    _campaign: Any
    _cause: str
    _chunks_under_way: set[Any]
    """members to which a part of the snapshot is on its way"""
    _probing: set[Any]
    """members whose log did not fit: they are sent one batch at a time until one does"""
    _unanswered: set[Any]
    """of those, to which one is on its way"""
    _fresh_at: float | None
    _fresh_when: tuple[int, float] | None
    _heard_at: float | None
    _verified: int

    def post(self, answer: Any, result: Any) -> None:
        """See Raft."""
        raise NotImplementedError

    def _SyncObj__setState(self, state: int) -> None:  # noqa: N802
        super()._SyncObj__setState(state)  # type: ignore[misc]

    def _follow(self, node: Any) -> None:
        raise NotImplementedError

    def _on_election_message(self, node: Any, message: Message) -> None:
        raise NotImplementedError

    def _on_log_changed(self, cut_from: int | None, added: Sequence[Entry]) -> None:
        raise NotImplementedError

    def _membership_from(self, snapshot: Snapshot) -> None:
        raise NotImplementedError

    def _SyncObj__onMessageReceived(self, node: Any, message: Message) -> None:  # noqa: N802
        if isinstance(message, Append | Chunk):
            self._on_leader(node, message)
        elif isinstance(message, Acknowledge | ChunkReceived | Newer):
            if message.term > self._SyncObj__raftCurrentTerm:
                self._adopt_term(node, message.term)
            elif self._SyncObj__raftState == LEADER and message.term == self._SyncObj__raftCurrentTerm:
                self._on_answer(node, message)
        else:
            self._on_election_message(node, message)

    def _adopt_term(self, node: Any, term: int) -> None:
        """A greater term is known now: whoever led or stood in an older one does so no longer."""
        self._cause = f"{node.id} is in term {term}"
        try:
            self._SyncObj__setCurrentTerm(term, None)
            self._SyncObj__setState(FOLLOWER)
            self._SyncObj__raftLeader = None
            self._campaign = None
        finally:
            self._cause = NO_MAJORITY

    def _SyncObj__setCurrentTerm(self, term: int, voted_for: str | None) -> None:  # noqa: N802
        if term != self._SyncObj__raftCurrentTerm:
            self._verified = 0
        super()._SyncObj__setCurrentTerm(term, voted_for)  # type: ignore[misc]

    # ── From the leader ────────────────────────────────

    def _on_leader(self, node: Any, message: Append | Chunk) -> None:
        if message.term < self._SyncObj__raftCurrentTerm:
            # It does not know that its term is over; without a word it would go on until it misses a majority.
            self._transport.send(node, Newer(self._SyncObj__raftCurrentTerm))
            return
        if message.term > self._SyncObj__raftCurrentTerm:
            self._adopt_term(node, message.term)
        if self._SyncObj__raftState == LEADER:
            raise LogDiverged(f"{node.id} says that it leads term {message.term}, which this node leads")
        self._follow(node)
        self._heard_at = self._arrived_after
        if isinstance(message, Append):
            self._match(node, message)
        else:
            self._install(node, message)

    def _match(self, node: Any, message: Append) -> None:
        entries = self._SyncObj__raftLog
        result = match(entries, self._SyncObj__raftCommitIndex, message.prev_index, message.prev_term, message.entries)
        if isinstance(result, Refuse):
            self._acknowledge(node, result.next_index, success=False)
            return
        if result.cut_from is not None:
            if result.cut_from <= self._verified:
                raise LogDiverged(
                    f"{node.id} sent another entry for index {result.cut_from} than before in term {message.term}"
                )
            entries.deleteEntriesFrom(result.cut_from - entries[0][1])
        for entry in result.add:
            entries.add(*entry)
        if result.add or result.cut_from is not None:
            self._on_log_changed(result.cut_from, result.add)
        # What lies beyond is of other leaders and may still be cut; it is neither acknowledged nor committed.
        self._verified = max(self._verified, result.matched)
        self._acknowledge(node, result.matched + 1, success=True)
        commit = min(message.commit, result.matched)
        if commit > self._SyncObj__raftCommitIndex:
            self._SyncObj__raftCommitIndex = commit
        committed = message.commit - entries[0][1]
        if message.commit <= result.matched and committed >= 0 and entries[committed][2] == message.term:
            # Once that much is applied, the state here is as new as this message. (Before it has committed an entry of
            # its own term a leader does not know how much its predecessors have committed.)
            self._fresh_when = (message.commit, self._arrived_after)
            self._note_freshness()

    def _note_freshness(self) -> None:
        if self._fresh_when is not None and self._SyncObj__raftLastApplied >= self._fresh_when[0]:
            self._fresh_at, self._fresh_when = self._fresh_when[1], None

    def _install(self, node: Any, chunk: Chunk) -> None:
        """Chunks acknowledge and commit nothing (R17, R19) until the whole snapshot is verified and in place."""
        try:
            received = self._store.receive(chunk.data, chunk.offset, last=chunk.last)
        except SnapshotUnreadable as error:
            log.warning("refused a snapshot from %s: %s", node.id, error)
            received = 0
        if isinstance(received, int):
            self._answer(node, ChunkReceived(self._SyncObj__raftCurrentTerm, received, not chunk.data))
        elif received.index <= self._SyncObj__raftCommitIndex:
            self._acknowledge(node, self._SyncObj__raftCommitIndex + 1, success=False)
        else:
            self._replica.restore(received.state, received.machine)  # raises where this release does not take it
            self._store.adopt()
            self._begin_log_at(received)
            self._membership_from(received)
            self._SyncObj__raftLastApplied = self._SyncObj__raftCommitIndex = received.index
            self._verified = max(self._verified, received.index)
            log.info("installed the snapshot at index %d sent by %s", received.index, node.id)
            self.post(self._sink.restored, received.index)
            self._acknowledge(node, received.index + 1, success=True)

    def _begin_log_at(self, snapshot: Snapshot) -> None:
        """Fit the log to a snapshot: what leads up to it and follows it stays, if it really does (R5)."""
        entries = self._SyncObj__raftLog
        position = snapshot.index - entries[0][1]
        if not (0 <= position < len(entries) and entries[position][2] == snapshot.term):
            entries.replace(snapshot.previous, snapshot.last)

    # ── Answers ────────────────────────────────

    def _acknowledge(self, node: Any, next_index: int, *, success: bool) -> None:
        """With the term, so that a later leadership does not count it (R13)."""
        self._answer(node, Acknowledge(self._SyncObj__raftCurrentTerm, next_index, success))

    def _answer(self, node: Any, message: Message) -> None:
        self._acknowledgements.append((node, message))  # sent when the log is on disk: see Raft._sync

    def _on_answer(self, node: Any, message: Message) -> None:
        matched, following = self._SyncObj__raftMatchIndex, self._SyncObj__raftNextIndex
        if node not in matched:
            return  # no member any more
        self._SyncObj__lastResponseTime[node] = max(self._SyncObj__lastResponseTime.get(node, 0.0), self._arrived_after)
        if isinstance(message, ChunkReceived):
            if self._store.arrived(node, message.offset, asked=message.asked):
                self._chunks_under_way.discard(node)
        elif isinstance(message, Acknowledge):
            next_index = min(message.next_index, self._SyncObj__raftLog[-1][1] + 1)
            if message.success:
                matched[node] = max(matched[node], next_index - 1)
                following[node] = max(following[node], next_index)  # never back: the entries are on their way
                self._probing.discard(node)
                self._unanswered.discard(node)
            else:
                # Entry 1 is the same everywhere and never sent.
                wanted = max(next_index, matched[node] + 1, 2)
                if node not in self._probing or wanted != following[node]:  # else it refuses one of those before
                    self._probing.add(node)
                    self._unanswered.discard(node)
                following[node] = wanted
            if node in self._chunks_under_way:
                self._chunks_under_way.discard(node)
                self._store.cancel(node)

    def _majority_at(self) -> float:
        """When a majority of the voters, this leader included, had last answered."""
        others = sorted(
            (self._SyncObj__lastResponseTime.get(node, 0.0) for node in self._SyncObj__otherNodes), reverse=True
        )
        needed = (len(self._SyncObj__otherNodes) + 1) // 2
        return float(others[needed - 1]) if needed else now()
