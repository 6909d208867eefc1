"""The leader's duty towards processors: hear and ask them, keep away from those that fail, keep their queues honest."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

import httpx

from cluster import Applied, ClusterError, Epoch
from framebuffer.breaker import BreakerSettings, BreakerState
from framebuffer.errors import Fenced, RedisFailure
from framebuffer.health import Heartbeat, HeartbeatTracker
from framebuffer.health_pull import HealthPuller
from framebuffer.isolation import Gates, Isolation
from framebuffer.latency import latency
from framebuffer.metrics import FrameMetrics
from framebuffer.registry import Health, ProcessorRegistry, ProcessorRow
from framebuffer.routing import stranded
from framebuffer.shards import ShardedStreams
from framebuffer.wire import StreamStats
from orchestrator.api.view import ProcessorObservation
from orchestrator.config import FrameSettings
from orchestrator.tasks import cancelled, ended

log = logging.getLogger(__name__)

TICK_S = 0.25
SWEEP_S = 5.0
"""How often queues are looked through when nothing hints at a stranded frame."""
WATCH_S = 2.0
"""How long after a processor fell away its queue is looked at every tick: a dispatch call with the older routing
table may still be on its way."""
LATENCY_SAMPLES = 200
"""Results of each shard that the percentiles of a sweep are of."""


class ProcessorDuty:
    """Hears heartbeats and pulls health, proposes who is healthy, and returns frames that nobody works on to dispatch.

    Args:
        streams: the node's frame streams, None while Redis has never answered.
        propose: replicates a verdict under the epoch.
        http: client for health pulls (`health_pull.health_client`). It outlives the duty.
        settings: timeouts, lease and breaker.
        on_change: called when the routing table may have changed for the better.
    """

    name = "processors"

    def __init__(
        self,
        streams: Callable[[], ShardedStreams | None],
        epoch: Epoch,
        registry: ProcessorRegistry,
        propose: Callable[[Health], Awaitable[Applied]],
        *,
        http: httpx.AsyncClient,
        settings: FrameSettings,
        on_change: Callable[[], None],
        metrics: FrameMetrics | None = None,
    ) -> None:
        self._streams = streams
        self._epoch = (epoch.term, epoch.index)
        self._registry = registry
        self._propose = propose
        self._tracker = HeartbeatTracker(settings.heartbeat_timeout_s)
        self._isolation = Isolation(
            BreakerSettings(settings.breaker_failures, settings.breaker_open_s, settings.breaker_successes)
        )
        self._puller = HealthPuller(
            http,
            lambda: registry.rows,
            self._pulled,
            interval_s=settings.health_interval_s,
            timeout_s=settings.health_timeout_s,
        )
        self._lease_s = settings.lease_s
        self._sweep_s = min(SWEEP_S, settings.lease_s / 2)
        self._expire_s = settings.lease_s / 3
        self._on_change = on_change
        self._metrics = metrics
        self._task: asyncio.Task[None] | None = None
        self._rows = registry.rows
        self._watch_until = 0.0
        self._sweep_at = 0.0
        self._latency_at = 0.0
        self._expire_at = 0.0

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name="processors")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    def heartbeat(self, processor_id: str, report: Heartbeat) -> None:
        """A registered processor lives; unknown ones are ignored."""
        row = self._registry.get(processor_id)
        if row is not None:
            now = time.monotonic()
            self._tracker.beat(row, now, report)
            self._isolation.reported(row, report, now)

    def gates(self) -> Gates:
        """The processors that are kept away from, for the routing table."""
        return self._isolation.gates

    def observation(self, processor_id: str) -> ProcessorObservation:
        """What this leader knows of a processor."""
        now = time.monotonic()
        report = self._tracker.last_report(processor_id)
        return ProcessorObservation(
            breaker=self._isolation.state(processor_id, now).value,
            silence_s=self._tracker.silence_s(processor_id, now),
            in_flight=None if report is None else report.in_flight,
            settled=None if report is None else report.settled,
            errors=None if report is None else report.errors,
            health_pull=self._tracker.last_pull(processor_id),
        )

    async def return_queue(self, processor_id: str) -> int:
        """Send the frames of a processor that is gone back to dispatch; how many there were."""
        self._watch_until = time.monotonic() + WATCH_S
        streams = self._streams()
        return 0 if streams is None else await streams.return_queue(self._epoch, processor_id)

    def _pulled(self, row: ProcessorRow, reason: str) -> int:
        self._isolation.pulled(row, not reason, time.monotonic())
        return self._tracker.pulled(row, reason)

    async def _run(self) -> None:
        pulling = asyncio.create_task(self._puller.run(), name="health-pull")
        try:
            while True:
                if pulling.done():
                    pulling.result()
                self._isolate()
                with contextlib.suppress(RedisFailure, Fenced):  # the dispatch duty reports both
                    await self._sweep()
                try:
                    await self._judge()
                except ClusterError as error:
                    log.info("health of processors not proposed now: %s", error)
                await asyncio.sleep(TICK_S)
        finally:
            await ended(pulling)

    async def _judge(self) -> None:
        if self._rows is not self._registry.rows:
            self._rows = self._registry.rows
            self._watch_until = time.monotonic() + WATCH_S
            self._on_change()
        for verdict in self._tracker.verdicts(self._rows, time.monotonic()):
            health = "healthy" if verdict.healthy else "unhealthy"
            log.info("processor %s is %s: %s", verdict.id, health, verdict.reason)
            await self._propose(verdict)

    def _isolate(self) -> None:
        """Act on what the breakers say now."""
        changes = self._isolation.refresh(self._registry.rows, time.monotonic())
        for processor_id, state in changes:
            log.warning("processor %s: breaker %s", processor_id, state)
            if self._metrics is not None:
                self._metrics.set_breaker(processor_id, state)
            if state is BreakerState.OPEN:
                self._watch_until = time.monotonic() + WATCH_S
        if changes:
            self._on_change()

    async def _sweep(self) -> None:
        now = time.monotonic()
        streams = self._streams()
        if streams is None or (now > self._watch_until and now < self._sweep_at):
            return
        self._sweep_at = now + self._sweep_s
        stats = await streams.stats()
        rows, gates = self._registry.rows, self._isolation.gates
        if self._metrics is not None:
            self._metrics.keep(processors=rows, cameras=stats.cameras)
            self._metrics.set_stats(stats)
            for processor_id in rows:
                self._metrics.set_breaker(processor_id, self._isolation.state(processor_id, now))
        lengths = {name: queue.length for name, queue in stats.ready.items()}
        for processor_id in stranded(rows, lengths, gates):
            returned = await self.return_queue(processor_id)
            log.info("%d frames of processor %s returned to dispatch", returned, processor_id)
        await self._expire(streams, stats)
        # By a time of its own: looks come more often where something changes, and put the next regular one off.
        if self._metrics is not None and now >= self._latency_at:
            self._latency_at = now + self._sweep_s
            self._metrics.set_latency(await latency(streams, samples_max=LATENCY_SAMPLES))

    async def _expire(self, streams: ShardedStreams, stats: StreamStats) -> None:
        """Take back what processors hold and do not renew, and notice those that take nothing."""
        due = time.monotonic() >= self._expire_at
        if due:
            self._expire_at = time.monotonic() + self._expire_s
        for processor_id, queue in stats.ready.items():
            row = self._registry.rows.get(processor_id)
            if row is None or not row.healthy:
                continue  # its queue is returned as a whole
            now = time.monotonic()
            self._isolation.queue_seen(
                row,
                waiting=queue.length - queue.pending,
                in_hand=queue.pending,
                patience_s=self._lease_s,
                now=now,
            )
            if queue.pending == 0 or not due:
                continue
            expired = await streams.expire(self._epoch, processor_id, int(self._lease_s * 1000))
            if expired:
                log.warning(
                    "processor %s: %d frames were not renewed for %g s and go to another attempt",
                    processor_id,
                    expired,
                    self._lease_s,
                )
                self._isolation.expired(row, expired, now)
