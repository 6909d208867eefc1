"""Drills on a real plant of this machine: faults that are real, one that does not happen, one that is interrupted."""

import asyncio
from pathlib import Path

import pytest

from orchestrator.dev.processes import Process
from orchestrator.drills.budget import Budget
from orchestrator.drills.judge import judge
from orchestrator.drills.measures import Figures, measure
from orchestrator.drills.one import Load, OneDrill, Seen
from orchestrator.drills.target import Evidence, Fault, FaultNotPossible, TargetOptions
from orchestrator.drills.targets.local import LocalTarget, open_target

pytestmark = [pytest.mark.campaign, pytest.mark.alone, pytest.mark.anyio, pytest.mark.timeout(180)]

LOAD = Load(cameras=2, fps=20.0, hold_s=0.5, quiet_s=0.5)
FAULTS = (Fault.LEADER_KILL, Fault.LEADER_PAUSE, Fault.PRIMARY_KILL)


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
