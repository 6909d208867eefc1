"""Bad hosts, real ones: a deployment refuses each before it changes anything, and says what to do."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.lab.conftest import is_deployed
from tests.lab.deployment import ANSIBLE, TOOLS, Deployment

FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@pytest.fixture
def empty(deployment: Deployment) -> Deployment:
    if is_deployed(deployment):
        pytest.skip("the lab was kept, with a deployment on it")
    return deployment


def inventory(deployment: Deployment) -> dict[str, Any]:
    """The lab's own, to be spoiled."""
    tree: dict[str, Any] = yaml.safe_load(Path(deployment.lab.told().inventory).read_text())
    tree["all"]["vars"]["triarch_wheelhouse"] = str(deployment.wheelhouse)
    return tree


def refused(place: Path, tree: dict[str, Any]) -> list[str]:
    """What `site.yml` says on an inventory: one line a refusal. It must refuse, and before any other play began."""
    place.mkdir()
    path = place / "hosts.yml"
    path.write_text(yaml.safe_dump(tree))
    done = subprocess.run(
        [str(TOOLS / "ansible-playbook"), "--inventory", str(path), "site.yml"],
        cwd=ANSIBLE,
        env={"PATH": f"{TOOLS}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "ANSIBLE_NOCOLOR": "1", "HOME": str(place)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "PLAY [Deploy]" not in said
    assert "Refused, and nothing was changed" in said, said
    assert sorted(path.name for path in place.iterdir() if path.suffix == ".yml") == [
        "hosts.yml"
    ]  # no secrets were made
    return sorted({line.strip() for line in said.splitlines() if line.strip().startswith("- ")})


def hosts_of(tree: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = tree["all"]["children"]["triarch"]["hosts"]
    return found


def test_two_hosts_four_and_one_address_twice(empty: Deployment, tmp_path: Path) -> None:
    two, four, same = (inventory(empty) for _ in range(3))
    del hosts_of(two)["n3"]
    hosts_of(four)["n4"] = {"ansible_host": "192.0.2.4"}
    hosts_of(same)["n3"]["ansible_host"] = hosts_of(same)["n1"]["ansible_host"]
    assert "has 2 hosts (n1, n2)" in refused(tmp_path / "two", two)[0]
    assert "has 4 hosts (n1, n2, n3, n4)" in refused(tmp_path / "four", four)[0]
    assert "n1 and n3 have the same address" in refused(tmp_path / "same", same)[0]


@contextmanager
def harmed(deployment: Deployment, harms: dict[str, tuple[str, str]]) -> Iterator[None]:
    """Host → (command that harms it, command that heals it)."""
    done = []
    try:
        for host in deployment.lab.hosts():
            if host.name in harms:
                done.append(host)
                host.ssh(harms[host.name][0])
        yield
    finally:
        for host in done:
            host.ssh(harms[host.name][1])


WAIT = "for i in $(seq 100); do {} && break; sleep 0.1; done; {}"
"""Until it is so, on the host."""
STOPPED_REDIS = f"""mkdir -p /var/lib/triarch/redis
        systemd-run -q --unit=foreign-redis \\
          redis-server --port 6399 --save '' --appendonly yes --dir /var/lib/triarch/redis
        {WAIT.format("redis-cli -p 6399 set shop:2 it >/dev/null 2>&1", "redis-cli -p 6399 get shop:2 | grep -q it")}
        systemctl stop foreign-redis
        touch /var/lib/triarch/redis/redis.conf
        echo plant-2 >/var/lib/triarch/redis/cluster"""
"""A Redis with another plant's data and something else's, as if it had been deployed, and stopped since."""
HARMS = {
    "n1": (
        f"""set -e
        systemd-run -q --unit=foreign python3 -m http.server 7101
        {STOPPED_REDIS}
        fallocate -l $(($(stat -f -c '%a*%S' /var/lib/triarch) - 20000000)) /var/lib/triarch/.full
        mkdir -p /opt/triarch/releases/0.0.9
        ln -s releases/0.0.9 /opt/triarch/current
        {WAIT.format(*["ss -ltn | grep -q :7101"] * 2)}""",
        "systemctl stop foreign; rm -rf /opt/triarch /var/lib/triarch/.full /var/lib/triarch/redis",
    ),
    "n2": (
        r"""set -e
        mkdir -p /etc/triarch/secrets /var/lib/triarch/redis
        echo other >/etc/triarch/secrets/cluster.secret
        touch /var/lib/triarch/redis/dump.rdb
        sed 's/VERSION_ID=.*/VERSION_ID="11"/; s/PRETTY_NAME=.*/PRETTY_NAME="Debian 11 (bullseye)"/' \
          /etc/os-release >/run/old-release
        mount --bind /run/old-release /usr/lib/os-release""",
        "umount /usr/lib/os-release; rm -rf /etc/triarch /var/lib/triarch/redis /run/old-release",
    ),
    "n3": (
        f"""set -e
        mkdir -p /etc/triarch/secrets
        echo this-one >/etc/triarch/secrets/cluster.secret
        systemd-run -q --unit=triarch-redis redis-server --port 6379 --save '' --appendonly no --dir /tmp
        {WAIT.format("redis-cli set shop:1 sold >/dev/null 2>&1", "redis-cli get shop:1 | grep -q sold")}
        cat >/usr/local/bin/python-ahead <<'END'
#!/bin/sh
LD_PRELOAD={FAKETIME} FAKETIME=+1h FAKETIME_DONT_FAKE_MONOTONIC=1 exec /usr/bin/python3 "$@"
END
        chmod +x /usr/local/bin/python-ahead""",
        "systemctl stop triarch-redis; rm -rf /etc/triarch /usr/local/bin/python-ahead /tmp/dump.rdb",
    ),
}


def test_bad_hosts_are_all_told_at_once_and_nothing_changes(empty: Deployment, tmp_path: Path) -> None:
    tree = inventory(empty)
    hosts_of(tree)["n3"]["ansible_python_interpreter"] = "/usr/local/bin/python-ahead"
    with harmed(empty, HARMS):
        before = empty.state()
        said = refused(tmp_path / "bad", tree)
        after = empty.state()
    for host, lines in before.items():
        assert after[host] ^ lines == set()
    expected = (
        "n1: port 7101 is taken by python3",
        "n1: /var/lib/triarch has ",
        "n1: release 0.0.9 runs here",
        "n1: Redis is stopped, and would be started on data of something else",
        "n1: /var/lib/triarch/redis holds data of the cluster plant-2",
        "n2, n3: /etc/triarch/secrets/cluster.secret is another one",
        "n2: Debian 11 (bullseye) is too old",
        "n2: /var/lib/triarch/redis holds data that this deployment did not write (dump.rdb)",
        "n3: Redis runs without its append-only file",
        "n3: Redis holds keys of something else (shop:1)",
        "the clocks of n1 and n3 are at least 35",
        "the clocks of n2 and n3 are at least 35",
    )
    for start in expected:
        assert any(line.startswith(f"- {start}") for line in said), (start, said)
    assert len(said) == len(expected), said


SSHD = (  # in a process namespace of its own, where it is the first process
    "mkdir -p /run/sshd; systemd-run -q --unit=no-systemd unshare --pid --fork --mount-proc --kill-child "
    "/usr/sbin/sshd -D -p 2222; for i in $(seq 100); do ss -ltn | grep -q :2222 && break; sleep 0.1; done; "
    "printf '#!/bin/sh\\necho 3 9 2\\n' >/usr/local/bin/python-old; chmod +x /usr/local/bin/python-old"
)


def test_no_systemd_one_machine_twice_an_old_python_a_slow_disk_and_a_damaged_wheelhouse(
    empty: Deployment, tmp_path: Path
) -> None:
    tree = inventory(empty)
    first, second, third = (hosts_of(tree)[name] for name in ("n1", "n2", "n3"))
    first |= {"ansible_port": 2222}
    # Another name and address in the inventory, and the way there leads to n3.
    second |= {"triarch_address": second["ansible_host"], "ansible_host": third["ansible_host"]}
    third |= {"triarch_preflight_python": "/usr/local/bin/python-old"}
    # Any disk is slower than this: what is told is what was measured.
    tree["all"]["vars"]["triarch_preflight_sync_ms_max"] = 0.000001
    damaged = tmp_path / "wheelhouse"
    shutil.copytree(empty.wheelhouse, damaged)
    with (damaged / "requirements.txt").open("a") as file:
        file.write("# touched\n")
    tree["all"]["vars"]["triarch_wheelhouse"] = str(damaged)
    heal = "systemctl stop no-systemd; rm -f /usr/local/bin/python-old"
    with harmed(empty, {"n1": (SSHD, heal), "n3": (SSHD, heal)}):
        said = refused(tmp_path / "bad", tree)
    expected = (
        "n1: systemd is not its first process",
        "n2 and n3 are the same machine",
        "n2: its address in the inventory is not one of its own",
        "n3: its Python is 3.9.2",
        f"the wheelhouse in {damaged} is damaged: requirements.txt",
        *(f"n{number}: /var/lib/triarch needs " for number in (1, 2, 3)),
    )
    for start in expected:
        assert any(line.startswith(f"- {start}") for line in said), (start, said)
    assert len(said) == len(expected), said


def test_healed_hosts_are_taken(empty: Deployment) -> None:
    run = empty.play("preflight.yml")
    assert run.count("changed") == 0
