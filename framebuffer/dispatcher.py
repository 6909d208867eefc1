"""The leader's loop: it calls the server's dispatch function whenever there may be something to move.

Holds no frame: what a call has not moved is still in the streams. It runs from the moment the fence of this epoch
is set until it is cancelled or a newer leader's fence refuses it. It waits without polling, on the capture stream
and the wake stream; a pass every `block_s` beside that notices what no stream tells, such as being fenced while
idle.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from framebuffer.errors import RedisFailure
from framebuffer.metrics import FrameMetrics
from framebuffer.outage import Outage
from framebuffer.reading import entries
from framebuffer.router import Router, RouterPass
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from framebuffer.tracing import SpanSink
from framebuffer.tracing_dispatch import DispatchTracing
from framebuffer.wire import DispatchReport, RoutingTable

log = logging.getLogger(__name__)

CLAIM_EVERY_S = 10.0
"""How often the queues are counted anew. The counts should be right already; this heals them where they are not."""

_BATCH_MAX = 256
_IDLE_PASSES = 3
_SAMPLED_PAGE = 100
_IDLE_PAUSE_S = 0.01

LEND_MS = 1000
"""How long ``publish`` may route by the table that came with a call; a pass every ``block_s`` renews it."""


def batch_of(limit: int, table: RoutingTable) -> int:
    """How many frames one call moves at most: ``limit``, or more where the table is large.

    A call looks at every processor of the table, so its cost a frame would grow with their number.
    """
    return max(limit, min(_BATCH_MAX, len(table.rows) // 2))


class Dispatcher:
    """Moves frames from capture and lanes to the processors' queues, `limit` per call.

    `direct`: between the passes `publish` routes by the table itself, where nothing waits (not beside a `router`).
    `table` gives the routing table for each call; `wake()` tells that it changed for the better. `on_report` is
    called after each call. Redis outages are waited out; after one, the queues are counted anew, as it may be a
    promoted replica. `spans` gets those of the frames whose traces are recorded. `router`: decides in place of the
    table's strategy.
    """

    def __init__(
        self,
        streams: FrameStreams,
        *,
        epoch: tuple[int, int],
        node_id: str,
        table: Callable[[], RoutingTable],
        on_report: Callable[[DispatchReport], None] | None = None,
        metrics: FrameMetrics | None = None,
        spans: SpanSink | None = None,
        router: Router | None = None,
        direct: bool = False,
        limit: int = 64,
        block_s: float = 0.2,
    ) -> None:
        self._streams = streams
        self._epoch = epoch
        self._node_id = node_id
        self._table = table
        self._on_report = on_report
        self._metrics = metrics
        self._tracing = None if spans is None else DispatchTracing(spans, node_id=node_id, keys=streams.keys)
        self._recover_spans = spans is not None
        self._router = None if router is None else RouterPass(streams, router, epoch=epoch, node_id=node_id)
        self._lend_ms = LEND_MS if direct and router is None else 0
        self._limit = limit
        self._block_s = block_s
        self._wanted = asyncio.Event()
        self._untold: list[asyncio.Future[None]] = []
        self._waiter: asyncio.Task[bool] | None = None
        self._outage = Outage("dispatch", log)
        self._idle_passes = 0

    def wake(self) -> None:
        """Look at once: a processor came, came back, or can take more. Call it on the event loop."""
        self._wanted.set()

    async def told(self) -> None:
        """Until no frame is routed any more by a table that is older than this call: at most as long as one is lent."""
        if not self._lend_ms:
            return
        told = asyncio.get_running_loop().create_future()
        self._untold.append(told)
        self.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._lend_ms / 1000):
                await told

    @property
    def redis_answers(self) -> bool:
        return not self._outage.lasts

    async def run(self) -> None:
        """Until cancelled. Errors: Fenced."""
        claim_at = time.monotonic()
        try:
            while True:
                self._wanted.clear()  # before the call: what is wanted during it must not be missed
                began = time.monotonic()
                claim = began >= claim_at
                try:
                    if self._recover_spans:
                        await self._recovered()
                    telling, self._untold = self._untold, []
                    report = await self._pass(claim=claim)
                    for one in telling:
                        if not one.done():
                            one.set_result(None)
                    if self._tracing is not None and self._lend_ms:
                        await self._recovered(
                            before=report.sampled_id
                        )  # what `publish` routed, in the order of its ids
                except RedisFailure as error:
                    if self._metrics is not None and not self._outage.lasts:
                        self._metrics.redis_outages.inc()
                    self._recover_spans = self._tracing is not None  # the reply may be what was lost
                    await asyncio.sleep(self._outage.failed(error))
                    claim_at = time.monotonic()
                    continue
                self._outage.over()
                took_s = time.monotonic() - began
                if self._metrics is not None:
                    self._metrics.observe(report, took_s)
                if self._tracing is not None and report.sampled:
                    self._tracing.dispatched(report, took_s)
                if self._on_report is not None:
                    self._on_report(report)
                if report.malformed:
                    log.warning(
                        "%d entries that no producer published were set aside in %s",
                        report.malformed,
                        self._streams.keys.malformed,
                    )
                progress = report.read > 0 or report.drained > 0
                self._idle_passes = 0 if progress or report.routed else self._idle_passes + 1
                if (report.more and progress) or (claim and self._router is not None):
                    if claim:
                        claim_at = time.monotonic() + CLAIM_EVERY_S
                    continue  # still claiming if this was a claim: more than `limit` may be pending
                if claim:
                    claim_at = time.monotonic() + CLAIM_EVERY_S
                await self._wait(report)
        finally:
            await self._end_waiter()

    async def _pass(self, *, claim: bool) -> DispatchReport:
        table = self._table()
        limit = batch_of(self._limit, table)
        if self._router is not None and not claim and (report := await self._router.run(table, limit)) is not None:
            return report
        # With a router, a claim counts the queues anew and moves nothing; where the router failed, this routes.
        return await self._streams.dispatch(
            self._epoch,
            self._node_id,
            table,
            limit=0 if self._router is not None and claim else limit,
            claim=claim,
            traced="" if self._tracing is None else self._tracing.exported,
            lend_ms=self._lend_ms,
        )

    async def _recovered(self, before: str = "") -> None:
        """Make the spans that another leader left behind, or that no report told of. Errors: RedisFailure.

        ``before``: those of this id come with the report that is at hand.
        """
        if self._tracing is not None:
            after = "-"
            while page := await entries(self._streams, self._streams.keys.sampled, after, _SAMPLED_PAGE):
                for entry_id, fields in page:
                    if entry_id.decode() == before:
                        return
                    self._tracing.recovered(entry_id.decode(), fields)
                after = f"({page[-1][0].decode()}"
        self._recover_spans = False

    async def _wait(self, report: DispatchReport) -> None:
        """Until there may be something to do."""
        if self._waiter is None:
            self._waiter = asyncio.create_task(self._streams.wait_capture(report, self._block_s))
        # A waiter that wake() overtook goes on: cancelling it would cost its connection. At worst it causes an
        # empty pass.
        await self._until_wanted(self._waiter, None)
        if not self._waiter.done():
            return
        waiter, self._waiter = self._waiter, None
        if (error := waiter.exception()) is not None:
            if not isinstance(error, RedisFailure):
                raise error
            await self._until_wanted(None, self._block_s)  # the next call finds out whether Redis is gone
        elif waiter.result() and self._idle_passes >= _IDLE_PASSES:
            # The streams say "something is there" and dispatch finds nothing to do, again and again.
            await self._until_wanted(None, _IDLE_PAUSE_S)

    async def _until_wanted(self, waiter: asyncio.Task[bool] | None, timeout: float | None) -> None:
        wanted = asyncio.create_task(self._wanted.wait())
        try:
            await asyncio.wait(
                {wanted} if waiter is None else {wanted, waiter}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            wanted.cancel()

    async def _end_waiter(self) -> None:
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            await ended(waiter)
