"""Which components a step means. Pure."""

from collections.abc import Sequence
from typing import Any

from orchestrator.playbooks.actions import Selecting
from orchestrator.playbooks.verdict import StepFailed
from orchestrator.playbooks.walk import Scope, Walk


def targets(walk: Walk, action: Selecting, scope: Scope) -> list[str]:
    """The ids, each once, ordered. StepFailed: `selector_invalid`, `selector_empty`, `group_unknown`."""
    ((member, value),) = walk.render(action.selector, scope).items()
    world = walk.world
    if member == "component":
        return [_name(member, value)]
    if member == "target":
        if value != "@all":
            raise StepFailed("selector_invalid", f'target: only "@all" is known, not {str(value)[:100]!r}')
        found: set[str] = set(world.components)
    elif member == "components":
        found = {_name(member, each) for each in _list(member, value)}
    else:
        names = [_name(member, each) for each in _list(member, value)]
        unknown = [name for name in names if name not in world.groups]
        if unknown:
            raise StepFailed("group_unknown", f"group {unknown[0]} is not known: it has no members and no definition")
        found = {each for name in names for each in world.groups[name]}
    if not found and action.on_empty == "fail":
        raise StepFailed("selector_empty", f"{member} {value!r} selects no component")
    return sorted(found)


def _list(member: str, value: Any) -> Sequence[Any]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple):
        return value
    raise StepFailed("selector_invalid", f"{member} is {type(value).__name__}, not a name or a list of names")


def _name(member: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise StepFailed("selector_invalid", f"{member}: {str(value)[:100]!r} is not a name")
    return value
