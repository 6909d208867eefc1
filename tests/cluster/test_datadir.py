"""One private directory, one process at a time."""

import os
from pathlib import Path

import pytest

from cluster import DataDirExposed, DataDirForeign, DataDirInUse, DataDirUnwritable
from cluster.datadir import DataDir


def test_a_new_directory_is_private_and_opens_again(tmp_path: Path) -> None:
    path = tmp_path / "a" / "n1"
    data = DataDir.open(path)
    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / "lock").stat().st_mode & 0o777 == 0o600
    assert data.disk.path("journal") == path / "journal"
    data.close()
    data.close()
    DataDir.open(path).close()


def test_a_locked_one_names_its_holder(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path)
    with pytest.raises(DataDirInUse, match=f"process {os.getpid()}; stop that node") as caught:
        DataDir.open(tmp_path)
    assert caught.value.path == tmp_path
    assert str(tmp_path) in str(caught.value)
    data.close()
    DataDir.open(tmp_path).close()


@pytest.mark.parametrize("mode", [0o777, 0o755, 0o750, 0o701, 0o704])
def test_one_that_others_may_enter_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "n1"
    path.mkdir(0o700)
    (path / "node.json").write_bytes(b"{}")
    path.chmod(mode)
    with pytest.raises(DataDirExposed, match=f"mode {mode:04o}.*chmod 700 {path}"):
        DataDir.open(path)
    assert path.stat().st_mode & 0o777 == mode
    path.chmod(0o700)
    DataDir.open(path).close()


def test_an_empty_one_that_others_may_enter_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "n1"
    path.mkdir()
    path.chmod(0o777)
    DataDir.open(path).close()
    assert path.stat().st_mode & 0o777 == 0o700


def test_files_without_an_identity_are_not_a_nodes(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "holiday.jpg").touch()
    for _ in range(2):  # a refusal holds no lock
        with pytest.raises(DataDirForeign, match=r"holiday\.jpg.*set another data_dir"):
            DataDir.open(tmp_path)


def test_a_kill_while_the_identity_was_written_is_no_stranger(tmp_path: Path) -> None:
    (tmp_path / "node.json.tmp").write_bytes(b'{"form')
    tmp_path.chmod(0o700)
    DataDir.open(tmp_path).close()


def test_what_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataDirUnwritable, match=r"cannot be created or written.*give it to this user"):
        DataDir.open(tmp_path / "file" / "n1")


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "lock").mkdir()
    with pytest.raises(DataDirUnwritable, match="Is a directory"):
        DataDir.open(tmp_path)
