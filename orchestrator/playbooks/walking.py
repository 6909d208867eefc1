"""Every action of a playbook, with the place where it stands. Pure."""

from collections.abc import Iterator, Sequence

from orchestrator.playbooks.actions import Block, ForEach, Parallel, Repeat, Step
from orchestrator.playbooks.models import Playbook


def every_action(playbook: Playbook) -> Iterator[tuple[str, Step]]:
    """(place, action) in the order of the text, nested ones after the one that holds them.

    A place is `actions/2/on_failure/0`; of what stands in a round `actions/3/#/1`, in a branch `actions/4/left/0`.
    """
    for name, actions in (
        ("actions", playbook.actions),
        ("on_failure", playbook.on_failure),
        ("on_timeout", playbook.on_timeout),
        ("finally", playbook.finally_),
    ):
        yield from _each(name, actions)


def _each(prefix: str, actions: Sequence[Step]) -> Iterator[tuple[str, Step]]:
    for number, action in enumerate(actions):
        path = f"{prefix}/{number}"
        yield path, action
        if isinstance(action, Block):
            yield from _each(path, action.actions)
        elif isinstance(action, ForEach | Repeat):
            yield from _each(f"{path}/#", action.actions)
        elif isinstance(action, Parallel):
            for branch, inner in action.branches.items():
                yield from _each(f"{path}/{branch}", inner)
        yield from _each(f"{path}/on_failure", action.on_failure)
        yield from _each(f"{path}/on_timeout", action.on_timeout)
