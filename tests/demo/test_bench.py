"""The measurements run, end in time, and say what they are to say."""

import importlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.bench import BENCHES, BenchOptions, etcd
from orchestrator.bench.figures import latency, percentile, write


def measured(name: str, tmp_path: Path, **options: Any) -> dict[str, Any]:
    report = tmp_path / "report.json"
    bench = importlib.import_module(f"orchestrator.bench.{name}")
    assert bench.run(BenchOptions(report=report, directory=tmp_path / name, **options)) == 0
    found = json.loads(report.read_text())
    assert isinstance(found, dict)
    return found


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0.001, 1))
def test_a_percentile_is_the_smallest_value_that_covers_its_share(values: Sequence[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_latencies_are_told_in_milliseconds() -> None:
    assert latency([0.001] * 99 + [0.5], "read_") == {"read_p50_ms": 1.0, "read_p99_ms": 1.0}


def test_a_report_goes_where_it_was_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert write(BenchOptions(), {"ok": True, "runs": 1}) == 0
    assert json.loads(capsys.readouterr().out) == {"ok": True, "runs": 1}
    assert write(BenchOptions(report=tmp_path / "a" / "b.json"), {"ok": False}) == 1
    assert json.loads((tmp_path / "a" / "b.json").read_text()) == {"ok": False}


@pytest.mark.parametrize("wrong", [{"seconds": 1}, {"runs": 0}, {"fault": "sleep"}])
def test_bench_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BenchOptions(**wrong)


def test_every_bench_has_a_module_that_runs_it() -> None:
    for name in BENCHES:
        assert callable(importlib.import_module(f"orchestrator.bench.{name}").run)


def test_a_directory_in_use_is_an_error_with_its_exit_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from orchestrator.bench.raft import run
    from orchestrator.dev.directory import locked

    with locked(tmp_path):
        assert run(BenchOptions(directory=tmp_path)) == 5
    assert "another run works there" in capsys.readouterr().err


@pytest.mark.anyio
async def test_without_etcd_the_comparison_is_left_out_and_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert await etcd.client(tmp_path) is None
    assert "no comparison with etcd: etcd is not on the PATH" in capsys.readouterr().err
    for name in ("etcd", "go"):
        (tmp_path / name).write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    assert await etcd.client(tmp_path) is None
    assert "could not be built" in (said := capsys.readouterr().err)
    assert "no network" in said


WITH_ETCD = all(map(shutil.which, ("etcd", "go")))


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_raft_is_measured_beside_the_stock_library_and_etcd(tmp_path: Path) -> None:
    report = measured("raft", tmp_path, seconds=5)
    assert report["ok"]
    assert report["ratio_to_stock"] > 0
    if not WITH_ETCD:
        assert report["etcd_commits_per_s"] is None
        assert report["ratio_to_etcd"] is None
    for prefix in ("", "stock_batched_", "stock_unbatched_", *(["etcd_"] if WITH_ETCD else [])):
        assert report[f"{prefix}commits_per_s"] > 0
        assert 0 < report[f"{prefix}p50_ms"] <= report[f"{prefix}p99_ms"]


@pytest.mark.slow
def test_the_api_is_measured_beside_plain_http(tmp_path: Path) -> None:
    report = measured("api", tmp_path, seconds=6)
    assert report["ok"]
    for prefix in ("", "ceiling_", "read_", "write_"):
        assert report[f"{prefix}requests_per_s"] > 0
        assert 0 < report[f"{prefix}p50_ms"] <= report[f"{prefix}p99_ms"]
