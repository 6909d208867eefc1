"""pysyncobj, made to keep what it acknowledges. The class that subclasses it.

Everything here but `propose`, `call` and `wake` runs in the tick thread. Nobody's callback runs inside Raft: results go
out as a batch at the end of each tick. What is overridden, and the defect it closes, is in DESIGN.md.
"""

import logging
import math
from collections import deque
from collections.abc import Callable
from importlib import metadata
from typing import Any

import pysyncobj
import pysyncobj.syncobj
from pysyncobj.version import VERSION

from cluster import clock, pinned
from cluster.applying import Answer, Read
from cluster.clock import now
from cluster.core import Replica
from cluster.errors import ClusterError, DataDirUnreadable, NodeStopped, QueueFull
from cluster.host import Host
from cluster.identity import identify
from cluster.inbound import LEADER, NO_MAJORITY
from cluster.leadership import Leadership
from cluster.leading import Leading
from cluster.log import RaftLog
from cluster.machine import level_of
from cluster.membership import Membership, decode_membership, initial
from cluster.messages import Message
from cluster.peers import Peers
from cluster.settings import ClusterSettings
from cluster.snapshots import SnapshotStore
from cluster.transport import PeerNode, PeerTransport
from cluster.view import Batch, Counters, Sink, View

__all__ = ["Batch", "Raft", "Sink", "View"]

log = logging.getLogger(__name__)

pysyncobj.syncobj.monotonicTime = clock.now  # its deadlines and ours are checked against one another

_ROLES = {0: "follower", 1: "candidate", LEADER: "leader"}
_REBUILD = "remove this member, then add it under a new id with an empty data_dir"
NO_DEADLINE = math.inf


class _Poller:
    """What pysyncobj waits with."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self._wait = wait

    def poll(self, _timeout: float) -> None:
        self._wait()


class Raft(Leading, pysyncobj.SyncObj):
    """One member. Construct it (it binds and loads), call `tick` from one thread, then `close` from that thread.

    Raises StartFailed, DiskFailed; `tick` raises NodeFailed: the node must then stop.
    """

    def __init__(self, settings: ClusterSettings, host: Host, replica: Replica, sink: Sink) -> None:
        pinned.check(VERSION, pysyncobj.SyncObj, pysyncobj.syncobj)
        self.view = View()
        self._settings = settings
        self._host = host
        self._reactor = host.reactor
        self._random = host.random
        self._replica = replica
        self._sink = sink
        self._leadership = Leadership(settings.node_id)
        self._counters = self.counters = Counters()
        self._closed = False
        self._outbox: Batch = []
        self._proposals: deque[tuple[bytes, str, Answer]] = deque()
        self._calls: deque[tuple[Callable[[], None], Answer]] = deque()
        self._waiting: dict[int, tuple[int, str, Answer]] = {}
        self._acknowledgements: list[tuple[Any, Message]] = []
        self._barriers: dict[int, tuple[int, list[Read]]] = {}
        self._barrier_reads: list[Read] = []
        self._chunks_under_way: set[Any] = set()
        self._probing: set[Any] = set()
        self._unanswered: set[Any] = set()
        self._claim_due = False
        self._hold_until = self._show_life_at = 0.0
        self._cause = NO_MAJORITY
        self._sent_commit = self._verified = 0
        self._campaign = None
        self._campaigns_since_leader = 0
        instant = now()
        self._ticked_at = self._polled_at = self._arrived_after = instant
        self._heard_at = self._followed_at = self._fresh_at = None
        self._fresh_when = None
        identity = identify(host.disk, cluster=settings.cluster_name, node=settings.node_id, entropy=host.entropy)
        self._incarnation = identity.incarnation
        level, release = level_of(replica.machine), metadata.version("triarch")
        self._seen: tuple[int, ...] = ()
        self._transport = PeerTransport(settings, host, identity, Peers(host.disk), level=level, release=release)
        self._store = SnapshotStore(host.disk, self.capture)
        self._open()
        self._publish()

    # ── Opening ────────────────────────────────

    def _open(self) -> None:
        settings = self._settings
        conf = pysyncobj.SyncObjConf(
            autoTick=False,
            useFork=False,
            dynamicMembershipChange=False,  # its own; ours is configuring.py
            appendEntriesUseBatch=True,
            appendEntriesPeriod=settings.heartbeat_s,
            raftMinTimeout=settings.election_min_s,
            raftMaxTimeout=settings.election_max_s,
            leaderFallbackTimeout=settings.step_down_s,
            logCompactionMinEntries=settings.compaction_entries,
            logCompactionMinTime=settings.compaction_s,
        )
        journal = RaftLog(
            self._host.disk, command_bytes_max=settings.command_bytes_max, tail=settings.compaction_entries // 4
        )
        try:
            super().__init__(PeerNode(settings.node_id, settings.address), [], conf=conf, transport=self._transport)
            self._poller: Any = _Poller(self._wait)
            self._SyncObj__raftLog = journal
            self._SyncObj__raftCurrentTerm = journal.getCurrentTerm()
            self._SyncObj__votedForNodeId = journal.getVotedForNodeId()
            self._SyncObj__serializer = self._store
            self._SyncObj__needLoadDumpFile = False
            self._SyncObj__raftElectionDeadline = NO_DEADLINE  # its own elections are never held
            self._load()
            self._postpone_election()
            self._transport.listen()
        except BaseException:
            self._doDestroy()
            raise

    def _load(self) -> None:
        """Fit snapshot and log together. The commit index on disk is a guess: a leader tells it anew (R6)."""
        entries, disk = self._SyncObj__raftLog, self._host.disk
        first, last = entries[0][1], entries[-1][1]
        if entries.getCurrentTerm() < entries[-1][2]:
            raise DataDirUnreadable(
                disk.path("vote"),
                f"it is of an earlier term than the log in {disk.path('journal').name}: this node could vote twice; "
                f"{_REBUILD}",
            )
        membership = self._initial_membership()
        try:
            snapshot = self._store.read()
            if snapshot is not None:
                self._replica.restore(snapshot.state, snapshot.machine)
                membership = decode_membership(snapshot.membership)
        except Exception as error:  # whatever the state machine says of a snapshot that it cannot take
            raise DataDirUnreadable(disk.path("snapshot"), f"{error}; {_REBUILD}") from error
        index = snapshot.index if snapshot else 1
        if first > max(index, 1):
            raise DataDirUnreadable(
                disk.path("journal"), f"the log begins at {first}, the snapshot ends at {index}; {_REBUILD}"
            )
        if snapshot is not None:
            self._begin_log_at(snapshot)
            log.info("restored the snapshot at index %d, the log ends at %d", index, last)
        self._SyncObj__raftLastApplied = self._SyncObj__raftCommitIndex = index
        self._load_memberships((index if snapshot else 0, membership))

    def _initial_membership(self) -> Membership:
        """The settings' members; one that joins a cluster is none of them yet."""
        settings = self._settings
        return initial(
            (member.id, member.address, member.api)
            for member in settings.members
            if not (settings.join and member.id == settings.node_id)
        )

    # ── From other threads ────────────────────────────────

    def propose(self, data: bytes, command_id: str, answer: Answer) -> None:
        """Queue an encoded command. QueueFull, NodeStopped."""
        self._admit()
        self._proposals.append((data, command_id, answer))
        self.wake()

    def call(self, function: Callable[[], None], refused: Answer) -> None:
        """Run `function` in the tick thread; it must not raise. QueueFull, NodeStopped.

        `refused(NodeStopped)` is called on the event loop where the node stops before.
        """
        self._admit()
        self._calls.append((function, refused))
        self.wake()

    def _admit(self) -> None:
        if self._closed:
            raise NodeStopped
        if len(self._proposals) + len(self._waiting) + len(self._calls) >= self._settings.queue_size:
            raise QueueFull(self._settings.queue_size)

    def wake(self) -> None:
        """End the tick thread's wait."""
        if not self._closed:
            self._reactor.wake()

    # ── The tick thread ────────────────────────────────

    def tick(self) -> None:
        """One round: elections, commit, apply, send, then wait for the network or a wake."""
        instant = now()
        if instant - self._ticked_at > self._settings.election_min_s and self._SyncObj__raftState != LEADER:
            self._postpone_election()  # this process was paused: hear the leader before standing against it
        self._ticked_at = instant
        self._transport.dials_all = self._SyncObj__raftLeader is None or self._SyncObj__raftState == LEADER
        self._transport.tick()
        if instant >= self._show_life_at:
            self._show_life_at = instant + self._settings.connection_timeout_s / 3
            self._transport.show_life(self._SyncObj__raftCurrentTerm)
        self._run_elections()
        self._sync()  # what the last wait and an election have appended counts from here on
        self._commit()
        self.doTick(0.0)

    def _commit(self) -> None:
        """What a majority has on disk is committed, in this term: pysyncobj would look at each entry for that."""
        if self._SyncObj__raftState != LEADER:
            return
        entries = self._SyncObj__raftLog
        matched = [self._SyncObj__raftMatchIndex[node] for node in self._SyncObj__otherNodes]
        matched.append(entries[-1][1])
        matched.sort()
        index = matched[(len(matched) - 1) // 2]
        if index > self._SyncObj__raftCommitIndex:
            term = entries[index - entries[0][1]][2]
            if term == self._SyncObj__raftCurrentTerm:
                self._SyncObj__raftCommitIndex = index

    def _sync(self) -> None:
        """Put the log on disk, and only then say so to the leader. One fdatasync for all that a tick has brought."""
        self._SyncObj__raftLog.wal.sync()
        if self._acknowledgements:
            ready, self._acknowledgements = self._acknowledgements, []
            for node, message in ready:
                self._transport.send(node, message)

    def close(self, error: ClusterError | None = None) -> None:
        """Leave the network, release files, answer everyone who still waits."""
        self._closed = True
        reason = "this node stopped" if error is None else f"this node failed: {error}"
        self._announce(self._leadership.deposed(reason))
        self._abandon(reason, lambda: NodeStopped(reason))
        while self._proposals:
            self.post(self._proposals.popleft()[2], NodeStopped(reason))
        while self._calls:
            self.post(self._calls.popleft()[1], NodeStopped(reason))
        self._flush()
        self._doDestroy()
        self._reactor.close()

    def post(self, answer: Answer, result: Any) -> None:
        """Have `answer(result)` called on the event loop at the end of this tick."""
        self._outbox.append((answer, result))

    def _flush(self) -> None:
        if self._outbox:
            batch, self._outbox = self._outbox, []
            self._sink.batch(batch)

    def _answer_early(self) -> None:
        # Who waits for what was applied does not wait until the others are told that it is committed: each of these
        # sends may cost this thread its turn. A follower has nobody waiting, and its leader waits for it.
        if self._outbox and self._SyncObj__raftState == LEADER:
            self._publish()
            self._flush()

    def _wait(self) -> None:
        if self._outbox and self._SyncObj__raftLog.wal.dirty:
            # What is decided does not wait for the disk a second time, for what was appended behind it.
            self._publish()
            self._flush()
        self._sync()
        self._transport.flush()
        self._publish()
        self._flush()
        instant = now()
        # Sockets are read dry at each wait: what the coming one reads has arrived after the previous one began. A pause
        # of this process (SIGSTOP, swapping) therefore makes messages older, never younger.
        self._arrived_after, self._polled_at = self._polled_at, instant
        self._transport.before_wait()
        self._reactor.wait(self._patience(instant))

    def _patience(self, instant: float) -> float:
        """For how long there is nothing to do unless something comes."""
        if self._calls or (self._proposals and instant >= self._hold_until):
            return 0.0
        if self._SyncObj__raftLastApplied < self._SyncObj__raftCommitIndex:
            return 0.0
        if self._SyncObj__raftState == LEADER:
            if not self._SyncObj__otherNodes and self._SyncObj__raftCommitIndex < self._last_index():
                return 0.0
            due = self._SyncObj__newAppendEntriesTime
        else:
            due = self._election_at
        return float(min(max(due - instant, 0.001), self._settings.heartbeat_s))

    def _publish(self) -> None:
        leader = self._SyncObj__raftLeader
        leads = self._SyncObj__raftState == LEADER
        wal = self._SyncObj__raftLog.wal
        before = self.view
        same = self._seen == (seen := (self._transport.changes, len(self._memberships), self._memberships[-1][0]))
        self._seen = seen
        self.view = View(
            role="candidate" if self._campaign is not None else _ROLES[self._SyncObj__raftState],
            term=self._SyncObj__raftCurrentTerm,
            epoch=self._leadership.epoch,
            claim=self._replica.claim,
            leader_id=None if leader is None else leader.id,
            commit_index=self._SyncObj__raftCommitIndex,
            applied_index=self._SyncObj__raftLastApplied,
            last_index=self._last_index(),
            log_entries=len(wal),
            log_bytes=wal.bytes,
            syncs=wal.syncs,
            sync_seconds=wal.sync_seconds,
            sync_counts=tuple(wal.sync_counts),
            snapshots=self._store.taken,
            heard_at=self._majority_at() if leads else self._heard_at,
            fresh_at=self._majority_at() if leads and self._leadership.epoch is not None else self._fresh_at,
            connected=before.connected if same else frozenset(node.id for node in self._SyncObj__connectedNodes),
            match_index={node.id: index for node, index in self._SyncObj__raftMatchIndex.items()} if leads else {},
            membership=self.membership(),
            met=before.met if same else dict(self._transport.peers.met),
            refused=before.refused if same else dict(self._transport.strangers.counts),
            farewells=before.farewells if same else dict(self._transport.farewells),
            listening=self._reactor.listening,
        )
