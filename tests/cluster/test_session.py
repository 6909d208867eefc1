"""One encrypted connection, without sockets: what it takes to be heard over it, and that nothing else is."""

import os
import struct
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.session import HELLO_BYTES_MAX, MAGIC, NONCE_BYTES, TAG_BYTES, Session, SessionRefused, session_key

SECRET = "a secret of at least thirty-two characters"
LIMIT = 4096


def make(
    own: str,
    peer: str | None = None,
    *,
    secret: str = SECRET,
    cluster: str = "plant",
    entropy: Callable[[int], bytes] = os.urandom,
) -> Session:
    key = session_key(secret, cluster)
    return Session(key, cluster=cluster, own=own, peer=peer, payload_bytes_max=LIMIT, entropy=entropy)


def shake(dialler: Session, listener: Session) -> list[bytes]:
    """The handshake as it should go; its three messages."""
    challenge = listener.start()
    assert dialler.start() == b""
    _, hello = dialler.feed(challenge)
    _, welcome = listener.feed(hello)
    assert dialler.feed(welcome) == ([], b"")
    return [challenge, hello, welcome]


def pair() -> tuple[Session, Session]:
    dialler, listener = make("n2", "n1"), make("n1")
    shake(dialler, listener)
    return dialler, listener


def split(data: bytes, sizes: list[int]) -> list[bytes]:
    """`data` in pieces of these sizes, over and over."""
    pieces, at, number = [], 0, 0
    while at < len(data):
        size = sizes[number % len(sizes)]
        pieces.append(data[at : at + size])
        at, number = at + size, number + 1
    return pieces


# ── As it should be ────────────────────────────────


def test_each_side_knows_the_other_and_hears_it() -> None:
    dialler, listener = pair()
    assert dialler.established
    assert listener.established
    assert (dialler.peer, listener.peer) == ("n1", "n2")
    assert listener.feed(dialler.seal(b"one") + dialler.seal(b"")) == ([b"one", b""], b"")
    assert dialler.feed(listener.seal(b"two")) == ([b"two"], b"")


@given(st.lists(st.integers(1, 90), min_size=1, max_size=8), st.lists(st.binary(max_size=200), max_size=6))
@settings(deadline=None)
def test_it_does_not_matter_how_the_bytes_are_split(sizes: list[int], payloads: list[bytes]) -> None:
    dialler, listener = make("n2", "n1"), make("n1")
    to_dialler, to_listener = listener.start(), dialler.start()
    for _ in range(3):
        to_listener += b"".join(dialler.feed(piece)[1] for piece in split(to_dialler, sizes))
        to_dialler = b"".join(listener.feed(piece)[1] for piece in split(to_listener, sizes))
        to_listener = b""
    assert dialler.established
    assert listener.established
    for one, other in ((dialler, listener), (listener, dialler)):
        stream = b"".join(one.seal(payload) for payload in payloads)
        heard: list[bytes] = []
        for piece in split(stream, sizes):
            heard += other.feed(piece)[0]
        assert heard == payloads


def test_what_is_said_cannot_be_read_and_two_sessions_share_nothing() -> None:
    (first, _), (second, _) = pair(), pair()
    payload = b"the same words " * 10
    records = [first.seal(payload), first.seal(payload), second.seal(payload)]
    assert all(payload[:8] not in record for record in records)
    assert len({record[4:] for record in records}) == 3


def test_the_largest_payload_is_taken() -> None:
    dialler, listener = pair()
    assert listener.feed(dialler.seal(bytes(LIMIT)))[0] == [bytes(LIMIT)]


# ── Who does not know the secret, or looks for someone else ────────────────────────────────


@pytest.mark.parametrize(
    ("other", "what"),
    [({"secret": "x" * 40}, "secret"), ({"cluster": "another"}, "name"), ({"secret": ""}, "secret")],
)
def test_the_listener_refuses_who_does_not_know_the_secret_or_the_cluster(other: dict[str, str], what: str) -> None:
    dialler, listener = make("n2", "n1", **other), make("n1")  # type: ignore[arg-type]
    _, hello = dialler.feed(listener.start())
    with pytest.raises(SessionRefused, match=f"does not know the secret of this cluster.*{what}"):
        listener.feed(hello)
    assert not listener.established


def test_the_dialler_refuses_who_does_not_know_the_secret() -> None:
    dialler, impostor = make("n2", "n1"), make("n1", secret="x" * 40)
    _, hello = dialler.feed(impostor.start())
    impostor._key = session_key(SECRET, "plant")  # it takes any hello...
    impostor.feed(hello)
    for key in (session_key("x" * 40, "plant"), session_key("", "plant")):
        dialler, impostor = make("n2", "n1"), make("n1")
        _, hello = dialler.feed(impostor.start())
        body = os.urandom(32)
        impostor._transcript, impostor._key = impostor._transcript + hello[:-32], key
        with pytest.raises(SessionRefused, match="what answers there does not know the secret"):  # ...in vain
            dialler.feed(body + impostor._proof(b"welcome", body))
        assert not dialler.established


def test_an_answer_that_is_our_own_hello_reflected_is_refused() -> None:
    dialler, listener = make("n2", "n1"), make("n1")
    _, hello = dialler.feed(listener.start())
    with pytest.raises(SessionRefused):
        dialler.feed(hello)


def test_one_who_looks_for_another_member_is_refused_with_both_names() -> None:
    dialler, listener = make("n2", "n3"), make("n1")
    _, hello = dialler.feed(listener.start())
    with pytest.raises(SessionRefused, match="n2 looks for n3, this is n1: check its members"):
        listener.feed(hello)


def test_one_who_bears_the_own_id_is_refused() -> None:
    dialler, listener = make("n1", "n1"), make("n1")
    _, hello = dialler.feed(listener.start())
    with pytest.raises(SessionRefused, match="it calls itself n1 too: two nodes run under one id"):
        listener.feed(hello)


# ── Noise ────────────────────────────────


@given(st.binary(min_size=1, max_size=2 * HELLO_BYTES_MAX))
def test_garbage_is_refused_or_waited_for_but_never_heard(noise: bytes) -> None:
    for session in (make("n1"), make("n2", "n1")):
        session.start()
        try:
            payloads, _ = session.feed(noise)
        except SessionRefused:
            continue
        assert payloads == []
        assert not session.established
        assert len(session._buffer) <= 2 + HELLO_BYTES_MAX + 32


def test_a_dialler_that_meets_another_service_says_so_at_its_first_byte() -> None:
    for first in (b"H", b"HTTP/1.1 400 Bad Request", b"SSH-2.0", b"TRI1"):
        dialler = make("n2", "n1")
        with pytest.raises(SessionRefused, match="no member of this release"):
            dialler.feed(first)


def test_a_hello_of_a_right_member_that_holds_something_else_is_refused() -> None:
    for body in (b"\xc1", msgspec.msgpack.encode(["plant", "n2"]), msgspec.msgpack.encode({"sender": "n2"})):
        listener = make("n1")
        listener.start()
        framed = struct.pack("<H", len(body)) + body
        with pytest.raises(SessionRefused, match="its hello cannot be read"):
            listener.feed(framed + listener._proof(b"hello", framed))


@pytest.mark.parametrize("public", [bytes(32), b"\x01" + bytes(31), b"", bytes(31), bytes(33)])
def test_a_public_key_that_makes_the_shared_key_known_is_refused(public: bytes) -> None:
    """Points of small order: with them the result of the exchange is all zeros, whatever the own key is."""
    listener = make("n1")
    listener.start()
    body = msgspec.msgpack.encode(["plant", "n2", "n1", public])
    framed = struct.pack("<H", len(body)) + body
    with pytest.raises(SessionRefused, match="its public key is none"):
        listener.feed(framed + listener._proof(b"hello", framed))
    assert not listener.established


def test_the_dialler_too_refuses_an_invalid_public_key() -> None:
    dialler, listener = make("n2", "n1"), make("n1")
    _, hello = dialler.feed(listener.start())
    listener._transcript += hello[:-32]
    with pytest.raises(SessionRefused, match="its public key is none"):
        dialler.feed(bytes(32) + listener._proof(b"welcome", bytes(32)))


def test_who_goes_on_before_it_is_answered_is_refused() -> None:
    dialler, listener = make("n2", "n1"), make("n1")
    challenge = listener.start()
    with pytest.raises(SessionRefused, match="before it was answered"):
        dialler.feed(challenge + b"x")
    dialler = make("n2", "n1")
    _, hello = dialler.feed(challenge)
    with pytest.raises(SessionRefused, match="before it was answered"):
        listener.feed(hello + b"x")


# ── What was recorded, changed or moved on the way ────────────────────────────────


def recording() -> tuple[list[bytes], list[bytes]]:
    """All that went to the listener, and to the dialler, in a former session of the same two."""
    dialler, listener = make("n2", "n1"), make("n1")
    challenge, hello, welcome = shake(dialler, listener)
    return [hello, dialler.seal(b"vote for n2")], [challenge, welcome, listener.seal(b"my vote")]


def test_a_whole_session_played_again_gets_nowhere() -> None:
    to_listener, to_dialler = recording()
    listener = make("n1")
    listener.start()
    with pytest.raises(SessionRefused, match="does not know the secret"):
        listener.feed(b"".join(to_listener))
    listener = make("n1")
    listener.start()
    with pytest.raises(SessionRefused, match="does not know the secret"):
        listener.feed(to_listener[0])
    dialler = make("n2", "n1")
    _, hello = dialler.feed(to_dialler[0])  # the former challenge: the hello answers it with a new key
    assert hello
    with pytest.raises(SessionRefused, match="does not know the secret"):
        dialler.feed(to_dialler[1])


def test_a_former_record_does_not_open_in_a_new_session() -> None:
    to_listener, to_dialler = recording()
    dialler, listener = pair()
    for session, record in ((listener, to_listener[1]), (dialler, to_dialler[2])):
        with pytest.raises(SessionRefused, match="changed, repeated or left out"):
            session.feed(record)


@pytest.mark.parametrize("step", ["challenge", "hello", "welcome", "record", "answer"])
def test_a_flipped_bit_anywhere_is_noticed(step: str) -> None:
    lengths = {"challenge": 36, "hello": 2 + 47 + 32, "welcome": 64, "record": 4 + 5 + TAG_BYTES, "answer": 25}
    for at in range(lengths[step]):
        for bit in (0, 7):
            heard = _tampered(step, at, bit)
            assert heard == []


def _tampered(step: str, at: int, bit: int) -> list[bytes]:
    """What is heard of a session in which one bit of one message was changed; SessionRefused or silence is right."""

    def via(name: str, data: bytes) -> bytes:
        if name != step or at >= len(data):
            return data
        changed = bytearray(data)
        changed[at] ^= 1 << bit
        return bytes(changed)

    dialler, listener = make("n2", "n1"), make("n1")
    heard: list[bytes] = []
    try:
        _, hello = dialler.feed(via("challenge", listener.start()))
        _, welcome = listener.feed(via("hello", hello))
        dialler.feed(via("welcome", welcome))
        if not (dialler.established and listener.established):
            return []  # a greater length: it waits, and the transport drops it in time
        if step == "record":
            heard += listener.feed(via("record", dialler.seal(b"hello")))[0]
        elif step == "answer":
            heard += dialler.feed(via("answer", listener.seal(b"hello")))[0]
        else:
            heard.append(b"the handshake was tampered with and went on")
    except SessionRefused:
        return []
    return heard


@pytest.mark.parametrize("order", [[1], [0, 0], [0, 2], [1, 0, 2], [0, 1, 1], [2, 1, 0]])
def test_a_record_left_out_repeated_or_moved_ends_the_session(order: list[int]) -> None:
    dialler, listener = pair()
    records = [dialler.seal(b"record %d" % number) for number in range(3)]
    heard: list[bytes] = []

    def feed() -> None:
        for number in order:
            heard.extend(listener.feed(records[number])[0])

    with pytest.raises(SessionRefused, match="changed, repeated or left out"):
        feed()
    assert heard == [b"record %d" % number for number in range(len(heard))]


def test_a_record_does_not_open_at_the_side_that_sealed_it() -> None:
    dialler, _ = pair()
    with pytest.raises(SessionRefused, match="changed, repeated or left out"):
        dialler.feed(dialler.seal(b"an echo"))


# ── Lengths ────────────────────────────────


@pytest.mark.parametrize("size", [0, TAG_BYTES - 1, LIMIT + TAG_BYTES + 1, 1 << 31, (1 << 32) - 1])
def test_a_length_beyond_the_bound_is_refused_at_once(size: int) -> None:
    _, listener = pair()
    with pytest.raises(SessionRefused, match=f"a record of {size} bytes; at most {LIMIT + TAG_BYTES} are taken"):
        listener.feed(struct.pack("<I", size))


@pytest.mark.parametrize("length", [HELLO_BYTES_MAX + 1, 0xFFFF])
def test_a_long_hello_is_refused_before_it_comes(length: int) -> None:
    listener = make("n1")
    listener.start()
    with pytest.raises(SessionRefused, match="its first bytes are no hello"):
        listener.feed(struct.pack("<H", length))


def test_no_more_than_one_record_is_ever_buffered() -> None:
    _, listener = pair()
    listener.feed(struct.pack("<I", LIMIT + TAG_BYTES))
    for _ in range(LIMIT + TAG_BYTES - 1):
        listener.feed(b"x")
    assert len(listener._buffer) == 4 + LIMIT + TAG_BYTES - 1
    with pytest.raises(SessionRefused):
        listener.feed(b"x")


def test_a_challenge_begins_with_the_release_and_never_repeats() -> None:
    challenges = {make("n1").start() for _ in range(100)}
    assert len(challenges) == 100
    assert all(challenge.startswith(MAGIC) and len(challenge) == 4 + NONCE_BYTES for challenge in challenges)
