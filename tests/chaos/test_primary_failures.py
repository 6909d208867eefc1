"""The primary loses power behind a lagging link, and hands over as planned, while frames flow."""

from pathlib import Path

import pytest

from tests.chaos.primary_failures import drill

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def no_processes_left() -> None:
    """In place of the one of all suites: the drill starts servers again, and ends all of them itself."""


async def test_no_acknowledged_frame_is_lost(tmp_path: Path) -> None:
    outcome = await drill(tmp_path, kills=2, failovers=1, lag_s=0.06, durability="majority")
    assert (outcome.lost, outcome.duplicates, outcome.problems) == (0, 0, [])
    assert outcome.accepted == outcome.acknowledged == outcome.published == outcome.settled
    assert outcome.rollbacks == 0
    assert max(outcome.kill_gaps_s) < 6
