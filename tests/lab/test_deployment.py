"""`site.yml` on three hosts: the first run, the second, and `--check` of what stands."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.deployment import TOOLS, Deployment, figures
from tests.lab.hosts.lab import Host


def test_the_first_run_makes_a_cluster(deployed: Deployment) -> None:
    if deployed.first is not None:
        assert deployed.first.count("failed") == deployed.first.count("unreachable") == 0
        assert all(host["changed"] > 0 for host in deployed.first.recap.values())
    assert deployed.unready() == ""
    for host in deployed.lab.hosts():
        assert host.ssh("systemctl --failed --no-legend").strip() == ""
        status = host.ssh(
            "triarch cluster status -o json --config /etc/triarch/node.yaml 2>/dev/null || triarch cluster status"
        )
        assert all(name in status for name in ("n1", "n2", "n3"))


def test_the_second_run_changes_nothing(deployed: Deployment) -> None:
    before = deployed.state()
    run = deployed.play("site.yml")
    figures["second run"] = run.seconds
    assert run.changed_tasks() == []
    assert run.count("changed") == 0
    after = deployed.state()
    for host, lines in before.items():
        assert after[host] ^ lines == set()


@pytest.mark.soak
def test_check_of_what_stands_finds_nothing_and_touches_nothing(deployed: Deployment) -> None:
    before = deployed.state()
    run = deployed.play("site.yml", "--check", "--diff")
    figures["--check of what stands"] = run.seconds
    assert run.changed_tasks() == []
    assert run.count("failed") == run.count("unreachable") == 0
    after = deployed.state()
    for host, lines in before.items():
        assert after[host] ^ lines == set()


def pids(deployment: Deployment) -> dict[str, str]:
    return {host.name: host.ssh("systemctl show -P MainPID triarch-node") for host in deployment.lab.hosts()}


@pytest.fixture
def broken(deployed: Deployment) -> Iterator[Host]:
    """A host whose node runs, and would not start again."""
    host = deployed.lab.host("n1")
    place = "/run/systemd/system/triarch-node.service.d/broken.conf"
    host.ssh(f"mkdir -p {place.rpartition('/')[0]}; printf '[Service]\\nExecStartPre=/bin/false\\n' >{place}")
    yield host
    host.ssh(f"rm -f {place}; systemctl daemon-reload; systemctl restart triarch-node")


@pytest.mark.soak
def test_a_node_that_does_not_come_back_keeps_the_others_and_the_next_run_goes_on(
    deployed: Deployment, broken: Host
) -> None:
    settings = ("site.yml", "--tags", "node", "--extra-vars", "triarch_node_log_level=warning")
    before = pids(deployed)
    run = deployed.play(*settings, check=False)
    said = " ".join(run.out.split())
    assert run.status != 0
    assert "systemctl restart triarch-node ended with" in said
    assert "triarch-node was not restarted on this host, as another one is not ready" in said
    left = pids(deployed)
    assert {name: left[name] for name in ("n2", "n3")} == {name: before[name] for name in ("n2", "n3")}
    for host in deployed.lab.hosts():
        assert "log_level: warning" in host.ssh("cat /etc/triarch/node.yaml")

    broken.ssh("rm /run/systemd/system/triarch-node.service.d/broken.conf; systemctl daemon-reload")
    deployed.ready()
    # Nothing is written any more, and yet those that were left out are restarted now.
    again = deployed.play(*settings)
    assert again.changed_tasks() == [
        "triarch_node : What an earlier run wrote and no process has read yet",
        "triarch_node : Restarted in turn, ready before the next",
    ]
    now = pids(deployed)
    assert all(now[name] != left[name] for name in ("n2", "n3"))
    deployed.play("site.yml", "--tags", "node")
    deployed.ready()


@pytest.mark.soak
def test_secrets_may_be_encrypted(deployed: Deployment, tmp_path: Path) -> None:
    place = Path(deployed.lab.told().inventory).with_name("secrets.yml")
    plain, password = place.read_bytes(), tmp_path / "password"
    password.write_text("of this test\n")
    argv = (str(TOOLS / "ansible-vault"), "encrypt", "--vault-password-file", str(password), str(place))
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    try:
        assert place.read_bytes().startswith(b"$ANSIBLE_VAULT")
        run = deployed.play("site.yml", "--check", "--vault-password-file", str(password))
        assert run.changed_tasks() == []
        for playbook in ("site.yml", "upgrade.yml", "backup.yml"):  # the latter two look at no host before
            without = deployed.play(playbook, check=False)
            assert without.status != 0
            assert without.count("changed") == 0
            assert "cannot be read. Where ansible-vault has encrypted it" in " ".join(without.out.split())
    finally:
        place.write_bytes(plain)
