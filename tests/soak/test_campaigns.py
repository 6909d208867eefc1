"""Each campaign runs small, on real processes, and its promises hold; on the command line a broken one fails."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.bench.asking import Asking, Declined, Unanswered
from orchestrator.bench.member import LATE
from orchestrator.bench.members import members
from tests.soak.__main__ import campaign
from tests.support import free_port

ALONE = pytest.mark.alone
"""For those that bound a gap, a rate, a time or the number of elections, or whose cameras end by themselves."""


@pytest.mark.campaign
@pytest.mark.anyio
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("name", "size", "done"),
    [
        ("torture", 6, {"lost": 0, "twice": 0}),
        pytest.param(
            "rejoin", 1, {"stopped_deposed_nobody": 1, "killed_deposed_nobody": 1, "lost": 0, "twice": 0}, marks=ALONE
        ),
        pytest.param("calm", 3, {"elections": 0, "lost": 0, "twice": 0}, marks=ALONE),
        pytest.param("bounded", 60_000, {"commands": 60_000, "lost": 0, "twice": 0}, marks=ALONE),
        pytest.param("isolated", 1, {"runs": 1}, marks=ALONE),
        pytest.param("frame-kills", 1, {"kills": 1, "lost": 0, "duplicates": 0}, marks=ALONE),
        pytest.param(
            "primary-kills",
            1,
            {"kills": 1, "planned_failovers": 1, "lost": 0, "duplicates": 0},
            marks=[ALONE, pytest.mark.soak],
        ),
        pytest.param("million", 30_000, {"kills": 2, "lost": 0, "duplicates": 0}, marks=[ALONE, pytest.mark.soak]),
    ],
)
async def test_a_campaign_keeps_its_promises(tmp_path: Path, name: str, size: int, done: dict[str, int]) -> None:
    found = await campaign(name, size, tmp_path)
    assert found["problems"] == []
    assert found["ok"]
    assert {field: found[field] for field in done} == done
    assert found.get("acknowledged", found.get("confirmed", 1)) > 0


def test_a_campaign_that_proves_nothing_fails_and_says_so(tmp_path: Path) -> None:
    report = tmp_path / "bounded.json"
    command = [sys.executable, "-m", "tests.soak", "bounded", "--size", "10"]
    done = subprocess.run(
        [*command, "--report", str(report), "--directory", str(tmp_path)],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.returncode == 1, done.stderr
    assert "too few to judge by" in done.stderr
    found = json.loads(report.read_text())
    assert (found["ok"], found["commands"]) == (False, 10)
    assert found["origin"]["command"].startswith("python -m tests.soak bounded --size 10")
    assert len(found["origin"]["commit"]) >= 40
    assert "too few to judge by" in report.with_suffix(".md").read_text()


@pytest.mark.anyio
async def test_a_member_says_why_it_did_not_do_what_it_was_asked(tmp_path: Path) -> None:
    async with members(tmp_path) as group:
        leader, seen = await group.settled()
        follower = next(name for name in group.asking if name != leader)
        with pytest.raises(Declined) as declined:
            await group.asking[follower].ask("read", consistency="linearizable")
        assert (declined.value.code, declined.value.leader) == ("not_leader", leader)
        with pytest.raises(Declined, match=LATE):  # as one that lay in the socket of a stopped process
            await group.asking[leader].ask("propose", client="c", number=0, sent=0.0)
        group.pause(leader)
        with pytest.raises(Unanswered):
            await group.asking[leader].ask("status", timeout=0.1)
        _, following = await group.leader(other_than=seen.epoch or "")
        assert following.term > seen.term
        group.resume(leader)
        await group.kill(follower)
        assert await group.seen(follower) is None


@pytest.mark.anyio
async def test_nobody_there_is_no_answer() -> None:
    with pytest.raises(Unanswered, match="port"):
        await Asking(free_port()).ask("status", timeout=1.0)
