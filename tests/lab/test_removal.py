"""Triarch is taken off its hosts. With data that stay it goes on when it is deployed again; else nothing is left."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.deployment import Deployment
from tests.lab.rolling import Rolling
from tests.lab.test_lost_hosts import FPS, ask

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

COUNTS = ("published", "settled", "lost")
ACCOUNTS = ("passwd", "shadow", "group", "gshadow", "subuid", "subgid")
"""Files below /etc of which a copy is kept when a user comes or goes."""
MADE_BY_HAPROXY = "/var/lib/haproxy/dev/log "
"""By the unit of its package, at its first start."""


@pytest.fixture
def beside(deployed: Deployment, tmp_path: Path) -> Iterator[tuple[str, ...]]:
    """Options with which n2 has HAProxy as well, and n3 what a Prometheus reads."""
    more = tmp_path / "beside.yml"
    inventory = yaml.safe_load(Path(deployed.lab.told().inventory).read_text())
    # Those that were lost before have other names than the hosts of the lab.
    _, second, third = inventory["all"]["children"]["triarch"]["hosts"]
    tree = {
        "triarch_haproxy": {"hosts": {second: None}},
        "triarch_prometheus": {"hosts": {third: None}, "vars": {"triarch_prometheus_group": "root"}},
    }
    more.write_text(yaml.safe_dump(tree))
    yield "--inventory", str(more)
    deployed.play("site.yml")  # whatever came of it, those behind find a deployment
    deployed.ready()


def paths(state: dict[str, set[str]]) -> dict[str, set[str]]:
    """What there is on each host, whatever its age and size: of other lines of the listing, all."""
    others = (*(f"/etc/{name}- " for name in ACCOUNTS), MADE_BY_HAPROXY)
    return {
        host: {
            " ".join(line.split()[:2]) if line.startswith("/") else line
            for line in lines
            if not line.startswith(others)
        }
        for host, lines in state.items()
    }


def left(deployment: Deployment) -> dict[str, str]:
    """What of Triarch is on each host, but for its data."""
    look = (
        "systemctl list-unit-files --no-legend 'triarch*'; pgrep -u triarch -a; pgrep -x redis-server -a; "
        "nft list tables | grep triarch; ls -d /opt/triarch /etc/triarch /usr/local/bin/triarch /etc/prometheus "
        "/etc/systemd/system/haproxy.service.d 2>/dev/null; systemctl is-active haproxy | grep -v inactive; "
        "grep -l triarch /etc/haproxy/*; true"
    )
    return {host.name: host.ssh(look) for host in deployment.lab.hosts()}


async def test_with_its_data_it_goes_on_and_without_nothing_is_left(
    deployed: Deployment, beside: tuple[str, ...], tmp_path: Path
) -> None:
    async def play(playbook: str, *options: str) -> None:
        await asyncio.to_thread(deployed.play, playbook, *beside, *options)

    confirmed = deployed.confirmed()
    host = deployed.lab.hosts()[0]
    await play("site.yml")
    await ask(deployed, "n1", "/v1/variables/kept", value=7)
    async with Rolling(deployed, tmp_path / "load", FPS) as load:
        await load.finish()
    before = await ask(deployed, "n1", "/v1/frames/ledger")
    (token,) = [row for row in json.loads(host.ssh("triarch token list -o json")) if monitors(row)]

    await play("remove.yml", *confirmed)
    assert left(deployed) == {one.name: "" for one in deployed.lab.hosts()}
    for one in deployed.lab.hosts():
        assert {"node", "redis", "sentinel"} <= set(one.ssh("ls /var/lib/triarch").split())
        assert one.ssh("stat -c %U /var/lib/triarch/node").strip() == "triarch"

    await play("site.yml")
    deployed.ready()
    assert (await ask(deployed, "n1", "/v1/variables/kept"))["value"] == 7
    after = await ask(deployed, "n1", "/v1/frames/ledger")
    assert {name: after[name] for name in COUNTS} == {name: before[name] for name in COUNTS}
    assert before["published"] > 0
    tokens = {row["id"]: row for row in json.loads(host.ssh("triarch token list -o json"))}
    assert tokens[token["id"]]["revoked"] is not None
    assert len([row for row in tokens.values() if monitors(row)]) == 1, "another one"
    async with Rolling(deployed, tmp_path / "again", FPS) as load:
        passed = await load.finish()
    assert (passed.lost, passed.duplicates, passed.ledger_ok) == (0, 0, True), passed

    await play("remove.yml", *confirmed, "--extra-vars", "triarch_remove_data=true")
    assert left(deployed) == {one.name: "" for one in deployed.lab.hosts()}
    for one in deployed.lab.hosts():
        assert set(one.ssh("ls -A /var/lib/triarch").split()) <= {"lost+found"}, "of a disk of its own"
        assert one.ask("getent passwd triarch || getent group triarch").out == ""
    empty, now = paths(deployed.empty()), paths(deployed.state())
    assert {name: now[name] ^ empty[name] for name in now} == {name: set() for name in now}
    await play("remove.yml", *confirmed)  # of what is not there


def monitors(token: dict[str, Any]) -> bool:
    """Whether it is the one of Prometheus, and valid."""
    return (token["name"], token["role"], token["revoked"]) == ("prometheus", "viewer", None)
