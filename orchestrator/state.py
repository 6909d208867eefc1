"""The replicated state of the plant: what all nodes agree on. Pure; the cluster applies each command to it in order."""

from collections.abc import Sequence
from typing import Any

import msgspec

from cluster.commands import Command, Event, Outcome, Position
from framebuffer import registry as processors
from orchestrator.components import KINDS as COMPONENT_KINDS
from orchestrator.components import ComponentRegistry
from orchestrator.errors import SnapshotUnreadable

FORMAT = 1
"""Of snapshots. A newer one is refused: this code would lose what it does not know."""

VERSION = 1
"""Of command bodies that this code understands."""


LEVELS: dict[tuple[str, int], int] = {}
"""(kind, version) → the level from which on it is known; what does not stand here is known from level 1 on.

A kind, or a version of one, that a release adds gets the next level here: it is refused as `kind_unsupported` until
every member runs that release, because one that does not know it could not apply it.
"""


class PlantState:
    """A `cluster.StateMachine` over the registries of components and of processors.

    Outcome codes of its own: `unknown_command` (a kind or a version that this release does not know) and
    `invalid_command`; the others are the registries'.
    """

    level: int = max(LEVELS.values(), default=1)
    """Of this release: it grows with `LEVELS`."""

    def __init__(self) -> None:
        self.components = ComponentRegistry()
        self.processors = processors.ProcessorRegistry()

    def level_of(self, kind: str, version: int) -> int:
        """From which level on a command is known. See `cluster.Levelled`."""
        return LEVELS.get((kind, version), 1)

    def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        """Apply one command. Refusals are outcomes with a code; nothing that a command holds makes this raise."""
        if command.version == VERSION:
            place = (position.term, position.index)
            if command.kind in COMPONENT_KINDS:
                result, events = self.components.apply(command.kind, command.body, time=command.time, position=place)
                return Outcome(result.value, result.code, result.message), [Event(*event) for event in events]
            if command.kind in processors.KINDS:
                answer, news = processors.apply(
                    self.processors, command.kind, command.body, time=command.time, position=place
                )
                return Outcome(answer.value, answer.code, answer.message), [Event(*event) for event in news]
        message = f"{command.kind} version {command.version} is not known to this release"
        return Outcome(code="unknown_command", message=message), ()

    def snapshot(self) -> bytes:
        """The whole state as MessagePack. Equal states give equal bytes."""
        return msgspec.msgpack.encode(
            {
                "format": FORMAT,
                "components": self.components.snapshot(),
                "processors": self.processors.snapshot(),
            }
        )

    def restore(self, data: bytes) -> None:
        """Become what `snapshot` returned. Errors: SnapshotUnreadable, and then nothing has changed."""
        components, registry = ComponentRegistry(), processors.ProcessorRegistry()
        try:
            tree: Any = msgspec.msgpack.decode(data)
            if not isinstance(tree, dict) or tree.get("format") != FORMAT:
                found = tree.get("format") if isinstance(tree, dict) else type(tree).__name__
                raise SnapshotUnreadable(f"the plant's state has format {found!r}, this release knows {FORMAT}")
            components.restore(tree["components"])
            registry.restore(tree["processors"])
        except (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise SnapshotUnreadable(f"the plant's state cannot be read: {error}") from error
        # The rows are exchanged, not the registries: others hold on to those.
        self.components.rows = components.rows
        self.processors.rows = registry.rows
