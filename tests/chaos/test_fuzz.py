"""The fuzz campaign, small, on real nodes: every operation is asked, soundly and not, and nothing breaks."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REQUESTS = 500


@pytest.mark.campaign
@pytest.mark.alone
@pytest.mark.timeout(150)
def test_requests_that_nobody_should_send_break_nothing(tmp_path: Path) -> None:
    report = tmp_path / "fuzz.json"
    command = [sys.executable, "-m", "tests.soak", "fuzz", "--size", str(REQUESTS), "--report", str(report)]
    done = subprocess.run(
        [*command, "--directory", str(tmp_path)], check=False, capture_output=True, text=True, timeout=140
    )
    assert report.exists(), done.stderr
    found = json.loads(report.read_text())
    assert found["problems"] == []
    assert done.returncode == 0
    assert found["requests"] == REQUESTS
    assert found["drawn"] >= found["operations"]
    assert found["answers_5xx_other_than_503"] == 0
    assert found["idle_connections_most"] > 100
