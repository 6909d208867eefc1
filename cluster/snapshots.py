"""Snapshot files: written whole, fsynced, then renamed into place. What is in them: snapshot_codec.py.

`SnapshotStore` has the interface that pysyncobj expects of its serializer, without what that one does wrong: it
swallows the reason of a failure, never fsyncs, and puts a received file into place before anything has looked at it.
"""

import os
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import BinaryIO

from cluster.durable import put_in_place
from cluster.snapshot_codec import Entry, Snapshot, decode_snapshot, encode_snapshot

CHUNK_BYTES = 1 << 16

Chunk = tuple[bytes, bool, bool]
"""(data, is first, is last) of a snapshot on its way to a lagging member"""


class SnapshotStore:
    """This node's snapshot file, and the copies of it on their way to and from other members.

    `capture()` returns (the cluster's own state, the machine's). OSError means the disk failed: the node must stop.
    """

    def __init__(self, path: Path, capture: Callable[[], tuple[bytes, bytes]]) -> None:
        self._path = path
        self._incoming_path = path.with_name(path.name + ".incoming")
        self._capture = capture
        self._written: int | None = None
        self._outgoing: dict[Hashable, BinaryIO] = {}
        self._incoming: BinaryIO | None = None
        self._incoming_path.unlink(missing_ok=True)

    def read(self) -> Snapshot | None:
        """The snapshot on disk, None when there is none. SnapshotUnreadable."""
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return None
        return decode_snapshot(data)

    def close(self) -> None:
        """Give up all copies under way."""
        for file in self._outgoing.values():
            file.close()
        self._outgoing.clear()
        if self._incoming is not None:
            self._incoming.close()
            self._incoming = None

    # What pysyncobj calls, under its names.

    def serialize(self, data: tuple[object, Entry, Entry, object], previous_index: int) -> None:
        """Write a snapshot as of the entry data[1]; data[2] is the one before it."""
        state, machine = self._capture()
        temporary = self._path.with_name(self._path.name + ".tmp")
        with temporary.open("wb") as file:
            file.write(encode_snapshot(Snapshot(data[1], data[2], state, machine)))
            _sync(file)
        self._place(temporary)
        self._written = previous_index

    def checkSerializing(self) -> tuple[int, int | None]:  # noqa: N802 - pysyncobj's name
        """(2, index) once after a snapshot was written: the log may be cut before index. (0, None) otherwise."""
        written, self._written = self._written, None
        return (0, None) if written is None else (2, written)

    @property
    def written(self) -> bool:
        """Whether a snapshot was written and the log not yet cut."""
        return self._written is not None

    def getTransmissionData(self, node: Hashable) -> Chunk:  # noqa: N802 - pysyncobj's name
        """The next chunk for `node`."""
        file = self._outgoing.get(node)
        if file is None:
            file = self._outgoing[node] = self._path.open("rb")
        first = file.tell() == 0
        data = file.read(CHUNK_BYTES)
        last = file.tell() == os.fstat(file.fileno()).st_size
        if last:
            self.cancelTransmisstion(node)
        return data, first, last

    def cancelTransmisstion(self, node: Hashable) -> None:  # noqa: N802 - pysyncobj's name
        """`node` is gone: it starts over when it comes back."""
        file = self._outgoing.pop(node, None)
        if file is not None:
            file.close()

    # The receiving side.

    def receive(self, chunk: Chunk) -> Snapshot | None:
        """Keep a chunk. After the last one: the verified snapshot, not yet in place. SnapshotUnreadable."""
        data, first, last = chunk
        if first:
            if self._incoming is not None:
                self._incoming.close()
            self._incoming = self._incoming_path.open("w+b")
        if self._incoming is None:
            return None
        self._incoming.write(data)
        if not last:
            return None
        with self._incoming as file:
            self._incoming = None
            _sync(file)
            file.seek(0)
            return decode_snapshot(file.read())

    def adopt(self) -> None:
        """Put the snapshot that `receive` verified into place."""
        self._place(self._incoming_path)

    def _place(self, path: Path) -> None:
        put_in_place(path, self._path)
        # Copies under way are of the former file, which no longer fits the log.
        for file in self._outgoing.values():
            file.close()
        self._outgoing.clear()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
