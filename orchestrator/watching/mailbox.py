"""What waits for one watcher, bounded; and the messages, each encoded once for all who get it. No I/O, no clock."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

MESSAGES_MAX = 2_000
"""That wait for one watcher. At 200 changes a second a client may be silent for ten seconds."""
BYTES_MAX = 4 << 20

SLOW, COMPACTED, RESTORED, TOKEN, STOPPING, GONE = "slow", "compacted", "restored", "token", "stopping", "gone"
NO_LEADER = "no_leader"
"""Why a stream ends. The client is told by `lost`, but for STOPPING, after which it asks another node, and GONE."""
TOLD = frozenset({SLOW, COMPACTED, RESTORED, TOKEN, NO_LEADER})


@dataclass(slots=True)
class Message:
    """One message: `index` is its id, None for what does not stand in the log. `data`: JSON, on one line."""

    event: str
    data: bytes
    index: int | None = None
    _sse: bytes = field(default=b"", repr=False)
    _frame: str = field(default="", repr=False)

    def sse(self) -> bytes:
        """As a server-sent event. `alive` is a comment, whose id the client keeps all the same."""
        if not self._sse:
            head = b"" if self.index is None else b"id: %d\n" % self.index
            if self.event == "alive":
                self._sse = b": alive\n" + head + b"\n"
            else:
                self._sse = head + b"event: %s\ndata: %s\n\n" % (self.event.encode(), self.data)
        return self._sse

    def frame(self) -> str:
        """As the text of a WebSocket frame."""
        if not self._frame:
            index = b"null" if self.index is None else b"%d" % self.index
            text = b'{"id":%s,"event":"%s","data":%s}' % (index, self.event.encode(), self.data)
            self._frame = text.decode()
        return self._frame


def message(event: str, data: object, index: int | None = None) -> Message:
    """A message with `data` as JSON."""
    return Message(event, msgspec.json.encode(data), index)


class Mailbox:
    """Of one watcher. Too much in it, and it is emptied and ends: nobody is served who does not take what is sent."""

    def __init__(self, subjects: Iterable[str], wake: Callable[[], None]) -> None:
        self.subjects = frozenset(subjects)
        self.ended = ""
        """why; empty while it goes on"""
        self._wake = wake
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._passing: Message | None = None

    def put(self, message: Message) -> None:
        """Wakes nobody: whoever fans out does so for all at once."""
        if self.ended:
            return
        self._messages.append(message)
        self._bytes += len(message.data)
        if len(self._messages) > MESSAGES_MAX or self._bytes > BYTES_MAX:
            self.end(SLOW)

    def put_passing(self, message: Message) -> None:
        """One that takes the place of the one before, if that has not been taken yet."""
        if not self.ended:
            self._passing = message

    def end(self, reason: str) -> None:
        """Nothing more is taken in; what waits is dropped. The first reason counts."""
        if not self.ended:
            self.ended = reason
            self._messages.clear()
            self._bytes = 0
            self._passing = None
            self._wake()

    def wake(self) -> None:
        self._wake()

    @property
    def empty(self) -> bool:
        return not self._messages and self._passing is None

    def take(self) -> list[Message]:
        """All that waits, in order."""
        found = list(self._messages)
        if self._passing is not None:
            found.append(self._passing)
        self._messages.clear()
        self._bytes = 0
        self._passing = None
        return found
