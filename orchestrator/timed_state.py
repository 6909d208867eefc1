"""The plant's state on a node that runs: what goes out of it to the node, and decides nothing in it.

The node's plant clock is told of the times that commands carry, the trail of the entries of the audit, and the node of
the first admin.
"""

from collections.abc import Callable, Sequence

from cluster.commands import Command, Event, Outcome, Position
from orchestrator.audit.trail import Trail
from orchestrator.playbooks.clock import PlantClock
from orchestrator.state import PlantState


class TimedState(PlantState):
    """The clock is read where a command is applied."""

    def __init__(
        self, clock: PlantClock, trail: Trail | None = None, *, tokens_asked_for: Callable[[], None] | None = None
    ) -> None:
        super().__init__()
        self._clock = clock
        self._trail = trail
        self._noted = 0.0
        self._tokens_asked_for = tokens_asked_for
        self._entered = 0

    def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        """As PlantState does."""
        applied = super().apply(command, position)
        self._tell()
        return applied

    def restore(self, data: bytes) -> None:
        """As PlantState does."""
        super().restore(data)
        self._entered = 0
        self._tell()

    def replace(self, data: bytes, command: Command, position: Position, index: int) -> Sequence[Event]:
        """As PlantState does."""
        events = super().replace(data, command, position, index)
        self._tell()
        return events

    def _tell(self) -> None:
        if (at := max(self.executions.at, self.topology.at)) > self._noted:
            self._noted = at
            self._clock.note(self._noted)
        if self._tokens_asked_for is not None and self.access.enforced:
            self._tokens_asked_for()
            self._tokens_asked_for = None
        if self.audit.number != self._entered:
            fresh = self.audit.entries[-(self.audit.number - self._entered) :]
            self._entered = self.audit.number
            if self._trail is not None:
                self._trail.offer(fresh)
