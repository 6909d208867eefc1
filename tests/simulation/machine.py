"""The state that the simulated members replicate: a few registers, and enough memory to notice a wrong history.

`digest` depends on every command applied so far and on its place in the log: equal digests, equal histories.
`applied` counts the effects of each command id: more than one is a command applied twice.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from cluster import Command, Event, Outcome, Position

WRITE, COMPARE_AND_SET = "register.write", "register.compare_and_set"

Observer = Callable[["Registers", str], None]
"""hears of each applied command's id, when it has had its effect"""


class Body(msgspec.Struct, frozen=True, array_like=True):
    """Of both kinds. `expected` is for COMPARE_AND_SET; None: the register is empty."""

    key: str
    value: int
    expected: int | None = None
    padding: bytes = b""


class Registers:
    """See cluster.machine.StateMachine."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.values: dict[str, int] = {}
        self.applied: dict[str, int] = {}
        self.index = 0
        """of the latest command"""
        self.digest = b""
        self.changed: str | None = None
        """the register that the latest command changed"""

    def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
        """Apply one command."""
        body = msgspec.msgpack.decode(command.body, type=Body)
        before = self.values.get(body.key)
        outcome = Outcome(value=before)
        if command.kind == COMPARE_AND_SET and before != body.expected:
            outcome = Outcome(value=before, code="not_expected")
            self.changed = None
        else:
            self.values[body.key] = body.value
            self.changed = body.key
        self.applied[command.id] = self.applied.get(command.id, 0) + 1
        self.index = position.index
        text = b"%b %d %d %b %b" % (self.digest, position.term, position.index, command.id.encode(), command.body)
        self.digest = hashlib.blake2b(text, digest_size=12).digest()
        self._observer(self, command.id)
        return outcome, ()

    def snapshot(self) -> bytes:
        """See StateMachine."""
        return msgspec.msgpack.encode((self.values, self.applied, self.index, self.digest))

    def restore(self, data: bytes) -> None:
        """See StateMachine."""
        saved: tuple[dict[str, int], dict[str, int], int, bytes]
        saved = msgspec.msgpack.decode(data, type=tuple[dict[str, int], dict[str, int], int, bytes])
        self.values, self.applied, self.index, self.digest = saved
        self.changed = None


def read(key: str) -> Callable[[Any], tuple[int | None, int]]:
    """A query: (the register's value, index of the latest command)."""
    return lambda machine: (machine.values.get(key), machine.index)
