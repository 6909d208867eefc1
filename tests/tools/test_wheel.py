"""What is installed from the wheel is complete: also what is no Python code."""

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("cluster", "framebuffer", "orchestrator", "playbooks")


def test_the_wheel_holds_every_tracked_file_of_the_packages(tmp_path: Path) -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "--", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", tmp_path],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert {path for path in tracked if (ROOT / path).exists()} <= held
    for kind in (".lua", "py.typed"):
        assert any(name.endswith(kind) for name in held), kind
    assert any(name.startswith("playbooks/") for name in held)
    assert not any(name.startswith("tests/") for name in held)
