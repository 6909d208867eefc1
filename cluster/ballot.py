"""The term and the vote given in it. Forgetting either lets a node vote twice, so they are on disk before anyone hears.

pysyncobj keeps them in a file that it never fsyncs, and takes an empty one for "never voted" (R7).
"""

import os
import struct
import zlib
from pathlib import Path

import msgspec

from cluster.durable import put_in_place
from cluster.errors import DataDirUnreadable

_HEADER = struct.Struct("<8sI")
MAGIC = b"TRIVOTE\x01"


class Vote(msgspec.Struct, frozen=True, array_like=True):
    """`voted_for`: the address of the member that got this node's vote in `term`, if any did."""

    term: int = 0
    voted_for: str | None = None


class Ballot:
    """The file that holds the latest Vote. DataDirUnreadable when it is damaged; OSError: the node must stop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.vote = self._read()

    def _read(self) -> Vote:
        try:
            data = self._path.read_bytes()
        except FileNotFoundError:
            return Vote()
        try:
            magic, crc = _HEADER.unpack_from(data)
            record = data[_HEADER.size :]
            if magic != MAGIC or zlib.crc32(record) != crc:
                raise ValueError("its checksum does not match")
            return msgspec.msgpack.decode(record, type=Vote)
        except (struct.error, ValueError, msgspec.MsgspecError) as error:
            raise DataDirUnreadable(
                self._path,
                f"term and vote cannot be read ({error}), this node could vote twice in one term; "
                "replace it by a node with a new id and an empty data_dir",
            ) from error

    def store(self, vote: Vote) -> None:
        """Returns when it is on disk."""
        record = msgspec.msgpack.encode(vote)
        temporary = self._path.with_name(self._path.name + ".tmp")
        with temporary.open("wb") as file:
            file.write(_HEADER.pack(MAGIC, zlib.crc32(record)) + record)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(temporary, self._path)
        self.vote = vote
