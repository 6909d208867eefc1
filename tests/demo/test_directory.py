"""Each run has a directory of its own; two runs never share one, and old ones do not pile up."""

from pathlib import Path

import pytest

from orchestrator.dev.directory import RUNS_KEPT, forget_old_runs, locked, new_run_directory
from orchestrator.dev.errors import DirectoryTaken


def test_a_run_gets_a_directory_below_the_working_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    directory = new_run_directory("demo")
    assert directory.is_dir()
    assert directory.parent == tmp_path / ".triarch"


def test_without_a_writable_working_directory_the_temporary_one_serves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / ".triarch").write_text("in the way")
    directory = new_run_directory("demo")
    assert directory.is_dir()
    assert directory.name.startswith("triarch-demo-")


def test_two_runs_do_not_share_a_directory(tmp_path: Path) -> None:
    with locked(tmp_path / "dev"):
        with pytest.raises(DirectoryTaken) as caught, locked(tmp_path / "dev"):
            pass
        assert caught.value.exit_code == 5
    with locked(tmp_path / "dev"):
        pass


def test_the_last_runs_are_kept_and_those_in_use(tmp_path: Path) -> None:
    names = [f"demo-20260101T00000{number}-1" for number in range(8)]
    for name in names:
        (tmp_path / name / "logs").mkdir(parents=True)
    (tmp_path / "dev").mkdir()
    with locked(tmp_path / names[1]):
        forget_old_runs(tmp_path, "demo")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[1], *names[-RUNS_KEPT:], "dev"])
