"""`triarch demo`, as a user runs it, but shorter: real video, real detection, a real kill."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(150)]

FIELDS = {
    *("published", "settled", "dead", "dropped", "in_flight", "lost", "duplicates"),
    *("detections", "takeover_ms", "ledger_ok"),
}


# The server's kill is in tests/demo/test_drill.py.
@pytest.mark.parametrize("kill", ["leader", pytest.param("none", marks=pytest.mark.campaign)])
async def test_every_promise_of_the_demo_holds(tmp_path: Path, kill: str) -> None:
    report_file = tmp_path / "report.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "orchestrator.cli.main", "demo", "--seconds", "4", "--fps", "10", "--cameras", "2"),
        *("--kill", kill, "--report", str(report_file), "--directory", str(tmp_path / "run")),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    report = json.loads(report_file.read_text())
    assert set(report) >= FIELDS
    assert report["published"] == report["settled"] == 2 * 4 * 10
    assert report["lost"] == report["duplicates"] == report["dead"] == report["in_flight"] == 0
    assert report["ledger_ok"]
    assert report["detections"] > 0
    leaders = [reign["node"] for reign in report["leaders"]]
    if kill == "leader":
        assert report["takeover_ms"] > 0
        assert report["fault"]["victim"] in leaders
        assert len(set(leaders)) >= 2  # on a busy machine there may be one more election
        assert report["fault"]["exit_status"] == -9
