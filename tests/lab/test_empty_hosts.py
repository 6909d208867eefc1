"""Three hosts before anything is deployed: they are three, and `--check` looks without touching."""

import pytest

from tests.lab.conftest import is_deployed
from tests.lab.deployment import Deployment, figures
from tests.lab.hosts import Lab


@pytest.fixture
def empty(deployment: Deployment) -> Deployment:
    if is_deployed(deployment):
        pytest.skip("the lab was kept, with a deployment on it")
    return deployment


def test_the_hosts_are_three(lab: Lab) -> None:
    asked = (
        "cat /proc/sys/kernel/random/boot_id /etc/machine-id; hostname; cut -d' ' -f1 /proc/uptime; "
        "systemctl is-system-running"
    )
    boots, machines, names, uptimes, states = zip(*(host.ssh(asked).split() for host in lab.hosts()), strict=True)
    assert len(set(boots)) == len(set(machines)) == 3
    assert names == ("n1", "n2", "n3")
    assert set(states) == {"running"}
    # Clocks of their own: 100,000 s apart, and not by the moment at which each was asked.
    first, second, third = (float(value) for value in uptimes)
    assert second - first > 90_000
    assert third - second > 90_000


def test_the_monotonic_clock_of_a_program_is_its_hosts(lab: Lab) -> None:
    asked = "python3 -c 'import time; print(time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))'"
    said = [host.ssh(asked).split() for host in lab.hosts()]
    for clock in (0, 1):
        first, second, third = (float(values[clock]) for values in said)
        assert second - first > 90_000
        assert third - second > 90_000


def test_hosts_reach_one_another_and_nothing_beyond(lab: Lab) -> None:
    first, second, _ = lab.hosts()
    assert first.ask(f"ping -c 1 -W 2 {second.address}").status == 0
    assert "default" not in first.ssh("ip route")


def test_check_on_empty_hosts_touches_nothing(empty: Deployment) -> None:
    before = empty.state()
    run = empty.play("site.yml", "--check", "--diff")
    figures["--check of empty hosts"] = run.seconds
    assert run.count("changed") > 0  # it says what it would do
    assert run.count("failed") == run.count("unreachable") == 0
    after = empty.state()
    for host, lines in before.items():
        assert after[host] ^ lines == set()
