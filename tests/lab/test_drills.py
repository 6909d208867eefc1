"""Drills on the lab, those that matter most once each, and what a drill refuses; then `site.yml` has nothing to do.

What is judged here are promises, and figures with much room: three hosts, their load and others share two cores. The
figures themselves are those of `make soak ARGS=drills`.
"""

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.drills import lab_power
from orchestrator.drills.lab_faults import LabFaults
from tests.lab.deployment import Deployment
from tests.support import eventually_sync

DRILLS = ("leader-kill", "leader-isolated", "primary-kill", "one-way-cut", "quorum-loss")
BUDGET = """\
all: {takeover_s: 15, dispatch_gap_s: 15, publish_gap_s: 15}
one-way-cut: {leadership_changes_max: 4, takeover_s: null}
primary-kill: {takeover_s: null}
primary-isolated: {takeover_s: null}
"""
RUN_S = 500.0
UNDONE_S = 120.0


def triarch(*argv: str) -> subprocess.CompletedProcess[str]:
    """The command line, on this machine, which is the controller."""
    command = [str(Path(sys.executable).with_name("triarch")), *argv]
    return subprocess.run(command, capture_output=True, text=True, timeout=RUN_S, check=False)


def test_drills_keep_every_promise(deployed: Deployment, tmp_path: Path) -> None:
    budget = tmp_path / "budget.yaml"
    budget.write_text(BUDGET)
    place = ("--target", "lab", "--lab", str(deployed.lab.file), "--directory", str(tmp_path / "run"))
    done = triarch("drill", "run", *DRILLS, *place, "--budget", str(budget), "--report", str(tmp_path / "reports"))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    for name in DRILLS:
        report: dict[str, Any] = json.loads((tmp_path / f"reports/{name}.json").read_text())
        assert report["ok"]
        assert report["evidence"]["proof"]
        assert (report["lost"], report["duplicates"], report["double_effects"]) == (0, 0, 0)
        assert report["linearizable"] is True
        if name == "quorum-loss":
            assert report["evidence"]["proof"]["write_refused"] == "503 no_leader"
    assert [path.name for path in (tmp_path / "run").rglob("*.token")] == []
    deployed.ready()


def test_a_host_loses_its_power(deployed: Deployment, tmp_path: Path) -> None:
    place = ("--target", "lab", "--lab", str(deployed.lab.file), "--directory", str(tmp_path / "run"))
    budget = tmp_path / "budget.yaml"
    budget.write_text(BUDGET)
    done = triarch("drill", "run", "host-power-off", *place, "--budget", str(budget), "--report", str(tmp_path))
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    report = json.loads((tmp_path / "host-power-off.json").read_text())
    assert report["ok"]
    assert (report["lost"], report["duplicates"], report["double_effects"]) == (0, 0, 0)
    deployed.ready()


@pytest.mark.soak
def test_the_leaders_host_loses_its_power_and_then_the_primarys(deployed: Deployment, tmp_path: Path) -> None:
    budget = tmp_path / "budget.yaml"
    budget.write_text(BUDGET)
    place = ("--target", "lab", "--lab", str(deployed.lab.file), "--directory", str(tmp_path / "run"))
    how = ("--repeat", "2", "--budget", str(budget), "--report", str(tmp_path))
    done = triarch("drill", "run", "host-power-off", *place, *how)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    for number, judged, shown in ((1, "dispatch_gap_s", None), (2, "publish_gap_s", "dispatch_gap_s")):
        report = json.loads((tmp_path / f"host-power-off-{number}.json").read_text())
        assert report["ok"]
        assert report["evidence"]["takes_primary"] is (number == 2)
        assert (report["lost"], report["duplicates"], report["double_effects"]) == (0, 0, 0)
        budgets = {one["what"]: one["budget"] for one in report["verdicts"]}
        assert budgets[judged] == 15
        assert shown is None or budgets[shown] is None
    # Until the sentinels have looked away from the host that is gone, nobody can publish.
    assert report["publish_gap_s"] > 1.0
    deployed.ready()


def test_a_playbook_drills_only_for_whoever_names_the_cluster(deployed: Deployment, tmp_path: Path) -> None:
    one = '{"triarch_drill_names": ["leader-kill"]}'
    refused = deployed.play("drill.yml", "--extra-vars", one, check=False)
    name = f"lab-{deployed.lab.number}"
    assert refused.status != 0
    assert f"triarch_drill_confirmed={name}" in refused.out
    leaders = deployed.lab.hosts()[0].ssh("triarch cluster leaderships -o json")
    command = Path(sys.executable).with_name("triarch")
    budget = tmp_path / "budget.yaml"
    budget.write_text(BUDGET)
    run = deployed.play(
        "drill.yml",
        *("--extra-vars", one, "--extra-vars", f"triarch_drill_confirmed={name} triarch_drill_command={command}"),
        *("--extra-vars", f"triarch_drill_report={tmp_path} triarch_drill_budget={budget}"),
    )
    assert run.count("failed") == 0
    report = json.loads((tmp_path / "leader-kill.json").read_text())
    assert (report["target"], report["ok"]) == ("ansible", True)
    assert len(json.loads(leaders)) < len(
        json.loads(deployed.lab.hosts()[0].ssh("triarch cluster leaderships -o json"))
    )


@pytest.mark.soak
def test_a_host_takes_a_fault_back_when_its_controller_dies(deployed: Deployment, tmp_path: Path) -> None:
    """SIGKILL of the drill while a host is cut off by its own rules: nobody heals it but the host."""
    command = [str(Path(sys.executable).with_name("triarch")), "drill", "run", "leader-isolated", "--target", "ansible"]
    command += ["--inventory", deployed.lab.told().inventory, "--hold", "300", "--directory", str(tmp_path)]
    tables = "nft list tables; ls -d /run/triarch-drill 2>/dev/null || true"

    def harmed() -> list[str]:
        return [host.name for host in deployed.lab.hosts() if "triarch_drill" in host.ssh(tables)]

    with (tmp_path / "drill.log").open("w") as log:
        drill = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            eventually_sync(harmed, deadline_s=120, every_s=0.5, message="a host that is cut off")
        finally:
            drill.kill()
            drill.wait()
    assert len(harmed()) == 1
    eventually_sync(lambda: not harmed(), deadline_s=UNDONE_S, every_s=1.0, message="the host has taken it back")
    for host in deployed.lab.hosts():
        assert "triarch-drill" not in host.ssh(tables)
    deployed.ready()


@pytest.mark.soak
@pytest.mark.parametrize(("fault", "times"), [("leader-isolated", 1), ("primary-isolated", 1), ("one-way-cut", 3)])
def test_hosts_are_cut_off_by_rules_of_their_own(fault: str, times: int, deployed: Deployment, tmp_path: Path) -> None:
    """One-way cuts have three sides, in turn."""
    budget = tmp_path / "budget.yaml"
    budget.write_text(BUDGET)
    place = ("--target", "ansible", "--inventory", deployed.lab.told().inventory, "--directory", str(tmp_path / "run"))
    how = ("--repeat", str(times), "--budget", str(budget), "--report", str(tmp_path / "reports"))
    done = triarch("drill", "run", fault, *place, *how)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-4000:]}"
    reports = [json.loads(file.read_text()) for file in (tmp_path / "reports").glob("*.json")]
    assert len(reports) == times
    for report in reports:
        assert re.search(r"\(nft on n\d\)$", report["evidence"]["how"])
        assert min(report["evidence"]["proof"].values()) > 0, "packets that were dropped"
        assert (report["lost"], report["duplicates"], report["double_effects"]) == (0, 0, 0)
    for host in deployed.lab.hosts():
        assert "triarch_drill" not in host.ssh("nft list tables")
    deployed.ready()


async def with_a_person(
    deployed: Deployment, directory: Path, times: int, does: Callable[[str], Awaitable[None]]
) -> tuple[int, str]:
    """host-power-off with somebody who reads what it says and does what `does` does; exit status, and what it said."""
    command = [str(Path(sys.executable).with_name("triarch")), "drill", "run", "host-power-off", "--target", "ansible"]
    command += ["--inventory", deployed.lab.told().inventory, "--operator", "--directory", str(directory / "run")]
    budget = directory / "budget.yaml"
    budget.write_text(BUDGET)
    command += ["--repeat", str(times), "--budget", str(budget), "--report", str(directory)]
    drill = await asyncio.create_subprocess_exec(*command, stderr=asyncio.subprocess.PIPE)
    assert drill.stderr is not None
    said = []
    try:
        async with asyncio.timeout(RUN_S):
            async for line in drill.stderr:
                said.append(line.decode())
                await does(said[-1])
            return await drill.wait(), "".join(said[-40:])
    finally:
        if drill.returncode is None:
            drill.kill()
            await drill.wait()


@pytest.mark.soak
@pytest.mark.anyio
async def test_a_person_is_told_what_to_pull_and_believed_by_what_the_plant_shows(
    deployed: Deployment, faults: LabFaults, tmp_path: Path
) -> None:
    """Who reads what the drill says, and does no more than that, is this test: the power is the lab's."""
    pulled: list[str] = []

    async def does(line: str) -> None:
        if found := re.match(r"Pull the plug of (\w+) ", line):
            pulled.append(found[1])
            await faults.power_off(found[1])
        elif (found := re.match(r"Plug (\w+) in again", line)) and not lab_power.is_on(deployed.lab.told(), found[1]):
            await faults.power_on(found[1])

    try:
        status, said = await with_a_person(deployed, tmp_path, 2, does)
    finally:
        await faults.heal()
    assert status == 0, said
    assert len(pulled) == 2
    for number, victim in enumerate(pulled, 1):  # the leader's host, then the primary's
        report = json.loads((tmp_path / f"host-power-off-{number}.json").read_text())
        assert report["evidence"]["victim"] == victim
        assert report["evidence"]["how"].startswith(f"{victim}: a person pulled its plug")
        assert report["evidence"]["takes_primary"] is (number == 2)
        assert report["evidence"]["proof"]["silent_s"] > 0
    deployed.ready()


@pytest.mark.soak
@pytest.mark.anyio
async def test_a_host_that_runs_on_has_lost_no_power_and_that_is_reported(deployed: Deployment, tmp_path: Path) -> None:
    """Somebody ends what answers on the host, and leaves its plug alone: that is seen only when it is back."""
    services, victim = "triarch-node triarch-redis", ""

    async def does(line: str) -> None:
        nonlocal victim
        if found := re.match(r"Pull the plug of (\w+) ", line):
            victim = found[1]
            await asyncio.to_thread(deployed.lab.host(victim).ssh, f"systemctl stop {services}")
        elif "runs on as before" in line:
            await asyncio.to_thread(deployed.lab.host(victim).ssh, f"systemctl start {services}")

    try:
        status, said = await with_a_person(deployed, tmp_path, 1, does)
    finally:
        if victim:
            deployed.lab.host(victim).ssh(f"systemctl start {services}")
    assert status == 1, said
    report = json.loads((tmp_path / "host-power-off.json").read_text())
    assert (report["verdict"], report["ok"], report["evidence"]) == ("unproven", False, None)
    assert f"{victim} runs on as before: it never lost its power" in report["unproven"]
    assert "<svg" not in (tmp_path / "host-power-off.html").read_text()
    deployed.ready()


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (("--target", "ansible", "--inventory", "/nowhere/hosts.yml"), "there is no such inventory"),
        (("--target", "lab", "--lab", "/nowhere/lab.json"), "no such file, so there is no lab"),
    ],
)
def test_what_cannot_be_drilled_is_refused_in_a_sentence(argv: tuple[str, ...], says: str, tmp_path: Path) -> None:
    done = triarch("drill", "run", "leader-kill", *argv, "--directory", str(tmp_path))
    assert done.returncode == 2
    assert says in done.stderr


def test_after_the_drills_a_deployment_changes_nothing(deployed: Deployment) -> None:
    run = deployed.play("site.yml")
    assert run.changed_tasks() == []
    assert run.count("changed") == 0
