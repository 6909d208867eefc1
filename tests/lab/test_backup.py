"""A backup of a plant with frames under way, and all three disks lost: the backup is the plant again."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from orchestrator.backups.manifest import MANIFEST
from tests.lab.conftest import is_deployed
from tests.lab.deployment import Deployment
from tests.lab.rolling import Rolling
from tests.lab.test_lost_hosts import ask, play

pytestmark = pytest.mark.anyio

FPS = 100.0


def lose_all(deployment: Deployment, aside: Path) -> None:
    """Three hosts with nothing on them. What the operator's machine has stays: wheelhouses, secrets, reports."""
    place = deployment.lab.place
    secrets = (place / "inventory/secrets.yml").read_bytes()
    aside.mkdir()
    for kept in [*place.glob("wheelhouse*"), *place.glob("reports")]:
        shutil.move(kept, aside / kept.name)
    deployment.lab.up()
    for kept in aside.iterdir():
        shutil.move(kept, place / kept.name)
    (place / "inventory/secrets.yml").write_bytes(secrets)
    (place / "inventory/secrets.yml").chmod(0o600)


@pytest.mark.soak
async def test_one_that_fails_pushes_none_out(deployed: Deployment, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    place = {"triarch_backup_dir": str(backups), "triarch_backup_keep": 1}
    await play(deployed, "backup.yml", **place)
    (good,) = backups.iterdir()
    fails = json.dumps({**place, "triarch_backup_files": ["state.snapshot", "nothing"]})
    for _ in range(2):
        broken = await asyncio.to_thread(deployed.play, "backup.yml", "--extra-vars", fails, check=False)
        assert (broken.status != 0, list(backups.iterdir())) == (True, [good]), broken.end()
    cluster = f"lab-{deployed.lab.number}"
    left = backups / f"{cluster}-20990101T000000Z"
    for unfinished in (left, backups / f"{cluster}-20200101T000000Z"):
        unfinished.mkdir()
    run = await play(deployed, "backup.yml", **place)
    assert f"Unfinished, and left where they are: {left.name}" in " ".join(run.out.split())
    assert len(list(backups.iterdir())) == 2, "the good one before, and what was left before it, are gone"
    assert not good.exists()
    assert left.exists()


@pytest.mark.soak
async def test_all_disks(deployed: Deployment, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    await ask(deployed, "n1", "/v1/variables/kept", value=[1, 2, 3])
    stood = deployed.state()
    looked = await asyncio.to_thread(
        deployed.play, "backup.yml", "--check", "--extra-vars", f"triarch_backup_dir={backups}"
    )
    assert "would make the backup" in looked.out, looked.end()
    assert (looked.count("changed"), backups.exists()) == (0, False)
    assert {name: stood[name] ^ lines for name, lines in deployed.state().items()} == {name: set() for name in stood}
    async with Rolling(deployed, tmp_path / "load", FPS) as load:
        await play(deployed, "backup.yml", triarch_backup_dir=str(backups), triarch_backup_keep=1)
        (first,) = backups.iterdir()
        await load.finish()
    await play(deployed, "backup.yml", triarch_backup_dir=str(backups), triarch_backup_keep=1)
    (backup,) = backups.iterdir()
    assert backup != first, "the oldest went"
    assert {file.stat().st_mode & 0o077 for file in [backup, *backup.iterdir()]} == {0}
    told = json.loads((backup / MANIFEST).read_text())
    assert told["frames"]["totals"]["published"] > 0
    held = deployed.play("restore.yml", "--extra-vars", f"triarch_backup={backup}", check=False)
    assert "holds data of a plant" in " ".join(held.out.split())
    assert held.count("changed") == 0

    lose_all(deployed, tmp_path / "controller")
    looked = deployed.play("restore.yml", "--check", "--extra-vars", f"triarch_backup={backup}")
    assert "It would be laid down on these hosts" in " ".join(looked.out.split()), looked.end()
    assert not is_deployed(deployed)
    run = await play(deployed, "restore.yml", triarch_backup=str(backup))
    deployed.ready()
    assert (await ask(deployed, "n1", "/v1/variables/kept"))["value"] == [1, 2, 3]
    ledger = await ask(deployed, "n1", "/v1/frames/ledger")
    assert {name: ledger[name] for name in told["frames"]["totals"]} == told["frames"]["totals"]
    assert told["state"]["digest"] in run.out, "the proof that the play ends with"
    async with Rolling(deployed, tmp_path / "again", FPS) as load:
        passed = await load.finish()
    assert (passed.lost, passed.duplicates, passed.ledger_ok) == (0, 0, True)
    assert passed.published > told["frames"]["totals"]["published"], "cameras number on"
    passed.write(deployed.lab.place / "reports/restore.json", restore_s=run.seconds)
    assert deployed.play("site.yml").changed_tasks() == []
