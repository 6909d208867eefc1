"""A new password of Redis in two phases: both are valid while clients change over, then the old one ends. And new
secrets of every kind at once, as the playbook does it of its own accord.

A rotation that is under way when hosts are lost is finished with those that are left; the lost ones are replaced then.
"""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from orchestrator.drills.lab_faults import LabFaults
from tests.lab.deployment import API_PORT, Deployment, PlayRun, figures
from tests.lab.hosts.lab import Host
from tests.lab.rolling import Rolling, secrets_of
from tests.lab.test_lost_hosts import lose_disk, members, names, rename
from tests.support import eventually_sync

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

WATCH = (
    "cp /etc/triarch/secrets/redis.password /run/watched; systemd-run -q --unit=watch-arguments sh -c "
    '\'while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n" | grep -cF -f /run/watched >>/run/shown; '
    "sleep 0.02; done'"
)
FPS = 50.0
SHOWN = "grep -vc '^0$' /run/shown || true"


@pytest.fixture
def place(deployed: Deployment) -> Iterator[Path]:
    """The secrets' file; a rotation that a failed test left is brought to its end."""
    found = Path(deployed.lab.told().inventory).with_name("secrets.yml")
    yield found
    if found.with_name("secrets.yml.new").exists():
        rotate(deployed)


@pytest.fixture
def watched(deployed: Deployment) -> Iterator[Host]:
    """A host that counts how often arguments of a process show the old password; proven to see one that does."""
    host = deployed.lab.host("n2")
    try:
        host.ssh(WATCH)
        host.ssh("sh -c 'sleep 1; true' \"$(cat /etc/triarch/secrets/redis.password)\"")
        assert int(host.ssh(SHOWN)) > 0
        host.ssh(": >/run/shown")
        yield host
    finally:
        host.ssh("systemctl stop watch-arguments; rm -f /run/watched /run/shown", check=False)


def rotate(
    deployment: Deployment, *options: str, keep: bool = False, which: str = "redis_password", check: bool = True
) -> PlayRun:
    said = {"triarch_rotate": [which], "triarch_rotate_keep_old_redis_password": keep}
    return deployment.play("rotate-secrets.yml", "--extra-vars", json.dumps(said), *options, check=check)


def taken(deployment: Deployment, password: str) -> set[str]:
    """What the three servers answer to it."""
    ping = "read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli ping 2>&1 | grep -o 'PONG\\|WRONGPASS' | tail -1"
    return {host.ask(ping, given=password + "\n").out.strip() for host in deployment.lab.hosts()}


def restarted(deployment: Deployment) -> None:
    """Each Redis is restarted, the next one when the one before takes its host's password again."""
    ping = "REDISCLI_AUTH=$(cat /etc/triarch/secrets/redis.password) redis-cli ping"
    for host in deployment.lab.hosts():
        before = host.ssh("systemctl show -p MainPID --value triarch-redis")
        host.ssh("systemctl restart triarch-redis")
        assert host.ssh("systemctl show -p MainPID --value triarch-redis") != before

        def takes_it(host: Host = host) -> bool:
            return host.ask(ping).out.strip() == "PONG"

        eventually_sync(takes_it, deadline_s=60, every_s=0.2, message=f"Redis of {host.name} takes its host's password")
        deployment.ready()


def test_two_phases(deployed: Deployment, place: Path, watched: Host) -> None:
    left = place.with_name("secrets.yml.new")
    before = place.read_bytes()
    old = yaml.safe_load(before)

    first = rotate(deployed, keep=True)
    made = left.read_bytes()
    new = yaml.safe_load(made)
    assert {name for name in old if old[name] != new[name]} == {"redis_password"}
    assert place.read_bytes() == before
    assert f"Give the clients the new one, which stands in {left}" in " ".join(first.out.split())
    assert taken(deployed, old["redis_password"]) == taken(deployed, new["redis_password"]) == {"PONG"}

    refused = deployed.play("site.yml", check=False)
    assert refused.status != 0
    assert "redis.password is another one than in triarch_secrets_file" in " ".join(refused.out.split())
    other = rotate(deployed, which="api_token", check=False)
    assert other.status != 0
    assert "It changes redis_password, and triarch_rotate is api_token. Finish that one first" in " ".join(
        other.out.split()
    )
    assert left.read_bytes() == made

    again = rotate(deployed, keep=True)
    assert "goes on with its secrets and makes no new ones" in " ".join(again.out.split())
    assert left.read_bytes() == made
    assert taken(deployed, old["redis_password"]) == {"PONG"}

    restarted(deployed)
    assert taken(deployed, old["redis_password"]) == taken(deployed, new["redis_password"]) == {"PONG"}

    nodes = [host.ssh("systemctl show -p MainPID --value triarch-node") for host in deployed.lab.hosts()]
    last = rotate(deployed)
    assert "goes on with its secrets and makes no new ones" in " ".join(last.out.split())
    assert place.read_bytes() == made
    assert not left.exists()
    for _ in range(2):  # also from the file that Redis wrote
        assert taken(deployed, old["redis_password"]) == {"WRONGPASS"}
        assert taken(deployed, new["redis_password"]) == {"PONG"}
        restarted(deployed)
    assert [host.ssh("systemctl show -p MainPID --value triarch-node") for host in deployed.lab.hosts()] == nodes
    assert int(watched.ssh(SHOWN)) == 0
    deployed.ready()
    assert deployed.play("site.yml", "--check").changed_tasks() == []


def words(run: PlayRun) -> str:
    return " ".join(run.out.split())


def secrets_in(file: Path) -> dict[str, str]:
    found: dict[str, str] = yaml.safe_load(file.read_bytes())
    return found


def password_in(file: Path) -> str:
    return secrets_in(file)["redis_password"]


def is_over(deployment: Deployment, place: Path, old: str, new: str) -> None:
    """The new password counts, the old one is refused, and a deployment has nothing to do."""
    assert not place.with_name("secrets.yml.new").exists()
    assert password_in(place) == new
    assert taken(deployment, old) == {"WRONGPASS"}
    assert taken(deployment, new) == {"PONG"}
    assert deployment.play("site.yml", "--check").changed_tasks() == []


def answers(deployment: Deployment, path: str, token: str) -> set[int]:
    """Statuses of the three nodes for this token."""
    urls = [f"http://{host.address}:{API_PORT}{path}" for host in deployment.lab.hosts()]
    headers = {"Authorization": f"Bearer {token}"}
    return {httpx.get(url, headers=headers, timeout=10, trust_env=False).status_code for url in urls}


def has_old_cluster_secret(deployment: Deployment, old: str, new: str) -> None:
    """A node that starts with the old one is turned away by the others; with the new one it is a member again."""
    host, *others = [deployment.lab.host(name) for name in ("n3", "n1", "n2")]
    give = "cat >/etc/triarch/secrets/cluster.secret; systemctl restart triarch-node"
    headers = {"Authorization": f"Bearer {secrets_of(deployment)['api_token']}"}

    def seen() -> list[dict[str, Any]]:
        """The cluster as the others see it."""
        urls = [f"http://{other.address}:{API_PORT}/v1/cluster" for other in others]
        return [httpx.get(url, headers=headers, timeout=10, trust_env=False).json() for url in urls]

    def refused() -> int:
        return sum(said["refused"].get("secret", 0) for said in seen())

    def turned_away() -> bool:
        assert refused() > before
        for said in seen():
            assert [row["reachable"] for row in said["members"] if host.address in row["raft"]] == [False], said
        ready = httpx.get(f"http://{host.address}:{API_PORT}/readyz", timeout=10, trust_env=False)
        assert ready.status_code == 503, ready.text
        return True

    before = refused()
    try:
        host.ssh(give, given=old)
        eventually_sync(turned_away, deadline_s=60, every_s=0.2, message="the node is turned away for its secret")
    finally:
        host.ssh(give, given=new)
    deployment.ready()


@pytest.mark.anyio
async def test_all_three_at_once_as_it_is_by_default(deployed: Deployment, place: Path, tmp_path: Path) -> None:
    """Under load: cameras go on with what they are connected by, and come back with the new password."""
    before = secrets_in(place)
    stood, confirmed = deployed.state(), deployed.confirmed()
    for playbook, options in (("rotate-secrets.yml", ()), ("remove.yml", confirmed)):
        looked = await asyncio.to_thread(deployed.play, playbook, "--check", "--diff", *options)
        assert not any(secret in looked.out for secret in before.values()), f"{playbook} shows a secret"
        now = deployed.state()
        assert {name: stood[name] ^ lines for name, lines in now.items()} == {name: set() for name in stood}, playbook
        assert (secrets_in(place), place.with_name("secrets.yml.new").exists()) == (before, False)

    # One of the cluster's own is not for clients: it ends.
    made = deployed.lab.hosts()[0].ssh("triarch token create rolling --role admin -o json")
    token = json.loads(made)["token"]
    async with Rolling(deployed, tmp_path / "load", FPS, token) as load:
        run = await asyncio.to_thread(deployed.play, "rotate-secrets.yml")
        during = load.figures()
    after = secrets_in(place)
    assert set(after) == set(before) == {"cluster_secret", "api_token", "redis_password"}
    assert all(after[name] != before[name] for name in before)
    assert not any(secret in run.out for secret in (*before.values(), *after.values()))
    assert "cluster_secret, api_token, redis_password changed." in words(run)
    figures["all secrets changed"] = run.seconds
    figures["dispatch paused by that"] = during["dispatch_gap_s"]
    deployed.ready()
    assert answers(deployed, "/v1/cluster", before["api_token"]) == {401}
    assert answers(deployed, "/v1/cluster", after["api_token"]) == answers(deployed, "/v1/cluster", token) == {200}
    is_over(deployed, place, before["redis_password"], after["redis_password"])
    await asyncio.to_thread(has_old_cluster_secret, deployed, before["cluster_secret"], after["cluster_secret"])

    async with Rolling(deployed, tmp_path / "again", FPS, token) as load:
        passed = await load.finish()
    assert passed.published > FPS * during["seconds"] / 2
    assert (passed.lost, passed.duplicates, passed.ledger_ok) == (0, 0, True), passed
    assert passed.settled == passed.published
    assert deployed.play("site.yml").count("changed") == 0


@pytest.mark.anyio
async def test_a_host_is_lost_between_the_two_runs(deployed: Deployment, faults: LabFaults, place: Path) -> None:
    lost, *_ = [name for name in names(deployed) if name != "n1"]
    left = ",".join(name for name in names(deployed) if name != lost)
    whole = await asyncio.to_thread(rotate, deployed, "--limit", left, check=False)
    assert "no rotation is under way: a new one goes to every host" in words(whole)
    old = password_in(place)
    await asyncio.to_thread(rotate, deployed, keep=True)
    new = password_in(place.with_name("secrets.yml.new"))
    early = await asyncio.to_thread(rotate, deployed, "--limit", left, check=False)
    assert f"{lost} is left out by --limit, and answers n1 or this machine" in words(early)
    assert (whole.count("changed"), early.count("changed")) == (0, 0)

    lose_disk(deployed, "n2")
    await faults.power_off("n2")
    try:
        refused = await asyncio.to_thread(rotate, deployed, check=False)
        replaced = await asyncio.to_thread(deployed.play, "replace-host.yml", "-e", f"triarch_lost={lost}", check=False)
        assert f"{lost} cannot be reached by ssh" in words(refused)
        assert f"--limit {left}." in words(refused)
        assert "finish with those that are left, by --limit with their names" in words(replaced)
        assert (refused.count("changed"), replaced.count("changed")) == (0, 0)
        finished = await asyncio.to_thread(rotate, deployed, "--limit", left)
    finally:
        await faults.power_on("n2")
    await asyncio.to_thread(deployed.lab.wait_reachable, "n2")
    rename(deployed, **{lost: f"{lost}-new"})
    replacing = await asyncio.to_thread(deployed.play, "replace-host.yml", "-e", f"triarch_lost={lost}")
    figures["rotation finished with two hosts"] = finished.seconds
    figures["the third replaced after it"] = replacing.seconds
    await asyncio.to_thread(deployed.ready)
    assert await members(deployed) == dict.fromkeys(names(deployed), True)
    is_over(deployed, place, old, new)
