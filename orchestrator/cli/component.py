"""`triarch component list|command`."""

import json
import urllib.parse
from typing import Any

import click

from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, output_option
from orchestrator.lifecycle import ALIASES, Command

COLUMNS = {
    "ID": "id",
    "NAME": "name",
    "STATE": "state",
    "PRESENCE": "presence",
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
        path = f"/v1/components/{urllib.parse.quote(component_id, safe='')}/commands"
        emit(api.post(path, body, key=key), output)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"it is no JSON: {error}", param_hint="--params") from None
    if not isinstance(found, dict):
        raise click.BadParameter('it is a JSON object, such as {"offset": 0.5}', param_hint="--params")
    return found
