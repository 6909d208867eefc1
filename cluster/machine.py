"""The port to the replicated state machine."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from cluster.commands import Command, Epoch, Event, Outcome, Position


class StateMachine(Protocol):
    """What is replicated. Called by one thread only, never concurrently.

    `apply` decides from its arguments and its own state alone: no clock, no randomness, no I/O. The same commands in
    the same order give the same state on every node and in every release. A refusal is an `Outcome` with a code; an
    exception is a defect and stops the node. An outcome's value must be MessagePack data; a caller gets it as plain
    lists, maps and scalars.
    """

    def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        """Apply one command."""
        ...

    def snapshot(self) -> bytes:
        """The whole state."""
        ...

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` returned. Raises when `data` is not that, and may then be in any state."""
        ...


@runtime_checkable
class Levelled(Protocol):
    """A state machine that has grown: what a newer release added is proposed only once every member knows it."""

    level: int
    """of this release; 1 is the first release's"""

    def level_of(self, kind: str, version: int) -> int:
        """From which level on a command of this kind and version is known."""
        ...


@runtime_checkable
class Replaceable(Protocol):
    """A state machine of which something belongs to the log that it stands in, and outlives a restore from a backup."""

    def replace(self, data: bytes, command: Command, position: Position, index: int) -> Sequence[Event]:
        """As `restore`, by `command` at `position`, but keep that. `index`: where in its own log `data` was taken.

        When it raises, nothing has changed.
        """
        ...


@runtime_checkable
class Led(Protocol):
    """A state machine that wants to know under whose leadership the commands are applied that follow."""

    def led(self, node_id: str, epoch: Epoch) -> None:
        """A claim was applied, or came with a snapshot of the log."""
        ...


def level_of(machine: Any) -> int:
    """The machine's level; 1 where it says none."""
    return machine.level if isinstance(machine, Levelled) else 1
