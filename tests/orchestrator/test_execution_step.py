"""Which step is meant by an id that several steps of an execution have."""

import pytest

from orchestrator.cli.execution_step import paths_meant

Row = tuple[str, str, int]
"""Path, status and last attempt of a step; all but those that hold the others are called `gate`."""


def meant(rows: list[Row], action: str) -> list[str]:
    steps = [
        {"path": path, "id": "" if path.count("/") == 1 else "gate", "status": status, "attempt": attempt}
        for path, status, attempt in rows
    ]
    return paths_meant(steps, "gate", action)


TURNS: list[Row] = [
    ("actions/0", "RUNNING", 1),
    ("actions/0/#0/1", "SUCCEEDED", 1),
    ("actions/0/#1/1", "FAILED", 1),
    ("actions/0/#2/1", "RUNNING", 1),
]
ATTEMPTS: list[Row] = [
    ("actions/0", "FAILED", 3),
    ("actions/0/1", "FAILED", 1),
    ("actions/0/~2/1", "TIMED_OUT", 1),
    ("actions/0/~3/1", "CANCELLED", 1),
]


@pytest.mark.parametrize(
    ("rows", "action", "paths"),
    [
        (TURNS, "approve", ["actions/0/#2/1"]),
        (TURNS, "reject", ["actions/0/#2/1"]),
        (TURNS, "retry", ["actions/0/#1/1"]),
        (TURNS[:3], "approve", ["actions/0/#1/1"]),  # none waits: the node says so
        (TURNS[:2], "retry", ["actions/0/#0/1"]),
        ([*TURNS, ("actions/0/#3/1", "RUNNING", 1)], "approve", ["actions/0/#2/1", "actions/0/#3/1"]),
        ([*TURNS, ("actions/0/#3/1", "TIMED_OUT", 1)], "retry", ["actions/0/#1/1", "actions/0/#3/1"]),
        (ATTEMPTS, "retry", ["actions/0/~3/1"]),
        (ATTEMPTS[:2], "retry", ["actions/0/1"]),  # of an attempt that is not the last: the node says so
        (TURNS[:1], "approve", []),
        ([], "retry", []),
    ],
)
def test_the_one_that_can_be_decided_on_is_meant(rows: list[Row], action: str, paths: list[str]) -> None:
    assert meant(rows, action) == paths
