"""Whose directory it is, and that only one process has it."""

import os
from pathlib import Path

import pytest

from cluster import DataDirForeign, DataDirInUse, DataDirUnreadable, DataDirUnwritable
from cluster.datadir import DataDir
from cluster.errors import DataDirError


def open_dir(path: Path, *, cluster: str = "plant", node: str = "n1") -> DataDir:
    return DataDir.open(path, cluster=cluster, node=node)


def test_a_new_directory_is_private_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "n1"
    data = open_dir(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert (data.journal, data.snapshot) == (path / "journal", path / "snapshot")
    data.close()
    data.close()
    open_dir(path).close()


def test_a_locked_one_names_its_holder(tmp_path: Path) -> None:
    data = open_dir(tmp_path)
    with pytest.raises(DataDirInUse, match=f"process {os.getpid()}") as caught:
        open_dir(tmp_path)
    assert caught.value.path == tmp_path
    assert str(tmp_path) in str(caught.value)
    data.close()
    open_dir(tmp_path).close()


@pytest.mark.parametrize(("cluster", "node"), [("plant", "n2"), ("other", "n1")])
def test_anothers_is_refused_and_stays_unlocked(tmp_path: Path, cluster: str, node: str) -> None:
    open_dir(tmp_path).close()
    with pytest.raises(DataDirForeign, match="belongs to node 'n1' of cluster 'plant'"):
        open_dir(tmp_path, cluster=cluster, node=node)
    open_dir(tmp_path).close()


def test_files_without_an_identity_are_not_a_nodes(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DataDirForeign, match=r"holiday\.jpg"):
        open_dir(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 1}', b'{"format": 2, "cluster": "plant", "node": "n1"}'])
def test_an_identity_that_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "node.json").write_bytes(content)
    with pytest.raises(DataDirUnreadable, match=r"node\.json"):
        open_dir(tmp_path)


def test_an_identity_that_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "node.json").mkdir()
    with pytest.raises(DataDirUnreadable, match="Is a directory"):
        open_dir(tmp_path)


def test_what_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnwritable, match="cannot be created"):
        open_dir(tmp_path / "file" / "n1")


def test_an_identity_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "node.json.tmp").mkdir()
    with pytest.raises(DataDirError) as caught:
        open_dir(tmp_path)
    assert caught.value.code == "data_dir_unwritable"
