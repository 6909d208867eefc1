"""One connection between two members: its session, and the messages in its records. Runs in the Raft thread."""

from typing import Protocol

import msgspec

from cluster.clock import now
from cluster.messages import Hello, Message, decode_messages, encode_messages
from cluster.reactor import Receiver, Stream
from cluster.session import Session, SessionRefused

BATCH_BYTES = 1 << 18
"""A record goes when it holds so much, and another one follows."""


class Owner(Protocol):
    """Who keeps the links: transport.py."""

    def established(self, link: "Link") -> None:
        """The handshake is done."""
        ...

    def heard(self, link: "Link", message: Message) -> None:
        """A message came."""
        ...

    def refuse(self, link: "Link", kind: str, reason: str) -> None:
        """What came cannot be accepted."""
        ...

    def lost(self, link: "Link", reason: str) -> None:
        """The connection is gone."""
        ...


class Link(Receiver):
    """One connection, from the dial or the accept to its end."""

    def __init__(self, transport: Owner, session: Session, *, dialled: bool) -> None:
        self._transport = transport
        self.session = session
        self.dialled = dialled
        self.stream: Stream | None = None
        self.began_at = self.heard_at = now()
        self.hello: Hello | None = None
        self.met = False
        """whether its Hello has been accepted"""
        self.outbox: list[Message | msgspec.Raw] = []
        self.outbox_bytes = 0
        """of what was encoded already, which is what can be large"""

    def opened(self) -> None:
        """See Receiver."""
        self.write(self.session.start())

    def write(self, data: bytes) -> None:
        """Send bytes of the protocol."""
        if data and self.stream is not None:
            self.stream.send(data)

    def received(self, data: bytes) -> None:
        """See Receiver."""
        self.heard_at = now()
        was_established = self.session.established
        try:
            payloads, answer = self.session.feed(data)
        except SessionRefused as error:
            self._transport.refuse(self, "protocol" if was_established else "secret", str(error))
            return
        self.write(answer)
        if self.session.established and not was_established:
            self._transport.established(self)
        for payload in payloads:
            if self.stream is None:
                return  # dropped meanwhile
            try:
                messages = decode_messages(payload)
            except msgspec.MsgspecError as error:
                self._transport.refuse(self, "protocol", f"what it says cannot be read ({error}); another release?")
                return
            for message in messages:
                if self.stream is not None:
                    self._transport.heard(self, message)

    def closed(self, reason: str) -> None:
        """See Receiver."""
        self.stream = None
        self._transport.lost(self, reason)

    def flush(self) -> None:
        """Everything said since the last time goes as one record, as far as that may be large."""
        if not self.outbox or self.stream is None:
            return
        outbox, self.outbox, self.outbox_bytes = self.outbox, [], 0
        batch: list[Message | msgspec.Raw] = []
        size = 0
        for message in outbox:
            if isinstance(message, msgspec.Raw):
                if batch and size + len(message) > BATCH_BYTES:
                    self.stream.send(self.session.seal(encode_messages(batch)))
                    batch, size = [], 0
                size += len(message)
            batch.append(message)
        self.stream.send(self.session.seal(encode_messages(batch)))
