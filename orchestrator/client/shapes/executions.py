"""Shapes of answers: executions. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec


class Controlled(msgspec.Struct, frozen=True, kw_only=True):
    """What a control made of the execution."""

    id: str
    status: str
    revision: int


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """With its steps in the order in which they began. A step that waits to be tried again says so in
    `retrying`.
    """

    id: str
    playbook: str
    version: int
    status: str
    revision: int
    """Grows with each change."""
    created: str
    started: str | None
    ended: str | None
    duration_s: float | None
    retrying: int | None = None
    """How many of its steps wait to be tried again; 0 once it has ended."""
    code: str
    """Empty unless it did not end right: the error's stable code."""
    error: str
    """Why it did not end right; in a list, while steps wait to be tried again, the newest one's error."""
    inputs: dict[str, Any]
    variables: dict[str, Any]
    trigger: Any
    steps: list[dict[str, Any]]


class ExecutionSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of one version of a playbook. Times are RFC 3339, UTC; `index` is the id that `follow`
    gives.
    """

    id: str
    playbook: str
    version: int
    status: str
    revision: int
    """Grows with each change."""
    created: str
    started: str | None
    ended: str | None
    duration_s: float | None
    retrying: int | None = None
    """How many of its steps wait to be tried again; 0 once it has ended."""
    code: str
    """Empty unless it did not end right: the error's stable code."""
    error: str
    """Why it did not end right; in a list, while steps wait to be tried again, the newest one's error."""


class ExecutionPage(msgspec.Struct, frozen=True, kw_only=True):
    """The newest first. `cursor` is null on the last page."""

    executions: list[ExecutionSummary]
    cursor: str | None
