"""What `restore.yml` refuses before a host is asked: whatever is no whole backup of this cluster for this release."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.backups import manifest
from tests.deploy.backups import a_backup
from tests.deploy.controller import Controller
from tests.lab.wheelhouses import releases

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(600)]


def another_file(backup: Path) -> None:
    (backup / manifest.FRAMES).write_bytes(b"another")


def half_a_manifest(backup: Path) -> None:
    said = (backup / manifest.MANIFEST).read_bytes()
    (backup / manifest.MANIFEST).write_bytes(said[: len(said) // 2])


def says(**members: Any) -> Callable[[Path], object]:
    def change(backup: Path) -> None:
        said = json.loads((backup / manifest.MANIFEST).read_text())
        (backup / manifest.MANIFEST).write_text(json.dumps(said | members))

    return change


WRONG: dict[str, tuple[Callable[[Path], object], str]] = {
    "no-manifest": (lambda backup: (backup / manifest.MANIFEST).unlink(), "it has no manifest.json"),
    "a-file": (another_file, "/frames.rdb is damaged: use another backup"),
    "no-file": (lambda backup: (backup / manifest.STATE).unlink(), "/state.snapshot is missing: use another backup"),
    "half": (half_a_manifest, "/manifest.json is damaged: use another backup (it cannot be read"),
    "no-files": (says(files={}), "/manifest.json is damaged: use another backup (it names no files instead of"),
    "newer-format": (says(format=2), "/manifest.json is of a newer release: use its deployment (its format is 2"),
    "another-cluster": (says(cluster="line-5"), "is of the cluster line-5"),
    "newer-release": (says(version="99.0.0"), "Release 99.0.0 made"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_restored_is_refused_before_a_host_is_asked(name: str, controller: Controller) -> None:
    change, said = WRONG[name]
    controller.has_wheelhouse("wheelhouse", list(releases())[-1])
    backup = a_backup(controller.inventory / "backups" / name)
    change(backup)
    run = controller.play("restore.yml", triarch_backup=name)
    assert not run.asked_hosts, run.out
    assert said in run.words, run.out
    assert str(backup) in run.words
    assert "Nothing was changed" in run.words
    assert "What the host holds" not in run.words
