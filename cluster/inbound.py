"""What other members say to this one: a half of `Raft`, which see. Runs in the tick thread."""

import logging
from typing import Any

from cluster.clock import now
from cluster.errors import SnapshotUnreadable
from cluster.replication import Refuse, match, well_formed
from cluster.snapshot_codec import Snapshot
from cluster.snapshots import Chunk

log = logging.getLogger(__name__)

LEADER = 2
NO_MAJORITY = "no majority answered in time"


class Inbound:
    """Replaces pysyncobj's log matching, acknowledgements and snapshot installation; elections stay pysyncobj's."""

    # pysyncobj's, and Raft's
    _SyncObj__connectedNodes: Any
    _SyncObj__lastResponseTime: Any
    _SyncObj__otherNodes: Any
    _SyncObj__raftCommitIndex: int
    _SyncObj__raftCurrentTerm: int
    _SyncObj__raftLastApplied: int
    _SyncObj__raftLog: Any
    _SyncObj__raftMatchIndex: Any
    _SyncObj__raftNextIndex: Any
    _SyncObj__raftState: int
    _SyncObj__transport: Any
    _ids: dict[str, str]
    _replica: Any
    _sink: Any
    _store: Any
    _acknowledgements: list[tuple[Any, dict[str, Any]]]
    _arrived_after: float
    _cause: str
    _fresh_at: float | None
    _fresh_when: tuple[int, float] | None
    _heard_at: float | None
    refused_messages: int

    def post(self, answer: Any, result: Any) -> None:
        """See Raft."""
        raise NotImplementedError

    def _SyncObj__onMessageReceived(self, node: Any, message: Any) -> None:  # noqa: N802
        if node not in self._SyncObj__otherNodes or not well_formed(message):
            self.refused_messages += 1
            return
        kind, term = message["type"], message["term"]
        if kind == "alive":
            return  # that it was read is all it is for: see Raft._show_life
        if kind == "next_node_idx":
            if self._SyncObj__raftState == LEADER and term == self._SyncObj__raftCurrentTerm:
                self._on_acknowledgement(node, message)
            return
        self._cause = f"{self._ids[node.id]} is in term {term}"
        try:
            if kind == "append_entries":
                self._on_append_entries(node, message)
            else:
                super()._SyncObj__onMessageReceived(node, message)  # type: ignore[misc]
        finally:
            self._cause = NO_MAJORITY

    def _on_append_entries(self, node: Any, message: dict[str, Any]) -> None:
        if message["term"] < self._SyncObj__raftCurrentTerm:
            return
        # pysyncobj sees a bare heartbeat that commits nothing: it follows the leader and sets the election deadline.
        # Shown more, it would cut matching entries (R1) and commit up to its own unverified end (R17, R19).
        bare = {"type": "append_entries", "term": message["term"], "commit_index": self._SyncObj__raftCommitIndex}
        super()._SyncObj__onMessageReceived(node, bare)  # type: ignore[misc]
        self._heard_at = self._arrived_after
        if "prevLogIdx" in message:
            self._match(node, message)
        elif message.get("serialized") is not None:
            self._install(node, message["serialized"])

    def _match(self, node: Any, message: dict[str, Any]) -> None:
        entries = self._SyncObj__raftLog
        result = match(
            entries,
            self._SyncObj__raftCommitIndex,
            message["prevLogIdx"],
            message.get("prevLogTerm"),
            message["entries"],
        )
        if isinstance(result, Refuse):
            self._acknowledge(node, result.next_index, success=False, reset=True)
            return
        if result.cut_from is not None:
            entries.deleteEntriesFrom(result.cut_from - entries[0][1])
        for entry in result.add:
            entries.add(*entry)
        self._acknowledge(node, result.matched + 1, success=True)
        commit = min(message["commit_index"], result.matched)
        if commit > self._SyncObj__raftCommitIndex:
            self._SyncObj__raftCommitIndex = commit
        if message["commit_index"] <= result.matched:
            # Once that much is applied, the state here is as new as this message.
            self._fresh_when = (message["commit_index"], self._arrived_after)
            self._note_freshness()

    def _note_freshness(self) -> None:
        if self._fresh_when is not None and self._SyncObj__raftLastApplied >= self._fresh_when[0]:
            self._fresh_at, self._fresh_when = self._fresh_when[1], None

    def _install(self, node: Any, chunk: Chunk) -> None:
        try:
            snapshot = self._store.receive(chunk)
        except SnapshotUnreadable as error:
            log.warning("refused a snapshot from %s: %s", self._ids[node.id], error)
            self._acknowledge(node, self._SyncObj__raftLog[-1][1] + 1, success=False, reset=True)
            return
        if snapshot is None:
            # The leader must hear from us during a long transfer, else it takes us for gone and steps down.
            self._acknowledge(node, 1, success=False)
        elif snapshot.index <= self._SyncObj__raftLastApplied:
            self._acknowledge(node, self._SyncObj__raftLastApplied + 1, success=False, reset=True)
        else:
            self._store.adopt()
            self._replica.restore(snapshot.state, snapshot.machine)
            self._begin_log_at(snapshot)
            self._SyncObj__raftLastApplied = snapshot.index
            self._SyncObj__raftCommitIndex = max(snapshot.index, self._SyncObj__raftCommitIndex)
            log.info("installed the snapshot at index %d sent by %s", snapshot.index, self._ids[node.id])
            self.post(self._sink.restored, snapshot.index)
            self._acknowledge(node, snapshot.index + 1, success=True)

    def _begin_log_at(self, snapshot: Snapshot) -> None:
        """Cut the log's head up to the snapshot. What follows the snapshot stays if it really follows it (R5)."""
        entries = self._SyncObj__raftLog
        position = snapshot.index - entries[0][1]
        if 1 <= position < len(entries) and entries[position][2] == snapshot.term:
            if position > 1:
                entries.deleteEntriesTo(position - 1)
            return
        entries.replace(snapshot.previous, snapshot.last)

    def _acknowledge(self, node: Any, next_index: int, *, success: bool, reset: bool = False) -> None:
        """With the term, so that a later leadership does not count it (R13)."""
        message = {
            "type": "next_node_idx",
            "term": self._SyncObj__raftCurrentTerm,
            "next_node_idx": next_index,
            "reset": reset,
            "success": success,
        }
        self._acknowledgements.append((node, message))  # sent when the log is on disk: see Raft._sync

    def _on_acknowledgement(self, node: Any, message: dict[str, Any]) -> None:
        next_index = min(message["next_node_idx"], self._SyncObj__raftLog[-1][1] + 1)
        following, matched = self._SyncObj__raftNextIndex, self._SyncObj__raftMatchIndex
        if message["success"]:
            matched[node] = max(matched[node], next_index - 1)
            following[node] = max(following[node], next_index)  # never back: the entries are on their way
        elif message["reset"]:
            following[node] = max(next_index, matched[node] + 1, 2)  # entry 1 is the same everywhere and never sent
        self._SyncObj__lastResponseTime[node] = max(self._SyncObj__lastResponseTime[node], self._arrived_after)

    def _majority_at(self) -> float:
        """When a majority, this leader included, had last answered."""
        others = sorted(self._SyncObj__lastResponseTime.values(), reverse=True)
        needed = (len(self._SyncObj__otherNodes) + 1) // 2
        return float(others[needed - 1]) if needed else now()
