"""`triarch component list|command|metrics`."""

import urllib.parse

import click

from orchestrator.cli.component_metrics import metrics
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, output_option

COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "PRESENCE": "presence",
    "GROUPS": "groups",
    "ADDRESS": "address",
    "REASON": "reason",
}
PREFIX = "CMD_"


@click.group()
def component() -> None:
    """Components and their lifecycle."""


@component.command("list", epilog="\b\nExamples:\n  triarch component list\n  triarch component list -o json")
@api_options
@output_option
def list_(urls: str, timeout_s: float, output: str) -> None:
    """Show all components."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/components")
    emit_rows(rows, COLUMNS, output, empty="no component is registered")


@component.command(
    epilog="\b\nExamples:\n  triarch component command press-1 initialize\n"
    "  triarch component command press-1 CMD_START"
)
@click.argument("component_id", metavar="ID")
@click.argument("command", metavar="COMMAND")
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: the component does it once.")
@api_options
@output_option
def command(component_id: str, command: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Send a component COMMAND and wait for its answer.

    COMMAND is initialize, start, stop, graceful_stop or reset, or one of their full names such as CMD_START.
    """
    name = command.upper().replace("-", "_")
    body = {"command": name if name.startswith(PREFIX) else PREFIX + name}
    with Api.of(urls, timeout_s) as api:
        path = f"/v1/components/{urllib.parse.quote(component_id, safe='')}/commands"
        emit(api.post(path, body, key=key), output)


component.add_command(metrics)
