"""Results are counted per frame, whatever order they come in."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.demo.tally import Tally


def result(camera: str, sequence: int, kind: str = "faces", found: int = 0) -> dict[str, Any]:
    boxes = [{"kind": kind, "box": [0, 0, 1, 1], "score": 1.0}] * found
    return {"camera_id": camera, "sequence": sequence, "result": {"kind": kind, "detections": boxes}}


def test_results_are_counted_by_kind_and_what_they_saw() -> None:
    tally = Tally()
    tally.add(1, result("cam1", 0, "faces", 2))
    tally.add(2, result("cam1", 1, "motion", 0))
    tally.add(3, result("cam2", 0, "motion", 3))
    assert (tally.results, tally.frames, tally.duplicates) == (3, 3, 0)
    assert tally.by_kind == {"faces": 1, "motion": 2}
    assert tally.detections_by_kind == {"faces": 2, "motion": 3}
    assert tally.detections == 5
    assert tally.latest == "motion ×3 on cam2"


@given(st.lists(st.tuples(st.sampled_from(["cam1", "cam2"]), st.integers(0, 40))))
def test_a_result_that_comes_twice_is_a_duplicate(frames: list[tuple[str, int]]) -> None:
    tally = Tally()
    for moment, (camera, sequence) in enumerate(frames):
        tally.add(moment, result(camera, sequence))
    assert tally.frames == len(set(frames))
    assert tally.duplicates == len(frames) - len(set(frames))
    repeated = sorted({frame for frame in frames if frames.count(frame) > 1})
    assert tally.twice() == [f"{camera}/{sequence}" for camera, sequence in repeated][:20]


def test_what_is_no_result_is_counted_apart() -> None:
    tally = Tally()
    for broken in (
        {},
        {"camera_id": "cam1"},
        {"camera_id": "cam1", "sequence": -1, "result": {}},
        result("cam1", 0) | {"result": 3},
    ):
        tally.add(1, broken)
    tally.add(1, {"camera_id": "cam1", "sequence": 0, "result": {}})
    assert tally.unreadable == 4
    assert tally.by_kind == {"unknown": 1}


def test_the_standstill_is_the_longest_gap_at_the_fault() -> None:
    tally = Tally()
    for moment in [*range(0, 5_000, 50), *range(5_900, 9_000, 50), *range(30_000, 31_000, 50)]:
        tally.add(moment, result("cam1", moment))
    assert tally.gap_ms(fault_ms=5_000, within_ms=3_000) == 5_900 - 4_950
    assert tally.gap_ms(fault_ms=1_000, within_ms=1_000) == 50
    assert Tally().gap_ms(fault_ms=1_000) is None


def test_long_gaps_outlive_a_long_run() -> None:
    tally = Tally()
    moments = [*range(0, 1_000, 2), *range(3_000, 30_000, 2)]
    for moment in moments:
        tally.add(moment, result("cam1", moment))
    assert tally.gap_ms(fault_ms=1_000) == 3_000 - 998


def test_a_clock_that_steps_back_makes_no_gap() -> None:
    tally = Tally()
    for moment in (100, 150, 90, 160):
        tally.add(moment, result("cam1", moment))
    assert tally.gap_ms(fault_ms=100) == 50
