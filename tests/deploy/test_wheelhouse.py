"""What a wheelhouse takes from a lock: what the hosts' Python needs, not what the Python that makes it would."""

import re
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tools import wheelhouse

ROOT = Path(__file__).parents[2]


def test_conditions_are_judged_by_the_hosts_python() -> None:
    wheels, sources = wheelhouse.for_host(ROOT / "requirements/telemetry.lock", "x86_64")
    names = [line.split("=")[0] for line in wheels]
    assert "async-timeout" in names  # only below Python 3.11.3: Debian 12 has 3.11.2
    assert {"fastapi", "redis", "uvloop", "opentelemetry-sdk"} <= set(names)
    assert [line.split("=")[0] for line in sources] == ["pysyncobj"]
    for line in [*wheels, *sources]:
        assert ";" not in line
        assert " --hash=sha256:" in line


def test_hosts_with_a_newer_python_are_judged_by_theirs(tmp_path: Path) -> None:
    wheels, _ = wheelhouse.for_host(ROOT / "requirements/telemetry.lock", "x86_64", "3.13")
    names = [line.split("=")[0] for line in wheels]
    assert "async-timeout" not in names
    assert {"fastapi", "redis", "uvloop"} <= set(names)
    theirs = wheelhouse.host_environment("x86_64", "3.13")
    assert (theirs["python_version"], theirs["python_full_version"]) == ("3.13", "3.13.0")
    (tmp_path / "triarch-1.2.3-py3-none-any.whl").write_bytes(b"triarch")
    assert wheelhouse.describe(tmp_path, "c" * 40, "x86_64")["python"] == "3.11"
    assert wheelhouse.describe(tmp_path, "c" * 40, "x86_64", "3.13")["python"] == "3.13"


@pytest.mark.parametrize("text", ["3.10", "2.7", "3", "3.13.1", "4.1", "three", ""])
def test_a_python_that_no_node_runs_on_is_not_taken(text: str, tmp_path: Path) -> None:
    words = ["tools/wheelhouse.py", str(tmp_path / "out"), "--python", text]
    done = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is no Python that a node runs on" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_preflights_advice_is_an_option_that_is_there() -> None:
    said = (ROOT / "deploy/ansible/roles/triarch_preflight/filter_plugins/triarch_refusals.py").read_text()
    advised = set(re.findall(r"tools/wheelhouse\.sh OUT REF (--\w+)", said))
    assert advised == {"--python", "--arch"}
    done = subprocess.run(
        [sys.executable, "tools/wheelhouse.py", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert all(f" {option} " in done.stdout for option in advised)


def test_wheels_of_newer_systems_are_not_taken() -> None:
    platforms = wheelhouse.platforms("aarch64")
    assert platforms[0] == "manylinux_2_36_aarch64"
    assert all(name.endswith("_aarch64") for name in platforms)
    assert not wheelhouse.fits("manylinux_2_17_x86_64", "aarch64")
    assert wheelhouse.fits("any", "aarch64")


def test_only_what_is_committed_comes_along(tmp_path: Path) -> None:
    commit = wheelhouse.checkout("HEAD", tmp_path / "release")
    assert (tmp_path / "release/pyproject.toml").is_file()
    assert not (tmp_path / "release/.venv").exists()
    assert commit == subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()  # fmt: skip
    with pytest.raises(wheelhouse.WheelhouseFailed, match="no-such-ref"):
        wheelhouse.checkout("no-such-ref", tmp_path / "absent")


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(wheelhouse.WheelhouseFailed, match="not empty and no wheelhouse"):
        wheelhouse.make(tmp_path, "HEAD", "x86_64")
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_a_description_has_every_file_and_the_archive_is_whole(tmp_path: Path) -> None:
    for name in ("triarch-1.2.3-py3-none-any.whl", "other_thing-4-py3-none-any.whl"):
        (tmp_path / name).write_bytes(name.encode())
    manifest = wheelhouse.describe(tmp_path, "c" * 40, "x86_64")
    assert manifest["version"] == "1.2.3"
    files = manifest["files"]
    assert isinstance(files, dict)
    assert set(files) == {path.name for path in tmp_path.iterdir()} - {"wheelhouse.json"}
    assert all(files[name] == wheelhouse.sha256(tmp_path / name) for name in files)
    with tarfile.open(tmp_path / "wheelhouse.tar") as archive:
        assert sorted(archive.getnames()) == sorted(set(files) - {"wheelhouse.tar"})
    (tmp_path / "bad-1-cp311-cp311-manylinux_2_17_aarch64.whl").write_bytes(b"")
    with pytest.raises(wheelhouse.WheelhouseFailed, match="not for x86_64: bad-1"):
        wheelhouse.describe(tmp_path, "c" * 40, "x86_64")
