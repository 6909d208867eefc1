"""Files that are on disk when the call returns."""

import os
from pathlib import Path


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename a file that was fsynced over `path`, in the same directory, and sync the directory: both or neither."""
    os.replace(temporary, path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
