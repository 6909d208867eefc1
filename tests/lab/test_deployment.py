"""`site.yml` on three hosts: the first run, the second, and `--check` of what stands."""

import pytest

from tests.lab.deployment import Deployment, figures


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
