"""Fail points: what may be said, and that a process dies at the passing that is named and at no other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.failpoints import VARIABLE, FailPointInvalid, Point, parse, reach

PASS = (
    "from orchestrator.failpoints import reach\nfor _ in range(5): reach('playbook.after_commit'); print(_, flush=True)"
)


def run(points: str, code: str = PASS) -> tuple[int, list[str], str]:
    """(exit status, what it printed, its standard error) of a process with these fail points."""
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, VARIABLE: points}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout.split(), done.stderr


def test_points_and_actions() -> None:
    assert parse("playbook.before_commit:7=kill, trigger.after_commit=log") == (
        Point("playbook.before_commit", 7, "kill"),
        Point("trigger.after_commit", 0, "log"),
    )
    assert parse(" ") == ()


@pytest.mark.parametrize(
    "text",
    ["playbook.nowhere:1=kill", "playbook.before_commit:0=kill", "playbook.before_commit:1=explode", "kill", "=kill"],
)
def test_what_is_no_point_says_which_there_are(text: str) -> None:
    with pytest.raises(FailPointInvalid, match=r"names: playbook\.before_commit"):
        parse(text)


def test_a_kill_needs_its_passing() -> None:
    with pytest.raises(FailPointInvalid, match=r"playbook\.before_commit:1=kill"):
        parse("playbook.before_commit=kill")


def test_the_process_dies_at_the_passing_that_is_named() -> None:
    status, printed, said = run("playbook.after_commit:3=kill")
    assert status == -signal.SIGKILL
    assert printed == ["0", "1"]
    assert said == "fail point playbook.after_commit:3: kill\n"


def test_each_passing_can_be_told() -> None:
    status, printed, said = run("playbook.after_commit=log")
    assert (status, len(printed), said.count("fail point playbook.after_commit")) == (0, 5, 5)


def test_another_point_is_passed_by() -> None:
    assert run("playbook.before_commit:1=kill")[:2] == (0, ["0", "1", "2", "3", "4"])


def test_a_file_is_looked_at_and_counted_from_when_it_came(tmp_path: Path) -> None:
    file = tmp_path / "points"
    code = (
        "import pathlib\nfrom orchestrator.failpoints import reach\nfor each in range(6):\n"
        f" if each == 3: pathlib.Path({str(file)!r}).write_text('trigger.before_commit:2=kill')\n"
        " reach('trigger.before_commit'); print(each, flush=True)"
    )
    status, printed, said = run(f"@{file}", code)
    assert (status, printed) == (-signal.SIGKILL, ["0", "1", "2", "3"])
    assert "trigger.before_commit:2: kill" in said


def test_without_the_variable_nothing_happens() -> None:
    assert VARIABLE not in os.environ
    reach("playbook.before_commit")
