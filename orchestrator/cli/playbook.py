"""`triarch playbook validate|schema`. Further commands of the group stand in `orchestrator/cli/playbook_*.py`."""

from pathlib import Path

import click

from orchestrator.cli import playbook_cluster
from orchestrator.cli.exits import Exit
from orchestrator.cli.output import emit, leave, note, output_option, printable
from orchestrator.cli.playbook_check import check
from orchestrator.cli.playbook_simulate import simulate


@click.group()
def playbook() -> None:
    """Playbooks: what the leader does to the plant, step by step."""


playbook.add_command(simulate)
playbook.add_command(check)


@playbook.command(
    epilog="\b\nExamples:\n  triarch playbook validate playbooks/\n"
    "  triarch playbook validate startup.yaml shutdown.yaml\n"
    "  triarch playbook validate playbooks/ -o json | jq '.errors[].message'"
)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@output_option
def validate(paths: tuple[Path, ...], output: str) -> None:
    """Check playbooks without a cluster: files, and directories with all in them.

    One line for each problem, FILE:LINE:COLUMN: FIELD: what is wrong (what to do). Warnings go to stderr and change
    nothing. Exits with 1 when there is a problem.
    """
    from orchestrator.playbooks.files import check_paths

    checked = check_paths(paths)
    if output != "table":
        emit(checked.document(), output)
    else:
        for problem in checked.problems:
            click.echo(printable(str(problem)).replace("\n", " "))
    for warning in checked.warnings:
        note(f"warning: {str(warning).replace(chr(10), ' ')}")
    if checked.problems:
        note(f"{_number(len(checked.problems), 'problem')} in {_number(checked.files, 'file')}")
        leave(Exit.FAILED)
    elif output == "table":
        note(f"{_number(len(checked.loaded), 'playbook')} valid")


@playbook.command(epilog="\b\nExamples:\n  triarch playbook schema > playbook.schema.json")
def schema() -> None:
    """The JSON Schema of a playbook, for editors."""
    from orchestrator.playbooks.schema import schema_text

    click.echo(schema_text(), nl=False)


for command in playbook_cluster.COMMANDS:
    playbook.add_command(command)


def _number(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
