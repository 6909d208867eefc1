"""The virtual disk keeps the contract of the real one, and loses at a power cut what a real one may lose."""

from random import Random

import pytest

from cluster.disk import Disk, put
from cluster.errors import DiskFailed
from tests.cluster.disk_contract import DiskContract
from tests.simulation.disk import SECTOR, Crashed, SimDisk


def a_disk(seed: int = 0) -> SimDisk:
    return SimDisk("n1", Random(seed), lambda _: None, sync_s=0.0)


class TestSimDisk(DiskContract):
    @pytest.fixture
    def disk(self) -> Disk:
        return a_disk()


def test_what_was_synced_outlives_every_power_cut() -> None:
    for seed in range(50):
        disk = a_disk(seed)
        put(disk, "a", b"kept")
        disk.append("a", 4).write(b"perhaps")
        disk.lose_power()
        content = disk.read("a")
        assert content is not None
        assert content.startswith(b"kept")


def test_of_unsynced_data_any_prefix_or_zeros_from_a_sector_on_may_be_left() -> None:
    data = bytes(range(1, 251)) * 10
    found = set()
    for seed in range(300):
        disk = a_disk(seed)
        put(disk, "a", b"")
        disk.append("a", 0).write(data)
        disk.lose_power()
        content = disk.read("a")
        assert content is not None
        intact = len(content.rstrip(b"\0"))
        assert content[:intact] == data[:intact]
        if intact < len(content):
            assert (len(content), intact % SECTOR) == (len(data), 0)
        kind = "whole" if content == data else "zeros" if intact < len(content) else "prefix" if content else "nothing"
        found.add(kind)
    assert found == {"nothing", "prefix", "zeros", "whole"}


def test_names_reach_the_disk_in_their_order_and_only_with_sync_names_for_certain() -> None:
    found = set()
    for seed in range(100):
        disk = a_disk(seed)
        put(disk, "a", b"old")
        file = disk.create("a.tmp")
        file.write(b"new")
        file.sync()
        disk.replace("a.tmp", "a")
        disk.create("b").sync()
        disk.lose_power()
        assert disk.read("a") in (b"old", b"new")
        assert disk.read("b") is None or disk.read("a") == b"new", "the later change without the earlier one"
        found.add((disk.read("a"), disk.read("a.tmp"), disk.read("b")))
    assert found == {(b"old", None, None), (b"old", b"new", None), (b"new", None, None), (b"new", None, b"")}


def test_an_end_that_was_cut_off_may_come_back_until_the_file_is_synced() -> None:
    found = set()
    for seed in range(50):
        disk = a_disk(seed)
        put(disk, "a", b"0123456789")
        disk.append("a", 4)
        disk.lose_power()
        found.add(disk.read("a"))
        disk.append("a", 4).sync()
        disk.lose_power()
        assert disk.read("a") == b"0123"
    assert found == {b"0123", b"0123456789"}


def test_a_killed_process_loses_nothing_that_it_wrote() -> None:
    disk = a_disk()
    disk.create("a").write(b"in the cache")
    disk.crash_in(1)
    file = disk.append("a", 12)
    with pytest.raises(Crashed):
        file.sync()
    assert disk.read("a") == b"in the cache"


def test_a_process_may_end_in_the_middle_of_a_write() -> None:
    lengths = set()
    for seed in range(60):
        disk = a_disk(seed)
        file = disk.create("a")
        disk.crash_in(0)
        with pytest.raises(Crashed):
            file.write(b"12345")
        lengths.add(len(disk.read("a") or b""))
    assert lengths == {0, 1, 2, 3, 4, 5}


def test_a_full_disk_and_a_broken_one_say_so() -> None:
    disk = a_disk()
    file = disk.create("a")
    disk.full = True
    with pytest.raises(DiskFailed, match="No space left"):
        file.write(b"more than fits")
    with pytest.raises(DiskFailed, match="No space left"):
        disk.create("b")
    disk.full, disk.broken = False, True
    with pytest.raises(DiskFailed, match="Input/output error"):
        file.sync()


def test_a_file_counts_as_kept_only_with_its_data_and_its_name_on_disk() -> None:
    disk = a_disk()
    file = disk.create("a")
    file.write(b"12345")
    assert not disk.holds(file.inode, 5)
    file.sync()
    assert not disk.holds(file.inode, 5), "its name is not on disk"
    disk.sync_names()
    assert disk.holds(file.inode, 5)
    disk.replace("a", "b")
    assert not disk.holds(file.inode, 5), "under which name, after a power cut?"
