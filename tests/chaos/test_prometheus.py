"""A real Prometheus over three real nodes: all are scraped, the rules work, and an alert fires when it should.

Configured by the templates of the role triarch_prometheus and by deploy/prometheus/triarch.rules.yml.
"""

import os
from pathlib import Path

import pytest
import yaml

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.prometheus_server import RULES, Prometheus, program
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(150)]


@pytest.fixture(autouse=True)
def _needs_prometheus() -> None:
    if program() is None:
        assert not os.environ.get("CI"), "prometheus is missing (Debian: apt install prometheus)"
        pytest.skip("prometheus is missing (Debian: apt install prometheus)")


async def test_an_alert_fires_while_nobody_leads_and_ends_when_somebody_does(tmp_path: Path) -> None:
    names = {rule.get("alert") or rule["record"] for group in yaml.safe_load(RULES.read_text())["groups"]
             for rule in group["rules"]}  # fmt: skip
    async with LocalPlant(on_free_ports(tmp_path / "plant")) as plant:
        leader = await plant.wait_ready()
        answer = await plant.call("POST", "/v1/access/bootstrap", json={"name": "root"})
        admin = {"Authorization": f"Bearer {answer.json()['token']}"}
        api = plant.topology.node(leader.node_id).api
        made = await plant.http.post(f"{api}/v1/tokens", json={"name": "prometheus", "role": "viewer"}, headers=admin)
        assert made.status_code == 201, made.text
        targets = [(node.id, node.api.removeprefix("http://")) for node in plant.topology.nodes]
        async with Prometheus(tmp_path / "prometheus", targets, token=made.json()["token"]) as prometheus:

            async def all_well() -> bool:
                assert await prometheus.health() == dict.fromkeys(("n1", "n2", "n3"), "up"), prometheus.log()
                assert await prometheus.rules() == dict.fromkeys(names, "ok")
                return await prometheus.value("triarch:leaders") == [1.0]

            await eventually(all_well, deadline_s=20)
            assert await prometheus.firing() <= {"TriarchClockUnsynchronised"}

            killed = [leader.node_id, next(node.id for node in plant.topology.nodes if node.id != leader.node_id)]
            for node_id in killed:
                assert await plant.kill(node_id) == -9

            async def fires() -> bool:
                return "TriarchNoLeader" in await prometheus.firing()

            await eventually(fires, deadline_s=20)
            assert await plant.leader() is None  # it is true
            assert await prometheus.value("triarch:leaders") == [0.0]

            await plant.restart(killed[0])

            async def over() -> bool:
                return not await fires() and await prometheus.value("triarch:leaders") == [1.0]

            await eventually(over, deadline_s=30)
