"""What every `cluster.disk.Disk` does: the host's, and the one of the simulation. Subclass `DiskContract`."""

import errno

import pytest

from cluster.disk import Disk, disk_put, put
from cluster.errors import DiskFailed


class DiskContract:
    """Have a fixture `disk` that gives an empty directory."""

    def test_what_is_not_there(self, disk: Disk) -> None:
        assert disk.read("a") is None
        disk.remove("a")
        assert disk.path("a").name == "a"
        assert disk.path("a").parent == disk.path("b").parent

    def test_a_file_is_read_as_it_was_written(self, disk: Disk) -> None:
        file = disk.create("a")
        assert disk.read("a") == b""
        file.write(b"one ")
        file.write(bytearray(b"two"))
        file.write(b"")
        assert disk.read("a") == b"one two"
        file.sync()
        file.sync()
        file.close()
        disk.sync_names()
        assert disk.read("a") == b"one two"

    def test_creating_empties_what_has_the_name(self, disk: Disk) -> None:
        put(disk, "a", b"former")
        disk.create("a").close()
        assert disk.read("a") == b""

    def test_appending_goes_on_behind_what_is_kept(self, disk: Disk) -> None:
        put(disk, "a", b"0123456789")
        file = disk.append("a", 4)
        assert disk.read("a") == b"0123"
        file.write(b"xyz")
        file.sync()
        file.close()
        assert disk.read("a") == b"0123xyz"
        file = disk.append("a", 7)
        file.write(b"!")
        file.close()
        assert disk.read("a") == b"0123xyz!"

    def test_appending_to_what_is_not_there_fails(self, disk: Disk) -> None:
        with pytest.raises(DiskFailed) as caught:
            disk.append("a", 0)
        assert caught.value.errno == errno.ENOENT
        assert caught.value.path == disk.path("a")
        assert disk.read("a") is None

    def test_replacing_moves_the_whole_file_over_the_other(self, disk: Disk) -> None:
        put(disk, "a", b"former, and longer")
        put(disk, "b", b"new")
        disk.replace("b", "a")
        disk.sync_names()
        assert (disk.read("a"), disk.read("b")) == (b"new", None)
        disk.replace("a", "c")
        assert (disk.read("a"), disk.read("c")) == (None, b"new")

    def test_replacing_by_what_is_not_there_fails_and_changes_nothing(self, disk: Disk) -> None:
        put(disk, "a", b"former")
        with pytest.raises(DiskFailed) as caught:
            disk.replace("b", "a")
        assert caught.value.errno == errno.ENOENT
        assert disk.read("a") == b"former"

    def test_an_open_file_goes_with_its_rename(self, disk: Disk) -> None:
        file = disk.create("b")
        file.write(b"one")
        put(disk, "a", b"former")
        disk.replace("b", "a")
        file.write(b" two")
        file.sync()
        file.close()
        assert disk.read("a") == b"one two"

    def test_an_open_file_that_was_replaced_reaches_the_new_one_no_more(self, disk: Disk) -> None:
        file = disk.create("a")
        put(disk, "a", b"new")
        file.write(b"late")
        file.close()
        assert disk.read("a") == b"new"

    def test_removing(self, disk: Disk) -> None:
        put(disk, "a", b"1")
        put(disk, "b", b"2")
        disk.remove("a")
        disk.remove("a")
        disk.sync_names()
        assert (disk.read("a"), disk.read("b")) == (None, b"2")

    def test_putting_leaves_nothing_beside_it(self, disk: Disk) -> None:
        put(disk, "a", b"one")
        put(disk, "a", bytearray(b"two"))
        assert (disk.read("a"), disk.read("a.tmp")) == (b"two", None)
        file = disk_put(disk, "a", b"three")
        file.write(b", four")
        file.sync()
        file.close()
        assert (disk.read("a"), disk.read("a.tmp")) == (b"three, four", None)

    def test_a_large_write_is_whole(self, disk: Disk) -> None:
        content = bytes(range(256)) * (1 << 14)
        put(disk, "a", content)
        assert disk.read("a") == content
