"""The plant clock of one node: seconds that mean the same under every leader.

It is the newest time that a replicated command carried (`at`) plus the monotonic seconds since that command was applied
here. Clocks of two hosts are never compared. A leader that dies takes nothing with it but the time since its last
command, and while executions are open it lets no `TICK_S` pass without one (`orchestrator.playbook_duty`).
"""

import time
from collections.abc import Callable

from orchestrator.playbooks.plant_time import Anchor, anchored, reading

__all__ = ["TICK_S", "PlantClock"]

TICK_S = 5.0
"""At most so much plant time is lost when a leader dies."""


class PlantClock:
    """Never goes backwards. Noted by the thread that applies commands, read by any."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._anchor = Anchor(0.0, monotonic())

    def now(self) -> float:
        """Plant time in seconds."""
        return reading(self._anchor, self._monotonic())

    def note(self, at: float) -> None:
        """A command that carries this plant time was applied here, or came with a snapshot."""
        self._anchor = anchored(self._anchor, at, self._monotonic())
