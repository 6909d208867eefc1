"""Executions as the API shows them: plant times as RFC 3339, JSON that is only kept as it stands. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from orchestrator.playbooks.execution import ExecutionRow, StepRow, StepStatus

EXAMPLE_ID = "start_line-3f2a9c81d04be7a6"
STEP_EXAMPLE: dict[str, Any] = {
    "path": "actions/1",
    "id": "press_ready",
    "type": "wait_for_state",
    "status": "RETRYING",
    "attempt": 2,
    "started": "2026-05-04T06:30:01.250Z",
    "ended": None,
    "deadline": "2026-05-04T06:30:31.250Z",
    "retrying": {"n": 2, "next": "2026-05-04T06:30:33.250Z", "code": "timed_out", "error": "press-1 is INITIALIZING"},
    "waiting": None,
    "code": "timed_out",
    "error": "press-1 is INITIALIZING",
    "value": None,
}
SUMMARY_EXAMPLE: dict[str, Any] = {
    "id": EXAMPLE_ID,
    "playbook": "start_line",
    "version": 3,
    "status": "RUNNING",
    "revision": 7,
    "priority": 5,
    "created": "2026-05-04T06:30:00.000Z",
    "started": "2026-05-04T06:30:00.000Z",
    "ended": None,
    "duration_s": None,
    "retrying": 1,
    "code": "",
    "error": "press-1 is INITIALIZING",
    "who": "Ada",
    "parent": None,
    "index": 4711,
}
ERROR_CHARS_MAX = 200
"""Of a step's error in the row of its execution."""


def rfc3339(unix: float) -> str:
    """UTC, to the millisecond. A time that no calendar holds (a clock set wrong) shows the nearest that one does."""
    try:
        at = datetime.fromtimestamp(unix, UTC)
    except (ValueError, OverflowError, OSError):
        at = datetime.min.replace(tzinfo=UTC) if unix < 0 else datetime.max.replace(tzinfo=UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def at_unix(row: ExecutionRow, plant: float | None) -> str | None:
    """A plant time of this execution as RFC 3339; None stays None."""
    return None if plant is None else rfc3339(row.epoch_unix + plant)


def began(row: ExecutionRow) -> float | None:
    """When it began to run, plant time; None while it waits, or where it ended before its turn came.

    One that was cancelled while it waited and then retried never left the queue: the earliest of its steps that still
    count says it. A step that is retried counts from when it begins anew.
    """
    return min((each.started for each in row.steps.values()), default=None) if row.started is None else row.started


def waits_again(row: ExecutionRow) -> tuple[int, str]:
    """How many steps wait to be tried again, and the error of the newest of them in short; (0, "") without any.

    Lists ask it of every row: what has ended is not looked through.
    """
    if not row.open:
        return 0, ""
    retrying = StepStatus.RETRYING  # a step's status is this very object, so that no texts are compared
    found = [each for each in row.steps.values() if each.status is retrying]
    if not found:
        return 0, ""
    error = found[-1].error
    return len(found), error if len(error) <= ERROR_CHARS_MAX else error[: ERROR_CHARS_MAX - 1] + "…"


def summary(row: ExecutionRow) -> dict[str, Any]:
    """One row of a list. `index`: where in the log it changed last, what `follow` calls its id."""
    started = began(row)
    retrying, error = waits_again(row)
    ended = None if row.ended is None or started is None else round(row.ended - started, 3)
    return {
        "id": row.id,
        "playbook": row.playbook,
        "version": row.version,
        "status": str(row.status),
        "revision": row.revision,
        "priority": row.priority,
        "created": at_unix(row, row.created),
        "started": at_unix(row, started),
        "ended": at_unix(row, row.ended),
        "duration_s": ended,
        "retrying": retrying,
        "code": row.code,
        "error": row.error or error,
        "who": row.who,
        "parent": None if row.parent is None else {"execution": row.parent.execution, "path": row.parent.path},
        "index": row.changed,
    }


def detail(row: ExecutionRow, waiting: Mapping[str, str] | None = None) -> dict[str, Any]:
    """All of one execution. `waiting`: by path, what open steps wait for, as the leader knows it."""
    return {
        **summary(row),
        "error": row.error,  # its own: each step has its error beside it
        "deadline": at_unix(row, row.deadline),
        "timeout_s": row.timeout,
        "paused_at": at_unix(row, row.paused_at),
        "cancel": row.cancel,
        "generation": row.generation,
        "trace": row.traceparent,
        "trigger": raw(row.trigger),
        "inputs": raw(row.inputs),
        "variables": {name: raw(text) for name, text in row.variables.items()},
        "signals": {name: raw(text) for name, text in row.signals.items()},
        "approvals": [msgspec.to_builtins(each) for each in row.approvals.values()],
        "steps": [step(row, each, (waiting or {}).get(each.path)) for each in row.steps.values()],
    }


def step(row: ExecutionRow, each: StepRow, waiting: str | None = None) -> dict[str, Any]:
    """One step, in the order in which steps began."""
    return {
        "path": each.path,
        "id": each.id,
        "type": each.type,
        "status": str(each.status),
        "attempt": each.attempt,
        "started": at_unix(row, each.started),
        "ended": at_unix(row, each.ended),
        "deadline": at_unix(row, each.deadline),
        "retrying": _retrying(row, each),
        "waiting": waiting,
        "code": each.code,
        "error": each.error,
        "value": raw(each.value) if each.value else None,
    }


def told(epoch_unix: float, data: Mapping[str, Any]) -> dict[str, Any]:
    """What the log says of a change (`registry.told_of`), with its plant times as RFC 3339."""

    def at(plant: float | None) -> str | None:
        return None if plant is None else rfc3339(epoch_unix + plant)

    steps = []
    for each in data.get("steps", ()):
        retrying = None
        if each["status"] == StepStatus.RETRYING:
            retrying = {
                "n": each["attempt"],
                "next": at(each["next"]),
                "code": each["code"],
                "error": each["error"],
            }
        shown = {name: value for name, value in each.items() if name != "next"}
        steps.append(shown | {"started": at(each["started"]), "ended": at(each["ended"]), "retrying": retrying})
    return {**data, "steps": steps}


def raw(text: str) -> msgspec.Raw:
    """JSON text that goes into an answer as it stands."""
    return msgspec.Raw(text.encode() or b"null")


def _retrying(row: ExecutionRow, each: StepRow) -> dict[str, Any] | None:
    if each.status != StepStatus.RETRYING:
        return None
    return {"n": each.attempt, "next": at_unix(row, each.next), "code": each.code, "error": each.error}
