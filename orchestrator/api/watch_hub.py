"""One watch of the log for all watchers of a node: each change is mapped to rows and encoded once, then fanned out.

    log ─▶ Hub ──▶ mailbox (bounded) ──▶ stream ──▶ client
                └▶ mailbox …         └▶ too full: `lost`, and the connection is cut

Who comes with an index gets what the log has behind it first, then what its mailbox has gathered meanwhile: nothing
twice, nothing left out. What nobody watches is not encoded.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from prometheus_client import Counter, Gauge

from cluster import Change, ClusterError, Compacted
from orchestrator.access.principal import Principal
from orchestrator.api.problems import Problem
from orchestrator.api.view import NodeView
from orchestrator.api.watch_rows import Rows, entry
from orchestrator.api.watcher import Address, Watcher
from orchestrator.tasks import ended
from orchestrator.watching.mailbox import COMPACTED, NO_LEADER, RESTORED, SLOW, STOPPING, TOKEN, TOLD, Message, message
from orchestrator.watching.subjects import FIGURES, touched
from orchestrator.watching.subjects import RESTORED as RESTORED_KIND

if TYPE_CHECKING:
    from orchestrator.state import PlantState

log = logging.getLogger(__name__)

WATCHERS_MAX = 256
"""Of one node."""
HEARTBEAT_S = 5.0
BEHIND_S = 2.0
"""How long a node that has not come to an index yet may take to."""
POLL_S = 0.02
FLUSH_S = 0.01
"""Streams are woken no more often: changes that come close together go out in one piece."""
CUT_S = 2.0
"""How long one that was too slow may take to be told so."""
CHECK_S = 1.0
"""Between looks at whether tokens still count, and whether anybody leads."""
FIGURES_S = 1.0
AGAIN_S = 0.5
BACKLOG_AT_ONCE = 100
SNAPSHOT_PATH = "/v1/snapshot"


class Hub:
    """The watchers of one node."""

    def __init__(self, node: NodeView, rows: Rows) -> None:
        self._node = node
        self.rows = rows
        watchers = Gauge("triarch_watchers", "Streams of /v1/watch by way of this node.", registry=node.registry)
        watchers.set_function(lambda: float(self._count))
        self._lost = Counter(
            "triarch_watch_lost", "Streams of /v1/watch that this node ended.", ["reason"], registry=node.registry
        )
        for reason in sorted(TOLD):
            self._lost.labels(reason)
        self.cut: Callable[[Address], None] | None = None
        """Breaks a client's connection. Set by whoever has the server."""
        self.still_valid: Callable[[Principal], bool] = lambda _principal: True
        """Whether a principal's token counts. Set by whoever knows."""
        self.live: Callable[[], Awaitable[bytes]] | None = None
        """The JSON of `figures`, asked for once a second while anybody watches them."""
        self._latest: Message | None = None
        self._watchers: dict[frozenset[str], set[Watcher]] = {}
        self._count = 0
        self._looked = 0
        self._ready = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
        self._woken = 0.0
        self._flushing: asyncio.TimerHandle | None = None

    @property
    def looked(self) -> int:
        """The index of the newest change that was passed on."""
        return self._looked

    @property
    def count(self) -> int:
        return self._count

    def place(self, state: "PlantState") -> int:
        """The index that `state` is at. In the Raft thread, where nothing is applied meanwhile."""
        # A state that was read from disk knows of no command yet; a status is of the latest tick.
        return max(state.applied, self._node.cluster.status().applied_index)

    # ── Coming and going ────────────────────────────────

    async def join(
        self, subjects: frozenset[str], after: int | None, principal: Principal, client: Address | None
    ) -> Watcher:
        """A watcher, from now on or from behind `after`. Raises `Problem`; whoever joined must `leave`."""
        if after is not None:
            await self._reached(after)
        await self._running()
        if self._stopping:
            raise Problem("node_stopped", "this node is stopping; ask another one")
        if self._count >= WATCHERS_MAX:
            raise Problem("too_many_followers", f"{WATCHERS_MAX} watch by way of this node already; ask another node")
        watcher = Watcher(subjects, principal, client)
        watcher.after = self._looked if after is None else after
        # Without an await in between: what comes from here on is in the mailbox.
        watcher.backlog = self._backlog(watcher.after)
        self._watchers.setdefault(subjects, set()).add(watcher)
        self._count += 1
        if FIGURES in subjects and self._latest is not None:
            watcher.put_passing(self._latest)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Safe to repeat."""
        group = self._watchers.get(watcher.subjects, set())
        if watcher in group:
            group.discard(watcher)
            self._count -= 1
            if not group:
                del self._watchers[watcher.subjects]

    async def stop(self) -> None:
        """The node goes away: every stream ends, so that its client asks another node."""
        self._stopping = True
        self._end_all(STOPPING)
        if self._flushing is not None:
            self._flushing.cancel()
        for task in self._tasks:
            await ended(task)

    async def _reached(self, index: int) -> None:
        deadline = time.monotonic() + BEHIND_S
        while max(self._looked, (status := self._node.cluster.status()).applied_index) < index:
            if time.monotonic() >= deadline:
                if status.leader_id is None:
                    raise Problem("no_leader", f"this node knows no leader now, and has not come to index {index} yet")
                raise Problem(
                    "invalid_cursor", f"index {index} lies in the future: the newest is {status.applied_index}"
                )
            await asyncio.sleep(POLL_S)

    def _backlog(self, after: int) -> list[Change]:
        """What the log has behind `after`, up to what was passed on. Raises `compacted`."""
        if after >= self._looked:
            return []
        found: list[Change] = []
        try:
            watch = self._node.cluster.watch(after + 1)
            while (change := watch.poll()) is not None and change.index <= self._looked:
                if any(event.kind == RESTORED_KIND for event in change.events):
                    raise Compacted(change.index)
                found.append(change)
        except Compacted:
            newest = self._node.cluster.status().applied_index
            raise Problem(
                "compacted",
                f"what changed behind {after} is not held any more; take {SNAPSHOT_PATH} and go on from its index",
                snapshot=SNAPSHOT_PATH,
                index=newest,
            ) from None
        return found

    # ── The stream of one ────────────────────────────────

    async def stream(self, watcher: Watcher) -> AsyncIterator[list[Message]]:
        """What to send, piece by piece, until the stream is over."""
        yield [self._ready_message(watcher)]
        told = watcher.after
        for start in range(0, len(watcher.backlog), BACKLOG_AT_ONCE):
            part = watcher.backlog[start : start + BACKLOG_AT_ONCE]
            try:
                found = [each for change in part if (each := self._message(change, watcher.subjects, {})) is not None]
            except Exception:
                log.exception("changes behind %d cannot be shown: who asks for them begins anew", told)
                watcher.end(RESTORED)
                break
            told = part[-1].index
            if found:
                yield found
            await asyncio.sleep(0)
        watcher.backlog = []
        while True:
            batch = await watcher.next(HEARTBEAT_S)
            if batch:
                told = max([told, *(each.index for each in batch if each.index is not None)])
                yield batch
            elif watcher.ended:
                if watcher.ended in TOLD:
                    self._lost.labels(watcher.ended).inc()
                    data = {"reason": watcher.ended, "index": told, "snapshot": SNAPSHOT_PATH}
                    yield [message("lost", data)]
                return
            else:
                told = max(told, self._looked)
                yield [message("alive", {}, told)]

    def _ready_message(self, watcher: Watcher) -> Message:
        status, epoch = self._node.cluster.status(), self._node.epoch()
        data = {
            "index": watcher.after,
            "node": status.node_id,
            "leader": status.leader_id,
            "epoch": None if epoch is None else str(epoch),
            "subjects": sorted(watcher.subjects),
        }
        return message("ready", data, watcher.after)

    # ── The log ────────────────────────────────

    async def _running(self) -> None:
        if not self._tasks and not self._stopping:
            self._tasks = [
                asyncio.create_task(self._follow(), name="watch"),
                asyncio.create_task(self._check(), name="watch-tokens"),
                asyncio.create_task(self._tell_figures(), name="watch-figures"),
            ]
        await self._ready.wait()

    async def _follow(self) -> None:
        try:
            while not self._stopping:
                try:
                    start = await self._node.cluster.read(self.place, consistency="stale")
                    watch = self._node.cluster.watch(start + 1)
                    # Who is here by now, or came while that was read, is not told of what lies between.
                    self._end_all(COMPACTED)
                    self.rows.forget()
                    self._looked = start
                    self._ready.set()
                    async for change in watch:
                        self._pass_on(change)
                    return  # the cluster has ended
                except Compacted:
                    log.info("the state has jumped: a snapshot of the leader took the place of changes")
                except ClusterError as error:
                    log.info("the watch of the log is interrupted: %s", error)
                    await asyncio.sleep(AGAIN_S)
        finally:
            self._stopping = True
            self._end_all(STOPPING)
            self._ready.set()

    def _pass_on(self, change: Change) -> None:
        self._looked = change.index
        if any(event.kind == RESTORED_KIND for event in change.events):
            self.rows.forget()
            self._end_all(RESTORED)
            return
        encoded: dict[str, bytes] = {}
        for subjects, group in self._watchers.items():
            try:
                found = self._message(change, subjects, encoded)
            except Exception:
                log.exception("change %d cannot be shown: who watches begins anew", change.index)
                self._end_all(RESTORED)
                return
            if found is not None:
                for watcher in group:
                    # One that came from a node, or a snapshot, which was ahead of this has been told.
                    if change.index > watcher.after:
                        watcher.put(found)
                    if watcher.ended == SLOW:
                        self._cut_soon(watcher)
                self._flush_soon()

    def _message(self, change: Change, subjects: frozenset[str], encoded: dict[str, bytes]) -> Message | None:
        """What those who watch `subjects` are told of a change; `encoded`: by subject, what was encoded for others."""
        parts = []
        state, now = self._node.state, time.time()
        for each in touched(change.events):
            if each.subject in subjects:
                key = f"{each.subject}/{each.id}"
                if key not in encoded:
                    rows = self.rows.of(state, each, now)
                    encoded[key] = b",".join(entry(each.subject, name, each.kind, row) for name, row in rows)
                if encoded[key]:
                    parts.append(encoded[key])
        if not parts:
            return None
        data = b'{"index":%d,"changes":[%s]}' % (change.index, b",".join(parts))
        return Message("change", data, change.index)

    # ── All at once ────────────────────────────────

    async def _tell_figures(self) -> None:
        """What does not stand in the log, to those who watch it; it replaces what they have not taken yet."""
        while True:
            begun = time.monotonic()
            wanted = [group for subjects, group in self._watchers.items() if FIGURES in subjects]
            self._latest = None  # what is from before nobody looked is not told
            if wanted and self.live is not None:
                try:
                    self._latest = Message(FIGURES, await self.live())
                except Exception:
                    log.exception("the figures could not be put together")
                else:
                    self._put_passing(self._latest)
            await asyncio.sleep(max(0.1, FIGURES_S - (time.monotonic() - begun)))

    def _put_passing(self, found: Message) -> None:
        for subjects, group in self._watchers.items():
            if found.event in subjects:
                for watcher in group:
                    watcher.put_passing(found)
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._flushing is None and not self._stopping:
            loop = asyncio.get_running_loop()
            self._flushing = loop.call_at(max(loop.time(), self._woken + FLUSH_S), self._flush)

    def _flush(self) -> None:
        self._flushing = None
        self._woken = asyncio.get_running_loop().time()
        for group in self._watchers.values():
            for watcher in group:
                if not watcher.empty:
                    watcher.wake()

    def _end_all(self, reason: str) -> None:
        for group in self._watchers.values():
            for watcher in group:
                watcher.end(reason)
                if reason in TOLD:
                    self._cut_soon(watcher)

    def _cut_soon(self, watcher: Watcher) -> None:
        asyncio.get_running_loop().call_later(CUT_S, self._cut, watcher)

    def _cut(self, watcher: Watcher) -> None:
        """One that does not even take that it is lost."""
        if watcher in self._watchers.get(watcher.subjects, ()) and self.cut is not None and watcher.client is not None:
            log.info("a watcher at %s took nothing for %.0f s: its connection is cut", watcher.client[0], CUT_S)
            self.cut(watcher.client)

    async def _check(self) -> None:
        while True:
            await asyncio.sleep(CHECK_S)
            now, led = time.monotonic(), self._node.cluster.place()[0] is not None
            for group in self._watchers.values():
                for watcher in group:
                    valid, forsaken = self.still_valid(watcher.principal), watcher.forsaken(now, led=led)
                    if not watcher.ended and (forsaken or not valid):
                        watcher.end(NO_LEADER if valid else TOKEN)
                        self._cut_soon(watcher)
