"""A snapshot and its bytes. Pure: what keeps them on disk is snapshots.py.

magic (8 bytes) · crc32 of the record (4) · length of the record (8) · record (MessagePack)
"""

import struct
import zlib

import msgspec

from cluster.errors import SnapshotUnreadable

MAGIC = b"TRIARCH\x02"
_HEADER = struct.Struct("<8sIQ")

Entry = tuple[bytes, int, int]
"""(data, index, term): a log entry as pysyncobj keeps it"""

SNAPSHOT_BYTES_MAX = 256 << 20
"""Of one that another member sends: it is held in memory until it is verified."""


class Snapshot(msgspec.Struct, frozen=True):
    """The state as of `last`, the latest applied entry; `previous` is the one before it.

    `membership` (see membership.py) is the latest one at or before `last`; never empty in a file that a node wrote.
    """

    last: Entry
    previous: Entry
    state: bytes
    machine: bytes
    membership: bytes = b""
    format: int = 2

    @property
    def index(self) -> int:
        """Of the latest applied entry."""
        return self.last[1]

    @property
    def term(self) -> int:
        """Of the latest applied entry."""
        return self.last[2]


def encode_snapshot(snapshot: Snapshot) -> bytes:
    """The bytes of a snapshot file."""
    record = msgspec.msgpack.encode(snapshot)
    return _HEADER.pack(MAGIC, zlib.crc32(record), len(record)) + record


def decode_snapshot(data: bytes) -> Snapshot:
    """The snapshot in `data`. SnapshotUnreadable names what is wrong."""
    if len(data) < _HEADER.size:
        raise SnapshotUnreadable(f"not a snapshot: only {len(data)} bytes")
    magic, crc, length = _HEADER.unpack_from(data)
    if magic != MAGIC:
        raise SnapshotUnreadable("not a snapshot of this release: it begins otherwise")
    record = memoryview(data)[_HEADER.size :]
    if len(record) != length:
        raise SnapshotUnreadable(f"the snapshot is cut: {len(record)} bytes of {length}")
    if zlib.crc32(record) != crc:
        raise SnapshotUnreadable("the snapshot is damaged: its checksum does not match")
    try:
        return msgspec.msgpack.decode(record, type=Snapshot)
    except msgspec.MsgspecError as error:
        raise SnapshotUnreadable(f"the snapshot cannot be read: {error}") from error
