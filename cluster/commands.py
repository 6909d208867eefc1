"""What is replicated, and what comes back.

A command travels as MessagePack (maps, so that a later release may add fields; what says nothing is left out, so that
an earlier one reads it). It carries all that applying it needs:
its id, its time and, for leader-only commands, the epoch; `apply` never asks a clock or a random number.
"""

from typing import Any, Self

import msgspec


class Epoch(msgspec.Struct, frozen=True, order=True, array_like=True):
    """A leadership: where in the log its claim was applied. Every later leadership has a greater epoch."""

    term: int
    index: int

    def __str__(self) -> str:
        return f"{self.term}.{self.index}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """`"3.17"` → Epoch(3, 17). ValueError for anything else."""
        term, point, index = text.partition(".")
        if not (point and term.isascii() and term.isdecimal() and index.isascii() and index.isdecimal()):
            raise ValueError(f"not an epoch: {text!r} (wanted TERM.INDEX, for example 3.17)")
        return cls(int(term), int(index))


class Position(msgspec.Struct, frozen=True, order=True):
    """Where in the log a command was applied."""

    term: int
    index: int


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """One change of the replicated state."""

    kind: str
    """for example "processor.register"; "cluster.…" is this package's own"""
    body: bytes
    """MessagePack of the kind's typed body"""
    id: str
    """unique; the same id again answers the first outcome"""
    time: float
    """unix seconds, stamped by the proposer; informational, never compared"""
    epoch: Epoch | None = None
    """set by leader-only commands: refused with code "fenced" unless it is the current claim's"""
    version: int = 1
    """of the body's layout"""
    actor: dict[str, str] | None = None
    """who asked for it; carried for the state machine, and not looked at here. None: the node itself"""
    key: str = ""
    """whose request it belongs to: all commands of one request have one key, and no other request may use it"""
    request: str = ""
    """tells the request under `key` from another one; goes with `key`"""


class Event(msgspec.Struct, frozen=True):
    """Something that a command changed."""

    kind: str
    subject: str
    data: dict[str, Any] = {}


class Outcome(msgspec.Struct, frozen=True):
    """What applying a command gave. A refusal by the domain has a `code`; `value` is plain MessagePack data."""

    value: Any = None
    code: str = ""
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the command did what it says."""
        return self.code == ""


class Applied(msgspec.Struct, frozen=True):
    """A committed and applied command. `duplicate`: its id had been applied before, at `position`."""

    outcome: Outcome
    position: Position
    duplicate: bool = False


class Change(msgspec.Struct, frozen=True):
    """The events of the command applied at `index`."""

    index: int
    events: tuple[Event, ...]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Command)


def encode(command: Command) -> bytes:
    """The bytes that are replicated."""
    return _encoder.encode(command)


def decode(data: bytes) -> Command:
    """The command in `data`. msgspec.MsgspecError when there is none."""
    return _decoder.decode(data)


def plain(value: Any) -> Any:
    """`value` as it looks after a round trip, so that a restored node answers what the others answer.

    TypeError when it is not MessagePack data.
    """
    if value is None or isinstance(value, str | bool | int | float):
        return value
    return msgspec.msgpack.decode(_encoder.encode(value))
