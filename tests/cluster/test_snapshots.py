"""Snapshot files: whole or refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster import SnapshotUnreadable
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
    import struct
    import zlib

    record = b"\x93\x01\x02\x03"
    with pytest.raises(SnapshotUnreadable, match="cannot be read"):
        decode_snapshot(struct.pack("<8sIQ", MAGIC, zlib.crc32(record), len(record)) + record)


def store(path: Path, machine: bytes = b"machine") -> SnapshotStore:
    return SnapshotStore(path, lambda: (b"state", machine))


def test_writing_says_once_that_the_log_may_be_cut(tmp_path: Path) -> None:
    own = store(tmp_path / "snapshot")
    assert own.read() is None
    assert own.checkSerializing() == (0, None)
    own.serialize((None, SNAPSHOT.last, SNAPSHOT.previous, None), 8)
    assert own.written
    assert own.checkSerializing() == (2, 8)
    assert own.checkSerializing() == (0, None)
    assert own.read() == SNAPSHOT
    assert sorted(file.name for file in tmp_path.iterdir()) == ["snapshot"]


@pytest.mark.parametrize("size", [0, 10, CHUNK_BYTES, 3 * CHUNK_BYTES + 1])
def test_a_copy_in_chunks_is_verified_before_it_replaces_anything(tmp_path: Path, size: int) -> None:
    sender, receiver = store(tmp_path / "a", b"x" * size), store(tmp_path / "b")
    sender.serialize((None, SNAPSHOT.last, SNAPSHOT.previous, None), 8)
    last, got = False, None
    while not last:
        chunk = sender.getTransmissionData("node")
        last = chunk[2]
        got = receiver.receive(chunk)
    assert got is not None
    assert got.machine == b"x" * size
    assert receiver.read() is None
    receiver.adopt()
    assert receiver.read() == got


def test_a_damaged_copy_is_refused_and_the_next_one_starts_over(tmp_path: Path) -> None:
    receiver = store(tmp_path / "b")
    data = encode_snapshot(SNAPSHOT)
    assert receiver.receive((data[5:], False, True)) is None  # the first chunk was lost with a connection
    assert receiver.receive((data[:5], True, False)) is None
    assert receiver.receive((b"", True, False)) is None  # begun anew
    with pytest.raises(SnapshotUnreadable):
        receiver.receive((data[5:], False, True))
    assert receiver.receive((data, True, True)) == SNAPSHOT


def test_a_new_snapshot_ends_copies_of_the_former_one(tmp_path: Path) -> None:
    sender = store(tmp_path / "a", b"x" * 2 * CHUNK_BYTES)
    sender.serialize((None, SNAPSHOT.last, SNAPSHOT.previous, None), 8)
    for _ in range(2):
        chunk = sender.getTransmissionData("node")
    assert not chunk[1]
    sender.serialize((None, SNAPSHOT.last, SNAPSHOT.previous, None), 8)
    chunk = sender.getTransmissionData("node")
    assert chunk[1]
    sender.cancelTransmisstion("node")
    sender.cancelTransmisstion("node")
    sender.getTransmissionData("node")
    sender.receive((b"", True, False))
    sender.close()
