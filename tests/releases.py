"""The releases before this checkout's, as its history has them."""

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
RELEASES = ROOT / "deploy/releases.yml"


def releases() -> dict[str, dict[str, Any]]:
    """What deploy/releases.yml says."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(RELEASES.read_text())["releases"]
    return found


def must_hold(commit: str) -> None:
    """This clone has the commit. Where it does not, the test is skipped.

    With CI it fails, unless `.ci/run` has said that the history is nowhere to be had.
    """
    known = subprocess.run(
        ["git", "-C", str(ROOT), "cat-file", "-e", f"{commit}^{{commit}}"], capture_output=True, check=False
    )
    if known.returncode == 0:
        return
    lacks = f"this clone lacks {commit}, of which a release was made: git fetch --unshallow"
    if os.environ.get("CI") and not os.environ.get("TRIARCH_WITHOUT_HISTORY"):
        pytest.fail(lacks)
    pytest.skip(lacks)
