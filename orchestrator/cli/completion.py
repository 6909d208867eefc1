"""`triarch completion SHELL`, and what it offers beyond names of commands: ids that the plant knows."""

from collections.abc import Callable, Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

SHELLS = ("bash", "zsh", "fish")
ASK_S = 0.7
"""Nobody waits longer for a key press."""
MOST = 500

_IDS: dict[str, tuple[str, str]] = {
    "component_id": ("/v1/components", "id"),
    "processor_id": ("/v1/processors", "id"),
    "member_id": ("/v1/cluster/members", "id"),
    "execution_id": ("/v1/executions", "id"),
    "alert_id": ("/v1/alerts", "id"),
    "group_name": ("/v1/groups", "name"),
    "playbook_name": ("/v1/playbooks", "name"),
    "variable_name": ("/v1/variables", "name"),
}
"""Arguments by the name that they have in the code → where the values are listed, and the member that is wanted."""
_BY_NOUN = {"group": "group_name", "playbook": "playbook_name", "variable": "variable_name"}
"""What an argument that is only called `name` means, by the noun before it."""

_HOW = {
    "bash": 'eval "$(triarch completion bash)"      in ~/.bashrc',
    "zsh": 'eval "$(triarch completion zsh)"       in ~/.zshrc',
    "fish": "triarch completion fish | source       in ~/.config/fish/config.fish",
}


@click.command(
    epilog="\b\nExamples:\n  " + "\n  ".join(_HOW.values()) + "\n",
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the script by which SHELL completes commands, options, and ids of components, processors and the rest.

    Ids come from the nodes that TRIARCH_URL or the context names; when none answers at once, there are none.
    """
    from orchestrator.cli.main import COMPLETE, main

    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - click has all of SHELLS
    click.echo(found(main, {}, "triarch", COMPLETE).source())


def offer(command: click.Command, noun: str = "") -> None:
    """Have every argument of `command` and of what is below it complete the ids that it takes."""
    if isinstance(command, click.Group):
        for each in command.commands.values():
            offer(each, noun or command.name or "")
        return
    for parameter in command.params:
        name = parameter.name or ""
        name = _BY_NOUN.get(noun, name) if name == "name" else name
        if isinstance(parameter, click.Argument) and name in _IDS:
            parameter._custom_shell_complete = _completing(*_IDS[name])


def _completing(path: str, member: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    def complete(ctx: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
        from orchestrator.cli.connection import urls_now
        from orchestrator.cli.http import Api
        from orchestrator.cli.output import Failure

        try:
            with Api.of(ctx.params.get("urls") or urls_now(), ASK_S) as api:
                found = api.get(path)
        except (Failure, click.UsageError):
            return []  # nothing can be said in the middle of somebody's line
        return [CompletionItem(value) for value in _values(found, member) if value.startswith(typed)][:MOST]

    return complete


def _values(document: Any, member: str) -> Iterator[str]:
    """The members of a list, or of the one list in an object that has pages."""
    if isinstance(document, dict):
        document = next((value for value in document.values() if isinstance(value, list)), [])
    for row in document:
        if isinstance(row, dict) and isinstance(row.get(member), str):
            yield row[member]
