"""The plant's state on a node that runs: it tells of the times that commands carry, and of the first admin.

What it calls decides nothing here.
"""

from collections.abc import Callable, Sequence

from cluster.commands import Command, Event, Outcome, Position
from orchestrator.playbooks.clock import PlantClock
from orchestrator.state import PlantState


class TimedState(PlantState):
    """The clock is read where a command is applied, and decides nothing there."""

    def __init__(self, clock: PlantClock, *, tokens_asked_for: Callable[[], None] | None = None) -> None:
        super().__init__()
        self._clock = clock
        self._noted = 0.0
        self._tokens_asked_for = tokens_asked_for

    def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        """As PlantState does."""
        applied = super().apply(command, position)
        self._note()
        return applied

    def restore(self, data: bytes) -> None:
        """As PlantState does."""
        super().restore(data)
        self._note()

    def _note(self) -> None:
        if (at := max(self.executions.at, self.topology.at)) > self._noted:
            self._noted = at
            self._clock.note(self._noted)
        if self._tokens_asked_for is not None and self.access.enforced:
            self._tokens_asked_for()
            self._tokens_asked_for = None
