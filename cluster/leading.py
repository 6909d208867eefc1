"""The leader's side: winning and losing leadership, taking commands in, handing over. A part of `Raft`, which see."""

import logging
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from cluster.applying import NO_OP, REGULAR, Answer, Applying
from cluster.clock import now
from cluster.commands import Command, encode
from cluster.core import CLAIM, ClaimBody, encode_body
from cluster.errors import ClusterError, NoLeader, NotLeader, OutcomeUnknown, TransferFailed
from cluster.inbound import LEADER
from cluster.leadership import LeadershipChange

log = logging.getLogger(__name__)


class Leading(Applying):
    """Replaces pysyncobj's command queue, which forwards to the leader and forgets callbacks (R11, R18)."""

    _SyncObj__raftElectionDeadline: float
    _SyncObj__raftLeader: Any
    selfNode: Any  # noqa: N815
    transferLeadership: Any  # noqa: N815
    _calls: deque[Callable[[], None]]
    _claim_due: bool
    _hold_until: float
    _proposals: deque[tuple[bytes, str, Answer]]
    _sent_commit: int

    # ── Leadership ────────────────────────────────

    def _SyncObj__setState(self, state: int) -> None:  # noqa: N802
        before = self._SyncObj__raftState
        super()._SyncObj__setState(state)  # type: ignore[misc]
        if before != LEADER and state == LEADER:
            self._claim_due = True
            self._announce(self._leadership.elected(self._SyncObj__raftCurrentTerm))
        elif before == LEADER and state != LEADER:
            log.info("stepped down in term %d: %s", self._SyncObj__raftCurrentTerm, self._cause)
            self._claim_due = False
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

    def _postpone_election(self) -> None:
        spread = random.uniform(self._settings.election_min_s, self._settings.election_max_s)  # noqa: S311
        self._SyncObj__raftElectionDeadline = now() + spread

    def _no_leadership(self) -> ClusterError:
        """Why this node cannot answer for the cluster now."""
        leader = self._SyncObj__raftLeader
        heard = self._heard_at is not None and now() - self._heard_at <= self._settings.election_max_s
        if self._SyncObj__raftState == LEADER:
            return NotLeader(None)  # elected, the own claim is not applied yet
        if leader is None or leader == self.selfNode or not heard:
            return NoLeader()
        return NotLeader(self._ids[leader.id])

    def _claim(self) -> None:
        term = self._SyncObj__raftCurrentTerm
        node_id = self._settings.node_id
        command = Command(
            CLAIM, encode_body(ClaimBody(node_id)), f"{CLAIM}/{node_id}/{term}/{self._last_index() + 1}", time.time()
        )
        self._append(REGULAR + encode(command))
        self._claim_due = False

    # ── Commands in ────────────────────────────────

    def _checkCommandsToApply(self) -> None:  # noqa: N802
        for _ in range(len(self._calls)):
            self._calls.popleft()()
        if self._SyncObj__raftState == LEADER:
            self._append_proposals()
            if self._unsent():
                self._SyncObj__sendAppendEntries()
        else:
            for _ in range(len(self._proposals)):
                self.post(self._proposals.popleft()[2], self._no_leadership())

    def _append_proposals(self) -> None:
        if self._claim_due:
            self._claim()
        term = self._SyncObj__raftCurrentTerm
        space = self._settings.command_bytes_max
        while self._proposals and space > 0 and now() >= self._hold_until:
            data, command_id, answer = self._proposals.popleft()
            self._waiting[self._append(REGULAR + data)] = (term, command_id, answer)
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

    def _unsent(self) -> bool:
        """Whether a connected member lacks entries, or the news of a commit. Snapshots go at the heartbeat's pace."""
        first, last = self._SyncObj__raftLog[0][1], self._last_index()
        return self._sent_commit != self._SyncObj__raftCommitIndex or any(
            first < self._SyncObj__raftNextIndex[node] <= last
            for node in self._SyncObj__otherNodes & self._SyncObj__connectedNodes
        )

    def _SyncObj__sendAppendEntries(self) -> None:  # noqa: N802
        self._sent_commit = self._SyncObj__raftCommitIndex
        super()._SyncObj__sendAppendEntries()  # type: ignore[misc]

    # ── Transfer ────────────────────────────────

    def hand_over(self, to: str | None, hold_s: float) -> bool:
        """Ask member `to` (None: the one with most of the log) to stand for election now.

        True when the request was sent; False when it has not caught up yet: proposals wait for up to `hold_s`, so
        that it can. NotLeader, NoLeader, TransferFailed.
        """
        if self._leadership.epoch is None:
            raise self._no_leadership()
        connected = self._SyncObj__otherNodes & self._SyncObj__connectedNodes
        ids = {self._ids[node.id]: node for node in connected}
        if to is not None and to not in ids:
            raise TransferFailed(f"{to} is not connected")
        if not ids:
            raise TransferFailed("no other member is connected")
        matched = self._SyncObj__raftMatchIndex
        target = ids[to] if to is not None else max(connected, key=lambda node: (matched[node], node.id))
        self._hold_until = now() + hold_s
        if matched[target] != self._last_index():
            return False
        self.transferLeadership(target)
        return True

    def release(self) -> None:
        """Proposals go on."""
        self._hold_until = 0.0
