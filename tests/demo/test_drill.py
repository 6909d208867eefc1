"""A short run of the demo: the server is killed in the middle and comes back from its append-only file."""

import json
from pathlib import Path

import pytest

from orchestrator.demo import DemoOptions, run


@pytest.mark.slow
def test_the_primary_is_killed_and_nothing_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "out" / "report.json"
    options = DemoOptions(
        cameras=2, fps=12.0, seconds=4.0, kill="primary", report=file, directory=tmp_path / "demo"
    )  # fmt: skip
    code = run(options)
    said = capsys.readouterr()
    report = json.loads(file.read_text())
    assert code == 0, (report["broken"], said.err)
    assert report["ok"]
    assert report["published"] == report["settled"] == report["expected"] == 96
    assert (report["lost"], report["duplicates"], report["in_flight"]) == (0, 0, 0)
    assert report["ledger_ok"]
    assert report["detections"] > 0
    assert set(report["results"]) == {"faces", "motion", "people"}
    assert report["fault"]["pid"] != report["fault"]["new_pid"]
    assert report["primary_gap_ms"] >= 500
    assert set(report["components"].values()) == {"STOPPED"}
    assert "the primary is killed with SIGKILL" in said.err
    assert "every promise held" in said.out
    assert (tmp_path / "demo" / "logs").is_dir()
    assert not (tmp_path / "demo" / "redis").exists()  # the report is good: only the logs are kept
