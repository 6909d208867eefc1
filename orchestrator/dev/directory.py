"""Where a run keeps its logs and data, and the lock that keeps two runs apart."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.dev.errors import DirectoryTaken

HOME = Path(".triarch")
LOCK = ".lock"
RUNS_KEPT = 5  # directories of earlier bounded runs: their logs help, their number must not grow


def new_run_directory(kind: str) -> Path:
    """Make and return `.triarch/<kind>-<time>-<pid>` below the working directory, or below the temporary one.

    Of earlier runs of the same kind the last few are kept; those that still run are not touched.
    """
    name = f"{kind}-{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
    try:
        directory = HOME.absolute() / name
        directory.mkdir(parents=True)
    except OSError:  # a working directory that is read-only, or not ours
        return Path(tempfile.mkdtemp(prefix=f"triarch-{name}-"))
    forget_old_runs(HOME.absolute(), kind)
    return directory


def forget_old_runs(home: Path, kind: str, kept: int = RUNS_KEPT) -> None:
    """Remove all but the last `kept` run directories of a kind, except those in use."""
    for directory in sorted(home.glob(f"{kind}-*T*-*"))[:-kept]:
        with suppress(DirectoryTaken, OSError), locked(directory):
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory for the length of a with block; the kernel lets go of it when the process ends.

    Raises DirectoryTaken.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DirectoryTaken(directory) from error
        yield
