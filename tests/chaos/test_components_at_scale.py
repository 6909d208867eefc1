"""`triarch bench components`, small: what it measures happens, and nothing is refused."""

import json
from pathlib import Path

import pytest

from orchestrator.bench import BenchOptions, components

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(120)]


def test_many_components_are_registered_heard_and_missed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "COMPONENTS", 100)
    report = tmp_path / "report.json"
    components.run(BenchOptions(report=report, directory=tmp_path / "bench", seconds=10))
    found = json.loads(report.read_text())
    assert found["components"] == 100
    assert found["heartbeats_per_s"] > 50
    assert found["reads"] > 100
    assert found["unresponsive_max_s"] >= components.LIMIT_S - components.HEARTBEAT_S
    assert set(found["within"]) == {
        *("register_s", "heartbeats_not_taken", "read_p99_ms", "leader_cores", "unresponsive_cycles_after_limit"),
    }
