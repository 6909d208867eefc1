"""Playbooks that would do harm now refuse, before they change anything."""

import asyncio
import re

import pytest

from orchestrator.drills.lab_faults import LabFaults
from tests.lab.deployment import API_PORT, Deployment
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.mark.soak
async def test_a_host_that_is_only_cut_off_does_not_go_on_alone(deployed: Deployment, faults: LabFaults) -> None:
    host = deployed.lab.host("n1")

    def leader(name: str) -> str:
        """Whom a node follows: its name, or null."""
        one = deployed.lab.host(name)
        said = one.ask(f"curl -s --max-time 3 http://{one.address}:{API_PORT}/readyz").out
        found = re.search(r'"leader": ?"?(\w+)', said)
        return found[1] if found else ""

    try:
        await faults.isolate("n1")
        await eventually(lambda: leader("n1") == "null", deadline_s=60, every_s=0.5)
        await eventually(lambda: {leader("n2"), leader("n3")} < {"n2", "n3"}, deadline_s=60, every_s=0.5)
        node = host.ssh("systemctl show -p MainPID --value triarch-node")
        run = await asyncio.to_thread(deployed.play, "recover.yml", "-e", "triarch_survivor=n1", check=False)
        assert host.ssh("systemctl show -p MainPID --value triarch-node") == node
    finally:
        await faults.heal()
    said = " ".join(run.out.split())
    assert run.status != 0
    assert run.count("changed") == 0
    for name in ("n2", "n3"):
        assert re.search(rf"{name} answers itself \(\d+ of /readyz\), and its leader is n[23]", said), said
    await asyncio.to_thread(deployed.ready)


def test_data_elsewhere_are_refused(deployed: Deployment) -> None:
    run = deployed.play("preflight.yml", "-e", "triarch_redis_data_dir=/srv/redis", check=False)
    assert run.status != 0
    assert "triarch_redis_data_dir is /srv/redis, and data stand in /var/lib/triarch/redis" in " ".join(run.out.split())


@pytest.mark.parametrize(
    ("playbook", "said"),
    [
        ("replace-host.yml", "Say which hosts are lost, by the names that they had in the inventory"),
        ("restore.yml", "Say which backup: -e triarch_backup=FOLDER"),
        ("recover.yml", "Say which host is left: -e triarch_survivor=NAME, one of n1, n2, n3"),
    ],
)
def test_what_has_to_be_given_is_said(deployed: Deployment, playbook: str, said: str) -> None:
    run = deployed.play(playbook, check=False)
    assert run.status != 0
    assert said in " ".join(run.out.split()), run.end()
    assert run.count("changed") == 0


def test_a_look_at_going_on_alone_says_that_nobody_is_lost(deployed: Deployment) -> None:
    run = deployed.play("recover.yml", "--check", "-e", "triarch_survivor=n1", check=False)
    assert run.status != 0
    assert "n1 has a leader: the majority is not lost" in " ".join(run.out.split()), run.end()


@pytest.mark.soak
def test_a_plant_that_is_asked_in_the_wrong_scheme_is_not_split(deployed: Deployment) -> None:
    wrong = ("-e", "triarch_survivor=n1", "-e", "triarch_api_scheme=https")
    run = deployed.play("recover.yml", "--check", *wrong, check=False)
    assert run.status != 0
    assert "what it says to https is not understood" in " ".join(run.out.split()), run.end()
    survivor = deployed.lab.host("n1")
    survivor.ssh("systemctl stop triarch-node")
    try:
        run = deployed.play("recover.yml", "--check", *wrong, check=False)
    finally:
        survivor.ssh("systemctl start triarch-node")
        deployed.ready()
    said = " ".join(run.out.split())
    assert run.status != 0
    for name in ("n2", "n3"):
        assert f"{name} takes connections of itself on the port of its API" in said, run.end()
