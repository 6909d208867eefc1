"""Disks of one host, of two, of all are lost; the playbooks bring the plant back, and the ledger says what it cost."""

import asyncio
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from orchestrator.drills.lab_faults import LabFaults
from tests.lab.deployment import API_PORT, Deployment, PlayRun
from tests.lab.rolling import Rolling, secrets_of
from tests.lab.wheelhouses import before, released

pytestmark = pytest.mark.anyio

FPS = 50.0
DATA = "/var/lib/triarch"
UNITS = "triarch-node triarch-redis triarch-sentinel"
OLD = (
    "printf 'ID=debian\\nVERSION_ID=11\\nPRETTY_NAME=\"Debian 11\"\\n' >/run/old-release; "
    "mount --bind /run/old-release /usr/lib/os-release"
)


async def play(deployment: Deployment, playbook: str, **variables: Any) -> PlayRun:
    return await asyncio.to_thread(deployment.play, playbook, "--extra-vars", json.dumps(variables))


def lose_disk(deployment: Deployment, name: str) -> None:
    """The host dies without a word; when it is back its data are gone."""
    host = deployment.lab.host(name)
    host.ssh(f"systemctl kill -s KILL {UNITS}; systemctl stop {UNITS}; systemctl disable {UNITS}; rm -rf {DATA}/*")
    assert host.ssh(f"ls {DATA}").strip() == "", "the disk is lost"


def rename(deployment: Deployment, **names: str) -> None:
    """In the inventory, hosts of other names at the same addresses: n2="n4"."""
    file = Path(deployment.lab.told().inventory)
    tree = yaml.safe_load(file.read_text())
    hosts = tree["all"]["children"]["triarch"]["hosts"]
    tree["all"]["children"]["triarch"]["hosts"] = {names.get(name, name): row for name, row in hosts.items()}
    # ssh knows them by the lab's names; the address is what counts.
    file.write_text(yaml.safe_dump(tree, sort_keys=False))


async def ask(deployment: Deployment, name: str, path: str, **put: Any) -> Any:
    """JSON of a node; with `put`, of a PUT of that."""
    headers = {"Authorization": f"Bearer {secrets_of(deployment)['api_token']}"}
    url = f"http://{deployment.lab.host(name).address}:{API_PORT}{path}"
    async with httpx.AsyncClient(timeout=20, headers=headers) as client:
        answer = await (client.put(url, json=put) if put else client.get(url))
    assert answer.is_success, answer.text
    return answer.json()


async def members(deployment: Deployment) -> Mapping[str, bool]:
    return {row["id"]: row["voter"] for row in await ask(deployment, "n1", "/v1/cluster/members")}


async def test_what_the_new_host_or_the_wheelhouse_lacks_is_told_before_anybody_is_removed(
    deployed: Deployment,
) -> None:
    """n2 under a new name, as if its disk were lost: its Debian is old, and the wheelhouse of the release before."""
    stale = released(before(), deployed.lab.place / f"wheelhouse-{before()}")
    host = deployed.lab.host("n2")
    stood = deployed.state()
    rename(deployed, n2="n4")
    try:
        host.ssh(OLD)
        options = ("--extra-vars", f"triarch_wheelhouse={stale}", "--extra-vars", "triarch_lost=n2")
        run = await asyncio.to_thread(deployed.play, "replace-host.yml", *options, check=False)
    finally:
        host.ssh("umount /usr/lib/os-release; rm -f /run/old-release")
        rename(deployed, n4="n2")
    told = " ".join(run.out.split())
    assert (run.status != 0, run.count("changed")) == (True, 0), run.end()
    assert "Refused, and nothing was changed" in told, run.end()
    assert "n4: Debian 11 is too old" in told, run.end()
    for name in ("n1", "n3"):
        assert re.search(rf"{name}: release \S+ runs here, {re.escape(before())} was asked for", told), run.end()
    assert await members(deployed) == {"n1": True, "n2": True, "n3": True}
    assert {name: stood[name] ^ lines for name, lines in deployed.state().items()} == {name: set() for name in stood}


@pytest.mark.soak
async def test_one_disk(deployed: Deployment, tmp_path: Path) -> None:
    await ask(deployed, "n1", "/v1/variables/kept", value=1)
    async with Rolling(deployed, tmp_path / "load", FPS) as load:
        lose_disk(deployed, "n2")
        rename(deployed, n2="n4")
        looked = await asyncio.to_thread(
            deployed.play, "replace-host.yml", "--check", "--extra-vars", "triarch_lost=n2"
        )
        assert "n2 would be removed from the cluster of n1, n3" in " ".join(looked.out.split()), looked.end()
        assert (looked.count("changed"), "n2" in await members(deployed)) == (0, True)
        other = await asyncio.to_thread(
            deployed.play, "replace-host.yml", "--extra-vars", "triarch_lost=n5", check=False
        )
        assert "n2 is a member of the cluster, and neither in the inventory" in " ".join(other.out.split()), other.end()
        assert (other.count("changed"), "n2" in await members(deployed)) == (0, True)
        run = await play(deployed, "replace-host.yml", triarch_lost="n2")
        passed = await load.finish()
    assert await members(deployed) == {"n1": True, "n3": True, "n4": True}
    assert (passed.lost, passed.duplicates, passed.ledger_ok) == (0, 0, True), passed
    assert (await ask(deployed, "n2", "/v1/variables/kept"))["value"] == 1, "n4, at the address of n2"
    deployed.ready()
    passed.write(deployed.lab.place / "reports/one-disk.json", play_s=run.seconds)
    assert (await asyncio.to_thread(deployed.play, "site.yml")).changed_tasks() == []


@pytest.mark.soak
async def test_two_disks(deployed: Deployment, faults: LabFaults, tmp_path: Path) -> None:
    """n1 is left, n3 does not even answer ssh. Frames that n1 had are all there; a publish is acknowledged again once
    a replica has it.
    """
    await ask(deployed, "n1", "/v1/variables/kept", value=2)
    async with Rolling(deployed, tmp_path / "load", FPS) as load:
        await load.finish()
    before = await ask(deployed, "n1", "/v1/frames/ledger")
    for name in ("n2", "n3"):
        lose_disk(deployed, name)
    await faults.power_off("n3")
    try:
        looked = await asyncio.to_thread(deployed.play, "recover.yml", "--check", "--extra-vars", "triarch_survivor=n1")
        assert "n1 would be the only member of its cluster" in " ".join(looked.out.split()), looked.end()
        assert looked.count("changed") == 0
        first = await play(deployed, "recover.yml", triarch_survivor="n1")
    finally:
        await faults.power_on("n3")
    await asyncio.to_thread(deployed.lab.wait_reachable, "n3")
    lost = [name for name in names(deployed) if name != "n1"]
    rename(deployed, **{name: f"{name}-new" for name in lost})
    second = await play(deployed, "replace-host.yml", triarch_lost=",".join(lost))
    assert set((await members(deployed)).values()) == {True}
    assert len(await members(deployed)) == 3
    assert (await ask(deployed, "n1", "/v1/variables/kept"))["value"] == 2
    after = await ask(deployed, "n1", "/v1/frames/ledger")
    assert {name: after[name] for name in ("published", "settled", "lost")} == {
        name: before[name] for name in ("published", "settled", "lost")
    }
    async with Rolling(deployed, tmp_path / "again", FPS) as load:
        passed = await load.finish()
    assert (passed.lost, passed.ledger_ok) == (0, True)
    assert passed.published > before["published"], "cameras number on"
    deployed.ready()
    passed.write(deployed.lab.place / "reports/two-disks.json", recover_s=first.seconds, replace_s=second.seconds)


def names(deployment: Deployment) -> list[str]:
    """Of the inventory as it is now."""
    tree = yaml.safe_load(Path(deployment.lab.told().inventory).read_text())
    return list(tree["all"]["children"]["triarch"]["hosts"])
