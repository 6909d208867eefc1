"""What the streams keep of frames, decoded: heads of entries, and the records of `frames:story`. Pure."""

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import msgspec

__all__ = ["Candidate", "DispatchRecord", "EventRecord", "Found", "Head", "Record", "RoutedRow", "head_of", "record_of"]

_HEAD_PARTS = 9


class Head(msgspec.Struct, frozen=True):
    """The first field of an entry."""

    frame_id: str
    camera_id: str
    sequence: int
    capability: str
    priority: int
    attempts: int
    published_ms: int
    parts: int
    traceparent: str


class Found(msgspec.Struct, frozen=True):
    """An entry of a stream that holds the frame; ``fields`` without its event and payload."""

    stream: str
    entry_id: str
    head: Head
    fields: dict[str, bytes]

    @property
    def at_ms(self) -> int:
        """When it was added, by the server's clock."""
        return int(self.entry_id.partition("-")[0])


def head_of(text: str) -> Head | None:
    """The head of an entry; None for what is none."""
    parts = text.split(" ")
    if len(parts) != _HEAD_PARTS:
        return None
    frame, camera, sequence, capability, priority, attempts, published, number, trace = parts
    numbers = (sequence, priority, attempts, published, number)
    if not all(one.isascii() and one.isdigit() for one in numbers):
        return None
    return Head(
        frame,
        camera,
        int(sequence),
        capability,
        int(priority),
        int(attempts),
        int(published),
        int(number),
        "" if trace == "-" else trace,
    )


class Candidate(msgspec.Struct, frozen=True, array_like=True):
    """A processor that could have got the frame, with its load when the dispatch call began."""

    processor_id: str
    outstanding: int
    capacity: int


class RoutedRow(NamedTuple):
    camera_id: str
    sequence: int
    capability: str
    attempts: int
    processor_id: str
    outstanding: int


class DispatchRecord(msgspec.Struct, frozen=True):
    """One dispatch call: under which leader, among whom, and which frame went where."""

    at_ms: int
    term: int
    index: int
    node: str
    strategy: str
    candidates: dict[str, tuple[Candidate, ...]]
    rows: tuple[RoutedRow, ...]


class EventRecord(msgspec.Struct, frozen=True):
    """`retry`, `dead`, `replayed` or `forgotten`, with the reason."""

    at_ms: int
    camera_id: str
    sequence: int
    capability: str
    attempts: int
    processor_id: str
    outcome: str
    reason: str


Record: TypeAlias = DispatchRecord | EventRecord


class _RawDispatch(msgspec.Struct, frozen=True, array_like=True):
    term: int
    index: int
    node: str
    strategy: str
    candidates: list[Any] | dict[str, Any]  # Lua packs an empty table as either
    rows: list[Any]


_dispatches = msgspec.msgpack.Decoder(_RawDispatch)
_events = msgspec.msgpack.Decoder(tuple[str, int, str, int, str, str, msgspec.Raw])


def record_of(entry_id: str, fields: Mapping[bytes, bytes]) -> Record | None:
    """An entry of `frames:story`; None for one that this version does not know."""
    at_ms = int(entry_id.partition("-")[0])
    try:
        if (packed := fields.get(b"dispatch")) is not None:
            return _dispatch_record(at_ms, _dispatches.decode(packed))
        if (packed := fields.get(b"event")) is not None:
            camera, sequence, capability, attempts, processor, outcome, reason = _events.decode(packed)
            return EventRecord(at_ms, camera, sequence, capability, attempts, processor, outcome, _text(bytes(reason)))
    except (msgspec.DecodeError, ValueError, TypeError):
        return None
    return None


def _dispatch_record(at_ms: int, raw: _RawDispatch) -> DispatchRecord:
    flat = raw.candidates if isinstance(raw.candidates, list) else []
    candidates = {
        str(capability): msgspec.convert(rows or (), tuple[Candidate, ...])
        for capability, rows in zip(flat[::2], flat[1::2], strict=True)
    }
    rows = tuple(RoutedRow(*raw.rows[at : at + 6]) for at in range(0, len(raw.rows), 6))
    return DispatchRecord(at_ms, raw.term, raw.index, raw.node, raw.strategy, candidates, rows)


def _text(packed: bytes) -> str:
    """A MessagePack string that may end in half a character: Lua cuts by bytes."""
    header = {0xD9: 2, 0xDA: 3, 0xDB: 5}.get(packed[0], 1)
    return packed[header:].decode("utf-8", "ignore")
