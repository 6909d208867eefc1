"""pysyncobj, made to keep what it acknowledges. The only module that imports it.

Everything here but `propose`, `call` and `wake` runs in the tick thread. Nobody's callback runs inside Raft: results go
out as a batch at the end of each tick. What is overridden, and the defect it closes, is in DESIGN.md.
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec
import pysyncobj
from pysyncobj.journal import Journal
from pysyncobj.monotonic import monotonic
from pysyncobj.transport import TCPTransport
from pysyncobj.version import VERSION

from cluster import pinned
from cluster.applying import NO_OP, Answer, Read
from cluster.ballot import Ballot, Vote
from cluster.clock import now
from cluster.commands import Change, Epoch
from cluster.core import Claim, Replica
from cluster.datadir import DataDir
from cluster.errors import (
    ClusterError,
    DataDirUnreadable,
    NodeStopped,
    PortInUse,
    QueueFull,
)
from cluster.inbound import LEADER, NO_MAJORITY
from cluster.leadership import Leadership, LeadershipChange
from cluster.leading import Leading
from cluster.settings import ClusterSettings
from cluster.snapshot_codec import Entry
from cluster.snapshots import SnapshotStore
from cluster.wal import WriteAheadLog

log = logging.getLogger(__name__)

_ROLES = {0: "follower", 1: "candidate", LEADER: "leader"}
_POLL_READ = 1
_REBUILD = "give this node an empty data_dir to have it rebuilt by the others, under a new id if its votes are lost"

Batch = list[tuple[Callable[[Any], None], Any]]


class View(msgspec.Struct, frozen=True):
    """What a tick leaves for the other threads to see. Times are now()."""

    role: str = "follower"
    term: int = 0
    epoch: Epoch | None = None
    claim: Claim | None = None
    leader_id: str | None = None
    commit_index: int = 0
    applied_index: int = 0
    log_entries: int = 0
    heard_at: float | None = None
    connected: frozenset[str] = frozenset()
    match_index: dict[str, int] = {}


class Sink(msgspec.Struct, frozen=True):
    """Where results go: `batch` takes what one tick produced, to be run on the event loop."""

    batch: Callable[[Batch], None]
    leadership: Callable[[LeadershipChange], None]
    change: Callable[[Change], None]
    claim: Callable[[Claim], None]
    restored: Callable[[int], None]


class _Transport(TCPTransport):
    """Members only: no read-only peers (R14), no administration over the Raft port."""

    def _onIncomingMessageReceived(self, conn: Any, message: Any) -> None:  # noqa: N802
        handshake = self._syncObj.encryptor and not conn.sendRandKey
        if handshake or (isinstance(message, str) and message in self._nodeAddrToNode):
            super()._onIncomingMessageReceived(conn, message)
            return
        self._unknownConnections.discard(conn)
        conn.disconnect()


class _Journal(Journal):
    """The log, term and vote, as pysyncobj asks for them. The commit index is not kept: it would be a guess (R6)."""

    def __init__(self, data: DataDir, *, record_bytes_max: int) -> None:
        self._ballot = Ballot(data.vote)
        self.wal = WriteAheadLog(data.journal, record_bytes_max=record_bytes_max)
        if len(self.wal) == 0:
            self.wal.add(NO_OP, 1, 0)
            self.wal.sync()

    def __getitem__(self, position: Any) -> Any:
        return self.wal[position]

    def __len__(self) -> int:
        return len(self.wal)

    def add(self, data: bytes, index: int, term: int) -> None:
        self.wal.add(data, index, term)

    def deleteEntriesFrom(self, position: int) -> None:  # noqa: N802
        self.wal.cut_from(position)

    def deleteEntriesTo(self, position: int) -> None:  # noqa: N802
        self.wal.begin_at(position)

    def replace(self, *entries: Entry) -> None:
        """Begin anew behind a snapshot."""
        self.wal.replace(entries)

    def _destroy(self) -> None:
        self.wal.close()

    def setCurrentTerm(self, term: int, voted_for: str | None) -> None:  # noqa: N802
        self._ballot.store(Vote(term, voted_for))

    def getCurrentTerm(self) -> int:  # noqa: N802
        return self._ballot.vote.term

    def getVotedForNodeId(self) -> str | None:  # noqa: N802
        return self._ballot.vote.voted_for

    def setRaftCommitIndex(self, index: int) -> None:  # noqa: N802
        """Not kept."""

    def getRaftCommitIndex(self) -> int:  # noqa: N802
        return 1

    def onOneSecondTimer(self) -> None:  # noqa: N802
        """Nothing is written late."""


class _Poller:
    """pysyncobj's poller, asked for how long to wait at the moment of waiting."""

    def __init__(self, inner: Any, before: Callable[[], float]) -> None:
        self._inner = inner
        self._before = before

    def poll(self, _timeout: float) -> None:
        self._inner.poll(self._before())


class Raft(Leading, pysyncobj.SyncObj):
    """One member. Construct it (it binds and loads), call `tick` from one thread, then `close` from that thread.

    Raises PortInUse, DataDirUnreadable, LibraryMismatch; `tick` raises NodeFailed or OSError: the node must then stop.
    """

    def __init__(self, settings: ClusterSettings, data: DataDir, replica: Replica, sink: Sink) -> None:
        pinned.check(VERSION, pysyncobj.SyncObj, TCPTransport, monotonic)
        self.view = View()
        self._settings = settings
        self._replica = replica
        self._sink = sink
        self._leadership = Leadership(settings.node_id)
        self._ids = {member.address: member.id for member in settings.members}
        self._closed = False
        self._outbox: Batch = []
        self._proposals: deque[tuple[bytes, str, Answer]] = deque()
        self._calls: deque[Callable[[], None]] = deque()
        self._waiting: dict[int, tuple[int, str, Answer]] = {}
        self._acknowledgements: list[tuple[Any, dict[str, Any]]] = []
        self._barriers: dict[int, tuple[int, list[Read]]] = {}
        self._barrier_reads: list[Read] = []
        self.refused_messages = 0
        self._claim_due = False
        self._hold_until = self._show_life_at = 0.0
        self._cause = NO_MAJORITY
        self._sent_commit = 0
        instant = now()
        self._ticked_at = self._polled_at = self._arrived_after = instant
        self._heard_at: float | None = None
        self._fresh_at: float | None = None
        self._fresh_when: tuple[int, float] | None = None
        self._woken = False
        self._wake_lock = threading.Lock()
        self._store = SnapshotStore(data.snapshot, replica.capture)
        self._open(data)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        poller: Any = self._poller
        poller.subscribe(self._wake_read, self._on_wake, _POLL_READ)
        self._poller: Any = _Poller(poller, self._before_poll)
        self._publish()

    # ── Opening ────────────────────────────────

    def _open(self, data: DataDir) -> None:
        settings = self._settings
        conf = pysyncobj.SyncObjConf(
            autoTick=False,
            useFork=False,
            dynamicMembershipChange=False,
            appendEntriesUseBatch=True,
            # Above every command: pysyncobj's splitting of large entries sends the last piece too early for some sizes.
            appendEntriesBatchSizeBytes=settings.command_bytes_max + 1024,
            appendEntriesPeriod=settings.heartbeat_s,
            raftMinTimeout=settings.election_min_s,
            raftMaxTimeout=settings.election_max_s,
            leaderFallbackTimeout=settings.step_down_s,
            connectionRetryTime=settings.connection_retry_s,
            connectionTimeout=settings.connection_timeout_s,
            dnsFailCacheTime=1.0,
            logCompactionMinEntries=settings.compaction_entries,
            logCompactionMinTime=settings.compaction_s,
            bindAddress=settings.listen_address,
            bindRetryTime=0.1,
            maxBindRetries=1,
            password=settings.secret.get_secret_value() if settings.secret else None,
        )
        others = [member.address for member in settings.members if member.id != settings.node_id]
        journal = _Journal(data, record_bytes_max=settings.command_bytes_max + 1024)
        try:
            super().__init__(settings.address, others, conf=conf, transportClass=_Transport)
        except pysyncobj.SyncObjException as error:
            self._SyncObj__transport.destroy()
            journal._destroy()
            raise PortInUse(settings.listen_address) from error
        self._SyncObj__raftLog = journal
        self._SyncObj__raftCurrentTerm = journal.getCurrentTerm()
        self._SyncObj__votedForNodeId = journal.getVotedForNodeId()
        self._SyncObj__serializer = self._store
        self._SyncObj__needLoadDumpFile = False
        try:
            self._load(data)
        except BaseException:
            self._doDestroy()
            raise

    def _load(self, data: DataDir) -> None:
        """Fit snapshot and log together. The commit index on disk is a guess: a leader tells it anew (R6)."""
        entries = self._SyncObj__raftLog
        first, last = entries[0][1], entries[-1][1]
        if entries.getCurrentTerm() < entries[-1][2]:
            raise DataDirUnreadable(
                data.journal,
                f"the log is of a later term than {data.vote.name}, this node could vote twice; {_REBUILD}",
            )
        try:
            snapshot = self._store.read()
            if snapshot is not None:
                self._replica.restore(snapshot.state, snapshot.machine)
        except Exception as error:  # whatever the state machine says of a snapshot that it cannot take
            raise DataDirUnreadable(data.snapshot, f"{error}; {_REBUILD}") from error
        index = snapshot.index if snapshot else 1
        if first > max(index - 1, 1):
            raise DataDirUnreadable(
                data.journal, f"the log begins at {first}, the snapshot ends at {index}; {_REBUILD}"
            )
        if snapshot is not None:
            self._begin_log_at(snapshot)
            log.info("restored the snapshot at index %d, the log ends at %d", index, last)
        self._SyncObj__raftLastApplied = self._SyncObj__raftCommitIndex = index

    # ── From other threads ────────────────────────────────

    def propose(self, data: bytes, command_id: str, answer: Answer) -> None:
        """Queue an encoded command. QueueFull, NodeStopped."""
        self._admit()
        self._proposals.append((data, command_id, answer))
        self.wake()

    def call(self, function: Callable[[], None]) -> None:
        """Run `function` in the tick thread; it must not raise. QueueFull, NodeStopped."""
        self._admit()
        self._calls.append(function)
        self.wake()

    def _admit(self) -> None:
        if self._closed:
            raise NodeStopped
        if len(self._proposals) + len(self._waiting) + len(self._calls) >= self._settings.queue_size:
            raise QueueFull(self._settings.queue_size)

    def wake(self) -> None:
        """End the tick thread's wait. Never blocks, and many wakes cost one byte (R11)."""
        with self._wake_lock:
            if not (self._woken or self._closed):
                self._woken = True
                os.write(self._wake_write, b"w")

    def _on_wake(self, _descriptor: int, _mask: int) -> None:
        os.read(self._wake_read, 64)
        self._woken = (
            False  # after the read: whoever queues from now on writes again; the queues are looked at in the next tick
        )

    # ── The tick thread ────────────────────────────────

    def tick(self) -> None:
        """One round: elections, commit, apply, send, then wait for the network or a wake."""
        instant = now()
        if instant - self._ticked_at > self._settings.election_min_s and self._SyncObj__raftState != LEADER:
            self._postpone_election()  # this process was paused: hear the leader before standing against it
        self._ticked_at = instant
        if instant >= self._show_life_at:
            self._show_life_at = instant + self._settings.connection_timeout_s / 3
            self._show_life()
        self._sync()  # what a vote won in the last poll has appended counts from here on
        self.doTick(0.0)

    def _sync(self) -> None:
        """Put the log on disk, and only then say so to the leader. One fdatasync for all that a tick has brought."""
        self._SyncObj__raftLog.wal.sync()
        if self._acknowledgements:
            ready, self._acknowledgements = self._acknowledgements, []
            for node, message in ready:
                self._SyncObj__transport.send(node, message)

    def _show_life(self) -> None:
        """Followers have nothing to say to each other, and pysyncobj closes a connection when it is about to send and
        has long read nothing: the first request for a vote after a leader's death would be lost, always.
        """
        for node in self._SyncObj__otherNodes:
            self._SyncObj__transport.send(node, {"type": "alive", "term": self._SyncObj__raftCurrentTerm})

    def close(self, error: ClusterError | None = None) -> None:
        """Leave the network, release files, answer everyone who still waits."""
        with self._wake_lock:
            self._closed = True
        reason = "this node stopped" if error is None else f"this node failed: {error}"
        self._announce(self._leadership.deposed(reason))
        self._abandon(reason, lambda: NodeStopped(reason))
        while self._proposals:
            self.post(self._proposals.popleft()[2], NodeStopped(reason))
        self._calls.clear()
        self._flush()
        self._doDestroy()
        self._store.close()
        os.close(self._wake_read)
        os.close(self._wake_write)

    def post(self, answer: Answer, result: Any) -> None:
        """Have `answer(result)` called on the event loop at the end of this tick."""
        self._outbox.append((answer, result))

    def _flush(self) -> None:
        if self._outbox:
            batch, self._outbox = self._outbox, []
            self._sink.batch(batch)

    def _before_poll(self) -> float:
        self._sync()
        self._publish()
        self._flush()
        instant = now()
        # Sockets are read dry at each poll: what the coming one reads has arrived after the previous one began. A pause
        # of this process (SIGSTOP, swapping) therefore makes messages older, never younger.
        self._arrived_after, self._polled_at = self._polled_at, instant
        if self._calls or (self._proposals and instant >= self._hold_until):
            return 0.0
        if self._SyncObj__raftLastApplied < self._SyncObj__raftCommitIndex:
            return 0.0
        if self._SyncObj__raftState == LEADER:
            if not self._SyncObj__otherNodes and self._SyncObj__raftCommitIndex < self._last_index():
                return 0.0
            due = self._SyncObj__newAppendEntriesTime
        else:
            due = self._SyncObj__raftElectionDeadline
        return float(min(max(due - instant, 0.001), self._settings.heartbeat_s))

    def _publish(self) -> None:
        leader = self._SyncObj__raftLeader
        self.view = View(
            role=_ROLES[self._SyncObj__raftState],
            term=self._SyncObj__raftCurrentTerm,
            epoch=self._leadership.epoch,
            claim=self._replica.claim,
            leader_id=None if leader is None else self._ids[leader.id],
            commit_index=self._SyncObj__raftCommitIndex,
            applied_index=self._SyncObj__raftLastApplied,
            log_entries=len(self._SyncObj__raftLog),
            heard_at=self._majority_at() if self._SyncObj__raftState == LEADER else self._heard_at,
            connected=frozenset(self._ids[node.id] for node in self._SyncObj__connectedNodes),
            match_index={self._ids[node.id]: index for node, index in self._SyncObj__raftMatchIndex.items()}
            if self._SyncObj__raftState == LEADER
            else {},
        )
