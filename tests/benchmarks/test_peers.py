"""What of benchmarks/peers needs no peer: the tally, a run of plain redis-py on a real server, table and picture."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from benchmarks.peers import report
from benchmarks.peers.catalogue import CATALOGUE, PRODUCT
from benchmarks.peers.measure import Plan, Run, measure
from benchmarks.peers.peer import Tally, payload, tallied

FACTS = {
    "when": "2026-11-24",
    "command": "benchmarks/peers/run.sh",
    "commit": "abc",
    "machine": {"cpu": "some processor", "cores": 2, "memory_gib": 4.0, "system": "Linux", "python": "3.11"},
}


def figure(per_second: float, **flaws: Any) -> Run:
    return Run(events_per_s=per_second, elapsed_s=1.0, publish_s=0.5, server_us=10.0, **flaws)


@pytest.fixture
def found() -> dict[str, Any]:
    """A report of three peers, one of which lost an event in its second run."""
    plan = Plan(("redis", "triarch", "celery"), {})
    plan.found["celery"] = {"celery": "5.7.0", "redis": "8.1.0"}
    runs = {
        "celery": [figure(500.0), figure(400.0, lost=1), figure(600.0)],
        "redis": [figure(20_000.0), figure(10_000.0), figure(40_000.0)],
        "triarch": [figure(30_000.0), figure(50_000.0), figure(40_000.0)],
    }
    return report.report(plan, runs, server="Valkey 9.1.2", facts=FACTS, left_out={"arq": "no .venv-peers-arq"})


def test_the_tally_tells_what_is_lost_and_what_came_twice(tmp_path: Path) -> None:
    assert tallied(tmp_path, 5) == (5, 0)
    first, second = Tally(tmp_path, 5, 1), Tally(tmp_path, 5, 2)
    for number in (0, 1, 1):
        first.count(number)
    for number in (1, 3):
        second.count(number)
    assert tallied(tmp_path, 5) == (2, 2)
    assert len(payload(7)) == 256
    assert int(payload(7)[:20]) == 7


@pytest.mark.anyio
async def test_plain_redis_settles_every_event(tmp_path: Path) -> None:
    entry = CATALOGUE["redis-dispatch"]
    plan = Plan(("redis-dispatch",), {PRODUCT: sys.executable}, repeats=1, scale=300 / entry.events)
    server, runs = await measure(plan, tmp_path)
    (run,) = runs["redis-dispatch"]
    assert run.ok, run
    assert run.events_per_s > 0
    assert plan.found["redis-dispatch"].keys() == {"redis", "hiredis"}
    assert server.startswith(("Valkey ", "Redis "))


def test_a_flawed_run_gives_no_figure_and_fails_the_report(found: dict[str, Any]) -> None:
    assert [peer["name"] for peer in found["peers"]] == ["triarch", "redis", "celery"]
    celery = found["peers"][-1]
    assert (celery["median"], celery["low"], celery["high"], celery["lost"]) == (550.0, 500.0, 600.0, 1)
    assert not celery["ok"]
    assert not found["ok"]


def test_the_page_gets_table_and_picture(found: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"# Above\n\n{report.BEGIN}\nold\n{report.END}\n\nBelow\n")
    report.write_page(page, found)
    report.write_page(page, found)  # a second time changes nothing
    text = page.read_text()
    assert text.startswith("# Above\n")
    assert text.endswith(f"{report.END}\n\nBelow\n")
    assert "old" not in text
    assert "| **Triarch** |  | 40,000 | 30,000 to 50,000 |  | 1 | 10 | 0, 0 |" in text
    assert "| Celery (not every run counted) | 5.7.0 | 550 | 500 to 600 | 72.7 × | 1 | 10 | 1, 0 |" in text
    assert "Left out: arq: no .venv-peers-arq." in text
    picture = (tmp_path / "images" / report.PICTURE).read_text()
    bars = [float(bar.get("width", "")) for bar in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}rect")][1:]  # noqa: S314  our own
    # Logarithmic from 100 to 100,000: 40,000, 20,000 and 550 are 2.60, 2.30 and 0.74 powers of ten up.
    assert [round(bar / bars[0], 2) for bar in bars] == [1.0, 0.88, 0.28]


def test_a_page_without_the_marks_is_refused(found: dict[str, Any], tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("# Nothing here\n")
    with pytest.raises(ValueError, match="not both there"):
        report.write_page(page, found)
