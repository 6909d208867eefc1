"""Server-sent events from bytes as they come, in pieces of any size. Pure, and bounded."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchestrator.client.errors import UnexpectedAnswer

EVENT_BYTES_MAX = 16 << 20
"""Of one event with its data; the state of a large execution is one."""


@dataclass(frozen=True, slots=True)
class Event:
    """`id`: an index in the replicated log, the same on every node; "" before any. `kind` "": only a sign of life."""

    id: str
    kind: str
    data: Any

    @property
    def index(self) -> int:
        """The id as a number, 0 before any."""
        return int(self.id) if self.id.isdecimal() else 0


class Parser:
    """Takes what arrives and gives the events that are complete."""

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._waiting = 0
        self._data: list[str] = []
        self._size = 0
        self._id = ""
        self._kind = ""
        self._begun = False

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes. Raises UnexpectedAnswer for one that is too large or no JSON."""
        self._waiting += len(chunk)
        if self._waiting + self._size > EVENT_BYTES_MAX + len(chunk):
            raise UnexpectedAnswer(f"the stream holds an event of more than {EVENT_BYTES_MAX} bytes")
        self._rest.append(chunk)
        if b"\n" not in chunk:
            return
        *lines, rest = b"".join(self._rest).split(b"\n")
        self._rest, self._waiting = [rest], len(rest)
        for line in lines:
            event = self._line(line.removesuffix(b"\r"))
            if event is not None:
                yield event

    def _line(self, raw: bytes) -> Event | None:
        if not self._begun:
            raw, self._begun = raw.removeprefix(b"\xef\xbb\xbf"), True
        if not raw:
            return self._complete()
        self._size += len(raw)
        if self._size > EVENT_BYTES_MAX:
            raise UnexpectedAnswer(f"the stream holds an event of more than {EVENT_BYTES_MAX} bytes")
        name, _, value = raw.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        match name:
            case "id" if "\0" not in value:
                self._id = value
            case "event":
                self._kind = value
            case "data":
                self._data.append(value)
        return None

    def _complete(self) -> Event:
        kind, data = self._kind, self._data
        self._kind, self._data, self._size = "", [], 0
        if not data:
            return Event(self._id, "", None)
        try:
            return Event(self._id, kind or "message", json.loads("\n".join(data)))
        except (ValueError, RecursionError):
            raise UnexpectedAnswer("the stream holds what is no JSON; is it a node of Triarch?") from None
