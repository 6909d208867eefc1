"""The release before in place of this one, and back, a host at a time, while cameras publish 100 frames a second."""

import asyncio
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.deployment import Deployment, PlayRun
from tests.lab.rolling import Rolling
from tests.lab.wheelhouses import before, changed, released, releases, releases_file

pytestmark = pytest.mark.anyio

FPS = 100.0
DISPATCH_GAP_S = 5.0
DOWN_S = 10.0
"""Bounds that a busy machine keeps too. docs/reports/upgrades.md has what was measured: 1.5 and 1 are asked for."""

NEXT = "0.2.99"


async def play(
    deployment: Deployment,
    wheelhouse: Path,
    *options: str,
    check: bool = True,
    break_off: Callable[[], bool] | None = None,
) -> PlayRun:
    """upgrade.yml with another wheelhouse."""
    extra = ("--extra-vars", f"triarch_wheelhouse={wheelhouse}", *options)
    return await asyncio.to_thread(deployment.play, "upgrade.yml", *extra, check=check, break_off=break_off)


def running(deployment: Deployment) -> set[str]:
    """What the hosts run: the release of each process that serves, as the cluster knows it."""
    command = "triarch cluster members -o json"
    return {member["release"] for member in json.loads(deployment.lab.hosts()[0].ssh(command))}


def newest() -> str:
    return list(releases())[-1]


async def test_down_and_up_again_under_load(deployed: Deployment, tmp_path: Path) -> None:
    older = released(before(), deployed.lab.place / f"wheelhouse-{before()}")
    refused = await play(deployed, older, check=False)
    assert refused.status != 0
    assert "Say triarch_allow_downgrade: true if that is meant" in refused.out
    assert running(deployed) == {newest()}
    async with Rolling(deployed, tmp_path / "load", FPS) as load:
        await play(deployed, older, "--extra-vars", "triarch_allow_downgrade=true")
        down = load.figures()
        assert running(deployed) == {before()}
        load.mark()
        run = await play(deployed, deployed.wheelhouse)
        up = load.figures()
        passed = await load.finish()
    assert running(deployed) == {newest()}
    passed.write(deployed.lab.place / "reports/upgrade.json", down=down, up=up, fps=FPS, play_s=run.seconds)
    assert passed.published > FPS * 20
    assert (passed.lost, passed.duplicates, passed.ledger_ok) == (0, 0, True), passed
    assert passed.settled == passed.published
    for figures in (down, up):
        assert figures["dispatch_gap_s"] < DISPATCH_GAP_S, figures
        assert all(0 < seconds < DOWN_S for seconds in figures["down_s"].values()), figures
    deployed.ready()
    assert (await play(deployed, deployed.wheelhouse)).count("changed") == 0, "nothing is left to do"


async def test_hosts_that_could_not_take_it_are_told_before_anything_is_installed(
    deployed: Deployment, tmp_path: Path
) -> None:
    """Wheels for another Python and processor, and not the room that was asked for; the other release is no matter."""
    foreign = tmp_path / "foreign"
    shutil.copytree(deployed.wheelhouse, foreign)
    manifest = json.loads((foreign / "wheelhouse.json").read_text())
    later = manifest | {"version": NEXT, "python": "3.99", "platform": "aarch64"}
    (foreign / "wheelhouse.json").write_text(json.dumps(later))
    known = releases_file(
        tmp_path / "releases.yml", **{NEXT: {**releases()[newest()], "upgrade_from": newest(), "commit": None}}
    )
    # No disk has so much room: what is told is what was measured.
    more = {"triarch_releases_file": str(known), "triarch_preflight_root_free_mb_min": 1_000_000_000}
    stood = deployed.state()
    run = await play(deployed, foreign, "--extra-vars", json.dumps(more), check=False)
    told = " ".join(run.out.split())
    assert (run.status != 0, run.count("changed")) == (True, 0), run.end()
    assert "Refused, and nothing was changed" in told
    for name in stood:
        assert f"{name}: the wheelhouse is for Python 3.99, this host has" in told, run.end()
        assert f"{name}: the wheelhouse is for aarch64, this host is" in told, run.end()
        assert f"{name}: /opt has " in told, run.end()
    assert "runs here" not in told, run.end()
    assert {name: stood[name] ^ lines for name, lines in deployed.state().items()} == {name: set() for name in stood}


@pytest.mark.soak
async def test_one_that_broke_off_is_not_called_done_and_check_touches_nothing(deployed: Deployment) -> None:
    older = released(before(), deployed.lab.place / f"wheelhouse-{before()}")
    down = ("--extra-vars", "triarch_allow_downgrade=true")
    host = deployed.lab.host("n1")
    stood = deployed.state()
    looked = await play(deployed, older, *down, "--check", "--diff")
    told = " ".join(looked.out.split())
    assert all(f"{name} would go from {newest()} to {before()}" in told for name in stood), looked.end()
    assert {name: stood[name] ^ lines for name, lines in deployed.state().items()} == {name: set() for name in stood}

    pid = host.ssh("systemctl show -P MainPID triarch-node")
    settings = host.ssh("cat /etc/systemd/system/triarch-node.service")
    linked = "test $(basename $(readlink /opt/triarch/current)) = "
    broken = await play(deployed, older, *down, check=False, break_off=lambda: host.ask(linked + before()).status == 0)
    assert broken.status == -signal.SIGKILL, broken.end()
    assert host.ssh("systemctl show -P MainPID triarch-node") == pid, "it broke off behind the link, before the restart"
    assert running(deployed) == {newest()}

    looked = await play(deployed, older, *down, "--check")
    told = " ".join(looked.out.split())
    assert f"n1 would go from {newest()} to {before()}, which an upgrade began that broke off" in told, looked.end()
    await play(deployed, older, *down)
    assert running(deployed) == {before()}
    assert host.ask("test -e /etc/triarch/before-upgrade").status != 0

    # Up again, broken off once more, and then given up: back on what ran, with the files of that.
    broken = await play(
        deployed, deployed.wheelhouse, check=False, break_off=lambda: host.ask(linked + newest()).status == 0
    )
    assert broken.status == -signal.SIGKILL, broken.end()
    await play(deployed, older)
    assert running(deployed) == {before()}
    await play(deployed, deployed.wheelhouse)
    assert running(deployed) == {newest()}
    assert host.ssh("cat /etc/systemd/system/triarch-node.service") == settings
    deployed.ready()
    assert (await play(deployed, deployed.wheelhouse)).count("changed") == 0, "nothing is left to do"


@pytest.mark.soak
async def test_a_release_that_does_not_start_is_rolled_back(deployed: Deployment, tmp_path: Path) -> None:
    def spoil(root: Path) -> None:
        """It installs, says its version and finds the settings good; then it ends."""
        node = root / "orchestrator/node.py"
        node.write_text(node.read_text() + "\nraise SystemExit('this release does not start')\n")

    broken = changed(tmp_path / "broken", NEXT, spoil)
    known = releases_file(
        tmp_path / "releases.yml", **{NEXT: {**releases()[newest()], "upgrade_from": newest(), "commit": None}}
    )
    known_too = ("--extra-vars", f"triarch_releases_file={known}", "--extra-vars", "triarch_upgrade_gate_s=20")
    async with Rolling(deployed, tmp_path / "load", FPS) as load:
        run = await play(deployed, broken, *known_too, check=False)
        passed = await load.finish()
    assert run.status != 0
    assert f"n1 was rolled back to {newest()} (it is well again)" in " ".join(run.out.split()), run.end()
    journal = deployed.lab.host("n1").ssh("journalctl -u triarch-node --no-pager")
    assert "this release does not start" in journal, "the fault happened"
    assert running(deployed) == {newest()}
    deployed.ready()
    assert (passed.lost, passed.duplicates, passed.ledger_ok) == (0, 0, True), passed
    others = [seconds for name, seconds in passed.down_s.items() if name != "n1"]
    assert max(others) < DOWN_S, "the play stopped before them"
    assert deployed.lab.host("n1").ask("test -e /etc/triarch/before-upgrade").status != 0, "it ended: nothing is kept"
    again = await play(deployed, deployed.wheelhouse)
    assert again.count("changed") == 0, again.changed_tasks()


@pytest.mark.soak
async def test_one_whose_neighbour_falls_while_it_is_switched_serves_on_with_what_ran(deployed: Deployment) -> None:
    older = released(before(), deployed.lab.place / f"wheelhouse-{before()}")
    host, neighbour = deployed.lab.host("n1"), deployed.lab.host("n3")
    pid = host.ssh("systemctl show -P MainPID triarch-node")
    settings = host.ssh("cat /etc/systemd/system/triarch-node.service")
    link = "basename $(readlink /opt/triarch/current)"
    fallen: list[str] = []

    def falls() -> bool:
        if not fallen and host.ssh(link).strip() == before():
            neighbour.ssh("systemctl stop triarch-node")
            fallen.append(neighbour.name)
        return False

    try:
        options = ("--extra-vars", "triarch_allow_downgrade=true", "--extra-vars", "triarch_upgrade_gate_s=8")
        run = await play(deployed, older, *options, check=False, break_off=falls)
    finally:
        neighbour.ssh("systemctl start triarch-node")
    told = " ".join(run.out.split())
    assert (run.status != 0, fallen) == (True, ["n3"]), run.end()
    assert "was not restarted on this host, as another one is not ready" in told, run.end()
    assert f"n1 was rolled back to {newest()} (but " in told, run.end()
    assert host.ssh("systemctl show -P MainPID triarch-node") == pid, "it was not restarted, neither there nor back"
    assert host.ssh(link).strip() == newest()
    assert host.ssh("cat /etc/systemd/system/triarch-node.service") == settings
    deployed.ready()
    assert running(deployed) == {newest()}
    assert (await play(deployed, deployed.wheelhouse)).count("changed") == 0, "nothing is left to do"


@pytest.mark.soak
async def test_what_speaks_against_it_is_said_before_anything_changes(deployed: Deployment, tmp_path: Path) -> None:
    stood = {host.name: host.ssh("systemctl show -P MainPID triarch-node") for host in deployed.lab.hosts()}
    damaged = tmp_path / "damaged"
    shutil.copytree(deployed.wheelhouse, damaged)
    archive = damaged / "wheelhouse.tar"
    archive.write_bytes(archive.read_bytes()[:-1])
    skipping = releases_file(
        tmp_path / "skipping.yml",
        **{"0.1.5": {**releases()[before()], "upgrade_from": before()}, before(): None, newest(): None},
    )
    later = changed(tmp_path / "later", NEXT, lambda _: None)
    rows = {NEXT: {**releases()[newest()], "upgrade_from": "0.2.50"}}
    skips = releases_file(tmp_path / "skips.yml", **rows)
    older = released(before(), deployed.lab.place / f"wheelhouse-{before()}")
    lower = releases_file(tmp_path / "lower.yml", **{before(): {**releases()[before()], "level": 1}})
    may = ("--extra-vars", "triarch_allow_downgrade=true")
    for wheelhouse, options, said in (
        (damaged, (), "its archive is damaged"),
        (later, (), "deploy/releases.yml does not know that version"),
        (later, ("--extra-vars", f"triarch_releases_file={skips}"), f"{NEXT} may follow 0.2.50"),
        (deployed.wheelhouse, ("--extra-vars", f"triarch_releases_file={skipping}"), "does not know that version"),
        (older, (*may, "--extra-vars", f"triarch_releases_file={lower}"), "The replicated state uses level 3"),
    ):
        run = await play(deployed, wheelhouse, *options, check=False)
        told = " ".join(run.out.split())
        assert (run.status != 0, said in told, "Nothing was changed" in told) == (True, True, True), run.end()
        assert run.count("changed") == 0
    deployed.lab.host("n2").ssh("systemctl stop triarch-node")
    try:
        run = await play(deployed, older, *may, check=False)
        assert "not well after" in run.out
        assert run.count("changed") == 0
    finally:
        deployed.lab.host("n2").ssh("systemctl start triarch-node")
    deployed.ready()
    now = {host.name: host.ssh("systemctl show -P MainPID triarch-node") for host in deployed.lab.hosts()}
    assert {name: pid for name, pid in now.items() if name != "n2"} == {
        name: pid for name, pid in stood.items() if name != "n2"
    }
