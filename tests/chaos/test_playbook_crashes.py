"""A leader that dies between any two instructions of a playbook: the run ends right, and each effect is there once.

The short form. Every commit point and every I/O point of the playbook: `python -m tests.soak playbook-crashes`.
"""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.chaos.crash_plant import LIFECYCLE, CrashPlant, compared

T = TypeVar("T", bound=Callable[..., Any])


def campaign_test(test: T) -> T:
    """One that does harm to a whole plant."""
    for mark in (pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)):
        test = mark(test)
    return test


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


STATUSES = {"crash.1": "SUCCEEDED", "crash.1.2": "SUCCEEDED", "after.3": "SUCCEEDED"}
PRESS = ["MARK r right", "MARK r a", "MARK r b", "MARK r child", "FLAKY r flaky", "FLAKY r flaky", "MARK crash.1 after"]
KEYS = {"request": {"k1"}, "notification": {"k2"}}


def judge(
    statuses: Mapping[str, str] = STATUSES,
    io: Sequence[str] = LIFECYCLE,
    press: Sequence[str] = PRESS,
    keys: Mapping[str, set[str]] = KEYS,
) -> list[str]:
    return compared("r", statuses, {"io": Counter(io), "press": Counter(press)}, keys)


def test_the_verdict_of_a_run_that_was_right() -> None:
    assert judge() == []


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"press": [*PRESS, "MARK r a"]}, "press saw MARK r a 2 times, wanted 1"),
        ({"press": PRESS[1:]}, "press saw MARK r right 0 times, wanted 1"),
        ({"press": [*PRESS, "FLAKY r flaky"]}, "press saw FLAKY r flaky 3 times, wanted 2"),
        ({"io": [*LIFECYCLE, "START"]}, "io saw START 2 times, wanted 1"),
        ({"keys": {**KEYS, "request": {"k1", "k9"}}}, "the request came under 2 keys"),
        ({"keys": {**KEYS, "notification": set()}}, "the notification came under 0 keys"),
        ({"statuses": {**STATUSES, "crash.1": "FAILED"}}, "crash.1 is FAILED"),
        ({"statuses": {**STATUSES, "after.4": "SUCCEEDED"}}, "wanted one, its child, what follows"),
    ],
)
def test_the_verdict_names_what_was_not(told: dict[str, Any], problem: str) -> None:
    assert problem in "; ".join(judge(**told))


@pytest.fixture
async def crash_plant(tmp_path: Path, anyio_backend: str) -> AsyncIterator[CrashPlant]:
    async with CrashPlant(tmp_path / "plant") as plant:
        yield plant


@campaign_test
async def test_every_effect_is_there_once_wherever_the_leader_dies(crash_plant: CrashPlant) -> None:
    for point in POINTS:
        outcome = await crash_plant.run(point)
        assert outcome.problems == (), outcome
        assert "status -9" in outcome.killed, outcome


@campaign_test
async def test_a_point_that_is_not_reached_kills_nobody(crash_plant: CrashPlant) -> None:
    outcome = await crash_plant.run("playbook.before_commit:1000")
    assert (outcome.killed, outcome.problems) == ("", ())
    assert len(outcome.statuses) == 3
