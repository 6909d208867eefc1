"""Filling the data disk of a lab's host, which is a small file system of its own, and freeing it again."""

import errno
import os
from pathlib import Path

from orchestrator.drills.lab_file import LabFile

FILLING = ".drill-fill"
"""Name of the file that fills it, at the top of the disk."""
BLOCKS = (1 << 20, 1 << 16, 1 << 12, 1 << 10)
"""Sizes of what is written until no more fits, bytes."""


def fill(lab: LabFile, host: str) -> dict[str, str | int | float]:
    """Write until no byte more fits; the proof: bytes written, bytes left, and what a further write is told.

    Blocks for about a second. Raises OSError for anything but a full disk.
    """
    disk = Path(lab.hosts[host].data)
    written = 0
    file = os.open(disk / FILLING, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        for size in BLOCKS:
            block = bytes(size)
            while (count := _write(file, block)) > 0:
                written += count
        os.fsync(file)
        while (count := _write(file, bytes(BLOCKS[-1]))) > 0:  # what the flush gave back
            written += count
    finally:
        os.close(file)
    return {"bytes_written": written, "bytes_left": free_bytes(lab, host), "a_further_write": os.strerror(errno.ENOSPC)}


def free(lab: LabFile, host: str) -> bool:
    """Remove what fills it; whether there was anything."""
    path = Path(lab.hosts[host].data) / FILLING
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def free_bytes(lab: LabFile, host: str) -> int:
    """Bytes that still fit."""
    status = os.statvfs(lab.hosts[host].data)
    return status.f_bavail * status.f_frsize


def _write(file: int, block: bytes) -> int:
    """Bytes that were written; 0 when the disk is full."""
    try:
        return os.write(file, block)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            return 0
        raise
