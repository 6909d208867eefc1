"""`triarch bench playbooks`, small: the executions, the components and the frames are real."""

from pathlib import Path

import pytest

from tests.demo.test_bench import measured

pytestmark = [pytest.mark.campaign, pytest.mark.alone, pytest.mark.soak, pytest.mark.timeout(180)]


def test_playbooks_are_measured_with_real_components(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.bench.playbooks.EXECUTIONS", 100)
    report = measured("playbooks", tmp_path, seconds=20)
    assert report["ok"]
    assert (report["executions"], report["steps"], report["commands_done_once"]) == (100, 5, True)
    assert report["burst_asked_s"] <= report["burst_s"]
    assert report["steps_per_s"] == pytest.approx(100 * 5 / report["burst_s"], rel=0.01)
    assert 0 < report["commits_per_s"] < report["ceiling_commits_per_s"]
    assert 0 < report["p50_step_ms"] <= report["p99_step_ms"]
    assert report["sustained_executions"] == 5 * 40
