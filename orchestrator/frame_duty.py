"""The leader's two duties towards frames: dispatch them, and keep the processors' queues honest."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from cluster import Applied, ClusterError, Epoch
from framebuffer.dispatcher import Dispatcher
from framebuffer.errors import Fenced, RedisFailure
from framebuffer.health import Heartbeat, HeartbeatTracker
from framebuffer.metrics import FrameMetrics
from framebuffer.registry import Health, ProcessorRegistry
from framebuffer.routing import TableSource, stranded
from framebuffer.streams import FrameStreams
from framebuffer.tracing import DispatchTracing
from framebuffer.wire import DispatchReport
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

FENCE_RETRY_S = 0.5
TICK_S = 0.25
SWEEP_S = 5.0
"""How often queues are looked through when nothing hints at a stranded frame."""
WATCH_S = 2.0
"""How long after a processor fell away its queue is looked at every tick: a dispatch call with the older routing
table may still be on its way."""


class DispatchDuty:
    """Writes the fence, then dispatches until it is laid down or a newer leader's fence refuses it.

    Args:
        streams: the node's frame streams, None while Redis has never answered.
        epoch: carried by every call that has an effect.
        on_report: called with each dispatch that moved or parked something.
    """

    name = "dispatch"

    def __init__(
        self,
        streams: Callable[[], FrameStreams | None],
        epoch: Epoch,
        node_id: str,
        registry: ProcessorRegistry,
        on_report: Callable[[DispatchReport], None],
        *,
        metrics: FrameMetrics | None = None,
        tracing: DispatchTracing | None = None,
        limit: int = 64,
    ) -> None:
        self._streams = streams
        self._epoch = (epoch.term, epoch.index)
        self._node_id = node_id
        self._table = TableSource(registry)
        self._on_report = on_report
        self._metrics = metrics
        self._tracing = tracing
        self._limit = limit
        self._task: asyncio.Task[None] | None = None
        self._dispatcher: Dispatcher | None = None
        self.fenced: Fenced | None = None
        """Set while the streams refuse this leader: a newer one is there, or the server belongs to another cluster."""

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name="dispatch")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)
        if self._metrics is not None:
            self._metrics.reset()

    def wake(self) -> None:
        """Look again at once: the routing table has changed."""
        if self._dispatcher is not None:
            self._dispatcher.wake()

    async def _run(self) -> None:
        outage = ""
        while True:
            streams = self._streams()
            try:
                if streams is not None:
                    await streams.fence(self._epoch, self._node_id)
                    self.fenced, outage = None, ""
                    self._dispatcher = Dispatcher(
                        streams,
                        epoch=self._epoch,
                        node_id=self._node_id,
                        table=self._table,
                        on_report=self._on_report,
                        metrics=self._metrics,
                        tracing=self._tracing,
                        limit=self._limit,
                    )
                    await self._dispatcher.run()
            except Fenced as error:
                if self._metrics is not None:
                    self._metrics.fenced.inc()
                if self.fenced is None:
                    log.error(
                        "dispatch stopped: %s. If this lasts, the Redis server holds the frames of another, older "
                        "cluster: use another server or key prefix for this one",
                        error,
                    )
                self.fenced = error
            except RedisFailure as error:
                if outage != str(error):
                    outage = str(error)
                    log.warning("dispatch waits for Redis: %s", error)
            finally:
                self._dispatcher = None
            await asyncio.sleep(FENCE_RETRY_S)


class ProcessorDuty:
    """Hears the processors' heartbeats, proposes who is healthy, and returns stranded queues to dispatch."""

    name = "processors"

    def __init__(
        self,
        streams: Callable[[], FrameStreams | None],
        epoch: Epoch,
        registry: ProcessorRegistry,
        propose: Callable[[Health], Awaitable[Applied]],
        *,
        heartbeat_timeout_s: float,
        on_change: Callable[[], None],
        metrics: FrameMetrics | None = None,
    ) -> None:
        self._streams = streams
        self._epoch = (epoch.term, epoch.index)
        self._registry = registry
        self._propose = propose
        self._tracker = HeartbeatTracker(heartbeat_timeout_s)
        self._on_change = on_change
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None
        self._rows = registry.rows
        self._watch_until = 0.0
        self._sweep_at = 0.0

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name="processors")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    def heartbeat(self, processor_id: str, report: Heartbeat) -> None:
        """A registered processor lives; unknown ones are ignored."""
        row = self._registry.get(processor_id)
        if row is not None:
            self._tracker.beat(row, time.monotonic(), report)

    async def return_queue(self, processor_id: str) -> int:
        """Send the frames of a processor that is gone back to dispatch; how many there were."""
        self._watch_until = time.monotonic() + WATCH_S
        streams = self._streams()
        return 0 if streams is None else await streams.return_queue(self._epoch, processor_id)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(RedisFailure, Fenced):  # the dispatch duty reports both
                await self._sweep()
            try:
                await self._judge()
            except ClusterError as error:
                log.info("health of processors not proposed now: %s", error)
            await asyncio.sleep(TICK_S)

    async def _judge(self) -> None:
        if self._rows is not self._registry.rows:
            self._rows = self._registry.rows
            self._watch_until = time.monotonic() + WATCH_S
            self._on_change()
        for verdict in self._tracker.verdicts(self._rows, time.monotonic()):
            health = "healthy" if verdict.healthy else "unhealthy"
            log.info("processor %s is %s: %s", verdict.id, health, verdict.reason)
            await self._propose(verdict)

    async def _sweep(self) -> None:
        now = time.monotonic()
        streams = self._streams()
        if streams is None or (now > self._watch_until and now < self._sweep_at):
            return
        self._sweep_at = now + SWEEP_S
        stats = await streams.stats()
        if self._metrics is not None:
            self._metrics.keep(processors=self._registry.rows, cameras=stats.cameras)
            self._metrics.set_stats(stats)
        lengths = {name: queue.length for name, queue in stats.ready.items()}
        for processor_id in stranded(self._registry.rows, lengths):
            returned = await self.return_queue(processor_id)
            log.info("%d frames of processor %s returned to dispatch", returned, processor_id)
