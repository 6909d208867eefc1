"""Snapshot files: whole or refused."""

import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import SnapshotUnreadable
from cluster.disk import OsDisk
from cluster.snapshot_codec import MAGIC, Snapshot, decode_snapshot, encode_snapshot
from cluster.snapshots import CHUNK_BYTES, SnapshotStore

SNAPSHOT = Snapshot((b"\x00b", 9, 2), (b"\x00a", 8, 2), b"state", b"machine")


def test_a_snapshot_is_read_as_it_was_written() -> None:
    read = decode_snapshot(encode_snapshot(SNAPSHOT))
    assert read == SNAPSHOT
    assert (read.index, read.term) == (9, 2)


@given(st.data())
def test_one_changed_byte_is_noticed(data: st.DataObject) -> None:
    whole = bytearray(encode_snapshot(SNAPSHOT))
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(SnapshotUnreadable):
        decode_snapshot(bytes(whole))


@given(st.integers(0, len(encode_snapshot(SNAPSHOT)) - 1))
def test_a_cut_one_is_noticed(length: int) -> None:
    with pytest.raises(SnapshotUnreadable):
        decode_snapshot(encode_snapshot(SNAPSHOT)[:length])


def test_another_record_in_a_right_frame_is_refused() -> None:
    record = b"\x93\x01\x02\x03"
    with pytest.raises(SnapshotUnreadable, match="cannot be read"):
        decode_snapshot(struct.pack("<8sIQ", MAGIC, zlib.crc32(record), len(record)) + record)


def capture(machine: bytes = b"machine") -> bytes:
    return encode_snapshot(Snapshot(SNAPSHOT.last, SNAPSHOT.previous, SNAPSHOT.state, machine))


def store(directory: Path, machine: bytes = b"machine") -> SnapshotStore:
    directory.mkdir(exist_ok=True)
    return SnapshotStore(OsDisk(directory), lambda: capture(machine))


def write(own: SnapshotStore) -> None:
    own.serialize((None, SNAPSHOT.last, SNAPSHOT.previous, None), 8)


def test_writing_says_once_that_the_log_may_be_cut(tmp_path: Path) -> None:
    own = store(tmp_path)
    assert own.read() is None
    assert own.checkSerializing() == (0, None)
    write(own)
    assert (own.written, own.taken) == (True, 1)
    assert own.checkSerializing() == (2, 8)
    assert own.checkSerializing() == (0, None)
    assert own.read() == SNAPSHOT
    assert sorted(file.name for file in tmp_path.iterdir()) == ["snapshot"]


def copied(sender: SnapshotStore, receiver: SnapshotStore) -> Snapshot:
    """All chunks, each one asked for again once, as when an answer was lost."""
    while True:
        data, offset, last = sender.chunk("node")
        assert sender.chunk("node") == (data, offset, last)
        assert len(data) <= CHUNK_BYTES
        got = receiver.receive(data, offset, last=last)
        if isinstance(got, Snapshot):
            assert last
            return got
        assert (got, last) == (offset + len(data), False)
        sender.arrived("node", got, asked=False)


@pytest.mark.parametrize("size", [0, 10, CHUNK_BYTES, 3 * CHUNK_BYTES + 1])
def test_a_copy_in_chunks_is_verified_before_it_replaces_anything(tmp_path: Path, size: int) -> None:
    sender, receiver = store(tmp_path / "a", b"x" * size), store(tmp_path / "b")
    write(sender)
    got = copied(sender, receiver)
    assert got.machine == b"x" * size
    assert receiver.read() is None
    receiver.adopt()
    assert receiver.read() == got


def test_a_damaged_copy_is_refused_and_the_next_one_starts_over(tmp_path: Path) -> None:
    receiver = store(tmp_path)
    data = encode_snapshot(SNAPSHOT)
    assert receiver.receive(data[5:], 5, last=True) == 0  # the first chunk was lost with a connection
    assert receiver.receive(data[:5], 0, last=False) == 5
    assert receiver.receive(data[9:], 9, last=True) == 5  # one between them was lost
    assert receiver.receive(data[:5], 0, last=False) == 5  # begun anew
    with pytest.raises(SnapshotUnreadable):
        receiver.receive(data[5:-1] + b"?", 5, last=True)
    assert receiver.receive(data[5:], 5, last=True) == 0
    assert receiver.receive(data, 0, last=True) == SNAPSHOT
    assert receiver.read() is None


def test_a_copy_that_does_not_end_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.snapshots.SNAPSHOT_BYTES_MAX", 1000)
    receiver = store(tmp_path)
    assert receiver.receive(bytes(1000), 0, last=False) == 1000
    with pytest.raises(SnapshotUnreadable, match="larger than 1000 bytes"):
        receiver.receive(b"x", 1000, last=False)
    assert receiver.receive(b"x", 1001, last=False) == 0


def test_a_new_snapshot_ends_copies_of_the_former_one(tmp_path: Path) -> None:
    sender = store(tmp_path, b"x" * 2 * CHUNK_BYTES)
    write(sender)
    data, offset, _ = sender.chunk("node")
    sender.arrived("node", offset + len(data), asked=False)
    assert sender.chunk("node")[1] == CHUNK_BYTES
    write(sender)
    assert not sender.copying("node")
    assert sender.chunk("node")[1] == 0
    assert sender.copying("node")
    assert sender.arrived("node", 2 * CHUNK_BYTES, asked=False)  # an answer to a chunk of the former one misleads it
    assert sender.arrived("node", CHUNK_BYTES, asked=False)  # until the receiver says what it has got
    assert sender.chunk("node")[1] == CHUNK_BYTES
    sender.cancel("node")
    sender.cancel("node")
    assert sender.chunk("node")[1] == 0
    sender.arrived("another", CHUNK_BYTES, asked=False)
    assert sender.chunk("another")[1] == 0


def test_a_chunk_calls_for_the_next_one_once(tmp_path: Path) -> None:
    sender = store(tmp_path, b"x" * 3 * CHUNK_BYTES)
    write(sender)
    sender.chunk("node")
    assert sender.arrived("node", CHUNK_BYTES, asked=False)
    assert sender.chunk("node")[1] == CHUNK_BYTES
    assert not sender.arrived("node", CHUNK_BYTES, asked=True)  # the answer to an empty one behind the first
    assert not sender.arrived("node", 2 * CHUNK_BYTES, asked=True)  # the chunk's own answer is the one that counts
    assert sender.arrived("node", 0, asked=False)  # the receiver refused what it had got
    assert sender.chunk("node")[1] == 0


def test_a_copy_that_has_come_apart_goes_on_from_where_the_receiver_is(tmp_path: Path) -> None:
    """Both sides waited for each other for ever (simulation, seed 1795540968137)."""
    sender = store(tmp_path, b"x" * 3 * CHUNK_BYTES)
    write(sender)
    sender.chunk("node")
    assert sender.arrived("node", 2 * CHUNK_BYTES, asked=False)
    assert sender.chunk("node")[1] == 2 * CHUNK_BYTES
    assert sender.arrived("node", CHUNK_BYTES, asked=True)  # the heartbeat's answer
    assert sender.chunk("node")[1] == CHUNK_BYTES
