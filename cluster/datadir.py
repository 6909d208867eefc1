"""The data directory: one node's, one process's at a time.

lock        flock'd while the node runs; holds the process id, for people
node.json   whose directory this is, see identity.py
journal     log entries, see wal.py
vote        term and vote, see ballot.py
snapshot    see snapshots.py
peers       who the other members are, see peers.py
"""

import fcntl
import os
from pathlib import Path
from typing import Self

from cluster.disk import OsDisk
from cluster.errors import DataDirExposed, DataDirForeign, DataDirInUse, DataDirUnwritable
from cluster.identity import FILE

NOT_STRANGE = ("lock", f"{FILE}.tmp", "lost+found")
"""What a directory may hold that is no node's yet; the last one where it is a file system of its own."""


class DataDir:
    """A private, locked directory. Close it to release the lock."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self.disk = OsDisk(path)
        self._lock = lock

    @classmethod
    def open(cls, path: Path) -> Self:
        """Create (mode 0700) or take over the directory. See errors.DataDirError."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            mode = path.stat().st_mode & 0o777
            if mode & 0o077:
                if any(entry.name not in NOT_STRANGE for entry in path.iterdir()):
                    raise DataDirExposed(
                        path,
                        f"other users of this host may enter it (mode {mode:04o}): what it holds may have been read or "
                        f"changed by them; if that is no concern, close it with: chmod 700 {path}",
                    )
                path.chmod(0o700)
            lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirUnwritable(
                path, f"cannot be created or written ({error.strerror}); give it to this user or set another data_dir"
            ) from error
        try:
            _take_lock(path, lock)
            _refuse_strangers(path)
        except BaseException:
            os.close(lock)
            raise
        return cls(path, lock)

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
    try:
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    except OSError as error:
        raise DataDirUnwritable(path, f"cannot be written ({error.strerror}); free some space first") from error


def _refuse_strangers(path: Path) -> None:
    if (path / FILE).exists():
        return
    strangers = sorted(entry.name for entry in path.iterdir() if entry.name not in NOT_STRANGE)
    if strangers:
        raise DataDirForeign(
            path,
            f"holds other files ({', '.join(strangers[:5])}) but no {FILE}; it is not a node's directory: "
            "set another data_dir, or empty it",
        )
