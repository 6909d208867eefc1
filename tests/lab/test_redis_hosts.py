"""Redis on three hosts: restarted by changed settings, and after all hosts lost their power at once."""

import asyncio

import pytest

from orchestrator.drills.lab_faults import LabFaults
from tests.lab.deployment import Deployment, figures
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

KEY = "frames:written-by-the-lab"
HEAD_START_S = 6
"""Seconds that the replicas are up before the primary: sentinels that did not wait would have replaced it by then."""
BROKEN = "/run/systemd/system/triarch-redis.service.d/broken.conf"


def redis(deployment: Deployment, name: str, *commands: str) -> list[str]:
    """Lines that the Redis of a host answers; none when it does not answer."""
    said = deployment.lab.host(name).ask(
        "REDISCLI_AUTH=$(cat /etc/triarch/secrets/redis.password) timeout 10 redis-cli 2>/dev/null",
        given="".join(f"{command}\n" for command in commands),
        limit_s=30,
    )
    return said.out.splitlines()


def role(deployment: Deployment, name: str) -> str:
    return redis(deployment, name, "ROLE")[0]


def primary(deployment: Deployment) -> str:
    (found,) = [host.name for host in deployment.lab.hosts() if role(deployment, host.name) == "master"]
    return found


def pids(deployment: Deployment) -> dict[str, tuple[str, ...]]:
    shown = "systemctl show -p MainPID --value triarch-redis triarch-sentinel"
    return {host.name: tuple(host.ssh(shown).split()) for host in deployment.lab.hosts()}


def test_changed_settings_restart_a_host_when_the_one_before_is_back(deployed: Deployment) -> None:
    deployed.ready()
    before = pids(deployed)
    run = deployed.play("site.yml", "--tags", "redis", "--extra-vars", "triarch_redis_maxmemory=700mb")
    figures["site.yml with three restarts of Redis"] = run.seconds
    assert deployed.unready() == ""  # at once: the run waited for it
    after = pids(deployed)
    assert all(set(before[name]).isdisjoint(after[name]) for name in before)

    # The first host does not come back: the others go on as they are, and the nodes keep their settings.
    settings = [host.ssh("sha256sum /etc/triarch/node.yaml") for host in deployed.lab.hosts()]
    first, *others = [host.name for host in deployed.lab.hosts()]
    host = deployed.lab.host(first)
    host.ssh(f"mkdir -p {BROKEN.rpartition('/')[0]}; printf '[Service]\\nExecStartPre=/bin/false\\n' >{BROKEN}")
    try:
        broken = deployed.play(
            *("site.yml", "--tags", "redis,node", "--extra-vars", "triarch_redis_maxmemory=600mb"),
            *("--extra-vars", "triarch_node_log_level=warning"),
            check=False,
        )
    finally:
        host.ssh(f"rm {BROKEN}; systemctl daemon-reload; systemctl restart triarch-redis")
    assert broken.status != 0
    said = " ".join(broken.out.split())
    assert "systemctl restart triarch-redis ended with" in said
    assert "triarch-redis was not restarted on this host, as the three are not whole" in said
    left = pids(deployed)
    assert {name: left[name] for name in others} == {name: after[name] for name in others}
    assert [host.ssh("sha256sum /etc/triarch/node.yaml") for host in deployed.lab.hosts()] == settings
    deployed.ready()
    deployed.play("site.yml", "--tags", "redis")
    deployed.ready()


@pytest.mark.parametrize("which", [0, 1])
async def test_all_hosts_lose_power_and_one_replica_had_been_behind(
    deployed: Deployment, faults: LabFaults, which: int
) -> None:
    """Durability 1. The host of the primary is the last to come back, seconds after the others."""
    deployed.ready()
    leads = primary(deployed)
    replicas = [host.name for host in deployed.lab.hosts() if host.name != leads]
    behind = replicas[which]
    assert redis(deployed, leads, f"SET {KEY} 0", "WAIT 2 10000") == ["OK", "2"]
    try:
        await faults.cut([(leads, behind)])
        for number in range(1, 51):
            assert redis(deployed, leads, f"SET {KEY} {number}", "WAIT 1 10000") == ["OK", "1"]
        assert redis(deployed, behind, f"GET {KEY}") == ["0"]
        assert primary(deployed) == leads
        await asyncio.gather(*[faults.power_off(name) for name in (leads, *replicas)])
        await faults.mend()
        await asyncio.gather(*[faults.power_on(name) for name in replicas])
        await eventually(
            lambda: min(up_for(deployed, name) for name in replicas) >= HEAD_START_S, deadline_s=90, every_s=0.5
        )
        address = deployed.lab.host(leads).address
        for name in replicas:
            said = deployed.lab.host(name).ssh("journalctl -b -u triarch-sentinel --no-pager")
            assert f"waiting for the primary that was last known (-h {address} -p" in said, said
        await faults.power_on(leads)
    finally:
        await faults.heal()
    await asyncio.to_thread(deployed.ready)
    assert primary(deployed) == leads
    for host in deployed.lab.hosts():
        assert redis(deployed, host.name, f"GET {KEY}") == ["50"]
    redis(deployed, leads, f"DEL {KEY}")


def up_for(deployment: Deployment, name: str) -> int:
    """Seconds that the Redis of a host has been up for; 0 when it does not answer."""
    lines = redis(deployment, name, "INFO server")
    return next((int(line.partition(":")[2]) for line in lines if line.startswith("uptime_in_seconds:")), 0)
