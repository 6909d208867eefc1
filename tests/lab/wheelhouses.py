"""Wheelhouses of other releases than this checkout's: the one before, and one that was never any good."""

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tests.lab.deployment import ROOT, TOOLS
from tests.releases import must_hold, releases

__all__ = ["before", "changed", "released", "releases", "releases_file"]

BUILD_LIMIT_S = 300


def before() -> str:
    """The version of the release before this checkout's."""
    return list(releases())[-2]


def released(version: str, out: Path) -> Path:
    """The wheelhouse of a released version in `out`, where it stays for the next one who asks."""
    commit = str(releases()[version]["commit"])
    must_hold(commit)
    if not (out / "wheelhouse.json").exists():
        _build(ROOT, out, commit)
    return out


def changed(out: Path, version: str, change: Callable[[Path], None]) -> Path:
    """The wheelhouse of this checkout after a change, as `version`. `change` is given the root of a clone."""
    if (out / "wheelhouse.json").exists():
        return out
    clone = out.with_name(f"{out.name}-source")
    _run("git", "clone", "--quiet", "--shared", str(ROOT), str(clone))
    project = clone / "pyproject.toml"
    project.write_text(re.sub(r'(?m)^version = ".*"$', f'version = "{version}"', project.read_text(), count=1))
    change(clone)
    _run("git", "-C", str(clone), "-c", "user.name=lab", "-c", "user.email=lab@localhost", "commit", "-qam", version)
    _build(clone, out, "HEAD")
    return out


def releases_file(out: Path, **rows: Any) -> Path:
    """deploy/releases.yml with other rows; None takes one away."""
    found = {name: row for name, row in {**releases(), **rows}.items() if row is not None}
    out.write_text(yaml.safe_dump({"releases": found}, sort_keys=False))
    return out


def _build(root: Path, out: Path, ref: str) -> None:
    _run(str(TOOLS / "python"), str(root / "tools/wheelhouse.py"), str(out), ref)


def _run(*command: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=BUILD_LIMIT_S, env=environment)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
