"""What members say to each other: round trips, and nothing else decodes."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.messages import (
    Acknowledge,
    Alive,
    Append,
    Chunk,
    ChunkReceived,
    Hello,
    Message,
    Newer,
    PreVote,
    PreVoteGranted,
    RequestVote,
    TimeoutNow,
    Vote,
    consecutive,
    decode_messages,
    encode_message,
    encode_messages,
)

numbers = st.integers(0, (1 << 62) - 1)
entries = st.lists(st.tuples(st.binary(max_size=20), numbers, numbers), max_size=4)
messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Hello, numbers, st.text(max_size=9), numbers, st.text(max_size=9), st.text(max_size=9)),
    st.builds(Append, numbers, numbers, numbers, numbers, entries),
    st.builds(Chunk, numbers, numbers, numbers, st.booleans(), st.binary(max_size=20)),
    st.builds(Acknowledge, numbers, numbers, st.booleans()),
    st.builds(ChunkReceived, numbers, numbers, st.booleans()),
    st.builds(PreVote, numbers, numbers, numbers),
    st.builds(PreVoteGranted, numbers),
    st.builds(RequestVote, numbers, numbers, numbers, st.booleans()),
    st.builds(Vote, numbers),
    st.builds(TimeoutNow, numbers),
    st.builds(Newer, numbers),
    st.builds(Alive, numbers),
)


@given(st.lists(messages, max_size=5))
def test_what_is_said_is_what_is_heard(said: list[Message]) -> None:
    assert decode_messages(encode_messages(said)) == said
    raw = [msgspec.Raw(encode_message(message)) for message in said]
    assert decode_messages(encode_messages(raw)) == said


HOSTILE: dict[str, object] = {
    "not a list": {"type": "append_entries"},
    "nothing": None,
    "text": "status",
    "a message without its list": [11, 1],
    "an unknown tag": [[12, 1]],
    "a negative tag": [[-1, 1]],
    "a tag in words": [["alive", 1]],
    "no tag": [[]],
    "no term": [[11]],
    "a negative term": [[11, -1]],
    "a huge term": [[11, 1 << 62]],
    "a greater one": [[11, (1 << 64) - 1]],
    "a term that is a float": [[11, 1.5]],
    "a term that is text": [[11, "1"]],
    "a term that is true": [[11, True]],
    "no term at all": [[11, None]],
    "a negative index": [[3, 1, -5, False]],
    "success that is a number": [[3, 1, 5, 1]],
    "entries that are none": [[1, 1, 1, 1, 1, None]],
    "an entry of text": [[1, 1, 1, 1, 1, [["x", 2, 1]]]],
    "an entry that is short": [[1, 1, 1, 1, 1, [[b"x", 2]]]],
    "an entry that is long": [[1, 1, 1, 1, 1, [[b"x", 2, 1, 1]]]],
    "a chunk of text": [[2, 1, 1, 0, True, "data"]],
    "a hello in numbers": [[0, 0, 1, 2, 3, 4]],
}


@pytest.mark.parametrize("message", HOSTILE.values(), ids=HOSTILE.keys())
def test_anything_else_is_refused(message: object) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_messages(msgspec.msgpack.encode(message))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        b"\x91" * 100_000,
        b"\x81\xa0" * 100_000,
        b"\x91\x92\x0b" + b"\x91" * 100_000,
        b"\xdd\xff\xff\xff\xff",  # a list of four thousand million
        b"\x91\x96\x01\x01\x01\x01\x01\xdd\xff\xff\xff\xff",  # as many entries
        b"\x91\x96\x02\x01\x01\x00\xc3\xc6\xff\xff\xff\xff",  # 4 GiB of a snapshot
        b"\x80\x04cposix\nsystem\n\x8c\x04true\x85R.",
        b"(cos\nsystem\nS'true'\ntR.",
        b"\x90 and then some",
    ],
    ids=lambda payload: payload[:8].hex() or "empty",
)
def test_hostile_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_messages(payload)


@given(st.binary(max_size=200))
def test_noise_raises_nothing_but_what_is_caught(noise: bytes) -> None:
    try:
        heard = decode_messages(noise)
    except msgspec.MsgspecError:
        return
    assert decode_messages(encode_messages(heard)) == heard


def test_entries_with_a_gap_are_told_from_those_that_follow_one_another() -> None:
    def append(prev: int, *indexes: int) -> Append:
        return Append(1, 1, prev, 1, [(b"", index, 1) for index in indexes])

    assert consecutive(append(4))
    assert consecutive(append(4, 5, 6, 7))
    for bad in (append(4, 4), append(4, 6), append(4, 5, 7), append(4, 5, 5), append(4, 6, 5)):
        assert not consecutive(bad)
