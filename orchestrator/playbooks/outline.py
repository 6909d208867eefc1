"""What a playbook would do, step by step, on the plant as it is: nothing moves. Pure.

What only a run can know (the outcome of a step before) is said to be so. Of the rounds of a `for_each` or `repeat` one
is shown, as `#n`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.lifecycle import State
from orchestrator.playbooks import actions
from orchestrator.playbooks.execution import ExecutionRow, Status
from orchestrator.playbooks.fields import TARGET_STATES
from orchestrator.playbooks.group_state import needs
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.selecting import targets
from orchestrator.playbooks.verdict import StepFailed
from orchestrator.playbooks.walk import Scope, Walk
from orchestrator.playbooks.world import Templates, World

_SHOWN = ("command", "target_state", "message", "signal", "name", "duration", "url", "method", "channel", "value")
"""Members that say what a step does, as they are in the playbook; templates among them are rendered if they can be."""


def outline(playbook: Playbook, row: ExecutionRow, world: World, templates: Templates) -> list[dict[str, Any]]:
    """The steps in order. `row`: an execution as it would begin (its inputs, trigger and variables)."""
    walk = Walk(row, world, row.created, templates, {}, _never, _never)
    steps: list[dict[str, Any]] = []
    for name, listed in (
        ("actions", playbook.actions),
        ("on_failure", playbook.on_failure),
        ("on_timeout", playbook.on_timeout),
        ("finally", playbook.finally_),
    ):
        steps += _listed(walk, listed, name, {})
    return steps


def beginning(
    execution_id: str, playbook: Playbook, version: int, inputs: str, variables: Mapping[str, str]
) -> ExecutionRow:
    """The row of an execution that is not there: what expressions see before the first step."""
    return ExecutionRow(
        id=execution_id,
        playbook=playbook.name,
        version=version,
        status=Status.RUNNING,
        trigger='{"type":"manual","who":""}',
        inputs=inputs,
        variables=variables,
    )


def _never(*_: Any) -> Any:
    raise StepFailed("not_now", "nothing is run here")


def _listed(walk: Walk, listed: Sequence[actions.Action], path: str, scope: Scope) -> Iterator[dict[str, Any]]:
    for number, action in enumerate(listed):
        yield from _step(walk, action, f"{path}/{number}", scope)


def _step(walk: Walk, action: Any, path: str, scope: Scope) -> Iterator[dict[str, Any]]:
    shown: dict[str, Any] = {
        "path": path,
        "type": action.type,
        "id": action.id or "",
        "description": action.description,
        "when": action.when,
        "runs": None,
        "timeout_s": action.timeout_s,
        "retry": None if action.retry is None else action.retry.model_dump(),
        "does": {name: _rendered(walk, getattr(action, name), scope) for name in _SHOWN if hasattr(action, name)},
        "components": None,
        "order": None,
        "problem": "",
    }
    try:
        shown["runs"] = action.when is None or walk.holds(action.when, scope)
    except StepFailed as failure:
        shown["problem"] = f"when: known only when the step begins ({failure.message})"
    if isinstance(action, actions.Selecting):
        _select(walk, action, scope, shown)
    elif isinstance(action, actions.ExecuteScenario):
        _scenario(walk, action, shown)
    if shown["runs"] is False:
        shown["problem"] = ""  # it would be left out: what it lacks is no matter
    yield shown
    yield from _inner(walk, action, path, scope)
    for name in ("on_failure", "on_timeout"):
        yield from _listed(walk, getattr(action, name), f"{path}/{name}", scope)


def _select(walk: Walk, action: actions.Selecting, scope: Scope, shown: dict[str, Any]) -> None:
    try:
        found = targets(walk, action, scope)
        shown["components"] = found
        absent = [each for each in found if each not in walk.world.components]
        if absent:
            shown["problem"] = f"not registered now: {', '.join(absent)}"
        if isinstance(action, actions.SetGroupState):
            state = walk.render(action.target_state, scope)
            if state in TARGET_STATES:
                shown["order"] = _waves(needs(walk.world.depends_on, found, State(state)))
    except StepFailed as failure:
        shown["problem"] = failure.message


def _waves(needed: Mapping[str, set[str]]) -> list[list[str]]:
    """Side by side in each: those whose needs are all in the ones before."""
    left, waves = dict(needed), []
    while left:
        ready = sorted(each for each, first in left.items() if not first & left.keys())
        waves.append(ready)
        for each in ready:
            del left[each]
    return waves


def _scenario(walk: Walk, action: actions.ExecuteScenario, shown: dict[str, Any]) -> None:
    name = shown["does"]["name"]
    known = walk.world.playbooks.get(str(name).removesuffix(".yaml").removesuffix(".yml"))
    if known is not None:
        shown["does"]["version"] = known.version
    elif "{{" not in action.name:
        shown["problem"] = f"playbook {name} is not there"


def _inner(walk: Walk, action: Any, path: str, scope: Scope) -> Iterator[dict[str, Any]]:
    match action:
        case actions.Block():
            yield from _listed(walk, action.actions, path, scope)
        case actions.Parallel():
            for name, branch in action.branches.items():
                yield from _listed(walk, branch, f"{path}/{name}", scope)
        case actions.ForEach():
            items = _rendered(walk, action.items, scope)
            first = {"item": items[0], "index": 0} if isinstance(items, list) and items else {}
            yield from _listed(walk, action.actions, f"{path}/#n", {**scope, **first})
        case actions.Repeat():
            yield from _listed(walk, action.actions, f"{path}/#n", scope)


def _rendered(walk: Walk, value: Any, scope: Scope) -> Any:
    """With its templates replaced, or as it is where that takes a run."""
    try:
        return walk.render(value, scope)
    except StepFailed:
        return value
