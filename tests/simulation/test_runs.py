"""Runs: some seeds pass, the same seed is the same run in every process, planted defects are found and made short."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.__main__ import main
from tests.simulation.defects import DEFECTS, planted
from tests.simulation.hunt import defect_named, hunt
from tests.simulation.plan import OPERATIONS, draw
from tests.simulation.scenarios import SCENARIOS
from tests.simulation.shrink import shrink
from tests.simulation.world import World

ROOT = Path(__file__).parents[2]

QUICK = ("R1", "R5", "R13", "R14", "PreVote", "fsync")
"""defects that a run or two show; `python -m tests.simulation --defects` looks for all of them"""


def test_seeds_pass_and_something_happens_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "1-4", "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == "4 passed, 0 failed"
    result = World(draw(4)).run()
    assert result.counts["committed"] > 50
    assert result.counts["terms"] >= 1
    assert result.counts["linearizable read ok"] > 5


def test_the_same_seed_is_the_same_run_in_every_process() -> None:
    program = (
        "from tests.simulation.plan import draw; from tests.simulation.world import World; "
        "print([World(draw(seed, 'mixed')).run().trace_hash for seed in (11, 12)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(printed) == 1
    assert printed == {f"{[World(draw(seed, 'mixed')).run().trace_hash for seed in (11, 12)]}\n"}


def test_a_plan_is_drawn_from_its_seed_alone() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)
    assert {draw(seed).scenario for seed in range(400)} == {scenario.name for scenario in SCENARIOS}


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_defect_is_found(name: str) -> None:
    found = hunt(name, 1, most=20)
    assert found.seeds, f"{name} ({defect_named(name).what}) was not found in 20 runs"


def test_a_planted_defect_is_gone_afterwards() -> None:
    for defect in DEFECTS:
        before = [vars(owner).get(name) for owner, name, _ in defect.replacements()]
        with planted(defect):
            assert [vars(owner).get(name) for owner, name, _ in defect.replacements()] != before
        assert [vars(owner).get(name) for owner, name, _ in defect.replacements()] == before


def test_a_failing_plan_is_made_shorter_and_fails_alike() -> None:
    with planted(defect_named("R5")):
        plan = draw(1, "crashes")
        failed = World(plan).run()
        shorter, result = shrink(plan, failed, lambda candidate: World(candidate).run(), runs=60)
    assert result.invariant == failed.invariant != ""
    assert len(shorter.steps) < len(plan.steps) / 5
    faults = [step for step in shorter.steps if step.kind not in OPERATIONS]
    assert 1 <= len(faults) <= 3
    assert not World(shorter).run().invariant, "with the protection the same plan passes"


def test_the_trace_of_a_run_reads_as_what_happened(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "3-3", "--trace", "--scenario", "crashes"]) == 0
    said = capsys.readouterr().out
    assert "leader in term 1" in said
    assert "fault" in said
    assert "heal" in said


def test_a_wrong_range_of_seeds(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in ("x", "5-1", "1-"):
        with pytest.raises(SystemExit):
            main(["--seeds", wrong])
    assert "is not A-B, for example 1-200" in capsys.readouterr().err
