"""A processor's frames: taken in batches, worked on, settled in batches. No HTTP, no user's code.

Frames in hand (taken and not settled) are bounded, are worked on by priority, and their leases are renewed meanwhile.
Whatever breaks, each of them is still pending at the server under this consumer, so after each failed take the own
pending frames are read again: a reply that was lost on the way, or a take that was cancelled, loses nothing. A
settlement is sent until the server answers; when the first one had got through, the second is answered with `not-owner`
or `duplicate`, which is counted and no error.

What is pending under this processor's id when it starts was in the hands of a process that died: those frames go
to another attempt (and not at once to this process, which they may have killed). That holds for any consumer
name of the id, so a name that changed hides none.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from framebuffer.crew import Crew
from framebuffer.errors import RedisFailure
from framebuffer.lull import Lull
from framebuffer.outage import Outage
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from framebuffer.wire import Settlement, SettleOutcome, TakenFrame

__all__ = ["DEFAULT_LEASE_S", "Pipeline"]

log = logging.getLogger(__name__)

DEFAULT_LEASE_S = 30.0
DIED = "processor_died"
"""Why a frame failed that was in hand when its processor ended without settling it."""

_SETTLE_BATCH = 64
_GATHER_S = 0.002
"""So long a result waits at most for those of other frames in hand, ..."""
_GATHER_SHARE = 2
"""... and for so many at most: half of the hand's room. What is done takes up room until it is settled."""
_RENEW_AT_MOST_S = 20.0
_FAREWELL_S = 1.0
# A stream that says "there is something" while take finds nothing (a suspect that has to wait until nothing else is in
# hand, another consumer's frames) is asked more and more slowly.
_EMPTY_PAUSE_S = 0.01
_EMPTY_PAUSE_MAX_S = 0.2


class Pipeline:
    """Pulls for one consumer. `handle` turns a frame into its settlement and raises nothing of its own.

    `batch`: frames in hand at most, those in work included; where work takes long, fewer (see `Hand.room`).
    `concurrency`: worked on at once, as far as the `crew`, which it may share with others, has a place. `lease_s`: the
    orchestrator's. `work_limit_s`: a frame that is worked on for longer is not renewed any more; while the whole crew
    is stuck like that no other frame is taken, and those that wait in hand are released. `told` is called with what the
    server answered to each settlement.
    """

    def __init__(
        self,
        streams: FrameStreams,
        processor_id: str,
        consumer: str,
        handle: Callable[[TakenFrame], Awaitable[Settlement]],
        *,
        batch: int,
        concurrency: int,
        crew: Crew | None = None,
        drain_s: float = 10.0,
        block_s: float = 1.0,
        lease_s: float = DEFAULT_LEASE_S,
        work_limit_s: float = 300.0,
        told: Callable[[str, SettleOutcome], None] | None = None,
    ) -> None:
        self._streams = streams
        self._processor_id = processor_id
        self._consumer = consumer
        self._handle = handle
        self._crew = crew or Crew(concurrency, work_limit_s)
        self._limit = max(batch, concurrency)
        self._workers = concurrency
        self._gathered = max(1, min(self._limit // _GATHER_SHARE, _SETTLE_BATCH))
        self._drain_s = drain_s
        self._block_s = block_s
        self._renew_s = min(lease_s / 3, _RENEW_AT_MOST_S)
        self._told = told
        self._hand = self._crew.new_hand()
        self._lull = Lull()
        self._arrived = asyncio.Semaphore(0)  # one for each frame that was added to the hand
        self._done: deque[Settlement] = deque()
        self._finished = asyncio.Event()  # what is in _done is to be settled
        self._gathering: asyncio.TimerHandle | None = None  # it will be, then
        self._settled = asyncio.Event()  # a frame left the hand, or made room in it
        self._stopping = asyncio.Event()
        self._early = False  # the next take waits for the end of work on a frame, not for its settlement
        self._seen: dict[str, str] = {}
        self.taken = 0
        self.errors = 0
        self.outcomes: Counter[SettleOutcome] = Counter()

    @property
    def in_flight(self) -> int:
        return len(self._hand)

    def stop(self) -> None:
        """Take nothing more and release what nobody works on yet; `run` returns when the rest is settled, or after
        `drain_s`.
        """
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`, or cancelled. What was in hand and could not be settled stays pending at the server."""
        puller = asyncio.create_task(self._pull())
        settler, renewer = asyncio.create_task(self._settle()), asyncio.create_task(self._renew())
        workers = {asyncio.create_task(self._work()) for _ in range(self._workers)}
        others = {settler, renewer, *workers}
        drained: asyncio.Task[None] | None = None
        try:
            await _first(puller, others)
            self._release_waiting()
            drained = asyncio.create_task(self._drained())
            await _first(drained, others, timeout=self._drain_s)
            if len(self._hand):
                log.warning(
                    "processor %s: %d frames were not finished within %g s and are released",
                    self._processor_id,
                    len(self._hand),
                    self._drain_s,
                )
                await ended(*workers)  # what they would still say of a frame must not follow its release
                said = {settlement.entry_id for settlement in self._done}
                for entry_id in self._hand.ids() - said:
                    self._end(Settlement(entry_id, "release"))
                await _first(drained, {settler, renewer}, timeout=_FAREWELL_S)
        finally:
            await ended(puller, *others, drained)

    async def _pull(self) -> None:
        outage = Outage(f"processor {self._processor_id}: taking frames", log)
        await self._recover(outage)
        own, pause_s = False, 0.0
        while not self._stopping.is_set():
            # What is pending here and not in hand has nobody who renews its lease: it is taken back at once.
            room = self._limit - len(self._hand) if own else self._hand.room(self._limit, self._workers)
            lull_s = 0.0 if own else self._lull.left_s(_now())
            self._early = not room and len(self._hand) < self._limit
            if not room or lull_s or self._crew.stuck(_now()):
                self._settled.clear()
                await self._either(self._settled, lull_s or self._block_s)
                continue
            before = self._hand.ids()  # what a settle finishes during the call may still be in an own-pending reply
            self._settled.clear()
            try:
                # Own pending ones include those in hand: asking for `_limit` reaches at least one that is not, if
                # there is any.
                count = self._limit if own else room
                asked = _now()
                frames = await self._streams.take(self._processor_id, self._consumer, count=count, own=own)
            except RedisFailure as error:
                own, self._seen = True, {}
                await self._pause(outage.failed(error))
                continue
            outage.over()
            self._hand.fetched(_now() - asked)
            new = [frame for frame in frames if frame.entry_id not in before][:room]
            self._add(frames, new)
            if own:
                own = bool(new)  # with none left, every pending frame is in hand now
            elif len(new) == room or not await self._news() or new:
                pause_s = 0.0
            else:
                # A frame that leaves the hand may be what a suspect waits for.
                await self._either(self._settled, pause_s)
                pause_s = min(max(pause_s * 2, _EMPTY_PAUSE_S), _EMPTY_PAUSE_MAX_S)

    async def _recover(self, outage: Outage) -> None:
        """Send what a process of this id that died had in hand to another attempt."""
        count, before = 0, set[str]()
        while not self._stopping.is_set():
            try:
                frames = await self._streams.take(
                    self._processor_id, self._consumer, count=_SETTLE_BATCH, own=True, claim_idle_ms=0
                )
                died = {frame.entry_id: Settlement(frame.entry_id, "error", reason=DIED) for frame in frames}
                outcomes = await self._streams.settle(self._processor_id, self._consumer, list(died.values()))
            except RedisFailure as error:
                await self._pause(outage.failed(error))
                continue
            outage.over()
            if died.keys() <= before:
                break  # none is left, or the server cannot let go of them now
            count += len(outcomes)
            before |= died.keys()
        if count:
            log.warning(
                "processor %s: %d frames were in the hands of a process that ended, and go to another attempt",
                self._processor_id,
                count,
            )

    def _add(self, frames: list[TakenFrame], new: list[TakenFrame]) -> None:
        for frame in frames:
            level, _, entry_id = frame.entry_id.rpartition(":")
            level = level or "0"
            self._seen[level] = max(self._seen.get(level, "0-0"), entry_id, key=_order)
        for frame in new:
            self._hand.add(frame)
            self._arrived.release()
        if new:
            self._lull.took()
        self.taken += len(new)

    async def _news(self) -> bool:
        """True when the queue has something not seen yet; False after `block_s`, on stop, or when Redis is gone."""
        waiter = asyncio.create_task(self._streams.wait_queue(self._processor_id, self._seen, self._block_s))
        try:
            await self._either(None, None, waiter)
            if not waiter.done():
                return False
            return waiter.result()
        except RedisFailure:
            await self._pause(_EMPTY_PAUSE_MAX_S)  # the next take finds out whether Redis is gone, and says so
            return False
        finally:
            if not waiter.done():
                await ended(waiter)

    async def _work(self) -> None:
        while True:
            await self._arrived.acquire()
            async with self._crew.places:
                frame = self._hand.start(_now())
                if frame is not None:
                    self._note(await self._handle(frame))
                    self._hand.finish(frame.entry_id, _now())
                    self._settle_soon()
                    if self._early and self._hand.room(self._limit, self._workers):
                        self._settled.set()

    def _end(self, settlement: Settlement) -> None:
        self._note(settlement)
        self._finished.set()

    def _note(self, settlement: Settlement) -> None:
        self.errors += settlement.status == "error"
        self._done.append(settlement)

    def _settle_soon(self) -> None:
        """Now, or together with those that will be done in a moment: a call costs more than the work on some frames.

        Not where somebody waits for the answer, maybe before the next frame, nor where what is done keeps others out.
        """
        kept_out = len(self._hand) >= self._limit and self._hand.unfinished < self._workers
        together = self._told is None and not kept_out and self._hand.another_within(_GATHER_S)
        if len(self._done) >= self._gathered or not together:
            self._finished.set()
        elif self._gathering is None:
            self._gathering = asyncio.get_running_loop().call_later(_GATHER_S, self._finished.set)

    def _release_waiting(self) -> None:
        for entry_id in self._hand.withdraw():
            self._end(Settlement(entry_id, "release"))

    async def _settle(self) -> None:
        outage = Outage(f"processor {self._processor_id}: settling frames", log)
        while True:
            await self._finished.wait()
            self._finished.clear()
            if self._gathering is not None:
                self._gathering.cancel()
                self._gathering = None
            batch = [self._done[at] for at in range(min(len(self._done), _SETTLE_BATCH))]
            try:
                outcomes = await self._streams.settle(self._processor_id, self._consumer, batch)
            except RedisFailure as error:
                self._finished.set()
                await asyncio.sleep(outage.failed(error))
                continue
            outage.over()
            self._lull.settled(outcomes, _now())
            for settlement, outcome in zip(batch, outcomes, strict=True):
                self._done.popleft()
                self._hand.drop(settlement.entry_id)
                self.outcomes[outcome] += 1
                if self._told is not None:
                    self._told(settlement.entry_id, outcome)
            self._settled.set()
            if self._done:
                self._settle_soon()  # what was finished while this call was on its way

    async def _renew(self) -> None:
        """Keep the leases of what is in hand, also of what is done and not settled yet."""
        while True:
            await asyncio.sleep(self._renew_s)
            if self._crew.stuck(_now()):
                self._release_waiting()  # what they wait for may never end
            held = self._hand.renewable(_now())
            try:
                answers = await self._streams.renew(self._processor_id, self._consumer, held)
            except RedisFailure:
                continue  # said by whoever takes or settles; two more tries fit into the lease
            lost = [entry_id for entry_id, ours in zip(held, answers, strict=True) if not ours]
            if working := self._hand.lose(lost):
                log.warning(
                    "processor %s: %d frames in work were given to another meanwhile; their results will not count",
                    self._processor_id,
                    len(working),
                )
            if lost:
                self._settled.set()

    async def _drained(self) -> None:
        while len(self._hand):
            self._settled.clear()
            await self._settled.wait()

    async def _either(
        self, event: asyncio.Event | None, timeout_s: float | None, other: asyncio.Task[bool] | None = None
    ) -> None:
        """Until the event, stop, or the end of the other task; for `timeout_s` at most."""
        waits = [asyncio.create_task(one.wait()) for one in (self._stopping, event) if one is not None]
        try:
            tasks = {*waits, other} if other is not None else {*waits}
            await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _pause(self, seconds: float) -> None:
        """Sleep, or less when stopping."""
        if seconds > 0:
            await self._either(None, seconds)


async def _first(wanted: asyncio.Task[None], others: set[asyncio.Task[None]], timeout: float | None = None) -> None:
    """Until `wanted` ends. The others run for ever: one that ends has met a defect, which is raised here."""
    done, _ = await asyncio.wait({wanted, *others}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _now() -> float:
    return asyncio.get_running_loop().time()


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
