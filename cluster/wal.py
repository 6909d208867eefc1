"""The write-ahead log: entries and cuts, append-only, on disk before anyone is told that they are there.

file     magic (8 bytes), then records
record   length of the body (4) · crc32 of that length (4) · crc32 of the body (4) · body
body     "E" index (8) term (8) data        an entry
         "C" index (8)                      entries from this index on are cut

Nothing is written in place. `add` and the cuts of the tail only collect; `sync` writes what was collected with one
write and one fdatasync, however many entries that are. What falls out at the head, by compaction or when a snapshot
replaces the log, makes a new file: written, fsynced, renamed, and its directory fsynced.

Reading back: an incomplete record at the end of the file, or one that goes over into sectors of zeros, is what a power
cut leaves of a write that nobody was told of, and is cut off. Anything else that does not fit is damage to what may
have been acknowledged: the log is refused, with the place. The length has a checksum of its own, or a flipped bit in it
would look like the end.
"""

import struct
import zlib
from bisect import bisect_left
from collections.abc import Iterable
from typing import overload

from cluster.clock import now
from cluster.disk import Disk, File, disk_put
from cluster.errors import DataDirUnreadable
from cluster.snapshot_codec import Entry

MAGIC = b"TRIWAL\x01\n"
_FRAME = struct.Struct("<III")
_LENGTH = struct.Struct("<I")
_ENTRY = struct.Struct("<cQQ")
_CUT = struct.Struct("<cQ")
SYNC_BOUNDS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""What the times of syncs are counted by: up to each of these, and above."""
_SECTOR = 512
"""What a disk writes whole or not at all."""


class WriteAheadLog:
    """Consecutive entries `(data, index, term)`, by position. One thread uses it, one process: see datadir.py.

    `record_bytes_max` bounds what is believed of a length when reading. DataDirUnreadable: the file is damaged.
    DiskFailed of any method means that the disk does not keep what it is given: the node must stop.
    """

    def __init__(self, disk: Disk, name: str = "journal", *, record_bytes_max: int) -> None:
        self._disk = disk
        self._name = name
        self._record_bytes_max = record_bytes_max
        self._entries: list[Entry] = []
        self._pending = bytearray()
        self.bytes = 0
        """of the file, what is pending included"""
        self.syncs = 0
        """since it was opened"""
        self.sync_seconds = 0.0
        """spent in them"""
        self.sync_counts = [0] * (len(SYNC_BOUNDS_S) + 1)
        """of them, how many took up to each of `SYNC_BOUNDS_S` and more than the one before"""
        content = disk.read(name)
        if content is None:
            self._file = self._write_anew(())
        else:
            self._read(content)
            self._file = disk.append(name, self.bytes)
            # A killed process may have left in the cache only what it wrote or renamed last. What was read here counts
            # as kept from now on, so it has to be on disk.
            self._file.sync()
            disk.sync_names()

    # ── Reading ────────────────────────────────

    @overload
    def __getitem__(self, position: int, /) -> Entry: ...
    @overload
    def __getitem__(self, position: slice, /) -> list[Entry]: ...
    def __getitem__(self, position: int | slice, /) -> Entry | list[Entry]:
        return self._entries[position]

    def __len__(self) -> int:
        return len(self._entries)

    # ── Writing ────────────────────────────────

    def add(self, data: bytes, index: int, term: int) -> None:
        """Append an entry. It is on disk after the next `sync`."""
        self._entries.append((data, index, term))
        self._collect(_entry(data, index, term))

    def cut_from(self, position: int) -> None:
        """Cut the tail, from a position on."""
        if position < len(self._entries):
            self._collect(_framed(_CUT.pack(b"C", self._entries[position][1])))
            del self._entries[position:]

    def begin_at(self, position: int) -> None:
        """Cut the head: the entry at `position` becomes the first. On disk when this returns."""
        self.replace(self._entries[position:])

    def replace(self, entries: Iterable[Entry]) -> None:
        """Hold these entries and no others. On disk when this returns."""
        self._entries = list(entries)
        self._file.close()
        self._pending.clear()
        self._file = self._write_anew(self._entries)

    @property
    def dirty(self) -> bool:
        """Whether something is not on disk yet."""
        return bool(self._pending)

    def sync(self) -> None:
        """Returns when everything is on disk."""
        if not self._pending:
            return
        began = now()
        self._file.write(self._pending)
        self._pending.clear()
        self._file.sync()
        self.syncs += 1
        took = now() - began
        self.sync_seconds += took
        self.sync_counts[bisect_left(SYNC_BOUNDS_S, took)] += 1

    def close(self) -> None:
        """Release the file. What was not synced is not kept."""
        self._file.close()

    def _collect(self, record: bytes) -> None:
        self._pending += record
        self.bytes += len(record)

    def _write_anew(self, entries: Iterable[Entry]) -> File:
        content = bytearray(MAGIC)
        for entry in entries:
            content += _entry(*entry)
        self.bytes = len(content)
        return disk_put(self._disk, self._name, content)

    # ── Opening ────────────────────────────────

    def _read(self, content: bytes) -> None:
        if content[: len(MAGIC)] != MAGIC:
            raise self._damaged(0, "it does not begin as a log does")
        # From this sector on nothing was written: the file system gave the space, then the power was cut.
        written = len(content.rstrip(b"\0"))
        blank = -(-written // _SECTOR) * _SECTOR
        at = len(MAGIC)
        while at < written and len(content) - at >= _FRAME.size:
            length, length_crc, crc = _FRAME.unpack_from(content, at)
            end = at + _FRAME.size + length
            if zlib.crc32(_LENGTH.pack(length)) == length_crc and length > self._record_bytes_max:
                raise DataDirUnreadable(
                    self._disk.path(self._name),
                    f"holds a record of {length} bytes, where at most {self._record_bytes_max} are allowed: was "
                    "command_bytes_max greater when it was written? Set it to what it was",
                )
            if zlib.crc32(_LENGTH.pack(length)) != length_crc:
                if blank < at + _FRAME.size:
                    break
                raise self._damaged(at, "the length of a record cannot be believed")
            if end > len(content):
                break
            body = content[at + _FRAME.size : end]
            if zlib.crc32(body) != crc:
                if blank < end:
                    break
                raise self._damaged(at, "a checksum does not match")
            self._replay(body, at)
            at = end
        self.bytes = at

    def _replay(self, body: bytes, at: int) -> None:
        if body[:1] == b"E" and len(body) >= _ENTRY.size:
            _, index, term = _ENTRY.unpack_from(body)
            if self._entries and (index != self._entries[-1][1] + 1 or term < self._entries[-1][2]):
                raise self._damaged(at, f"entry {index} of term {term} does not follow {self._entries[-1][1:]}")
            self._entries.append((body[_ENTRY.size :], index, term))
            return
        if body[:1] == b"C" and len(body) == _CUT.size and self._entries:
            position = _CUT.unpack(body)[1] - self._entries[0][1]
            if 0 <= position < len(self._entries):
                del self._entries[position:]
                return
        raise self._damaged(at, "a record is of no known kind, or cuts what is not there")

    def _damaged(self, at: int, what: str) -> DataDirUnreadable:
        return DataDirUnreadable(self._disk.path(self._name), f"the log is damaged at byte {at}: {what}")


def _framed(head: bytes, rest: bytes = b"") -> bytes:
    """The record whose body is `head` and `rest`."""
    length = len(head) + len(rest)
    crc = zlib.crc32(rest, zlib.crc32(head))
    return b"".join((_FRAME.pack(length, zlib.crc32(_LENGTH.pack(length)), crc), head, rest))


def _entry(data: bytes, index: int, term: int) -> bytes:
    return _framed(_ENTRY.pack(b"E", index, term), data)
