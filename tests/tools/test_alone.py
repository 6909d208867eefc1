"""What is run once more after a run of all tests: only what failed, and only where the others were run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools import alone


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder in which `test_once.py` failed in the last run, and would pass now."""
    (tmp_path / "test_once.py").write_text("def test_it():\n    pass\n")
    noted = tmp_path / alone.LAST_FAILED
    noted.parent.mkdir(parents=True)
    noted.write_text(json.dumps({"test_once.py::test_it": True}))
    return tmp_path


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, alone.__file__, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_what_passes_alone_is_named(folder: Path) -> None:
    done = run(folder, "1", "-p", "no:cacheprovider")
    assert done.returncode == 0
    assert "PASSED ALONE: test_once.py::test_it" in done.stdout


@pytest.mark.parametrize("status", ["2", "3", "4", "5", "130"])
def test_a_run_that_broke_off_has_not_passed(folder: Path, status: str) -> None:
    assert run(folder, status).returncode == 1


def test_many_failures_are_no_disturbance(folder: Path) -> None:
    (folder / alone.LAST_FAILED).write_text(json.dumps({f"test_once.py::test_{n}": True for n in range(alone.MANY)}))
    assert run(folder, "1").returncode == 1
