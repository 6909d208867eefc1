"""Which playbooks start which, and whether one comes back to itself. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.playbooks.actions import ExecuteScenario, Step
from orchestrator.playbooks.models import Playbook


def scenarios_of(playbook: Playbook) -> frozenset[str]:
    """The names that `execute_scenario` gives anywhere in it; one that is a template is not known before it runs."""
    steps = steps_of((playbook.actions, playbook.on_failure, playbook.on_timeout, playbook.finally_))
    return frozenset(
        step.name.removesuffix(".yaml").removesuffix(".yml")
        for step in steps
        if isinstance(step, ExecuteScenario) and "{{" not in step.name
    )


def steps_of(value: Any) -> Iterator[Step]:
    """Every action in `value` (an action, or lists and branches of some), at whatever depth."""
    if isinstance(value, Step):
        yield value
        for name in type(value).model_fields:
            yield from steps_of(getattr(value, name))
    elif isinstance(value, tuple):
        for each in value:
            yield from steps_of(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from steps_of(each)


def cycle_through(name: str, calls: Mapping[str, frozenset[str]]) -> tuple[str, ...] | None:
    """The shortest way from `name` back to itself, for example `("a", "b", "a")`; None when there is none."""
    ways: dict[str, tuple[str, ...]] = {name: (name,)}
    level = [name]
    while level:
        following = []
        for at in level:
            for called in sorted(calls.get(at, ())):
                if called == name:
                    return (*ways[at], name)
                if called not in ways:
                    ways[called] = (*ways[at], called)
                    following.append(called)
        level = following
    return None
