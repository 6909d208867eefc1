"""Where the members of a playbook stand in its file, and problems that say so. Pure."""

from dataclasses import dataclass, field
from typing import Any

PROBLEMS_MAX = 100
"""Told of one playbook."""

Loc = tuple[str | int, ...]
Place = tuple[int, int]
"""Line and column, from 1."""


@dataclass(frozen=True, slots=True)
class PlaybookProblem:
    """One thing that is wrong: where (line and column from 1), in which member, what, and what to do."""

    file: str
    line: int
    column: int
    field: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        member = f"{self.field}: " if self.field else ""
        return f"{self.file}:{self.line}:{self.column}: {member}{self.message}" + (
            f" ({self.hint})" if self.hint else ""
        )

    def document(self) -> dict[str, Any]:
        """As JSON data."""
        return {
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "field": self.field,
            "message": self.message,
            "hint": self.hint,
        }


def dotted(loc: Loc) -> str:
    """`("actions", 2, "on_failure", 0)` → `actions[2].on_failure[0]`."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part[:100]}" if text else part[:100]
    return text


@dataclass(slots=True)
class Positions:
    """Where members stand: the name of one in `names`, its value in `values`."""

    file: str
    names: dict[Loc, Place] = field(default_factory=dict)
    values: dict[Loc, Place] = field(default_factory=dict)

    def place(self, loc: Loc, *, of_name: bool = False) -> Place:
        """Of the member; of what it belongs into where it is not there."""
        for end in range(len(loc), -1, -1):
            for places in (self.names, self.values) if of_name else (self.values, self.names):
                if loc[:end] in places:
                    return places[loc[:end]]
        return (1, 1)

    def problem(self, loc: Loc, message: str, hint: str = "", *, of_name: bool = False) -> PlaybookProblem:
        line, column = self.place(loc, of_name=of_name)
        return PlaybookProblem(self.file, line, column, dotted(loc), message, hint)


class Enough(Exception):
    """Nothing more is looked at."""


@dataclass
class Findings:
    """What was found. `oversized`: there is so much of it that nothing else is looked at."""

    positions: Positions
    errors: list[PlaybookProblem] = field(default_factory=list)
    warnings: list[PlaybookProblem] = field(default_factory=list)
    oversized: bool = False
    expressions: int = 0

    def error(self, loc: Loc, message: str, hint: str = "", *, of_name: bool = False) -> None:
        """Raises Enough when no more than there are already would be told."""
        if len(self.errors) >= PROBLEMS_MAX:
            raise Enough
        self.errors.append(self.positions.problem(loc, message, hint, of_name=of_name))

    def warning(self, loc: Loc, message: str, hint: str = "") -> None:
        if len(self.warnings) >= PROBLEMS_MAX:
            return
        self.warnings.append(self.positions.problem(loc, message, hint))
