"""A report is good only when every promise of the run held, and says which one did not."""

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from orchestrator.demo.options import DemoOptions
from orchestrator.demo.report import Facts, Fault, build, summary, takeover_ms
from orchestrator.demo.tally import Tally


@dataclass(frozen=True)
class Record:
    term: int
    index: int
    node: str
    first_us: int = 0
    last_us: int = 0
    frames: int = 0


@dataclass(frozen=True)
class Sums:
    published: int = 100
    settled: int = 100
    dead: int = 0
    dropped: int = 0
    in_flight: int = 0
    lost: int = 0
    duplicates: int = 0
    ledger_ok: bool = True
    problems: tuple[str, ...] = ()


OLD = Record(1, 2, "n1", first_us=1_000_000, last_us=15_000_000, frames=60)
NEW = Record(2, 9, "n3", first_us=15_640_500, last_us=30_000_000, frames=40)
FAULT = Fault(
    what="leader", victim="n1", pid=77, exit_status=-9, at_s=15.0, server_ms=15_000, epoch=(1, 2), restarted_at_s=19.0,
    rejoined_s=1.5, new_pid=99,
)  # fmt: skip


def tally(frames: int = 100, *, detections: int = 1) -> Tally:
    counted = Tally()
    for sequence in range(frames):
        found = [{"kind": "faces", "box": [0, 0, 1, 1], "score": 1.0}] * detections
        document = {"camera_id": "cam1", "sequence": sequence, "result": {"kind": "faces", "detections": found}}
        counted.add(14_000 + sequence * 20, document)
    return counted


def facts(**changes: Any) -> Facts:
    good = Facts(
        options=DemoOptions(),
        ledger=Sums(),
        reigns=[NEW, OLD],
        tally=tally(),
        fault=FAULT,
        cameras=[{"camera_id": "cam1", "published": 60}, {"camera_id": "cam2", "published": 40}],
        expected=100,
        drained=True,
        components={"arm": "STOPPED"},
        run_directory="run",
        elapsed_s=41.23,
        server="valkey 9.1.2",
        video="clip.mp4",
    )
    return replace(good, **changes)


def test_a_good_run_has_every_field_and_no_broken_promise() -> None:
    report = build(facts())
    assert report["ok"], report["broken"]
    for name in ("published", "settled", "dead", "dropped", "in_flight", "lost", "duplicates", "detections",
                 "takeover_ms", "ledger_ok", "leaders", "kill", "cameras", "fps", "seconds", "results",
                 "run_directory"):  # fmt: skip
        assert report[name] is not None, name
    assert report["takeover_ms"] == 640.5
    assert [leader["epoch"] for leader in report["leaders"]] == ["1.2", "2.9"]
    assert report["fault"]["exit_status"] == -9
    assert json.loads(json.dumps(report)) == report


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ledger": Sums(published=0, settled=0), "cameras": [], "expected": 0}, "no frame was published"),
        ({"ledger": Sums(lost=2)}, "2 frames were lost"),
        ({"ledger": Sums(duplicates=3)}, "3 results came twice"),
        ({"ledger": Sums(ledger_ok=False)}, "does not add up"),
        ({"ledger": Sums(ledger_ok=False, problems=("cam1/7 vanished",))}, "does not add up; cam1/7 vanished"),
        ({"ledger": Sums(dead=1)}, "1 frames were given up"),
        ({"ledger": Sums(in_flight=4)}, "4 frames were still in flight"),
        ({"drained": False}, "still in flight"),
        ({"tally": tally(detections=0)}, "nothing was detected"),
        ({"tally": tally(99)}, "100 frames are settled, 99 have a result"),
        ({"cameras": [{"published": 99}]}, "cameras had 99 frames acknowledged, the ledger has 100"),
        ({"expected": 120}, "cameras published 100 of 120 frames"),
        ({"fault": None}, "the leader was not killed"),
        ({"fault": replace(FAULT, exit_status=0)}, "did not die by SIGKILL"),
        ({"fault": replace(FAULT, exit_status=None)}, "did not die by SIGKILL"),
        ({"fault": replace(FAULT, server_ms=15_641)}, "n1 did not lead any more when it was killed"),
        ({"reigns": [OLD, replace(NEW, first_us=14_000_000)]}, "the server's clock was set back"),
        ({"ledger": Sums(published=101, dropped=1), "expected": 101}, "1 frames were dropped"),
        ({"fault": replace(FAULT, rejoined_s=None)}, "n1 did not come back"),
        ({"fault": replace(FAULT, new_pid=77)}, "n1 did not come back"),
        ({"components": {"arm": "STARTED"}}, "component arm ended in STARTED"),
        ({"reigns": [OLD, replace(NEW, node="n1")]}, "no second node has led"),
        ({"reigns": [OLD]}, "no other leader dispatched"),
        ({"reigns": [OLD, replace(NEW, first_us=17_100_000)]}, "takeover took 2100 ms"),
        ({"failures": ["n2 died"]}, "n2 died"),
    ],
)  # fmt: skip
def test_every_promise_that_breaks_is_named(change: dict[str, Any], sentence: str) -> None:
    report = build(facts(**change))
    assert not report["ok"]
    assert any(sentence in broken for broken in report["broken"]), report["broken"]


def test_a_duplicate_that_the_ledger_did_not_see_still_counts() -> None:
    counted = tally()
    counted.add(20_000, {"camera_id": "cam1", "sequence": 7, "result": {"kind": "faces"}})
    report = build(facts(tally=counted))
    assert report["duplicates"] == 1
    assert "1 results came twice: cam1/7" in report["broken"]


def test_a_run_without_a_kill_needs_one_leader_only() -> None:
    report = build(facts(options=DemoOptions(kill="none"), fault=None, reigns=[OLD]))
    assert report["ok"], report["broken"]
    assert report["takeover_ms"] is None


def test_a_killed_primary_is_told_by_the_standstill() -> None:
    primary = replace(FAULT, what="primary", victim="primary", epoch=None)
    report = build(facts(options=DemoOptions(kill="primary"), fault=primary, reigns=[OLD]))
    assert report["ok"], report["broken"]
    assert report["primary_gap_ms"] == 20
    report = build(facts(options=DemoOptions(kill="primary"), fault=replace(primary, server_ms=99_000), reigns=[OLD]))
    assert report["broken"] == ["no result came after the primary's kill"]


def test_takeover_skips_leaders_that_dispatched_nothing() -> None:
    idle = Record(2, 5, "n2")
    assert takeover_ms([idle, NEW, OLD], (1, 2)) == 640.5
    assert takeover_ms([OLD], (1, 2)) is None
    assert takeover_ms([NEW], (1, 2)) is None


def test_the_summary_says_it_in_words() -> None:
    text = "\n".join(summary(build(facts())))
    assert "100 published, 100 settled" in text
    assert "n1 (1.2) → n3 (2.9)" in text
    assert "640.5 ms without dispatch" in text
    assert "every promise held" in text
    text = "\n".join(summary(build(facts(ledger=Sums(lost=1, ledger_ok=False), fault=replace(FAULT, rejoined_s=None)))))
    assert "DOES NOT ADD UP" in text
    assert "never came back" in text
    primary = replace(FAULT, what="primary", victim="primary", epoch=None)
    text = "\n".join(summary(build(facts(options=DemoOptions(kill="primary"), fault=primary))))
    assert "20 ms without a result" in text


@pytest.mark.parametrize(
    "wrong", [{"cameras": 0}, {"cameras": 65}, {"fps": 0}, {"fps": 1_000}, {"seconds": 0}, {"kill": "everything"}]
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DemoOptions(**wrong)
