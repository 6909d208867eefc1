"""Snapshot files: written whole, fsynced, then renamed into place. What is in them: snapshot_codec.py.

`SnapshotStore` has the interface that pysyncobj expects of its serializer, without what that one does wrong: it
swallows the reason of a failure, never fsyncs, forks, and puts a received file into place before anything has looked
at it.
"""

from collections.abc import Callable, Hashable

from cluster.disk import Disk, put
from cluster.errors import SnapshotUnreadable
from cluster.snapshot_codec import SNAPSHOT_BYTES_MAX, Entry, Snapshot, decode_snapshot

CHUNK_BYTES = 1 << 18


class SnapshotStore:
    """This node's snapshot file, and the copies of it on their way to and from other members.

    `capture()` returns a snapshot file's bytes as of now. DiskFailed: the node must stop.
    """

    def __init__(self, disk: Disk, capture: Callable[[], bytes], name: str = "snapshot") -> None:
        self._disk = disk
        self._name = name
        self._capture = capture
        self._written: int | None = None
        self._content: bytes | None = None
        self._outgoing: dict[Hashable, int] = {}
        self._incoming: bytearray | None = None
        self.taken = 0
        """since the start"""

    def read(self) -> Snapshot | None:
        """The snapshot on disk, None when there is none. SnapshotUnreadable."""
        data = self._disk.read(self._name)
        return None if data is None else decode_snapshot(data)

    # What pysyncobj calls, under its names.

    def serialize(self, _data: tuple[object, Entry, Entry, object], previous_index: int) -> None:
        """Write a snapshot; the log may then be cut before `previous_index`."""
        self._place(self._capture())
        self._written = previous_index
        self.taken += 1

    def checkSerializing(self) -> tuple[int, int | None]:  # noqa: N802 - pysyncobj's name
        """(2, index) once after a snapshot was written: the log may be cut before index. (0, None) otherwise."""
        written, self._written = self._written, None
        return (0, None) if written is None else (2, written)

    @property
    def written(self) -> bool:
        """Whether a snapshot was written and the log not yet cut."""
        return self._written is not None

    # The sending side: one chunk is under way to a member at a time, the next one goes when that one is answered.

    def chunk(self, node: Hashable) -> tuple[bytes, int, bool]:
        """(data, its offset, whether it is the last) for `node`: the one after those that `sent` confirmed."""
        if self._content is None:
            self._content = self._disk.read(self._name) or b""
        offset = self._outgoing.setdefault(node, 0)
        data = self._content[offset : offset + CHUNK_BYTES]
        return data, offset, offset + len(data) >= len(self._content)

    def copying(self, node: Hashable) -> bool:
        """Whether a chunk of the present file was given out for it."""
        return node in self._outgoing

    def arrived(self, node: Hashable, offset: int, *, asked: bool) -> bool:
        """`node` wants what begins at `offset` next. Whether that calls for a next chunk.

        `asked`: it answers an empty one. Those say nothing new where all goes well, and must not have a chunk sent
        again that is on its way; where they say something else, the copy goes on from there.
        """
        sent = self._outgoing.get(node)
        if sent is None:
            return True
        if asked and offset in (sent, min(sent + CHUNK_BYTES, len(self._content or b""))):
            return False
        self._outgoing[node] = offset
        return True

    def cancel(self, node: Hashable) -> None:
        """`node` needs no copy, or starts over."""
        self._outgoing.pop(node, None)
        if not self._outgoing:
            self._content = None

    # The receiving side.

    def receive(self, data: bytes, offset: int, *, last: bool) -> Snapshot | int:
        """Keep a chunk; the offset wanted next. After the last one: the verified snapshot, not yet in place.

        SnapshotUnreadable, and then the copy begins anew.
        """
        if offset == 0 and data:  # an empty one only asks how far this is
            self._incoming = bytearray()
        if self._incoming is None or offset != len(self._incoming):
            return 0 if self._incoming is None else len(self._incoming)
        self._incoming += data
        if len(self._incoming) > SNAPSHOT_BYTES_MAX:
            self._incoming = None
            raise SnapshotUnreadable(f"the snapshot is larger than {SNAPSHOT_BYTES_MAX} bytes")
        if not last:
            return len(self._incoming)
        content, self._incoming = bytes(self._incoming), None
        snapshot = decode_snapshot(content)
        self._received = content
        return snapshot

    def adopt(self) -> None:
        """Put the snapshot that `receive` verified into place."""
        self._place(self._received)
        self._received = b""

    _received = b""

    def _place(self, content: bytes) -> None:
        put(self._disk, self._name, content)
        # Copies under way are of the former file, which no longer fits the log.
        self._outgoing.clear()
        self._content = None
