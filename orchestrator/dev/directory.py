"""Where a run keeps its logs and data, and the lock that keeps two runs apart."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from orchestrator.dev.errors import DirectoryTaken, NotWritable

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
        with suppress(DirectoryTaken, NotWritable), locked(directory):
            shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory for the length of a with block; the kernel lets go of it when the process ends.

    Raises DirectoryTaken, NotWritable.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / LOCK).open("w")
    except OSError as error:
        raise NotWritable(directory, error) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DirectoryTaken(directory) from error
        yield


def check_report(report: Path | None) -> None:
    """Make the directory of a report (`-` is standard output) and see that it can be written there: before the run that
    it will tell of, not after it. Raises NotWritable.
    """
    if report is None or str(report) == "-":
        return
    there = report.exists()
    try:
        report.parent.mkdir(parents=True, exist_ok=True)
        report.open("a").close()
        if not there:
            report.unlink()
    except OSError as error:
        raise NotWritable(report, error) from error
