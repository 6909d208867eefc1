"""`triarch component list|get|command|metrics`; what people want of components is in `component_wanted`."""

import copy
import json
from typing import Any

import click

from orchestrator.cli.component_metrics import metrics
from orchestrator.cli.component_wanted import COMMANDS
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, output_option
from orchestrator.cli.wanted import component_path
from orchestrator.lifecycle import ALIASES, Command

COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "PRESENCE": "presence",
    "DESIRED": "desired",
    "HEALTH": "health",
    "GROUPS": "groups",
    "ADDRESS": "address",
    "REASON": "reason",
}
PREFIX = "CMD_"
SHORT = frozenset({name.removeprefix(PREFIX) for name in (*Command, *ALIASES)})
"""Lifecycle commands as people write them."""


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


@component.command(epilog="\b\nExamples:\n  triarch component get press-1\n  triarch component get press-1 -o json")
@click.argument("component_id", metavar="ID")
@api_options
@output_option
def get(component_id: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one component, with what is desired of it, maintenance, and faults that somebody has seen."""
    with Api.of(urls, timeout_s) as api:
        emit(api.get(component_path(component_id)), output)


@component.command(
    epilog="\b\nExamples:\n  triarch component command press-1 initialize\n"
    "  triarch component command press-1 CMD_START\n"
    "  triarch component command scale-1 recalibrate --params '{\"offset\": 0.5}'"
)
@click.argument("component_id", metavar="ID")
@click.argument("command", metavar="COMMAND")
@click.option("--params", default="", metavar="JSON", help="What a command of the component's own takes: an object.")
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: the component does it once.")
@api_options
@output_option
def command(
    component_id: str, command: str, params: str, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Send a component COMMAND and wait for its answer.

    COMMAND is initialize, start, stop, graceful_stop or reset, one of their full names such as CMD_START, or a command
    of the component's own.
    """
    name = command.upper().replace("-", "_")
    body: dict[str, Any] = {"command": PREFIX + name if name in SHORT else name}
    if params:
        body["params"] = _object(params)
    with Api.of(urls, timeout_s) as api:
        emit(api.post(component_path(component_id, "/commands"), body, key=key), output)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"it is no JSON: {error}", param_hint="--params") from None
    if not isinstance(found, dict):
        raise click.BadParameter('it is a JSON object, such as {"offset": 0.5}', param_hint="--params")
    return found


send = copy.copy(command)
send.name, send.epilog = (
    "send",
    "\b\nExamples:\n  triarch component send press-1 initialize\n  triarch component send press-1 stop",
)
component.add_command(send)
for added in COMMANDS:
    component.add_command(added)
component.add_command(metrics)
