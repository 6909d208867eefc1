"""What members say to each other, and its bytes: MessagePack arrays, typed and bounded, so that a message that decodes
is well formed. Nothing is ever unpickled.

Every message carries its sender's term; one of an older term is answered with `Newer` or not at all.
"""

from collections.abc import Sequence
from typing import Annotated

import msgspec

from cluster.snapshot_codec import Entry

Number = Annotated[int, msgspec.Meta(ge=0, lt=1 << 62)]


class _Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    term: Number


class Hello(_Message, frozen=True, tag=0):
    """The first message each way. See peers.py; `address`: where the sender is dialled."""

    incarnation: str
    level: Number
    release: str
    address: str


class Append(_Message, frozen=True, tag=1):
    """The leader's log behind `prev_index`, and what is committed. Without entries: a heartbeat."""

    commit: Number
    prev_index: Number
    prev_term: Number
    entries: list[Entry]


class Chunk(_Message, frozen=True, tag=2):
    """A part of the leader's snapshot."""

    commit: Number
    offset: Number
    last: bool
    data: bytes


class Acknowledge(_Message, frozen=True, tag=3):
    """`next_index`: what is wanted next. `success`: everything before it is on disk here and is the leader's.

    Not success: the entries did not fit, and the leader shall go on from `next_index`, forwards or backwards.
    """

    next_index: Number
    success: bool


class ChunkReceived(_Message, frozen=True, tag=4):
    """`offset`: what of the snapshot is wanted next. `asked`: in answer to an empty part, the heartbeat."""

    offset: Number
    asked: bool


class PreVote(_Message, frozen=True, tag=5):
    """Would you vote for me in this term? Changes nothing at either side."""

    last_index: Number
    last_term: Number


class PreVoteGranted(_Message, frozen=True, tag=6):
    """Yes, in `term`."""


class RequestVote(_Message, frozen=True, tag=7):
    """`transfer`: the leader has asked the candidate to stand, so that hearing it is no reason to refuse."""

    last_index: Number
    last_term: Number
    transfer: bool


class Vote(_Message, frozen=True, tag=8):
    """The sender's vote in `term`, on disk there."""


class TimeoutNow(_Message, frozen=True, tag=9):
    """Stand for election at once: the leader hands over."""


class Newer(_Message, frozen=True, tag=10):
    """Your term is over: this one has begun."""


class Alive(_Message, frozen=True, tag=11):
    """Nothing but that the connection stands."""


class Farewell(_Message, frozen=True, tag=12):
    """The sender closes the connection: this node may not take part, for `reason`."""

    reason: str


Message = (
    Hello
    | Append
    | Chunk
    | Acknowledge
    | ChunkReceived
    | PreVote
    | PreVoteGranted
    | RequestVote
    | Vote
    | TimeoutNow
    | Newer
    | Alive
    | Farewell
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[list[Message]] = msgspec.msgpack.Decoder(list[Message])


def encode_message(message: Message) -> bytes:
    """One message's bytes: as `msgspec.Raw` it stands for the message in `encode_messages`."""
    return _encoder.encode(message)


def encode_messages(messages: Sequence[Message | msgspec.Raw]) -> bytes:
    """One record's payload."""
    return _encoder.encode(messages)


def decode_messages(payload: bytes) -> list[Message]:
    """msgspec.MsgspecError when it holds anything else."""
    return _decoder.decode(payload)


def consecutive(message: Append) -> bool:
    """Whether the entries follow `prev_index` and one another."""
    index = message.prev_index
    for entry in message.entries:
        index += 1
        if entry[1] != index:
            return False
    return True
