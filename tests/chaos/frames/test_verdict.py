"""A verdict that cannot fail proves nothing: it is shown each thing that it must find."""

import msgspec
import pytest

from framebuffer.ledger import CameraReport, LedgerReport
from framebuffer.wire import FenceRecord
from orchestrator.demo.tally import Tally
from tests.chaos.frames.parts import PartsTally
from tests.chaos.frames.verdict import judge

CAMERA = {"camera_id": "cam1", "accepted": 3, "confirmed": 3}
REIGNS = [FenceRecord(1, 2, "n1", 100, 200, 2), FenceRecord(2, 3, "n2", 300, 400, 1)]


def report(published: int = 3, settled: int = 3, dead: int = 0, problems: tuple[str, ...] = ()) -> LedgerReport:
    numbers = {"published": published, "settled": settled, "dead": dead, "dropped": 0, "lost": 0, "duplicates": 0}
    rest = {"in_flight": 0, "duplicate_publishes": 1, "duplicate_settles": 0, "highest": published - 1}
    camera = msgspec.convert({**numbers, **rest}, CameraReport)
    lists = {
        "ledger_ok": not problems,
        "lost_frames": [],
        "duplicate_frames": [],
        "in_flight": 0,
        "stuck": 0,
        "stuck_frames": [],
    }
    return msgspec.convert(
        {**numbers, **lists, "cameras": {"cam1": msgspec.to_builtins(camera)}, "problems": list(problems)}, LedgerReport
    )


def tally(*sequences: int) -> Tally:
    found = Tally()
    for sequence in sequences:
        found.add(1, {"camera_id": "cam1", "sequence": sequence, "result": {}})
    return found


def test_what_agrees_is_right() -> None:
    verdict = judge(report(), tally(0, 1, 2), [CAMERA], REIGNS)
    assert verdict.problems == []
    assert (verdict.published, verdict.results, verdict.confirmed, verdict.reigns) == (3, 3, 3, 2)
    assert (verdict.lost, verdict.duplicates, verdict.duplicate_publishes) == (0, 0, 1)


def test_a_frame_whose_confirmation_was_lost_may_be_there() -> None:
    assert judge(report(), tally(0, 1, 2), [{**CAMERA, "confirmed": 2}], REIGNS).problems == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (judge(report(problems=("2 frames are lost",)), tally(0, 1, 2), [CAMERA], REIGNS), "2 frames are lost"),
        (judge(report(settled=2), tally(0, 1), [CAMERA], REIGNS), "3 frames were published, 2 are final"),
        (judge(report(), tally(0, 1), [CAMERA], REIGNS), "3 frames are settled, results of 2 were seen"),
        (judge(report(), tally(0, 1, 2, 2), [CAMERA], REIGNS), "1 results too many were seen: cam1/2"),
        (judge(report(), tally(0, 1, 2), [{**CAMERA, "confirmed": 4}], REIGNS), "4 frames of 3 were confirmed"),
        (judge(report(), tally(0, 1, 2), [{**CAMERA, "accepted": 2}], REIGNS), "the ledger has 3"),
        (judge(report(), tally(0, 1, 2), [], REIGNS), "cam1: 0 frames of 0 were confirmed"),
        (judge(report(), tally(0, 1, 2), [CAMERA, {**CAMERA, "camera_id": "cam2"}], REIGNS), "cam2: 3 frames of 3"),
        (
            judge(report(), tally(0, 1, 2), [{**CAMERA, "confirmed": 1, "dropped": 2}], REIGNS),
            "cam1: 2 frames were given up and recorded, 0 are dropped",
        ),
        (judge(report(0, 0), tally(), [], REIGNS), "this proves nothing"),
        (
            judge(report(), tally(0, 1, 2), [CAMERA], [REIGNS[0], FenceRecord(2, 3, "n2", 150, 400, 1)]),
            "n1 (epoch 1.2) moved frames 50 µs into the time of n2 (epoch 2.3)",
        ),
    ],
)
def test_what_does_not_agree_is_found(found: object, said: str) -> None:
    problems: list[str] = found.problems  # type: ignore[attr-defined]
    assert len(problems) == 1
    assert said in problems[0]


def test_an_unreadable_result_is_found() -> None:
    counted = tally(0, 1, 2)
    counted.add(1, {})
    assert judge(report(), counted, [CAMERA], REIGNS).problems == ["1 results cannot be read"]


def parts(*results: str) -> PartsTally:
    """Results such as `1face`; cam1 asks for echo, then for echo and face, in turn."""
    found = PartsTally({"cam1": (("echo",), ("echo", "face"))})
    for one in results:
        found.add(1, {"camera_id": "cam1", "sequence": int(one[0]), "result": {"kind": one[1:]}})
    return found


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        (parts("0echo", "1echo", "1face", "2echo"), ""),
        (parts("0echo", "1echo", "2echo"), "3 frames are settled, results of 2 were seen"),
        (parts("0echo", "1echo", "1face", "1face", "2echo"), "1 results too many were seen: cam1/1/face"),
        (parts("0echo", "1echo", "1face", "2echo", "2face"), "1 results too many were seen: cam1/2/face"),
    ],
    ids=["right", "a part is missing", "a part twice", "a part that nobody asked for"],
)
def test_each_capability_has_one_result(counted: PartsTally, said: str) -> None:
    assert "".join(judge(report(), counted, [CAMERA], REIGNS).problems) == said


def test_who_asks_for_one_capability_needs_no_table() -> None:
    counted = parts("0echo", "1echo", "1face", "2echo")
    counted.add(1, {"camera_id": "special", "sequence": 0, "result": {"kind": "whatever"}})
    assert (counted.frames, counted.duplicates, counted.twice()) == (4, 0, [])
