"""A leader that dies between any two instructions of a playbook: the run ends right, and each effect is there once.

The short form. Every commit point and every I/O point of the playbook: `python -m tests.soak playbook-crashes`.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.chaos.crash_plant import CrashPlant

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)]

POINTS = (
    "playbook.before_commit:1",
    "playbook.after_commit:5",
    "playbook.before_effect:4",
    "playbook.after_effect:1",
    "playbook.after_effect:7",
    "trigger.before_commit:1",
    "trigger.after_commit:1",
    "trigger.after_commit:2",
)


@pytest.fixture
async def crash_plant(tmp_path: Path, anyio_backend: str) -> AsyncIterator[CrashPlant]:
    async with CrashPlant(tmp_path / "plant") as plant:
        yield plant


async def test_every_effect_is_there_once_wherever_the_leader_dies(crash_plant: CrashPlant) -> None:
    for point in POINTS:
        outcome = await crash_plant.run(point)
        assert outcome.problems == (), outcome
        assert "status -9" in outcome.killed, outcome


async def test_a_point_that_is_not_reached_kills_nobody(crash_plant: CrashPlant) -> None:
    outcome = await crash_plant.run("playbook.before_commit:1000")
    assert (outcome.killed, outcome.problems) == ("", ())
    assert len(outcome.statuses) == 3
