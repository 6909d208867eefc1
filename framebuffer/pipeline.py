"""A processor's frames: taken in batches, worked on, settled in batches. No HTTP, no user's code.

Frames in hand (taken and not settled) are bounded. Whatever breaks, each of them is still pending at the server
under this consumer, so after a start and after each failed take the own pending frames are read again: a reply that
was lost on the way, or a take that was cancelled, loses nothing. A settlement is sent until the server answers;
when the first one had got through, the second is answered with `not-owner` or `duplicate`, which is counted and no
error.
"""

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable

from framebuffer.errors import RedisFailure
from framebuffer.outage import Outage
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from framebuffer.wire import Settlement, SettleOutcome, TakenFrame

log = logging.getLogger(__name__)

_SETTLE_BATCH = 64
_START = "0-0"
# A stream that says "there is something" while take finds nothing is asked more and more slowly.
_EMPTY_PAUSE_S = 0.01
_EMPTY_PAUSE_MAX_S = 0.2


class Pipeline:
    """Pulls for one consumer. `handle` turns a frame into its settlement and raises nothing of its own."""

    def __init__(
        self,
        streams: FrameStreams,
        processor_id: str,
        consumer: str,
        handle: Callable[[TakenFrame], Awaitable[Settlement]],
        *,
        batch: int,
        concurrency: int,
        drain_s: float = 10.0,
        block_s: float = 1.0,
    ) -> None:
        self._streams = streams
        self._processor_id = processor_id
        self._consumer = consumer
        self._handle = handle
        self._concurrency = concurrency
        self._limit = max(batch, concurrency)
        self._drain_s = drain_s
        self._block_s = block_s
        self._in_hand: set[str] = set()
        self._todo: asyncio.Queue[TakenFrame] = asyncio.Queue()  # bounded by _limit, through _in_hand
        self._done: deque[Settlement] = deque()
        self._finished = asyncio.Event()  # a frame went to _done
        self._settled = asyncio.Event()  # a frame left _in_hand
        self._stopping = asyncio.Event()
        self.taken = 0
        self.outcomes: Counter[SettleOutcome] = Counter()

    @property
    def in_flight(self) -> int:
        return len(self._in_hand)

    def stop(self) -> None:
        """Take nothing more; `run` returns when what is in hand is settled, or after `drain_s`."""
        self._stopping.set()

    async def run(self) -> None:
        """Until `stop`, or cancelled. What was in hand and could not be settled stays pending at the server."""
        puller = asyncio.create_task(self._pull())
        others = {
            asyncio.create_task(self._settle()),
            *(asyncio.create_task(self._work()) for _ in range(self._concurrency)),
        }
        drained: asyncio.Task[None] | None = None
        try:
            await _first(puller, others)
            drained = asyncio.create_task(self._drained())
            await _first(drained, others, timeout=self._drain_s)
            if self._in_hand:
                log.warning(
                    "processor %s: %d frames were not finished within %.0f s and go back",
                    self._processor_id,
                    len(self._in_hand),
                    self._drain_s,
                )
        finally:
            await ended(puller, *others, drained)

    async def _pull(self) -> None:
        outage = Outage(f"processor {self._processor_id}: taking frames", log)
        own, seen, pause_s = True, _START, 0.0
        while not self._stopping.is_set():
            room = self._limit - len(self._in_hand)
            if room <= 0:
                self._settled.clear()
                await self._either(self._settled)
                continue
            before = set(self._in_hand)  # what a settle finishes during the call may still be in an own-pending reply
            try:
                # Own pending ones include those in hand: asking for `_limit` reaches at least one that is not, if
                # there is any.
                count = self._limit if own else room
                frames = await self._streams.take(self._processor_id, self._consumer, count=count, own=own)
            except RedisFailure as error:
                own, seen = True, _START
                await self._pause(outage.failed(error))
                continue
            outage.over()
            for frame in frames:
                seen = max(seen, frame.entry_id, key=_order)
            new = [frame for frame in frames if frame.entry_id not in before][:room]
            for frame in new:
                self._in_hand.add(frame.entry_id)
                self._todo.put_nowait(frame)
            self.taken += len(new)
            if new:
                pause_s = 0.0
            elif own:
                own = False  # every pending frame is in hand now
            elif await self._news(seen):
                await self._pause(pause_s)
                pause_s = min(max(pause_s * 2, _EMPTY_PAUSE_S), _EMPTY_PAUSE_MAX_S)
            else:
                pause_s = 0.0

    async def _news(self, seen: str) -> bool:
        """True when the queue has an entry after `seen`; False after `block_s`, on stop, or when Redis is gone."""
        queue = self._streams.keys.ready(self._processor_id)
        waiter = asyncio.create_task(self._streams.wait({queue: seen}, self._block_s))
        try:
            await self._either(waiter)
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
            self._done.append(await self._handle(await self._todo.get()))
            self._finished.set()

    async def _settle(self) -> None:
        outage = Outage(f"processor {self._processor_id}: settling frames", log)
        while True:
            await self._finished.wait()
            self._finished.clear()
            while self._done:
                # While this call is on its way more frames get finished: batches form by themselves.
                batch = [self._done[at] for at in range(min(len(self._done), _SETTLE_BATCH))]
                try:
                    outcomes = await self._streams.settle(self._processor_id, self._consumer, batch)
                except RedisFailure as error:
                    await asyncio.sleep(outage.failed(error))
                    continue
                outage.over()
                for settlement, outcome in zip(batch, outcomes, strict=True):
                    self._done.popleft()
                    self._in_hand.discard(settlement.entry_id)
                    self.outcomes[outcome] += 1
                self._settled.set()

    async def _drained(self) -> None:
        while self._in_hand:
            self._settled.clear()
            await self._settled.wait()

    async def _either(self, other: asyncio.Event | asyncio.Task[bool]) -> None:
        """Until `other`, or stop."""
        stop = asyncio.create_task(self._stopping.wait())
        task = asyncio.create_task(other.wait()) if isinstance(other, asyncio.Event) else other
        try:
            await asyncio.wait({stop, task}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stop.cancel()
            if task is not other:
                task.cancel()

    async def _pause(self, seconds: float) -> None:
        """Sleep, or less when stopping."""
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                return


async def _first(wanted: asyncio.Task[None], others: set[asyncio.Task[None]], timeout: float | None = None) -> None:
    """Until `wanted` ends. The others run for ever: one that ends has met a defect, which is raised here."""
    done, _ = await asyncio.wait({wanted, *others}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def _order(entry_id: str) -> tuple[int, int]:
    milliseconds, _, number = entry_id.partition("-")
    return int(milliseconds), int(number or 0)
