"""Whether a playbook comes back to itself by way of those that it starts. Pure."""

from collections.abc import Mapping

from orchestrator.playbooks.actions import ExecuteScenario
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.together import playbook_name, steps_of


def scenarios_of(playbook: Playbook) -> frozenset[str]:
    """The names that `execute_scenario` gives anywhere in it; one that is a template is not known before it runs."""
    steps = (step for _, step in steps_of(playbook))
    return frozenset(
        playbook_name(step.name) for step in steps if isinstance(step, ExecuteScenario) and "{{" not in step.name
    )


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
