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
from framebuffer.routing import DEFAULT_CAPACITY_MAX, NO_GATES, TableSource
from framebuffer.streams import FrameStreams
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
        limit: int = 64,
        gates: Callable[[], Gates] = lambda: NO_GATES,
        capacity_max: int = DEFAULT_CAPACITY_MAX,
    ) -> None:
        self._streams = streams
        self._epoch = (epoch.term, epoch.index)
        self._node_id = node_id
        self._table = TableSource(registry, gates=gates, capacity_max=capacity_max)
        self._on_report = on_report
        self._metrics = metrics
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
                        limit=self._limit,
                    )
                    await self._dispatcher.run()
            except Fenced as error:
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
