"""The leader's last duty: to note in the replicated timeline that it leads, and how long nobody did before."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from cluster import Applied, ClusterError, Counters, Epoch
from orchestrator.leaderships import Noted, Reason
from orchestrator.tasks import cancelled

log = logging.getLogger(__name__)

PATIENCE_S = 30.0
"""At a start of all nodes the members have to meet before a new kind of change may be proposed."""
PAUSE_S = 0.5


class LeadershipNote:
    """Taken up when every other duty stands. Failing to note costs a row of the timeline, and nothing else.

    Args:
        counters: the cluster's, whose `takeover_s` ends with the claim that is applied now.
        propose: replicates the note under the epoch.
    """

    name = "leadership-note"

    def __init__(
        self,
        epoch: Epoch,
        node_id: str,
        counters: Callable[[], Counters],
        propose: Callable[[Noted], Awaitable[Applied]],
    ) -> None:
        self._epoch = epoch
        self._node_id = node_id
        self._counters = counters
        self._propose = propose
        self._claimed = time.monotonic()
        self._task: asyncio.Task[None] | None = None

    async def take_up(self) -> asyncio.Task[None]:
        counted = self._counters()
        reason: Reason = "election"
        gap: float | None = round(counted.takeover_s + time.monotonic() - self._claimed, 4)
        if counted.takeover_s == 0.0:
            reason, gap = "start", None
        elif counted.handed_over:
            reason = "transfer"
        note = Noted(epoch=str(self._epoch), node=self._node_id, gap_s=gap, reason=reason)
        self._task = asyncio.create_task(self._run(note), name=self.name)
        return self._task

    async def lay_down(self) -> None:
        await cancelled(self._task)

    async def _run(self, note: Noted) -> None:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                await self._propose(note)
            except ClusterError as error:
                if time.monotonic() > until:
                    log.warning("leadership %s is not noted in the timeline: %s", note.epoch, error)
                    return
                await asyncio.sleep(PAUSE_S)
            else:
                return
