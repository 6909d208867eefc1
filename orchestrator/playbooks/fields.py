"""The kinds of members that playbooks are made of, and their bounds. Pure."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from orchestrator.lifecycle import State
from orchestrator.playbooks.durations import parse_duration

NAME_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
PLAYBOOK_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
STEPS_MAX = 500
"""Of one playbook, nested ones included."""
DEPTH_MAX = 16
"""How deep actions may stand in one another."""
ITEMS_MAX = 1_000
"""Rounds of a `for_each`."""
EXECUTION_TIMEOUT_S = 3600.0
DEFAULT_TIMEOUT_S = 30.0
APPROVE_TIMEOUT_S = 86400.0

_DURATION_SCHEMA = {
    "description": "A length of time, more than 0: 500ms, 30s, 5m, 1h, 2d or 1m30s; a number is seconds.",
    "anyOf": [
        {"type": "string", "pattern": r"^\s*((\d{1,9}(\.\d{1,6})?)(ms|s|m|h|d))+\s*$"},
        {"type": "number", "exclusiveMinimum": 0},
    ],
}
Duration = Annotated[float, BeforeValidator(parse_duration), WithJsonSchema(_DURATION_SCHEMA)]
Text = Annotated[str, Field(min_length=1, max_length=4_000)]
Short = Annotated[str, Field(min_length=1, max_length=200)]
Expression = Annotated[str, Field(min_length=1, max_length=2_000)]
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
Severity = Literal["info", "warning", "error", "critical"]
TARGET_STATES = (State.READY, State.INIT_COMPLETE, State.STARTED, State.STOPPED)


class Strict(BaseModel):
    """Unknown members are refused: a misspelt one must not pass for an absent one."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
