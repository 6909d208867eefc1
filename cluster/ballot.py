"""The term and the vote given in it. Forgetting either lets a node vote twice, so they are on disk before anyone hears.

pysyncobj keeps them in a file that it never fsyncs, and takes an empty one for "never voted" (R7).
"""

import struct
import zlib

import msgspec

from cluster.disk import Disk, put
from cluster.errors import DataDirUnreadable

_HEADER = struct.Struct("<8sI")
MAGIC = b"TRIVOTE\x01"


class Vote(msgspec.Struct, frozen=True, array_like=True):
    """`voted_for`: the id of the member that got this node's vote in `term`, if any did."""

    term: int = 0
    voted_for: str | None = None


class Ballot:
    """The file that holds the latest Vote. DataDirUnreadable when it is damaged; DiskFailed: the node must stop."""

    def __init__(self, disk: Disk, name: str = "vote") -> None:
        self._disk = disk
        self._name = name
        self.vote = self._read()

    def _read(self) -> Vote:
        data = self._disk.read(self._name)
        if data is None:
            return Vote()
        try:
            magic, crc = _HEADER.unpack_from(data)
            record = data[_HEADER.size :]
            if magic != MAGIC or zlib.crc32(record) != crc:
                raise ValueError("its checksum does not match")
            return msgspec.msgpack.decode(record, type=Vote)
        except (struct.error, ValueError, msgspec.MsgspecError) as error:
            raise DataDirUnreadable(
                self._disk.path(self._name),
                f"term and vote cannot be read ({error}), this node could vote twice in one term; "
                "replace it by a node with a new id and an empty data_dir",
            ) from error

    def store(self, vote: Vote) -> None:
        """Returns when it is on disk."""
        record = msgspec.msgpack.encode(vote)
        put(self._disk, self._name, _HEADER.pack(MAGIC, zlib.crc32(record)) + record)
        self.vote = vote
