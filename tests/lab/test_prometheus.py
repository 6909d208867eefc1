"""A real Prometheus over a deployed plant: what its rules ask for is there, and on a healthy plant nothing is wrong."""

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from orchestrator.kernel_clock import kernel_clock
from tests.chaos.prometheus_server import RULES, Prometheus, program
from tests.lab.deployment import API_PORT, Deployment
from tests.support import eventually, eventually_sync

EXPRESSIONS = [
    rule["expr"] for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
]  # of alerts and of recorded figures
ASKED = {
    name.removesuffix("_bucket")
    for name in re.findall(r"\b(?:triarch|frame_buffer|process)_\w+", " ".join(EXPRESSIONS))
}
OF_CERTIFICATES = {"triarch_api_certificate_expiry_seconds", "triarch_api_certificate_reload_failed"}
"""The lab's APIs have none."""
OF_THIS_MACHINE = {"TriarchLoopBlocked", "TriarchDiskSlow"}
"""Three hosts share its cores and its disk with all else: these are right, and speak of no plant."""
PROBE = """\
import ctypes, time
from orchestrator.kernel_clock import kernel_clock
print("clock", kernel_clock().synchronised)
try:
    time.clock_settime(time.CLOCK_REALTIME, time.time())
except PermissionError:
    print("cannot set it")
libc = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(256)
buffer[0] = 2  # ADJ_FREQUENCY, to what it is
print("cannot tune it" if libc.adjtimex(buffer) < 0 else "tuned it")
"""
"""What the process of a node may do with its host's clock."""


def excused() -> set[str]:
    """All hosts have this machine's clock: where nothing keeps it, it is right to say so."""
    return set() if kernel_clock().synchronised else {"TriarchClockUnsynchronised"}


@pytest.fixture
def reader(deployed: Deployment) -> Iterator[str]:
    """A token that may only read."""
    host = deployed.lab.hosts()[0]
    made = json.loads(host.ssh("triarch token create lab-prometheus --role viewer -o json"))
    try:
        yield made["token"]
    finally:
        host.ssh(f"triarch token revoke {shlex.quote(made['id'])}")


@pytest.mark.anyio
async def test_on_a_healthy_plant_all_that_rules_ask_is_told_and_no_alert_fires(
    deployed: Deployment, reader: str, tmp_path: Path
) -> None:
    if program() is None:
        assert not os.environ.get("CI"), "prometheus is missing (Debian: apt install prometheus)"
        pytest.skip("prometheus is missing (Debian: apt install prometheus)")
    assert len(ASKED) > 40
    targets = [(host.name, f"{host.address}:{API_PORT}") for host in deployed.lab.hosts()]
    async with Prometheus(tmp_path, targets, token=reader, at_once=True) as prometheus:

        async def scraped() -> bool:
            assert await prometheus.health() == dict.fromkeys(("n1", "n2", "n3"), "up"), prometheus.log()
            told = await prometheus.told()
            assert ASKED - told - {f"{one}_total" for one in told} - OF_CERTIFICATES == set()
            for name in ("process_open_fds", "process_max_fds", "process_start_time_seconds"):
                assert len(await prometheus.value(name)) == 3, name
            assert len(await prometheus.value("triarch_clock_offset_seconds")) == 6
            kept = float(kernel_clock().synchronised)
            return await prometheus.value("triarch_clock_synchronised") == [kept] * 3

        await eventually(scraped, deadline_s=60, every_s=0.5)
        before = await prometheus.evaluated()

        async def calm() -> bool:
            now = await prometheus.evaluated()
            assert all(now[group] > at for group, at in before.items())  # on what was scraped
            assert set((await prometheus.rules()).values()) == {"ok"}
            assert await prometheus.firing() - OF_THIS_MACHINE == excused()
            return True

        await eventually(calm, deadline_s=120, every_s=0.5)


def test_a_node_reads_its_clock_and_cannot_set_it(deployed: Deployment) -> None:
    """The unit of the node as it stands, around another program."""
    host = deployed.lab.host("n3")
    edit = (
        r"sed -e '/^\(ExecStart\|ExecReload\|Restart\|RestartSec\|WatchdogSec\|NotifyAccess\|StandardOutput\)=/d' "
        r"-e 's/^Type=.*/Type=oneshot\nStandardOutput=file:\/run\/clock-probe\/said/' "
        "/etc/systemd/system/triarch-node.service"
    )
    run = "ExecStart=/opt/triarch/current/bin/python /run/clock-probe/probe.py"
    try:
        host.ssh(
            f"set -e; mkdir -p /run/clock-probe; cat >/run/clock-probe/probe.py; "
            f"{edit} | sed 's#^\\[Service\\]#[Service]\\n{run}#' >/run/systemd/system/clock-probe.service; "
            "systemctl daemon-reload; systemctl start clock-probe",
            given=PROBE,
        )
        said = host.ssh("cat /run/clock-probe/said").splitlines()
    finally:
        host.ssh("rm -rf /run/systemd/system/clock-probe.service /run/clock-probe; systemctl daemon-reload")
    assert said == [f"clock {kernel_clock().synchronised}", "cannot set it", "cannot tune it"]


@pytest.mark.soak
def test_the_role_installs_a_prometheus_that_sees_the_plant(deployed: Deployment, tmp_path: Path) -> None:
    """Debian's package, fetched here and put where apt keeps what it has fetched: the host has no way to a mirror."""
    host = deployed.lab.host("n1")
    told = host.ssh("apt-get install --yes --no-install-recommends --print-uris prometheus")
    for url, name in re.findall(r"^'(\S+)' (\S+)", told, re.MULTILINE):
        answer = httpx.get(url, timeout=120, follow_redirects=True)
        answer.raise_for_status()
        (tmp_path / name).write_bytes(answer.content)
    config = deployed.lab.told().ssh_config
    debs = [str(path) for path in sorted(tmp_path.glob("*.deb"))]
    subprocess.run(["scp", "-q", "-F", config, *debs, f"{host.name}:/var/cache/apt/archives/"], check=True, timeout=120)
    more = tmp_path / "prometheus.yml"
    variables = {"triarch_prometheus_install": True, "triarch_prometheus_interval_s": 1}
    more.write_text(yaml.safe_dump({"triarch_prometheus": {"hosts": {host.name: None}, "vars": variables}}))
    arguments = ("--inventory", str(more), "--tags", "prometheus")

    def asked(path: str) -> Any:
        return json.loads(host.ssh(f"curl -sf http://127.0.0.1:9090/api/v1/{path}"))["data"]

    def seen() -> bool:
        health = {one["scrapeUrl"]: one["health"] for one in asked("targets")["activeTargets"]}
        wanted = {f"http://{one.address}:{API_PORT}/metrics": "up" for one in deployed.lab.hosts()}
        assert health == wanted
        rules = [rule for group in asked("rules")["groups"] for rule in group["rules"]]
        assert len(rules) == len(EXPRESSIONS)
        assert {rule["health"] for rule in rules} == {"ok"}
        return True

    try:
        first = deployed.play("site.yml", *arguments)
        assert first.count("changed") > 0
        eventually_sync(seen, deadline_s=60, every_s=0.5)
        firing = {one["labels"]["alertname"] for one in asked("alerts")["alerts"] if one["state"] == "firing"}
        assert firing - OF_THIS_MACHINE <= excused()
        again = deployed.play("site.yml", *arguments)
        assert again.changed_tasks() == []
        mode = host.ssh("stat -c '%a %U %G' /etc/prometheus/triarch/token").strip()
        assert mode == "640 root prometheus"
        deployed.play("remove.yml", *arguments, *deployed.confirmed())
        tokens = [row for row in json.loads(host.ssh("triarch token list -o json")) if row["name"] == "prometheus"]
        assert tokens != []
        assert all(row["revoked"] is not None for row in tokens)
        assert host.ask("test -e /etc/prometheus/triarch").status != 0
        assert "triarch" not in host.ssh("cat /etc/prometheus/prometheus.yml"), "the package's own is back"
        assert host.ssh("ls /etc/prometheus/").split() == ["console_libraries", "consoles", "prometheus.yml"]
        assert host.ask("systemctl is-active prometheus").out.strip() == "inactive"
        assert deployed.unready() == "", "the cluster is not touched"
    finally:
        tokens = json.loads(host.ssh("triarch token list -o json"))
        for token in tokens:
            if token["name"] == "prometheus":
                host.ssh(f"triarch token revoke {shlex.quote(token['id'])}")
        host.ssh(
            "DEBIAN_FRONTEND=noninteractive apt-get purge --yes --auto-remove prometheus >/dev/null; apt-get clean; "
            "rm -rf /etc/prometheus /var/lib/prometheus",
            check=False,
        )
