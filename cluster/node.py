"""`Cluster`: the asyncio face of one member. Raft runs in its own thread; the event loop never waits for it."""

import asyncio
import contextlib
import logging
import random
import weakref
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal, TypeVar

from cluster.applying import Answer
from cluster.clock import now
from cluster.commands import Applied, Command, Epoch, encode
from cluster.core import Claim, Replica
from cluster.datadir import DataDir
from cluster.errors import (
    ClusterError,
    CommandTooLarge,
    KindUnsupported,
    NodeStopped,
    OutcomeUnknown,
    ReadTimedOut,
    StartFailed,
)
from cluster.host import Host
from cluster.leadership import Gained, LeadershipChange, LeadershipFeed, Lost
from cluster.machine import Levelled, StateMachine
from cluster.operations import Operations
from cluster.raft import Raft
from cluster.settings import ClusterSettings
from cluster.sockets import SocketReactor
from cluster.status import MemberStatus, Status, leader_of, members_of, status_of
from cluster.ticker import Ticker
from cluster.view import Batch, Counters, Sink, View
from cluster.watching import Changes, Ending, LeadershipWatch, Pulse, Watch

log = logging.getLogger(__name__)

T = TypeVar("T")
Consistency = Literal["leader", "linearizable", "stale"]

STOP_TIMEOUT_S = 10.0


class Cluster(Operations):
    """One member of the cluster around a replicated state machine. Use it from one event loop."""

    def __init__(self, settings: ClusterSettings, machine: StateMachine) -> None:
        self.settings = settings
        self._replica = Replica(machine, dedup_entries=settings.dedup_entries)
        self._levels = machine if isinstance(machine, Levelled) else None  # that question costs as much as a commit
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
        """Load, listen, take part. Returns before there is a leader. StartFailed, DiskFailed when it cannot."""
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
        if self._levels is None or (needed := self._levels.level_of(command.kind, command.version)) <= 1:
            return
        view, own = self._view(), self.settings.node_id
        others = [member.id for member in view.membership.members if member.id != own]
        behind = [member for member in others if member not in view.met or view.met[member].level < needed]
        if behind:
            raise KindUnsupported(command.kind, command.version, behind)

    def level(self) -> int:
        """The least level of all members, see `Levelled`: 1 as long as one was never met, or where there are none."""
        if self._levels is None:
            return 1
        view, own = self._view(), self.settings.node_id
        others = [member.id for member in view.membership.members if member.id != own]
        met = [view.met[each].level if each in view.met else 1 for each in others]
        return min([self._levels.level, *met])

    def fresh_s(self) -> float | None:
        """`Status.fresh_s` alone, for whoever asks with every request."""
        fresh_at = self._view().fresh_at
        return None if fresh_at is None or not self._running else now() - fresh_at

    def place(self) -> tuple[str | None, int]:
        """`Status.leader_id` and `applied_index` alone, for whoever tells them with every answer."""
        view = self._view()
        return leader_of(self.settings, view, running=self._running), view.applied_index

    def request_of(self, key: str) -> str | None:
        """The request to which a command's key belongs as of what is applied here; None where it is free."""
        return self._replica.request_of(key)

    def at_hand(self, consistency: str) -> bool:
        """Whether a read of this consistency may look at the machine from this thread, now, instead of `read`.

        For queries that only follow references to what no later apply alters. `leader` where this node leads and a
        majority was heard within `step_down_s`: the bound that `read` has. Never for `linearizable`.
        """
        if self._raft is None or not self._running:
            return False
        if consistency != "leader":
            return consistency == "stale"
        view = self._raft.view
        if view.role != "leader" or view.epoch is None or view.heard_at is None:
            return False
        return bool(now() - view.heard_at <= self.settings.step_down_s)

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
        raft.call(
            lambda: raft.read(query, consistency, max_stale, lambda value, error: _settle(answer, value, error)),
            lambda refusal: _settle(answer, None, refusal),
        )
        try:
            async with asyncio.timeout(timeout):
                return await answer
        except TimeoutError:
            raise ReadTimedOut(timeout) from None

    async def _call(self, function: Callable[[Raft, Answer], None], timeout: float | None) -> Any:
        """Run `function(raft, answer)` in the Raft thread; what it passes to `answer`, sooner or later, or raises."""
        raft = self._live()
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(result: Any) -> None:
            _settle(future, result)

        def run() -> None:
            try:
                function(raft, answer)
            except Exception as error:  # noqa: BLE001 - goes back to the caller, not into Raft
                raft.post(lambda raised: _settle(future, None, raised), error)

        raft.call(run, answer)
        try:
            async with asyncio.timeout(timeout):
                return await future
        except TimeoutError:
            raise ReadTimedOut(timeout or 0.0) from None

    # ── What happens ────────────────────────────────

    def watch(self, from_index: int | None = None) -> Watch:
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

    # ── Status ────────────────────────────────

    def members(self) -> tuple[MemberStatus, ...]:
        """All members, in the order in which they were added. Before the start, the settings'."""
        return members_of(self.settings, self._view(), running=self._running)

    def counters(self) -> Counters:
        """What was counted since the start; it goes on counting."""
        return self._raft.counters if self._raft is not None else Counters()

    def epoch(self) -> Epoch | None:
        """The newest leadership whose claim is applied here, whoever's it is; None before the first."""
        claim = self._view().claim
        return None if claim is None else claim.epoch

    def status(self) -> Status:
        """As of the latest tick (at most a heartbeat ago)."""
        return status_of(self.settings, self._view(), running=self._running)

    def _view(self) -> View:
        return self._raft.view if self._raft is not None else View()


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
