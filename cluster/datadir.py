"""The data directory: one node's, one process's at a time.

lock        flock'd while the node runs; holds the process id, for people
node.json   {"format", "cluster", "node"}: whose directory this is
journal     log entries, see wal.py
vote        term and vote, see ballot.py
snapshot    see snapshots.py
"""

import fcntl
import os
from pathlib import Path
from typing import Self

import msgspec

from cluster.durable import put_in_place
from cluster.errors import DataDirForeign, DataDirInUse, DataDirUnreadable, DataDirUnwritable

FORMAT = 1


class Identity(msgspec.Struct, frozen=True):
    """Content of node.json."""

    format: int
    cluster: str
    node: str


class DataDir:
    """A locked directory whose identity has been checked. Close it to release the lock."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def open(cls, path: Path, *, cluster: str, node: str) -> Self:
        """Create (mode 0700) or take over the directory.

        DataDirInUse, DataDirForeign, DataDirUnwritable, DataDirUnreadable.
        """
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirUnwritable(
                path, f"cannot be created or written ({error.strerror}); give it to this user or set another data_dir"
            ) from error
        try:
            _take_lock(path, lock)
            _check_identity(path, Identity(FORMAT, cluster, node))
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

    @property
    def journal(self) -> Path:
        """The log."""
        return self.path / "journal"

    @property
    def vote(self) -> Path:
        """Term and vote."""
        return self.path / "vote"

    @property
    def snapshot(self) -> Path:
        """The latest snapshot."""
        return self.path / "snapshot"

    def close(self) -> None:
        """Release the lock."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _take_lock(path: Path, lock: int) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(lock, 20, 0).decode(errors="replace").strip() or "unknown"
        raise DataDirInUse(
            path, f"in use by process {holder}; stop that node, or give this one a data_dir of its own"
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _check_identity(path: Path, wanted: Identity) -> None:
    file = path / "node.json"
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        _write_identity(path, file, wanted)
        return
    except OSError as error:
        raise DataDirUnreadable(file, f"cannot be read ({error.strerror})") from error
    try:
        found = msgspec.json.decode(data, type=Identity)
    except msgspec.MsgspecError as error:
        raise DataDirUnreadable(
            file, f"does not say whose directory this is ({error}); restore the file, or start with an empty data_dir"
        ) from error
    if found.format != FORMAT:
        raise DataDirUnreadable(
            file, f"has format {found.format}, this release knows {FORMAT}; use the release that wrote it"
        )
    if found != wanted:
        raise DataDirForeign(
            path,
            f"belongs to node {found.node!r} of cluster {found.cluster!r}, this is node {wanted.node!r} of cluster "
            f"{wanted.cluster!r}; set the data_dir of this node, or start with an empty one",
        )


def _write_identity(path: Path, file: Path, identity: Identity) -> None:
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in ("lock", "node.json.tmp"))
    if strangers:
        raise DataDirForeign(
            path,
            f"holds other files ({', '.join(strangers[:5])}) but no node.json; it is not a node's directory: "
            "set another data_dir, or empty it",
        )
    temporary = path / "node.json.tmp"
    try:
        with temporary.open("wb") as out:
            out.write(msgspec.json.encode(identity) + b"\n")
            out.flush()
            os.fsync(out.fileno())
        put_in_place(temporary, file)
    except OSError as error:
        raise DataDirUnwritable(path, f"cannot be written ({error.strerror})") from error
