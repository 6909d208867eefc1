"""The files of one data directory, as far as a node needs them: what is on disk after which call.

A name stands for a file in that one directory. Written data is on disk after the file's `sync`; a new name, a renamed
or a removed one after `sync_names`. Whatever fails raises DiskFailed, and is never tried again: after a failed sync
nobody knows what the disk holds.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from cluster.errors import DiskFailed


class File(Protocol):
    """A file that is written at its end."""

    def write(self, data: bytes | bytearray) -> None:
        """Append all of `data`; it may still be lost with the power."""
        ...

    def sync(self) -> None:
        """Returns when all that was written is on disk."""
        ...

    def close(self) -> None:
        """Release it. Does not sync."""
        ...


class Disk(Protocol):
    """One directory."""

    def path(self, name: str) -> Path:
        """How people call the file."""
        ...

    def read(self, name: str) -> bytes | None:
        """The whole file, None where there is none."""
        ...

    def create(self, name: str) -> File:
        """An empty file under this name."""
        ...

    def append(self, name: str, size: int) -> File:
        """The file, cut to `size` bytes, to go on behind them."""
        ...

    def replace(self, source: str, target: str) -> None:
        """Rename, over what has that name."""
        ...

    def remove(self, name: str) -> None:
        """Nothing happens where there is none."""
        ...

    def sync_names(self) -> None:
        """Returns when names are on disk as they are."""
        ...


def put(disk: Disk, name: str, content: bytes | bytearray) -> None:
    """Have exactly `content` under `name`, on disk when this returns: either the former file or this one survives."""
    file = disk.create(f"{name}.tmp")
    try:
        file.write(content)
        file.sync()
    finally:
        file.close()
    disk.replace(f"{name}.tmp", name)
    disk.sync_names()


def disk_put(disk: Disk, name: str, content: bytes | bytearray) -> File:
    """As `put`; then the file, opened under its own name, to go on behind `content`."""
    put(disk, name, content)
    return disk.append(name, len(content))


class OsDisk:
    """A directory of this host."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def path(self, name: str) -> Path:
        """See Disk."""
        return self._directory / name

    def read(self, name: str) -> bytes | None:
        """See Disk."""
        with _named(self.path(name), "read"):
            try:
                return self.path(name).read_bytes()
            except FileNotFoundError:
                return None

    def create(self, name: str) -> File:
        """See Disk."""
        with _named(self.path(name), "create"):
            return _OsFile(self.path(name), self.path(name).open("wb", buffering=0))

    def append(self, name: str, size: int) -> File:
        """See Disk."""
        with _named(self.path(name), "open"):
            file = self.path(name).open("r+b", buffering=0)
            file.truncate(size)
            file.seek(size)
            return _OsFile(self.path(name), file)

    def replace(self, source: str, target: str) -> None:
        """See Disk."""
        with _named(self.path(target), "replace"):
            os.replace(self.path(source), self.path(target))

    def remove(self, name: str) -> None:
        """See Disk."""
        with _named(self.path(name), "remove"):
            self.path(name).unlink(missing_ok=True)

    def sync_names(self) -> None:
        """See Disk."""
        with _named(self._directory, "sync"):
            directory = os.open(self._directory, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)


class _OsFile:
    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def write(self, data: bytes | bytearray) -> None:
        with _named(self._path, "write"):
            view = memoryview(data)
            while view:
                view = view[os.write(self._file.fileno(), view) :]

    def sync(self) -> None:
        with _named(self._path, "sync"):
            # The size comes along, which is all of the metadata that reading the data back needs.
            os.fdatasync(self._file.fileno()) if hasattr(os, "fdatasync") else os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


@contextlib.contextmanager
def _named(path: Path, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DiskFailed(path, what, error) from error
