"""When a release on a host is taken for one that is there: whole, and made with the Python that the host has."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.controller import TOOLS
from tests.deploy.filters import ANSIBLE, library

MODULE = library("roles/triarch_node/library/triarch_release.py")
OURS = f"3.{sys.version_info.minor}"


def laid_down(root: Path, python: str, marker: str | None) -> Path:
    """A release as an installation leaves it, with what stands in its marker; None: it was interrupted."""
    target = root / "releases/1.0.0"
    (target / f"lib/python{python}/site-packages").mkdir(parents=True)
    if marker is not None:
        (target / ".installed").write_text(marker)
    return target


@pytest.mark.parametrize("marker", ["1.0.0\n", ""])
def test_a_release_of_another_python_is_not_there(marker: str, tmp_path: Path) -> None:
    target = str(laid_down(tmp_path, "3.11", marker))
    assert MODULE.complete(target, "3.11")
    assert not MODULE.complete(target, "3.13")
    assert not MODULE.complete(target, "3.1")


def test_a_release_whose_installation_was_interrupted_is_not_there(tmp_path: Path) -> None:
    assert not MODULE.complete(str(laid_down(tmp_path, "3.11", None)), "3.11")
    assert not MODULE.complete(str(tmp_path / "nowhere"), "3.11")


@pytest.mark.campaign
@pytest.mark.timeout(600)
@pytest.mark.parametrize(("python", "there"), [(OURS, True), ("3.2", False)])
def test_ansible_asks_the_interpreter_that_releases_are_made_with(
    python: str, there: bool, ansible: None, tmp_path: Path
) -> None:
    target = laid_down(tmp_path, python, "1.0.0\n")
    given = {"version": "1.0.0", "root": str(tmp_path), "wheels": str(tmp_path), "python": sys.executable}
    done = subprocess.run(
        [TOOLS / "ansible", "localhost", "--check", "-m", "triarch_release", "-a", json.dumps(given)],
        cwd=ANSIBLE,
        env={
            "PATH": f"{TOOLS}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LIBRARY": "roles/triarch_node/library",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert " => " in done.stdout, done.stdout + done.stderr
    found: dict[str, Any] = yaml.safe_load(done.stdout.partition(" => ")[2])
    assert (found["complete"], found["changed"], found["path"]) == (there, not there, str(target)), found
