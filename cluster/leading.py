"""The leader's side: winning and losing leadership, taking commands in, handing over. A part of `Raft`, which see."""

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from cluster.applying import NO_OP, REGULAR, Answer
from cluster.clock import now, wall
from cluster.commands import Command, encode
from cluster.configuring import Configuring
from cluster.core import CLAIM, ClaimBody, encode_body
from cluster.errors import ClusterError, NoLeader, NotLeader, OutcomeUnknown, TransferFailed
from cluster.inbound import LEADER
from cluster.leadership import LeadershipChange, Offer
from cluster.messages import Append, Chunk, TimeoutNow, encode_message

log = logging.getLogger(__name__)

BATCH_ENTRIES = 10_000


class Leading(Configuring):
    """Replaces pysyncobj's command queue, which forwards to the leader and forgets callbacks (R11, R18)."""

    _SyncObj__newAppendEntriesTime: float
    _calls: deque[tuple[Callable[[], None], Answer]]
    _claim_due: bool
    _hold_until: float
    _proposals: deque[tuple[bytes, str, Answer]]
    _sent_commit: int

    # ── Leadership ────────────────────────────────

    def _SyncObj__setState(self, state: int) -> None:  # noqa: N802
        before = self._SyncObj__raftState
        super()._SyncObj__setState(state)
        if before != LEADER and state == LEADER:
            self._claim_due = True
            self._announce(self._leadership.elected(self._SyncObj__raftCurrentTerm))
        elif before == LEADER and state != LEADER:
            self._counters.step_downs += 1
            log.info("stepped down in term %d: %s", self._SyncObj__raftCurrentTerm, self._cause)
            self._claim_due = False
            self._chunks_under_way.clear()
            self._probing.clear()
            self._unanswered.clear()
            self._announce(self._leadership.deposed(self._cause))
            self._abandon("this node stepped down before it was committed", self._no_leadership)
            self._postpone_election()

    def _announce(self, changes: tuple[LeadershipChange, ...]) -> None:
        for change in changes:
            self.post(self._sink.leadership, change)

    def _abandon(self, reason: str, refusal: Callable[[], ClusterError]) -> None:
        """Answer everyone whose entry may or may not be committed by another leader (R18)."""
        waiting, self._waiting = self._waiting, {}
        for _, command_id, answer in waiting.values():
            self.post(answer, OutcomeUnknown(command_id, reason))
        reads = [read for _, batch in self._barriers.values() for read in batch] + self._barrier_reads
        self._barriers, self._barrier_reads = {}, []
        for read in reads:
            read(refusal())

    def _no_leadership(self) -> ClusterError:
        """Why this node cannot answer for the cluster now."""
        leader = self._SyncObj__raftLeader
        heard = self._heard_at is not None and now() - self._heard_at <= self._settings.election_max_s
        if self._SyncObj__raftState == LEADER:
            return NotLeader(None)  # elected, the own claim is not applied yet
        if leader is None or leader == self.selfNode or not heard:
            return NoLeader()
        return NotLeader(leader.id)

    def _claim(self) -> None:
        term = self._SyncObj__raftCurrentTerm
        node_id = self._settings.node_id
        command = Command(
            CLAIM,
            encode_body(ClaimBody(node_id, self._settings.dedup_entries)),
            f"{CLAIM}/{node_id}/{term}/{self._last_index() + 1}",
            wall(),
        )
        self._append(REGULAR + encode(command))
        self._claim_due = False

    # ── Commands in ────────────────────────────────

    def _checkCommandsToApply(self) -> None:  # noqa: N802
        self._run_calls()
        if self._SyncObj__raftState == LEADER:
            self._append_proposals()
            self._settle_members()
            if self._unsent():
                self._replicate(heartbeat=False)
        else:
            for _ in range(len(self._proposals)):
                self.post(self._proposals.popleft()[2], self._no_leadership())

    def _run_calls(self) -> None:
        deadline = now() + self._settings.heartbeat_s / 2  # many at once must not silence the heartbeat
        for _ in range(len(self._calls)):
            self._calls.popleft()[0]()
            if now() > deadline:
                break

    def _append_proposals(self) -> None:
        if self._claim_due:
            self._claim()
        term = self._SyncObj__raftCurrentTerm
        space = self._settings.command_bytes_max
        # While leadership is handed over nothing is appended, barriers of reads neither: an entry that the target lacks
        # would cost it every vote.
        if now() < self._hold_until:
            return
        while self._proposals and space > 0:
            data, command_id, answer = self._proposals.popleft()
            self._waiting[self._append(REGULAR + data)] = (term, command_id, answer)
            self._counters.proposals += 1
            space -= len(data)
        if self._barrier_reads:
            reads, self._barrier_reads = self._barrier_reads, []
            self._barriers[self._append(NO_OP)] = (term, reads)

    def _append(self, data: bytes) -> int:
        index = self._last_index() + 1
        self._SyncObj__raftLog.add(data, index, self._SyncObj__raftCurrentTerm)
        return index

    def _last_index(self) -> int:
        return int(self._SyncObj__raftLog[-1][1])

    # ── Replication ────────────────────────────────

    def _become_leader(self) -> None:
        self._SyncObj__onBecomeLeader()  # type: ignore[attr-defined]

    def _unsent(self) -> bool:
        """Whether a connected member lacks entries, or the news of a commit; or its next part of a snapshot."""
        first, last = self._SyncObj__raftLog[0][1], self._last_index()
        if self._sent_commit != self._SyncObj__raftCommitIndex:
            return True
        for node in self._members_connected():
            following = self._SyncObj__raftNextIndex[node]
            if following <= last and node not in (self._unanswered if following > first else self._chunks_under_way):
                return True
        return False

    def _members_connected(self) -> list[Any]:
        connected = self._SyncObj__connectedNodes
        return [
            node
            for nodes in (self._SyncObj__otherNodes, self._SyncObj__readonlyNodes)
            for node in nodes
            if node in connected
        ]

    def _SyncObj__sendAppendEntries(self) -> None:  # noqa: N802
        self._replicate(heartbeat=True)

    def _replicate(self, *, heartbeat: bool) -> None:
        """To every member what it lacks; members that lack the same share its bytes.

        Batches follow one another without waiting for answers, until one did not fit: then one at a time, or each of
        the refused ones would have all the log behind it sent again.
        """
        self._SyncObj__newAppendEntriesTime = now() + self._settings.heartbeat_s
        self._sent_commit = self._SyncObj__raftCommitIndex
        encoded: dict[int, tuple[msgspec.Raw, int]] = {}
        for node in self._members_connected():
            following = self._SyncObj__raftNextIndex[node]
            if following <= self._SyncObj__raftLog[0][1]:
                self._send_chunk(node)
                continue
            if node in self._unanswered:
                if heartbeat:
                    self._transport.send(node, self._append_from(following, 0))
                continue
            first = True
            while (first or following <= self._last_index()) and not self._transport.congested(node):
                if following not in encoded:
                    append = self._append_from(following, BATCH_ENTRIES)
                    encoded[following] = (msgspec.Raw(encode_message(append)), following + len(append.entries))
                message, following = encoded[following]
                self._transport.send(node, message)
                first = False
                if node in self._probing:
                    self._unanswered.add(node)
                    break
                self._SyncObj__raftNextIndex[node] = following
        self._transport.flush()  # it travels while this node's own log is synced

    def _append_from(self, following: int, most: int) -> Append:
        entries = self._SyncObj__raftLog
        position = following - entries[0][1]
        _, prev_index, prev_term = entries[position - 1]
        batch = entries[position : position + most]
        space = self._settings.command_bytes_max
        for count, entry in enumerate(batch):
            space -= len(entry[0])
            if space < 0:
                batch = batch[: max(1, count)]
                break
        return Append(self._SyncObj__raftCurrentTerm, self._SyncObj__raftCommitIndex, prev_index, prev_term, batch)

    def _send_chunk(self, node: Any) -> None:
        """The next part of the snapshot, or, while the one before is not answered, an empty one: the heartbeat."""
        under_way = node in self._chunks_under_way and self._store.copying(node)
        data, offset, last = self._store.chunk(node)
        if under_way:
            data, last = b"", False
        self._chunks_under_way.add(node)
        term, commit = self._SyncObj__raftCurrentTerm, self._SyncObj__raftCommitIndex
        self._transport.send(node, Chunk(term, commit, offset, last, data))

    # ── Transfer ────────────────────────────────

    def hand_over(self, to: str | None, hold_s: float) -> Offer | None:
        """Ask member `to` (None: the one with most of the log) to stand for election now.

        What was sent; None when it has not caught up yet: proposals wait for up to `hold_s`, so that it can.
        NotLeader, NoLeader, TransferFailed: nothing was sent.
        """
        epoch = self._leadership.epoch
        if epoch is None:
            raise self._no_leadership()
        connected = self._SyncObj__otherNodes & self._SyncObj__connectedNodes
        ids = {node.id: node for node in connected}
        if to is not None and to not in ids:
            raise TransferFailed(f"{to} is not connected")
        if not ids:
            raise TransferFailed("no other member is connected")
        matched = self._SyncObj__raftMatchIndex
        target = ids[to] if to is not None else max(connected, key=lambda node: (matched[node], node.id))
        self._hold_until = now() + hold_s
        if matched[target] != self._last_index():
            return None
        log.info("hands leadership over to %s", target.id)
        self._transport.send(target, TimeoutNow(self._SyncObj__raftCurrentTerm))
        self._transport.flush()
        return Offer(epoch, target.id)

    def release(self) -> None:
        """Proposals go on."""
        self._hold_until = 0.0
