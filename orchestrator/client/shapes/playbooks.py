"""Shapes of answers: playbooks. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec


class Input(msgspec.Struct, frozen=True, kw_only=True):
    """What an execution may be given. One that is not given is its default, or null; `required` refuses that."""

    type: str | None = None
    default: Any = None
    required: bool | None = None
    description: str | None = None


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is said of a text: where (line and column from 1), of which member, what, and what to do."""

    line: int
    column: int
    field: str
    message: str
    hint: str


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """The steps in order. `components`: what a selector means now; `order`: side by side in each, one after
    another.
    """

    name: str
    version: int
    inputs: dict[str, Any]
    steps: list[dict[str, Any]]


class PlaybookStored(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a put. `changed` is false where the text was the newest already: no version was made."""

    name: str
    version: int
    changed: bool
    warnings: list[dict[str, Any]]
    """What is possible but hardly meant, with line and column."""


class PlaybookSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A playbook's newest version. `problem`: why this release cannot read it; empty where it can."""

    name: str
    version: int
    time: str
    who: str
    description: str
    triggers: list[str]
    inputs: list[str]
    problem: str


class PlaybookText(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a playbook, and which versions are kept: the last ten, and those that executions run under."""

    name: str
    version: int
    versions: list[dict[str, Any]]
    description: str
    text: str


class Started(msgspec.Struct, frozen=True, kw_only=True):
    """The execution, in `Location` too. QUEUED: the playbook's limit is reached, it waits for its turn."""

    id: str
    status: str
    version: int


class Validated(msgspec.Struct, frozen=True, kw_only=True):
    """`valid`: a put of this text would be taken. `inputs` are those that it declares, once it is valid."""

    valid: bool
    name: str | None
    problems: list[Place]
    warnings: list[Place]
    inputs: dict[str, Input]
    """By name."""
