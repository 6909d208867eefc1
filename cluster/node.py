"""`Cluster`: the asyncio face of one member. Raft runs in its own thread; the event loop never waits for it."""

import asyncio
import contextlib
import logging
import math
import random
import time
import uuid
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, TypeVar

import msgspec

from cluster.clock import now
from cluster.commands import Applied, Change, Command, Epoch, Outcome, Position, encode
from cluster.core import RESTORE, Claim, Replica, RestoreBody, encode_body
from cluster.datadir import DataDir
from cluster.errors import (
    ClusterError,
    CommandTooLarge,
    KindUnsupported,
    NodeStopped,
    OutcomeUnknown,
    ReadTimedOut,
    StartFailed,
    TransferFailed,
)
from cluster.host import Host
from cluster.leadership import Gained, LeadershipChange, LeadershipFeed, Lost
from cluster.machine import Levelled, StateMachine
from cluster.membership import MemberRecord
from cluster.raft import Raft
from cluster.settings import ClusterSettings, Member
from cluster.snapshot_codec import decode_snapshot
from cluster.sockets import SocketReactor
from cluster.ticker import Ticker
from cluster.view import Batch, Counters, Sink, View
from cluster.watching import Changes, Ending, LeadershipWatch, Pulse

log = logging.getLogger(__name__)

T = TypeVar("T")
Consistency = Literal["leader", "linearizable", "stale"]

STOP_TIMEOUT_S = 10.0


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
    snapshots: int = 0
    """taken since the start"""
    refused: dict[str, int] = {}
    """connections to the Raft port that were turned away, by kind"""
    farewells: dict[str, str] = {}
    """members that refuse this node, and why: it lost its disk, or was removed"""
    listening: bool = False
    """others can connect to the Raft port"""
    is_member: bool = True
    """False: this node waits to be added, or was removed"""


class Cluster:
    """One member of the cluster around a replicated state machine. Use it from one event loop."""

    def __init__(self, settings: ClusterSettings, machine: StateMachine) -> None:
        self.settings = settings
        self._replica = Replica(machine, dedup_entries=settings.dedup_entries)
        self._raft: Raft | None = None
        self._ticker: Ticker | None = None
        self._data: DataDir | None = None
        self._running = False
        self._ending = Ending()
        self._ended = Pulse()
        self._changes = Changes(settings.watch_changes, self._ending)
        self._epoch: Epoch | None = None
        self._claim: Claim | None = None
        self._claimed = Pulse()
        self._watches: weakref.WeakSet[LeadershipWatch] = weakref.WeakSet()

    # ── Life ────────────────────────────────

    async def start(self) -> None:
        """Load, listen, take part. Returns before there is a leader. StartFailed (see errors.py) when it cannot."""
        if self._raft is not None or self._ending.ended:
            raise StartFailed("a Cluster starts once; make another one")
        loop = asyncio.get_running_loop()

        def batch(work: Batch) -> None:
            with contextlib.suppress(
                RuntimeError
            ):  # the loop was closed before the node was stopped: nobody waits any more
                loop.call_soon_threadsafe(_run, work)

        def failed(error: Exception) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._on_failed, error)

        sink = Sink(batch, self._on_leadership, self._changes.add, self._on_claim, self._changes.restart)
        self._raft = await asyncio.to_thread(self._open, sink)
        self._changes.restart(self._raft.view.applied_index)
        self._ticker = Ticker(self._raft, name=f"raft-{self.settings.node_id}", failed=failed)
        self._running = True
        self._ticker.start()

    def _open(self, sink: Sink) -> Raft:
        self._data = DataDir.open(self.settings.data_dir)
        reactor = SocketReactor()
        try:
            return Raft(self.settings, Host(self._data.disk, reactor, random.Random()), self._replica, sink)  # noqa: S311
        except BaseException:
            reactor.close()
            self._data.close()
            raise

    async def stop(self) -> None:
        """Leave: proposals under way end with OutcomeUnknown, iterators end. Does not hand leadership over."""
        if self._ticker is None:
            return
        ticker, self._ticker, self._running = self._ticker, None, False
        ticker.stop()
        if not await asyncio.to_thread(ticker.join, STOP_TIMEOUT_S):
            log.error("the Raft thread did not end within %g s; a state machine or query blocks it", STOP_TIMEOUT_S)
            return
        self._finish(None)

    async def wait_ended(self) -> None:
        """Until the node ends: returns after `stop`, raises when it stopped itself (NodeFailed, the disk's OSError)."""
        while not self._ending.ended:
            await self._ended.wait()
        if self._ending.error is not None:
            raise self._ending.error

    def _on_failed(self, error: Exception) -> None:
        log.critical("node %s stopped itself: %s", self.settings.node_id, error, exc_info=error)
        self._finish(error)

    def _finish(self, error: Exception | None) -> None:
        if self._data is not None:
            self._data.close()
        if self._ending.ended:
            return
        self._running = False
        self._ending.ended, self._ending.error = True, error
        self._ended.beat()
        self._changes.end()
        self._claimed.beat()
        for watch in self._watches:
            watch.end()

    def _live(self) -> Raft:
        if self._raft is None or not self._running:
            raise NodeStopped(
                f"this node failed: {self._ending.error}" if self._ending.error else "this node is not running"
            )
        return self._raft

    # ── Commands ────────────────────────────────

    async def propose(self, command: Command, *, timeout: float = 5.0) -> Applied:
        """Replicate and apply `command`; on the leader only.

        NotLeader, NoLeader, QueueFull, CommandTooLarge, NodeStopped: certainly not applied.
        OutcomeUnknown: it may have been applied, or may still be; propose it again with the same id.
        """
        if command.kind.startswith("cluster."):
            raise ValueError(f"{command.kind} is this package's own kind")
        self._check_known(command)
        return await self._propose(command, timeout)

    async def _propose(self, command: Command, timeout: float) -> Applied:
        data = encode(command)
        if len(data) > self.settings.command_bytes_max:
            raise CommandTooLarge(len(data), self.settings.command_bytes_max)
        answer: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()
        self._live().propose(data, command.id, lambda result: _settle(answer, result))
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise OutcomeUnknown(command.id, f"not committed within {timeout:g} s") from None

    def _check_known(self, command: Command) -> None:
        """Every member must be able to apply it, or those that cannot would diverge or stop. KindUnsupported."""
        machine = self._replica.machine
        if not isinstance(machine, Levelled) or (needed := machine.level_of(command.kind, command.version)) <= 1:
            return
        view, own = self._view(), self.settings.node_id
        others = [member.id for member in view.membership.members if member.id != own]
        behind = [member for member in others if member not in view.met or view.met[member].level < needed]
        if behind:
            raise KindUnsupported(command.kind, command.version, behind)

    async def read(
        self,
        query: Callable[[Any], T],
        *,
        consistency: Consistency = "leader",
        max_stale: float | None = None,
        timeout: float = 2.0,
    ) -> T:
        """`query(machine)`, run between two applies in the Raft thread: it must be quick, change nothing, and return
        values that no later apply changes (immutable ones or copies). What it raises comes out here.

        leader        this node leads, as far as it knows; after a partition up to `step_down_s` behind
        linearizable  this node leads, and has since proved it by committing a barrier (shared by concurrent reads)
        stale         whatever is here; with `max_stale` (seconds) no older than that

        NotLeader, NoLeader, TooStale, ReadTimedOut, NodeStopped.
        """
        if consistency not in ("leader", "linearizable", "stale"):
            raise ValueError(f"consistency is leader, linearizable or stale, not {consistency!r}")
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        raft = self._live()
        raft.call(lambda: raft.read(query, consistency, max_stale, lambda value, error: _settle(answer, value, error)))
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise ReadTimedOut(timeout) from None

    async def _call(self, function: Callable[[Raft], T], timeout: float) -> T:
        """Run `function` in the Raft thread."""
        raft = self._live()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def run() -> None:
            try:
                value = function(raft)
            except Exception as error:  # noqa: BLE001 - goes back to the caller, not into Raft
                raft.post(lambda raised: _settle(answer, None, raised), error)
            else:
                raft.post(lambda result: _settle(answer, result), value)

        raft.call(run)
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise ReadTimedOut(timeout) from None

    # ── What happens ────────────────────────────────

    def watch(self, from_index: int | None = None) -> AsyncIterator[Change]:
        """The events of applied commands in log order, from index `from_index` on (None: from now on), on any member.

        Compacted when changes from there on are not held here any more, or the consumer has fallen behind what is held.
        """
        return self._changes.watch(from_index)

    def leadership(self) -> AsyncIterator[Gained | Lost]:
        """Gained once the own claim is applied in the current term, Lost when it no longer holds; always alternating.

        Begins with Gained when this node leads already. Ends when the node stops; raises when the node failed.
        """
        watch = LeadershipWatch(LeadershipFeed(self._epoch), self._ending)
        self._watches.add(watch)
        return watch

    def _on_leadership(self, change: LeadershipChange) -> None:
        self._epoch = change.epoch if isinstance(change, Gained) else None
        log.info("leadership of %s: %s", self.settings.node_id, change)
        for watch in self._watches:
            watch.push(change)

    def _on_claim(self, claim: Claim) -> None:
        self._claim = claim
        self._claimed.beat()

    # ── Leadership transfer ────────────────────────────────

    async def transfer(self, to: str | None = None, *, timeout: float = 5.0) -> Epoch:
        """Give leadership to member `to` (None: the one with most of the log).

        Returns the new epoch, once its claim is applied here. NotLeader, NoLeader, NodeStopped; TransferFailed: nobody,
        or somebody else, took over in time.
        """
        if to is not None and to not in {member.id for member in self.members()}:
            raise TransferFailed(f"{to} is not a member")
        before = self._epoch
        if before is not None and to == self.settings.node_id:
            raise TransferFailed(f"{to} leads already")
        try:
            async with asyncio.timeout(timeout):
                while not await self._call(lambda raft: raft.hand_over(to, self.settings.election_max_s), timeout):  # noqa: ASYNC110
                    await asyncio.sleep(self.settings.heartbeat_s / 5)  # until the target has caught up
                claim = await self._next_claim(before)
        except (TimeoutError, ReadTimedOut):
            with contextlib.suppress(ClusterError):
                await self._call(Raft.release, timeout)
            raise TransferFailed(f"no new leader's claim was applied here within {timeout:g} s") from None
        if claim.node_id == self.settings.node_id or (to is not None and claim.node_id != to):
            raise TransferFailed(f"{claim.node_id} leads now, not {to or 'another member'} (epoch {claim.epoch})")
        return claim.epoch

    async def _next_claim(self, before: Epoch | None) -> Claim:
        while self._claim is None or (before is not None and self._claim.epoch <= before):
            if self._ending.ended:
                raise NodeStopped
            await self._claimed.wait()
        return self._claim

    # ── Status ────────────────────────────────

    def members(self) -> tuple[MemberStatus, ...]:
        """All members, in the order in which they were added. Before the start, the settings'."""
        view = self._view()
        records = view.membership.members or tuple(
            MemberRecord(member.id, member.address, member.api) for member in self.settings.members
        )
        return tuple(
            MemberStatus(
                id=member.id,
                address=member.address,
                connected=self._running and (member.id == self.settings.node_id or member.id in view.connected),
                match_index=view.match_index.get(member.id),
                api=member.api,
                voter=member.voter,
                release=view.met[member.id].release if member.id in view.met else "",
            )
            for member in records
        )

    def counters(self) -> Counters:
        """What was counted since the start; it goes on counting."""
        return self._raft.counters if self._raft is not None else Counters()

    async def add_member(self, member: Member, *, timeout: float = 30.0) -> Applied:
        """Add a member, on the leader only. It gets the log first and votes once it has caught up.

        Returns when it votes. Start it with `join`, an empty data_dir and an id that was never a member's. A member
        that is there already, at that address, is waited for. NotLeader, NoLeader, QueueFull, NodeStopped,
        MemberChangeRefused: nothing has changed. OutcomeUnknown: it may be added, and may not vote yet; call it again.
        """
        record = MemberRecord(member.id, member.address, member.api)
        ends = time.monotonic() + timeout
        applied: Applied | None = None
        known = next((row for row in self.members() if row.id == member.id), None)
        if known is None or known.address != member.address:
            applied = await self._changed(lambda raft, answer: raft.add_member(record, answer), member.id, timeout)
        while not any(row.id == member.id and row.voter for row in self.members()):
            if time.monotonic() > ends:
                raise OutcomeUnknown(f"add {member.id}", f"it is added, and has not caught up within {timeout:g} s")
            await asyncio.sleep(self.settings.heartbeat_s)
        # Its vote counts once that change is committed, too; what is committed after it says so.
        await self.read(lambda _: None, consistency="linearizable", timeout=max(1.0, ends - time.monotonic()))
        status = self.status()
        return applied or Applied(Outcome(), Position(status.term, status.applied_index), duplicate=True)

    async def remove_member(self, member_id: str, *, timeout: float = 5.0) -> Applied:
        """Remove a member, on the leader only; its id is never given again. Returns when that is committed.

        The leader itself is removed after a transfer. Errors as of add_member; OutcomeUnknown: look at `members`.
        """
        return await self._changed(lambda raft, answer: raft.remove_member(member_id, answer), member_id, timeout)

    async def _changed(self, change: Callable[[Raft, Any], None], member_id: str, timeout: float) -> Applied:
        raft = self._live()
        answer: asyncio.Future[Applied] = asyncio.get_running_loop().create_future()

        def run() -> None:
            try:
                change(raft, lambda result: _settle(answer, result))
            except ClusterError as error:
                raft.post(lambda raised: _settle(answer, None, raised), error)

        raft.call(run)
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise OutcomeUnknown(f"change of {member_id}", f"not committed within {timeout:g} s") from None

    def epoch(self) -> Epoch | None:
        """The newest leadership whose claim is applied here, whoever's it is; None before the first."""
        claim = self._view().claim
        return None if claim is None else claim.epoch

    def status(self) -> Status:
        """As of the latest tick (at most a heartbeat ago)."""
        view = self._view()
        age = None if view.heard_at is None else now() - view.heard_at
        bound = self.settings.step_down_s if view.role == "leader" else self.settings.election_max_s
        in_touch = self._running and age is not None and age <= bound + self.settings.heartbeat_s
        led = in_touch and view.claim is not None and view.claim.node_id == view.leader_id
        if view.role == "leader" and view.epoch is None:
            led = False
        return Status(
            node_id=self.settings.node_id,
            role=view.role if self._running else "follower",
            term=view.term,
            epoch=view.epoch if self._running else None,
            leader_id=view.leader_id if led else None,
            commit_index=view.commit_index,
            applied_index=view.applied_index,
            log_entries=view.log_entries,
            has_quorum=in_touch,
            last_contact_s=age,
            members=self.members(),
            last_index=view.last_index,
            log_bytes=view.log_bytes,
            syncs=view.syncs,
            sync_seconds=view.sync_seconds,
            snapshots=view.snapshots,
            refused=view.refused,
            farewells=view.farewells,
            listening=self._running and view.listening,
            is_member=not view.membership.members or view.membership.get(self.settings.node_id) is not None,
        )

    def _view(self) -> View:
        return self._raft.view if self._raft is not None else View()

    # ── Backup ────────────────────────────────

    async def snapshot(self, *, timeout: float = 30.0) -> bytes:
        """The whole state here as of now, checksummed: what `restore` takes."""
        return await self._call(Raft.capture, timeout)

    async def restore(self, data: bytes, *, timeout: float = 30.0) -> Applied:
        """Replace the state on all members by a snapshot's; who leads is not part of it. On the leader only.

        SnapshotUnreadable before anything is proposed; a snapshot that the state machine does not take changes nothing
        and gives an outcome with code "restore_refused". Otherwise as `propose`.
        """
        decode_snapshot(data)
        session = uuid.uuid4().hex
        size = self.settings.command_bytes_max - 1000
        parts = max(1, math.ceil(len(data) / size))
        deadline = time.monotonic() + timeout
        applied: Applied | None = None
        for part in range(parts):
            body = RestoreBody(session, part, parts, data[part * size : (part + 1) * size])
            command = Command(RESTORE, encode_body(body), f"{RESTORE}/{session}/{part}", time.time())
            applied = await self._propose(command, max(0.01, deadline - time.monotonic()))
            if not applied.outcome.ok:
                break
        assert applied is not None  # noqa: S101 - there is at least one part
        return applied


def _run(work: Batch) -> None:
    for function, argument in work:
        function(argument)


def _settle(answer: asyncio.Future[Any], value: Any, error: BaseException | None = None) -> None:
    if answer.done():  # its caller gave up
        return
    if error is None and isinstance(value, ClusterError):
        error = value
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(value)
