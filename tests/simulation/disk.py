"""A virtual disk: one directory of one host, with what a power cut and a full or broken disk do to it.

Written data is in the cache until the file is synced; a new, renamed or removed name until `sync_names`. Killing the
process loses nothing of the cache. A power cut keeps what was synced, and of the rest:

names     the changes since the last `sync_names`, up to some moment, in their order
data      of what was written since the last `sync`: nothing, all, any prefix, or its whole length with zeros from some
          sector on. A file that was cut and not synced since may have its old end back.
"""

import errno
from collections.abc import Callable
from pathlib import Path
from random import Random

from cluster.errors import DiskFailed

SECTOR = 512


class Crashed(BaseException):
    """The process or the host ended in the middle of what it did. Not an Exception: no code of a node may catch it."""


class Inode:
    """A file's content: as the host sees it, how much of that is on disk, and what a cut did not yet remove there."""

    __slots__ = ("behind", "data", "synced")

    def __init__(self) -> None:
        self.data = bytearray()
        self.synced = 0
        self.behind = b""

    def cut(self, size: int) -> None:
        """Drop what is behind `size`; on disk at the next sync."""
        if size < self.synced:
            self.behind = bytes(self.data[size : self.synced]) + self.behind
            self.synced = size
        del self.data[size:]

    def sync(self) -> None:
        """All of it is on disk."""
        self.synced, self.behind = len(self.data), b""

    def lose_power(self, draw: Random) -> str:
        """Become what the disk kept; what that was, in words."""
        unsynced = len(self.data) - self.synced
        what = ""
        if self.behind and draw.random() < 0.5:
            self.data[self.synced :] = self.behind
            what = "the end that was cut off is back"
        elif unsynced:
            kept = draw.choice((0, unsynced, *(draw.randrange(unsynced + 1) for _ in range(3))))
            first_sector = -(-(self.synced + kept) // SECTOR) * SECTOR
            if kept < unsynced and first_sector < len(self.data) and draw.random() < 0.7:
                self.data[first_sector:] = bytes(len(self.data) - first_sector)
                what = f"zeros from byte {first_sector} on"
            else:
                del self.data[self.synced + kept :]
                what = f"{kept} of {unsynced} unsynced bytes kept"
        self.sync()
        return what


class SimFile:
    """An open file: see cluster.disk.File."""

    def __init__(self, disk: "SimDisk", name: str, inode: Inode) -> None:
        self._disk = disk
        self._name = name
        self.inode = inode

    def write(self, data: bytes | bytearray) -> None:
        """See File. Ends after any part of it when the process is to end here, or the disk is full."""
        kept = self._disk.before("write", self._name, len(data))
        self.inode.data += data[:kept]
        self._disk.after_write(self._name, kept < len(data))

    def sync(self) -> None:
        """See File."""
        self._disk.before("sync", self._name)
        self.inode.sync()
        self._disk.slept()

    def close(self) -> None:
        """See File."""


class SimDisk:
    """See cluster.disk.Disk. `spend(seconds)` is told how long a sync took."""

    def __init__(self, label: str, draw: Random, spend: Callable[[float], None], *, sync_s: float) -> None:
        self._label = label
        self._draw = draw
        self._spend = spend
        self._sync_s = sync_s
        self._names: dict[str, Inode] = {}
        self._names_on_disk: dict[str, Inode] = {}
        self._changes: list[dict[str, Inode | None]] = []
        self._crash_in: int | None = None
        self._crash_after = self._crash_only = ""
        self.slow_s = 0.0
        """how much longer a sync takes now"""
        self.full = False
        """whether writes fail for want of space"""
        self.broken = False
        """whether the next write or sync fails"""
        self.calls = 0
        """of anything that changes the disk"""

    # ── What a node calls ────────────────────────────────

    def path(self, name: str) -> Path:
        """See Disk."""
        return Path("/disk") / self._label / name

    def read(self, name: str) -> bytes | None:
        """See Disk."""
        inode = self._names.get(name)
        return None if inode is None else bytes(inode.data)

    def create(self, name: str) -> SimFile:
        """See Disk."""
        self.before("create", name)
        inode = Inode()
        self._change({name: inode})
        return SimFile(self, name, inode)

    def append(self, name: str, size: int) -> SimFile:
        """See Disk."""
        self.before("open", name)
        inode = self._existing(name, "open")
        inode.cut(size)
        return SimFile(self, name, inode)

    def replace(self, source: str, target: str) -> None:
        """See Disk."""
        self.before("replace", target)
        inode = self._existing(source, "replace")
        # One change, as a journaling file system has it: the new name and the end of the old one.
        self._change({target: inode, source: None})

    def remove(self, name: str) -> None:
        """See Disk."""
        if name in self._names:
            self.before("remove", name)
            self._change({name: None})

    def sync_names(self) -> None:
        """See Disk."""
        self.before("sync", ".")
        self._names_on_disk = dict(self._names)
        self._changes.clear()
        self.slept()

    # ── What happens to it ────────────────────────────────

    def crash_in(self, calls: int, *, after: str = "", only: str = "") -> None:
        """Raise Crashed in the middle of that call from now (0: the next one), or from when `after` is next begun.

        `only`: calls for files whose names begin so are counted.
        """
        self._crash_in, self._crash_after, self._crash_only = calls, after, only

    def reopened(self) -> None:
        """The process began anew: a crash that was due did not come, or has come."""
        self._crash_in = None

    def lose_power(self) -> str:
        """What is left is what was on disk; in words, for the trace."""
        kept = self._draw.randrange(len(self._changes) + 1) if self._changes else 0
        for change in self._changes[:kept]:
            _change(self._names_on_disk, change)
        said = [f"{kept} of {len(self._changes)} changed names kept"] if self._changes else []
        self._names = dict(self._names_on_disk)
        self._changes.clear()
        for name, inode in self._names.items():
            what = inode.lose_power(self._draw)
            if what:
                said.append(f"{name}: {what}")
        return "; ".join(said)

    def wipe(self) -> None:
        """The disk is lost."""
        self._names, self._names_on_disk = {}, {}
        self._changes.clear()
        self.full = self.broken = False

    def holds(self, inode: Inode, size: int) -> bool:
        """Whether the first `size` bytes of this file, under its name, outlive a power cut for certain."""
        if inode.synced < size:
            return False
        on_disk = any(found is inode for found in self._names_on_disk.values())
        return on_disk and not any(
            self._names_on_disk.get(name) is inode for change in self._changes for name in change
        )

    # ── Inside ────────────────────────────────

    def before(self, what: str, name: str, size: int = 0) -> int:
        """Fail if it is time to; how many of `size` bytes are written."""
        self.calls += 1
        if what == "create" and name.startswith(self._crash_after):
            self._crash_after = ""
        if self._crash_in is not None and not self._crash_after and name.startswith(self._crash_only):
            if self._crash_in == 0:
                self._crash_in = None
                if what != "write" or not size:
                    raise Crashed
                self._crash_in = -1  # after a part of the write
                return self._draw.randrange(size + 1)
            self._crash_in -= 1
        if self.broken and what in ("write", "sync"):
            self.broken = False
            raise DiskFailed(self.path(name), what, OSError(errno.EIO, "Input/output error"))
        if self.full and what == "create":
            raise DiskFailed(self.path(name), what, OSError(errno.ENOSPC, "No space left on device"))
        if self.full and what == "write":
            return self._draw.randrange(size) if size else 0
        return size

    def after_write(self, name: str, short: bool) -> None:
        """What follows a write that may have been cut short."""
        if self._crash_in is not None and self._crash_in < 0:
            self._crash_in = None
            raise Crashed
        if short:
            raise DiskFailed(self.path(name), "write", OSError(errno.ENOSPC, "No space left on device"))

    def slept(self) -> None:
        """A sync takes its time."""
        self._spend(self._sync_s * (0.5 + self._draw.random()) + self.slow_s)

    def _existing(self, name: str, what: str) -> Inode:
        inode = self._names.get(name)
        if inode is None:
            raise DiskFailed(self.path(name), what, FileNotFoundError(errno.ENOENT, "No such file or directory"))
        return inode

    def _change(self, change: dict[str, Inode | None]) -> None:
        _change(self._names, change)
        self._changes.append(change)


def _change(names: dict[str, Inode], change: dict[str, Inode | None]) -> None:
    for name, inode in change.items():
        if inode is None:
            names.pop(name, None)
        else:
            names[name] = inode
