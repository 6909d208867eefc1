"""Each run has a directory of its own; two runs never share one, and old ones do not pile up."""

from pathlib import Path

import pytest

from orchestrator.dev.directory import RUNS_KEPT, check_report, forget_old_runs, locked, new_run_directory
from orchestrator.dev.errors import DirectoryTaken, NotWritable


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


def test_a_directory_or_a_report_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotWritable, match="file/run cannot be written") as caught, locked(tmp_path / "file" / "run"):
        pass
    assert caught.value.exit_code == 1
    with pytest.raises(NotWritable, match=r"report\.json"):
        check_report(tmp_path / "file" / "report.json")


def test_looking_whether_a_report_can_be_written_leaves_no_trace(tmp_path: Path) -> None:
    check_report(None)
    check_report(Path("-"))
    check_report(tmp_path / "new" / "report.json")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "old.json").write_text("{}")
    check_report(tmp_path / "old.json")
    assert (tmp_path / "old.json").read_text() == "{}"


def test_the_last_runs_are_kept_and_those_in_use(tmp_path: Path) -> None:
    names = [f"demo-20260101T00000{number}-1" for number in range(8)]
    for name in names:
        (tmp_path / name / "logs").mkdir(parents=True)
    (tmp_path / "dev").mkdir()
    with locked(tmp_path / names[1]):
        forget_old_runs(tmp_path, "demo")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([names[1], *names[-RUNS_KEPT:], "dev"])
