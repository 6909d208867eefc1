"""A new password of Redis in two phases: both are valid while clients change over, then the old one ends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.lab.deployment import Deployment, PlayRun
from tests.lab.hosts.lab import Host

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

WATCH = (
    "cp /etc/triarch/secrets/redis.password /run/watched; systemd-run -q --unit=watch-arguments sh -c "
    '\'while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" "\\n" | grep -cF -f /run/watched >>/run/shown; '
    "sleep 0.02; done'"
)
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


def rotate(deployment: Deployment, *, keep: bool = False, which: str = "redis_password", check: bool = True) -> PlayRun:
    said = {"triarch_rotate": [which], "triarch_rotate_keep_old_redis_password": keep}
    return deployment.play("rotate-secrets.yml", "--extra-vars", json.dumps(said), check=check)


def taken(deployment: Deployment, password: str) -> set[str]:
    """What the three servers answer to it."""
    ping = "read -r REDISCLI_AUTH; export REDISCLI_AUTH; redis-cli ping 2>&1 | grep -o 'PONG\\|WRONGPASS' | tail -1"
    return {host.ask(ping, given=password + "\n").out.strip() for host in deployment.lab.hosts()}


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

    nodes = [host.ssh("systemctl show -p MainPID --value triarch-node") for host in deployed.lab.hosts()]
    last = rotate(deployed)
    assert "goes on with its secrets and makes no new ones" in " ".join(last.out.split())
    assert place.read_bytes() == made
    assert not left.exists()
    assert taken(deployed, old["redis_password"]) == {"WRONGPASS"}
    assert taken(deployed, new["redis_password"]) == {"PONG"}
    assert [host.ssh("systemctl show -p MainPID --value triarch-node") for host in deployed.lab.hosts()] == nodes
    assert int(watched.ssh(SHOWN)) == 0
    deployed.ready()
    assert deployed.play("site.yml", "--check").changed_tasks() == []
