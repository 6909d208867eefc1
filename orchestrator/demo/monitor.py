"""Looks at the plant twice a second and shows what it sees."""

import asyncio
import contextlib
import time
from typing import Self

from framebuffer.connection import connect
from framebuffer.errors import RedisFailure
from framebuffer.streams import FrameStreams
from framebuffer.wire import StreamStats
from orchestrator.demo.live import Display, Rate, Snapshot
from orchestrator.demo.tally import Tally
from orchestrator.dev.local import Leader, LocalPlant

LOOK_S = 0.5


class Monitor:
    """Follows a plant for as long as its block lasts; says when the leader changes and when a process dies."""

    def __init__(self, plant: LocalPlant, tally: Tally, display: Display, seconds: float) -> None:
        self._plant = plant
        self._tally = tally
        self._display = display
        self._seconds = seconds
        self._redis = connect(plant.topology.redis_url)
        self._streams = FrameStreams(self._redis)
        self._task: asyncio.Task[None] | None = None
        self._in, self._out = Rate(), Rate()
        self._leader: Leader | None = None
        self.expected_dead: set[str] = set()
        self.failures: list[str] = []
        self.started: float | None = None

    @property
    def streams(self) -> FrameStreams:
        """The monitor's own connection to the streams."""
        return self._streams

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow(), name="monitor")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._streams.aclose()
        await self._redis.aclose()

    async def stats(self) -> StreamStats | None:
        """Return the streams' figures, None while the server does not answer."""
        try:
            return await self._streams.stats()
        except RedisFailure:
            return None

    async def _follow(self) -> None:
        while True:
            stats, leader = await asyncio.gather(self.stats(), self._plant.leader())
            self._note_leader(leader)
            self._note_deaths()
            if stats is not None:
                self._display.show(self._snapshot(stats, leader))
            await asyncio.sleep(LOOK_S)

    def _note_leader(self, leader: Leader | None) -> None:
        if leader is not None and leader != self._leader:
            self._display.event(f"leader: {leader}")
            self._leader = leader

    def _note_deaths(self) -> None:
        for process in self._plant.processes.dead(except_for=self.expected_dead):
            self.expected_dead.add(process.name)
            self.failures.append(f"{process.name} ended by itself (exit status {process.returncode})")
            self._display.event(str(process.ended()))

    def _snapshot(self, stats: StreamStats, leader: Leader | None) -> Snapshot:
        now = time.monotonic()
        published = sum(camera.published for camera in stats.cameras.values())
        settled = sum(camera.settled for camera in stats.cameras.values())
        return Snapshot(
            elapsed_s=0.0 if self.started is None else now - self.started,
            seconds=self._seconds,
            published=published,
            settled=settled,
            dead=sum(camera.dead for camera in stats.cameras.values()),
            fps_in=self._in.update(published, now),
            fps_out=self._out.update(settled, now),
            undispatched=stats.capture_len + sum(stats.lanes.values()),
            queues={name: (queue.length - queue.pending, queue.pending) for name, queue in stats.ready.items()},
            leader="" if leader is None else leader.node_id,
            epoch="" if leader is None else f"{leader.epoch[0]}.{leader.epoch[1]}",
            detections=dict(self._tally.detections_by_kind),
            latest=self._tally.latest,
        )


def in_flight(stats: StreamStats) -> int:
    """Frames that are published and not final, by the counters and by the queues, whichever says more."""
    queued = stats.capture_len + sum(stats.lanes.values()) + sum(queue.length for queue in stats.ready.values())
    return max(queued, sum(camera.in_flight for camera in stats.cameras.values()))
