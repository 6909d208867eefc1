"""The measurements that need a plant for longer run, end in time, and say what they are to say."""

import json
from pathlib import Path

import pytest

from tests.command_line import triarch
from tests.demo.test_bench import WITH_ETCD, measured

pytestmark = pytest.mark.campaign


@pytest.mark.timeout(180)
def test_frames_are_measured_beside_their_ceiling(tmp_path: Path) -> None:
    report = measured("frames", tmp_path, seconds=5)
    assert report["ok"]
    assert report["ceiling_fps"] > report["end_to_end_fps"] > 0
    assert report["ratio"] == pytest.approx(report["end_to_end_fps"] / report["ceiling_fps"], abs=0.001)
    assert 0 < report["p50_ms"] <= report["p99_ms"]
    assert 0 < report["images_p50_ms"] <= report["images_p99_ms"]
    assert report["sdk_fps"] > 0
    for prefix, offered in (("sdk_", 1_000), ("sdk_images_", 100)):
        assert report[f"{prefix}offered_fps"] == offered
        assert 0 < report[f"{prefix}p50_ms"] <= report[f"{prefix}p99_ms"]
        assert report[f"{prefix}calls"] == report[f"{prefix}published"] > 0
    assert (report["lost"], report["duplicates"]) == (0, 0)
    assert report["plain_fps"] > 0
    assert all(cost > 0 for cost in report["cost_us"].values())


@pytest.mark.timeout(180)
def test_failover_is_measured_by_killing_leaders(tmp_path: Path) -> None:
    report = measured("failover", tmp_path, seconds=20, runs=1)
    assert report["ok"]
    assert (report["runs"], report["lost"], report["duplicates"]) == (1, 0, 0)
    assert 0 < report["gap_p50_ms"] <= report["gap_max_ms"] < 10_000
    assert report["published"] == report["acknowledged"] == report["settled"] > 0
    assert report["takeover_acknowledged"] > 0
    assert (report["takeover_lost"], report["takeover_twice"], report["takeover_problems"]) == (0, 0, [])
    for prefix in ("takeover", "stock", *(["etcd"] if WITH_ETCD else [])):
        for fault in ("kill", "stop"):
            assert report[f"{prefix}_{fault}_runs"] == 1
            assert 0 < report[f"{prefix}_{fault}_p50_ms"] == report[f"{prefix}_{fault}_max_ms"] < 15_000


@pytest.mark.anyio
@pytest.mark.timeout(120)
async def test_the_delay_to_watchers_is_measured_from_the_writes_answers(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    given = ("--seconds", "5", "--watchers", "6", "--rate", "20", "--directory", tmp_path / "watch")
    code, _, err = await triarch("bench", "watch", *given, "--report", path)
    assert code in (0, 1), err  # whether it was fast enough is for a quiet machine to say
    report = json.loads(path.read_text())
    assert (report["lost"], report["doubled"], report["disordered"]) == (0, 0, 0)
    assert report["deliveries"] == report["writes"] * report["watchers"] == 600
    assert 0 <= report["p50_ms"] <= report["p99_ms"] <= report["max_ms"]
    assert report["write_p99_ms"] > 0
    assert report["ceiling_p99_ms"] >= 0
