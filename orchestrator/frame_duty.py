"""The leader's duty to dispatch frames."""

import asyncio
import logging
from collections.abc import Callable

from cluster import Epoch
from framebuffer.dispatcher import Dispatcher
from framebuffer.errors import Fenced, RedisFailure
from framebuffer.isolation import Gates
from framebuffer.metrics import FrameMetrics
from framebuffer.registry import ProcessorRegistry
from framebuffer.router import Router
from framebuffer.routing import DEFAULT_CAPACITY_MAX, NO_GATES, TableSource
from framebuffer.sharding import report_of_all, share_of
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.tracing import SpanSink
from framebuffer.wire import DispatchReport
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

FENCE_RETRY_S = 0.5


class DispatchDuty:
    """Writes the fence, then dispatches until it is laid down or a newer leader's fence refuses it.

    Args:
        streams: the node's frame streams, None while Redis has never answered.
        epoch: carried by every call that has an effect.
        on_report: called with each dispatch that moved or parked something.
        gates: the processors that are kept away from.
        capacity_max: what a processor gets at most at once, whatever it claims.
        strategy, router: how frames are given out; a router decides in place of the strategy.
        direct: the streams route by this leader's table themselves while nothing waits, see `Dispatcher`.
    """

    name = "dispatch"

    def __init__(
        self,
        streams: Callable[[], ShardedStreams | None],
        epoch: Epoch,
        node_id: str,
        registry: ProcessorRegistry,
        on_report: Callable[[DispatchReport], None],
        *,
        metrics: FrameMetrics | None = None,
        spans: SpanSink | None = None,
        limit: int = 64,
        gates: Callable[[], Gates] = lambda: NO_GATES,
        capacity_max: int = DEFAULT_CAPACITY_MAX,
        strategy: str = "least_loaded",
        router: Router | None = None,
        direct: bool = True,
    ) -> None:
        self._streams = streams
        self._epoch = (epoch.term, epoch.index)
        self._node_id = node_id
        self._table = TableSource(registry, strategy, gates=gates, capacity_max=capacity_max)
        self._router = router
        self._direct = direct
        self._on_report = on_report
        self._metrics = metrics
        self._spans = spans
        self._limit = limit
        self._task: asyncio.Task[None] | None = None
        self._dispatchers: dict[int, Dispatcher] = {}
        self._reports: dict[int, DispatchReport] = {}
        self._depths: dict[int, dict[str, int]] = {}
        self._fenced: dict[int, Fenced] = {}

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name="dispatch")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)
        if self._metrics is not None:
            self._metrics.reset()

    @property
    def fenced(self) -> Fenced | None:
        """Set while the streams refuse this leader: a newer one is there, or the server belongs to another cluster."""
        return next(iter(self._fenced.values()), None)

    def wake(self) -> None:
        """Look again at once: the routing table has changed."""
        for dispatcher in self._dispatchers.values():
            dispatcher.wake()

    async def told(self) -> None:
        """Until the streams route no frame any more by a table that is older than this call."""
        await asyncio.gather(*(dispatcher.told() for dispatcher in tuple(self._dispatchers.values())))

    async def _run(self) -> None:
        while True:
            shards = self._streams()
            if shards is not None:
                break
            await asyncio.sleep(FENCE_RETRY_S)
        if len(shards) == 1:
            await self._shard(0, 1, shards.parts[0])
        async with asyncio.TaskGroup() as group:
            for at, streams in enumerate(shards.parts):
                group.create_task(self._shard(at, len(shards), streams), name=f"dispatch of shard {at}")

    async def _shard(self, at: int, shards: int, streams: FrameStreams) -> None:
        """One shard, for ever. Each has its own fence and its own outages: none holds up the others."""
        outage = ""
        while True:
            try:
                await streams.fence(self._epoch, self._node_id)
                self._fenced.pop(at, None)
                outage = ""
                self._dispatchers[at] = Dispatcher(
                    streams,
                    epoch=self._epoch,
                    node_id=self._node_id,
                    table=lambda: share_of(self._table(), at, shards),
                    on_report=lambda report: self._reported(at, shards, report),
                    metrics=self._metrics,
                    spans=self._spans,
                    router=self._router,
                    direct=self._direct,
                    limit=self._limit,
                )
                await self._dispatchers[at].run()
            except Fenced as error:
                if self._metrics is not None:
                    self._metrics.fenced.inc()
                if self.fenced is None:
                    log.error(
                        "dispatch stopped: %s. If this lasts, the Redis server holds the frames of another, older "
                        "cluster: use another server or key prefix for this one",
                        error,
                    )
                self._fenced[at] = error
            except RedisFailure as error:
                if outage != str(error):
                    outage = str(error)
                    log.warning("dispatch waits for Redis: %s", error)
            finally:
                self._dispatchers.pop(at, None)
            await asyncio.sleep(FENCE_RETRY_S)

    def _reported(self, at: int, shards: int, report: DispatchReport) -> None:
        """Passed on with what stands for all shards: this report's, and what the others said last."""
        if shards == 1:
            self._on_report(report)
            return
        self._reports[at] = report
        self._depths.setdefault(at, {}).update(report.depths)
        if self._metrics is not None:
            for name in report.depths:  # the dispatcher has set what this shard has of each
                whole = sum(depths.get(name, 0) for depths in self._depths.values())
                self._metrics.queue_depth.labels(name).set(whole)
        self._on_report(report_of_all(report, self._reports.values()))
