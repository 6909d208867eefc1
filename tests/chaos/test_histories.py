"""Histories of real nodes under faults keep every promise of the API; and a promise that is broken is noticed."""

import math
from pathlib import Path

import pytest

from orchestrator.dev.local import LocalPlant
from tests.chaos.faults import PROCESS_FAULTS
from tests.chaos.history_files import read_history
from tests.chaos.judging import LEADER_BOUND_S, MARGIN_S, History, Part
from tests.chaos.linearizability import Operation, check
from tests.chaos.operations import Kind, Outcome
from tests.chaos.recorder import LEADER, LINEARIZABLE, MIX, judged, record, show


@pytest.mark.campaign
@pytest.mark.timeout(240)
@pytest.mark.anyio
async def test_a_history_under_faults_keeps_every_promise(plant: LocalPlant, tmp_path: Path) -> None:
    """Each fault of a process once. The long campaign is `python -m tests.chaos.recorder`."""
    recording = await record(plant, operations=3_000, seed=7)
    found = judged(recording, seed=7)
    print(show(found))
    assert found["violations"] == []
    assert found["ok"]
    # A history in which little happened would prove little.
    assert set(found["faults"]) == set(PROCESS_FAULTS)
    assert set(found["by_kind"]) == {kind if isinstance(kind, str) else f"read {kind}" for kind in MIX}
    for kind, outcomes in found["by_kind"].items():
        assert outcomes["ok"] > 20, kind
    assert found["by_kind"]["cas"]["mismatch"] > 20
    assert found["by_kind"]["write"]["unknown"] + found["by_kind"]["cas"]["unknown"] > 5
    assert found["repeated"] > 5
    for fault in recording.faults:
        assert 0 <= fault.began < fault.healed <= recording.seconds
    proofs = {fault.name: fault.proof for fault in recording.faults}
    assert "ended with status -9" in proofs["leader-killed"]
    assert "leads after" in proofs["leader-killed"]
    assert "ready again as pid" in proofs["follower-killed"]
    assert "in state T" in proofs["leader-paused"]
    assert "leads after" in proofs["leader-paused"]

    written = recording.history.write(tmp_path)
    assert sum(len(read_history(path)) for path in written) == found["operations"]
    assert check(read_history(tmp_path / "linearizable.jsonl")).linearizable


@pytest.mark.campaign
@pytest.mark.timeout(240)
@pytest.mark.anyio
async def test_a_read_that_is_less_than_it_promises_is_noticed(plant: LocalPlant) -> None:
    """Recorded as linearizable, but asked of any node's own state: followers are some milliseconds behind."""
    recording = await record(plant, operations=3_000, seed=8, faults={}, asks={LINEARIZABLE: Part("stale")})
    found = judged(recording, seed=8)
    assert not found["ok"]
    assert {violation["part"] for violation in found["violations"]} == {"linearizable"}
    assert "not linearizable" in show(found)


# ── What is judged how ────────────────────────────────


def operation(
    kind: Kind, value: int | None, begin: float, end: float, outcome: Outcome = "ok", expected: int | None = None
) -> Operation:
    return Operation(1, kind, "r", value, expected, outcome, begin, end)


def changed() -> History:
    """1 until 2 came at second 10."""
    history = History()
    history.add_change(operation("write", 1, 0, 1))
    history.add_change(operation("cas", 2, 9, 10, expected=1))
    return history


@pytest.mark.parametrize(
    ("part", "behind_s"),
    [
        (LINEARIZABLE, 0.0),
        (LEADER, LEADER_BOUND_S),
        (Part("stale", 0.5), 0.5 + MARGIN_S),
        (Part("stale", 2.0), 2.0 + MARGIN_S),
        (Part("stale"), math.inf),
    ],
    ids=str,
)
def test_each_read_is_judged_by_its_own_bound(part: Part, behind_s: float) -> None:
    within = changed()
    begin = 10 + min(behind_s, 1_000) * 0.99 if behind_s else 9.5
    within.add_read(part, operation("read", 1, begin, begin + 0.1))
    assert within.violations() == []
    if not math.isinf(behind_s):
        beyond = changed()
        beyond.add_read(part, operation("read", 1, 10 + behind_s + 0.01, 10 + behind_s + 0.1))
        [violation] = beyond.violations()
        assert (violation.part, violation.key) == (str(part), "r")
    invented = changed()
    invented.add_read(part, operation("read", 3, 11, 12))
    [violation] = invented.violations()
    assert violation.part == str(part)


def test_a_lost_update_is_noticed() -> None:
    history = changed()
    history.add_change(operation("cas", 3, 11, 12, expected=1))
    [violation] = history.violations()
    assert violation.part == "linearizable"
    assert "cas 1 → 3 ok" in violation.text


def test_what_has_failed_observed_nothing() -> None:
    history = changed()
    history.add_read(LINEARIZABLE, operation("read", None, 20, 21, "failed"))
    history.add_read(LEADER, operation("read", None, 20, 21, "failed"))
    history.add_change(operation("write", 3, 20, math.inf, "unknown"))
    history.add_read(LINEARIZABLE, operation("read", 3, 30, 31))
    assert history.violations() == []
    assert history.counts() == {
        "cas": {"ok": 1},
        "read leader": {"failed": 1},
        "read linearizable": {"failed": 1, "ok": 1},
        "write": {"ok": 1, "unknown": 1},
    }
    assert len(history) == 6


def test_each_part_is_a_file_that_the_checker_reads(tmp_path: Path) -> None:
    history = changed()
    history.add_change(operation("write", 3, 20, math.inf, "unknown"))
    history.add_read(Part("stale", 0.5), operation("read", 2, 20, 21))
    paths = history.write(tmp_path / "histories")
    assert [path.name for path in paths] == ["linearizable.jsonl", "stale-0.5.jsonl"]
    assert read_history(paths[0]) == history.changes
    assert read_history(paths[1]) == history.reads[Part("stale", 0.5)]
