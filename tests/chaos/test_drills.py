"""Drills on a real plant of this machine: faults that are real, one that does not happen, one that is interrupted."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.dev.processes import Process
from orchestrator.drills.budget import Budget
from orchestrator.drills.judge import judge
from orchestrator.drills.measures import Figures, measure
from orchestrator.drills.one import Load, OneDrill, Seen
from orchestrator.drills.target import Evidence, Fault, FaultNotPossible, TargetOptions
from orchestrator.drills.targets.local import LocalTarget, open_target

# Alone: plants that the command makes take their ports from among those of all workers.
pytestmark = [pytest.mark.campaign, pytest.mark.alone, pytest.mark.anyio, pytest.mark.timeout(180)]

LOAD = Load(cameras=2, fps=20.0, hold_s=0.5, quiet_s=0.5)
FAULTS = (Fault.LEADER_KILL, Fault.LEADER_PAUSE, Fault.PRIMARY_KILL)
SMALL = ("--target", "local", "--cameras", "2", "--fps", "20", "--hold", "1")
BUDGET = "all: {takeover_s: null, dispatch_gap_s: null, publish_gap_s: null, leadership_changes_max: null}\n"
"""Promises as ever. Times say more of a busy machine than of the plant: those are for `make soak ARGS=drills`."""
BYTES = r"[1-9]\d*"
PROOFS = {
    "leader-isolated": {r"n\d_to_n\d_held": BYTES},
    "one-way-cut": {r"n\d_to_n\d_held": BYTES},
    "primary-isolated": {"held": BYTES},
    "disk-full": {"pid": BYTES, "limit_bytes": BYTES, "told": ".*File too large.*"},
    "rolling-restart": {r"n\d_restarted": r"pid \d+, then \d+"},
    "quorum-loss": {r"n\d_pid": BYTES, r"n\d_exit_status": "-9", "write_refused": "503 no_leader"},
}
"""What each drill of this machine shows for its fault, but those of tests below: names and values, as patterns."""
WAYS = {"leader-isolated": 4, "one-way-cut": 2, "rolling-restart": 3, "quorum-loss": 5}
RUN_S = 400.0


def drill(*argv: str) -> subprocess.Popen[str]:
    """The command line, as a user calls it."""
    command = [str(Path(sys.executable).with_name("triarch")), "drill", "run", *argv]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.timeout(450)
@pytest.mark.parametrize(
    "names", [("one-way-cut", "disk-full"), pytest.param(tuple(PROOFS), marks=pytest.mark.soak)], ids=["two", "all"]
)
def test_drills_of_this_machine_pass_and_are_reported(tmp_path: Path, names: tuple[str, ...]) -> None:
    """None of them needs root, relays and limits of a process being what harms."""
    budget, reports = tmp_path / "budget.yaml", tmp_path / "reports"
    budget.write_text(BUDGET)
    place = ("--directory", str(tmp_path / "run"), "--report", str(reports), "--budget", str(budget))
    with drill(*names, *SMALL, *place) as running:
        try:
            out, err = running.communicate(timeout=RUN_S)
        finally:
            running.kill()  # nothing where it has ended
    assert running.returncode == 0, f"{out}\n{err[-4000:]}"
    assert {file.stem for file in reports.glob("*.json")} == {file.stem for file in reports.glob("*.html")}
    found = {file.stem: json.loads(file.read_text()) for file in reports.glob("*.json")}
    assert sorted(found) == sorted(names)
    for name, report in found.items():
        assert (report["drill"], report["verdict"], report["ok"]) == (name, "passed", True)
        assert (report["lost"], report["duplicates"], report["linearizable"]) == (0, 0, True)
        assert report["ordered_effects"] >= 3
        proof: dict[str, Any] = report["evidence"]["proof"]
        for what, value in proof.items():
            assert any(re.fullmatch(one, what) and re.fullmatch(like, str(value)) for one, like in PROOFS[name].items())
        assert len(proof) == WAYS.get(name, len(PROOFS[name]))
        assert report["evidence"]["victim"]
        page = (reports / f"{name}.html").read_text()
        assert "<svg" in page
        assert "PASSED" in page
    if "leader-isolated" in names:
        assert found["leader-isolated"]["leadership_changes"] >= 1


def test_a_drill_whose_fault_is_not_proven_fails_and_is_reported(tmp_path: Path) -> None:
    """A node that somebody else kills was not restarted in order: whatever was measured then is of another fault."""
    place = ("--directory", str(tmp_path / "run"), "--report", str(tmp_path))
    with drill("rolling-restart", *SMALL, *place) as running:
        assert running.stderr is not None
        said = []
        for line in running.stderr:
            said.append(line)
            if "load is on" in line:  # n3 is never the first whose turn it is
                os.kill(child(running.pid, "n3.yaml"), signal.SIGKILL)
                break
        out, err = running.communicate(timeout=RUN_S)
    assert running.returncode == 1, f"{out}\n{''.join(said)}{err[-4000:]}"
    assert out.startswith("rolling-restart  unproven")
    report = json.loads((tmp_path / "rolling-restart.json").read_text())
    assert (report["verdict"], report["ok"], report["evidence"]) == ("unproven", False, None)
    assert "n3 ended with status -9, not by SIGTERM" in report["unproven"]
    assert [one["what"] for one in report["verdicts"]] == ["proof"]
    assert "UNPROVEN" in (tmp_path / "rolling-restart.html").read_text()
    assert "all is as before" in [moment["what"] for moment in report["timeline"]]


def child(parent: int, argument: str) -> int:
    """The process that `parent` started with this end of its command line."""
    (found,) = [
        int(pid)
        for listing in Path(f"/proc/{parent}/task").glob("*/children")
        for pid in listing.read_text().split()
        if Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").endswith(argument)
    ]
    return found


@pytest.mark.soak  # the lab has both drills in each run
async def test_a_leader_and_a_primary_are_killed(tmp_path: Path) -> None:
    async with open_target(TargetOptions(tmp_path / "plant", faults=FAULTS)) as target:
        evidence, found = await drilled(target, Fault.LEADER_KILL, tmp_path / "leader")
        assert evidence.proof["exit_status"] == -9
        assert found.takeover_s is not None
        assert found.leadership_changes >= 1
        # The same facts under a budget that no plant holds: the judge is not fond of passing.
        verdicts = judge(found, Budget(takeover_s=0.0, dispatch_gap_s=0.0), evidence.proof)
        assert {one.what for one in verdicts if not one.ok} >= {"takeover_s", "dispatch_gap_s"}

        _, found = await drilled(target, Fault.PRIMARY_KILL, tmp_path / "primary")
        # Nobody can publish until the sentinels have looked away from it, and their patience is a second.
        assert found.publish_gap_s > 1.0


async def test_a_fault_that_does_not_happen_and_a_drill_that_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_target(TargetOptions(tmp_path / "plant", faults=FAULTS)) as target:
        with pytest.raises(FaultNotPossible):
            await target.inject(Fault.HOST_POWER_OFF)
        with monkeypatch.context() as patched:
            patched.setattr(Process, "kill", Process.stop)  # it goes in order, and is no killed leader
            seen = await OneDrill(target, Fault.LEADER_KILL, LOAD, tmp_path / "gentle", print).run()
        assert (seen.evidence, seen.recorded) == (None, None)
        assert "ended with status 0" in seen.unproven
        await interrupted(target, tmp_path / "interrupted")


async def interrupted(target: LocalTarget, directory: Path) -> None:
    """The leader is stopped for a minute; whoever cancels the drill meanwhile finds all nodes going on."""
    stopped = asyncio.Event()

    def say(text: str) -> None:
        if "SIGSTOP" in text:
            stopped.set()

    load = Load(cameras=1, fps=10.0, hold_s=60.0, quiet_s=0.2)
    drill = asyncio.ensure_future(OneDrill(target, Fault.LEADER_PAUSE, load, directory, say).run())
    waiting = asyncio.ensure_future(stopped.wait())
    await asyncio.wait({drill, waiting}, timeout=60, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    assert stopped.is_set(), drill
    drill.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drill
    await target.settled(60)  # all three answer: none is stopped any more


async def drilled(target: LocalTarget, fault: Fault, directory: Path) -> tuple[Evidence, Figures]:
    seen: Seen = await OneDrill(target, fault, LOAD, directory, print).run()
    assert seen.evidence is not None
    assert seen.recorded is not None
    found = measure(seen.recorded)
    verdicts = judge(found, Budget(recovery_s=None), seen.evidence.proof)
    assert [one for one in verdicts if not one.ok] == []
    assert seen.recorded.settled is not None
    assert sum(seen.recorded.confirmed.values()) > 20
    assert len(seen.recorded.effects) >= 3
    assert seen.recorded.operations > 20
    return seen.evidence, found
