"""The leader's duty to say how full the plant is: to those who publish, in the log, as an event, and to whoever asks.
Those who publish are told as well how many replicas must have a frame.

It is measured with every dispatch call, idle ones included, and written to the streams under this epoch when the level
changes, and every ``REPEAT_S`` beside that: a failover of the server may have lost the last one.
"""

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any

from msgspec.structs import replace

from cluster import ClusterError, Epoch
from framebuffer.backpressure import Backpressure, Durability
from framebuffer.errors import Fenced, RedisFailure
from framebuffer.metrics import FrameMetrics
from framebuffer.pressure import Level, PlantPressure, QueueFigures, Thresholds, figures_of
from framebuffer.shards import ShardedStreams
from framebuffer.wire import DispatchReport
from orchestrator.errors import OrchestratorError
from orchestrator.events import Event
from orchestrator.tasks import cancelled

__all__ = ["PressureDuty"]

log = logging.getLogger(__name__)

REPEAT_S = 2.0
RETRY_S = 0.25
QUIET_S = 5.0
"""Under steady overload the level swings, as producers give way and come back. Beyond the first line about each level
they share one in so many seconds."""
UNSERVED_SHOWN = 20
EVENT = "frames.backpressure"
"""Accepted like an event from outside, so that playbooks may wait for it. The payload: `status`, without the alert."""
SOURCE = "orchestrator"
ANNOUNCE_WITHIN_S = 1.0
"""Producers must be told again and again; an event that is not taken by then is tried again at the next turn."""


class PressureDuty:
    """Call ``observe`` after each dispatch call. ``streams``: None while Redis has never answered.

    ``durability``: what producers are told that were given none of their own.
    ``events`` takes an event for each change of level. As levels swing, a lower one is told only when it has been quiet
    for `QUIET_S`, a higher one at once.
    """

    name = "backpressure"

    def __init__(
        self,
        streams: Callable[[], ShardedStreams | None],
        epoch: Epoch,
        thresholds: Thresholds,
        *,
        smoothing_s: float,
        durability: Durability = 0,
        metrics: FrameMetrics | None = None,
        events: Callable[[Event], Awaitable[None]] | None = None,
    ) -> None:
        self._streams = streams
        self._events = events
        self._announced = Level.NORMAL
        self._announced_at = -math.inf
        self._epoch = (epoch.term, epoch.index)
        self._thresholds, self._smoothing_s = thresholds, smoothing_s
        self._durability = durability
        self._pressure: PlantPressure | None = None  # until it is known what the leader before this one told
        self._told = Backpressure()
        self._metrics = metrics
        self._figures = QueueFigures()
        self._unserved: dict[str, int] = {}
        self._measured = False
        self._changed = asyncio.Event()
        self._changed.set()
        self._said: dict[Level, float] = {}
        self._unsaid = 0
        self._alert: dict[str, Any] | None = None
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> asyncio.Task[None]:
        self._task = asyncio.create_task(self._run(), name="backpressure")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    @property
    def level(self) -> Level:
        """That of the fullest capability."""
        return Level(self._told.highest)

    def observe(self, report: DispatchReport) -> None:
        """What a dispatch call left behind."""
        now, before, level_before = time.monotonic(), self._told, self.level
        self._figures = figures_of(report)
        if report.unserved.keys() != self._unserved.keys():
            self._say_unserved(report.unserved)
        self._unserved = report.unserved
        if self._pressure is None:
            return
        self._told = self._pressure.observe(report, now)
        if self._told == before and self._measured:
            return
        news = self.level != level_before or (not self._measured and self.level >= Level.HIGH)
        self._measured = True
        self._changed.set()
        if self._metrics is not None:
            self._metrics.backpressure_level.set(self.level)
        if news:
            self._alarm(self.level)
            self._say(now)

    def status(self) -> dict[str, Any]:
        """For ``/control/status``: the level of the fullest capability, those that are fuller than the rest, and the
        figures of all together. ``usage`` is null where frames wait and nobody can take any.
        """
        figures = self._figures
        return {
            "level": int(self.level),
            "name": self.level.name.lower(),
            "crowded": {name: Level(level).name.lower() for name, level in sorted(self._told.crowded.items())},
            "usage": None if math.isinf(figures.usage) else round(figures.usage, 4),
            "outstanding": figures.outstanding,
            "waiting": figures.waiting,
            "capture": figures.capture,
            "capacity": figures.capacity,
            "unserved": dict(sorted(self._unserved.items())[:UNSERVED_SHOWN]),
            "alert": self._alert,
        }

    def figures(self) -> dict[str, dict[str, float]]:
        """For rules of alerts, by figure and subject; empty until a dispatch call was measured."""
        if not self._measured:
            return {}
        unserved = sorted(self._unserved.items())[:UNSERVED_SHOWN]
        return {"backpressure_level": {"-": int(self.level)}, "unserved_frames": dict(unserved)}

    def _alarm(self, level: Level) -> None:
        if level == Level.CRITICAL and self._alert is None:
            self._alert = {"since": time.time(), "message": f"CRITICAL{self._for_whom()}: {self._figures}"}
            if self._metrics is not None:
                self._metrics.backpressure_alerts.inc()
        elif level < Level.HIGH:
            self._alert = None

    def _is_quiet(self, now: float) -> bool:
        return now - self._said.get(self.level, -math.inf) < QUIET_S

    def _say(self, now: float) -> None:
        if self._is_quiet(now):
            self._unsaid += 1
            return
        self._said[self.level] = now
        more, self._unsaid = self._unsaid, 0
        log.log(
            logging.WARNING if self.level >= Level.HIGH else logging.INFO,
            "backpressure is %s%s: %s%s%s",
            self.level.name,
            self._for_whom(),
            self._figures,
            {Level.HIGH: "; producers halve their rates", Level.CRITICAL: "; producers pause"}.get(self.level, ""),
            f" ({more} changes since the last line)" if more else "",
        )

    def _for_whom(self) -> str:
        if self._told.level == self.level:
            return ""
        return " for " + ", ".join(sorted(self._told.crowded)[:UNSERVED_SHOWN])

    def _say_unserved(self, unserved: dict[str, int]) -> None:
        new = sorted(unserved.keys() - self._unserved.keys())
        if new:
            log.warning(
                "frames wait for a capability that no healthy processor offers: %s%s",
                ", ".join(new[:UNSERVED_SHOWN]),
                ", ..." if len(new) > UNSERVED_SHOWN else "",
            )
        if not unserved:
            log.info("every frame's capability is offered again")

    async def _run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(REPEAT_S if self._pressure is not None else RETRY_S):
                    await self._changed.wait()
            except TimeoutError:
                if self._unsaid and not self._is_quiet(time.monotonic()):
                    self._say(time.monotonic())
            self._changed.clear()
            streams = self._streams()
            if streams is None:
                continue
            try:
                if self._pressure is None:
                    self._told = replace(await streams.backpressure(), durability=None)
                    self._pressure = PlantPressure(self._thresholds, smoothing_s=self._smoothing_s, told=self._told)
                elif self._measured:
                    await streams.set_pressure(self._epoch, replace(self._told, durability=self._durability))
            except (RedisFailure, Fenced):  # the dispatch duty reports both
                await asyncio.sleep(RETRY_S)
                self._changed.set()
            await self._announce()

    async def _announce(self) -> None:
        level, now = self.level, time.monotonic()
        if self._events is None or not self._measured or level == self._announced:
            return
        if level < self._announced and now - self._announced_at < QUIET_S:
            return
        payload = {name: value for name, value in self.status().items() if name != "alert"}
        payload["crowded"] = dict(list(payload["crowded"].items())[:UNSERVED_SHOWN])
        try:
            async with asyncio.timeout(ANNOUNCE_WITHIN_S):
                await self._events(Event(type=EVENT, source=SOURCE, payload=payload))
        except (ClusterError, OrchestratorError, TimeoutError) as error:
            log.info("the event of backpressure %s was not taken now: %s", level.name, str(error) or "no time")
            return
        self._announced, self._announced_at = level, now
