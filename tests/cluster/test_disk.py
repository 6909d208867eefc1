"""The host's disk: the contract, private files, and failures that name the file and the remedy."""

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cluster.disk import Disk, OsDisk, put
from cluster.errors import DiskFailed
from tests.cluster.disk_contract import DiskContract


class TestOsDisk(DiskContract):
    @pytest.fixture
    def disk(self, tmp_path: Path) -> Disk:
        return OsDisk(tmp_path)


def test_a_name_that_is_a_directory_cannot_be_read_created_or_removed(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    for what in (disk.read, disk.create, disk.remove):
        with pytest.raises(DiskFailed, match=f"{tmp_path / 'a'}: cannot {what.__name__}: .*; check the disk") as caught:
            what("a")
        assert caught.value.path == tmp_path / "a"


def test_a_directory_that_is_gone(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path / "gone")
    assert disk.read("a") is None
    with pytest.raises(DiskFailed, match="cannot sync: No such file or directory"):
        disk.sync_names()
    with pytest.raises(DiskFailed, match="cannot create"):
        put(disk, "a", b"")


@contextmanager
def small_files(limit: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_what_does_not_fit_leaves_the_former_file(tmp_path: Path) -> None:
    disk = OsDisk(tmp_path)
    put(disk, "a", b"former")
    open_files = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    with small_files(10), pytest.raises(DiskFailed, match=r"a\.tmp: cannot write: File too large"):
        put(disk, "a", bytes(11))
    assert disk.read("a") == b"former"
    if open_files:
        assert len(os.listdir("/proc/self/fd")) == open_files
    put(disk, "a", bytes(11))
    assert disk.read("a") == bytes(11)


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "the disk is full: free some space, then start the node again"),
        (errno.EDQUOT, "the quota is used up"),
        (errno.EROFS, "it is mounted read-only"),
        (errno.EACCES, "give data_dir to the user that the node runs as"),
        (errno.EIO, "check the disk and its permissions, then start the node again"),
    ],
)
def test_each_failure_says_what_to_do(number: int, remedy: str) -> None:
    failure = DiskFailed(Path("/data/journal"), "write", OSError(number, os.strerror(number)))
    assert str(failure).startswith(f"/data/journal: cannot write: {os.strerror(number)}; {remedy}")
    assert failure.errno == number
