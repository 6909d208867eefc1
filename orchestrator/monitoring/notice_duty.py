"""The leader's duty to tell people of alerts, by the channels of the settings: each notice at least once.

That a notice was told is replicated only when every channel has taken it; until then it is told again, also by the next
leader, under the same id: receivers drop what comes twice.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from cluster import Applied, ClusterError
from orchestrator.monitoring.alert_commands import Notified
from orchestrator.monitoring.alerts import AlertRegistry
from orchestrator.monitoring.notices import Notice, due
from orchestrator.playbooks.effect import Done, Effect, Result
from orchestrator.tasks import cancelled

__all__ = ["NoticeDuty"]

log = logging.getLogger(__name__)

TICK_S = 1.0
PAUSE_MAX_S = 60.0
TOLD_MAX = 10_000


class NoticeDuty:
    """Args:

    alerts: the replicated alerts; read only.
    propose: replicates a command under the epoch.
    perform: tells one channel; see `orchestrator.playbooks.effects`.
    channels: names in `notifications.channels`; without any nothing is ever told, nor kept as told.
    least: the least severe that is told.
    """

    name = "notices"

    def __init__(
        self,
        alerts: AlertRegistry,
        propose: Callable[[Notified], Awaitable[Applied]],
        perform: Callable[[Effect], Awaitable[Result]],
        *,
        channels: Sequence[str],
        least: str,
    ) -> None:
        self._alerts = alerts
        self._propose = propose
        self._perform = perform
        self._channels = tuple(channels)
        self._least = least
        self._told: set[tuple[str, str]] = set()
        self._failing: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> asyncio.Task[None] | None:
        if self._channels:
            self._task = asyncio.create_task(self._run(), name="notices")
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    async def _run(self) -> None:
        pause = TICK_S
        while True:
            told = [await self._tell(notice) for notice in list(due(self._alerts, time.time(), least=self._least))]
            # Where some were told the channels are well: only when all fail it is of use to wait longer.
            pause = min(PAUSE_MAX_S, 2 * pause) if told and not any(told) else TICK_S
            await asyncio.sleep(pause)

    async def _tell(self, notice: Notice) -> bool:
        """Whether every channel has it, and that is replicated."""
        results = await asyncio.gather(*(self._by(channel, notice) for channel in self._channels))
        if not all(results):
            return False
        try:
            await self._propose(Notified(id=notice.alert, phase=notice.phase))
        except ClusterError as error:
            log.info("that %s was told is not recorded now: %s", notice.key, error)
            return False
        self._told -= {(channel, notice.key) for channel in self._channels}
        return True

    async def _by(self, channel: str, notice: Notice) -> bool:
        if (channel, notice.key) in self._told:
            return True
        data = {"channel": channel, "message": notice.message, "severity": notice.severity, "data": notice.data}
        effect = Effect(
            execution="", path="", type="send_notification", key=notice.key, data=data, deadline=None, sends=0
        )
        result = await self._perform(effect)
        if isinstance(result, Done):
            self._failing.discard(channel)
            if len(self._told) < TOLD_MAX:
                self._told.add((channel, notice.key))
            return True
        if channel not in self._failing:
            self._failing.add(channel)
            log.warning("alerts cannot be told by channel %s and are told again: %s", channel, result.message)
        return False
