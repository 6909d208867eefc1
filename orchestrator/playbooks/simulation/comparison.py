"""The actions that an execution took, against those that were expected: a difference that can be read. Pure."""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.playbooks.execution import ExecutionRow, StepRow, StepStatus

Expected = str | Mapping[str, Any]
_OWN = ("type", "id", "status", "path", "code")


@dataclass(frozen=True, slots=True)
class Verification:
    """True in a condition when they agree. `difference`: lines with `-` were expected, those with `+` happened."""

    ok: bool
    difference: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "as expected" if self.ok else self.difference


def actions_taken(row: ExecutionRow) -> list[dict[str, Any]]:
    """Each action that began, in order: members `type id status path code` and those of its intent and its
    value.

    What was skipped did not begin; the single targets of an action and the rounds of a loop are parts of it.
    """
    steps = [step for step in row.steps.values() if step.status != StepStatus.SKIPPED and _is_action(step)]
    order = {path: number for number, path in enumerate(row.steps)}
    steps.sort(key=lambda step: (step.started, order[step.path]))
    return [_shown(step) for step in steps]


def compared(row: ExecutionRow, expected: Sequence[Expected]) -> Verification:
    """Whether the actions are the expected ones, in this order."""
    wanted: list[Mapping[str, Any]] = [{"type": each} if isinstance(each, str) else each for each in expected]
    taken = actions_taken(row)
    if len(wanted) == len(taken) and all(map(_agrees, wanted, taken)):
        return Verification(True)
    lines: list[str] = []
    # What agrees is written alike on both sides, so that only what differs stands out.
    names = sorted({name for each in wanted for name in each}, key=lambda name: (name not in _OWN, name))
    left = [_line(each, list(each)) for each in wanted]
    right = [
        _line(wanted[number], list(wanted[number]))
        if number < len(wanted) and _agrees(wanted[number], each)
        else _line(each, names)
        for number, each in enumerate(taken)
    ]
    for tag, start, end, begin, stop in difflib.SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            lines += [f"  {line}" for line in left[start:end]]
        else:
            lines += [f"- {line}" for line in left[start:end]] + [f"+ {line}" for line in right[begin:stop]]
    return Verification(False, f"{row.playbook} ({row.id}, {row.status}): expected -, happened +\n" + "\n".join(lines))


def _is_action(step: StepRow) -> bool:
    return "/@" not in step.path and step.path.rpartition("/")[2].isdecimal()


def _shown(step: StepRow) -> dict[str, Any]:
    known: dict[str, Any] = {}
    for text in (step.value, step.data):
        members = json.loads(text) if text else {}
        known |= members if isinstance(members, dict) else {}
    own = {"type": step.type, "id": step.id, "status": str(step.status), "path": step.path, "code": step.code}
    return {**known, **own}


def _agrees(wanted: Mapping[str, Any], taken: Mapping[str, Any]) -> bool:
    return all(name in taken and taken[name] == value for name, value in wanted.items())


def _line(action: Mapping[str, Any], names: Sequence[str]) -> str:
    shown = [name for name in names if action.get(name) not in (None, "")]
    return "  ".join(str(action[name]) if name == "type" else f"{name}={action[name]}" for name in shown)
