"""`triarch component list|get|command|remove|metrics`; what people want of components is in `component_wanted`."""

import copy
import time
import uuid
from typing import Any

import click

from orchestrator.cli.component_metrics import metrics
from orchestrator.cli.component_wanted import COMMANDS
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.json_value import json_value
from orchestrator.cli.output import Failure, emit, emit_rows, note, output_option
from orchestrator.cli.wanted import POLL_S, component_path, key_option, wait_option
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
@wait_option
@api_options
@output_option
def command(
    component_id: str,
    command: str,
    params: str,
    key: str | None,
    wait_s: float,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Send a component COMMAND and wait for its answer; with --wait, for the end of what takes longer.

    COMMAND is initialize, start, stop, graceful_stop or reset, one of their full names such as CMD_START, or a command
    of the component's own.
    """
    name = command.upper().replace("-", "_")
    body: dict[str, Any] = {"command": PREFIX + name if name in SHORT else name}
    if params:
        body["params"] = _object(params)
    with Api.of(urls, timeout_s) as api:
        answer = _finished(api, component_path(component_id, "/commands"), body, key or uuid.uuid4().hex, wait_s)
    emit(answer, output)
    if wait_s and not answer["completed"]:
        raise Failure(
            "outcome_unknown", f"{component_id} still works on it after {wait_s:g} s; it is {answer['state']}"
        )


@component.command(epilog="\b\nExamples:\n  triarch component remove press-1")
@click.argument("component_id", metavar="ID")
@key_option
@api_options
@output_option
def remove(component_id: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Forget the component ID, which will not come back; it is not told.

    One that still lives registers again: end its process first. What was said of it (its policy, the state that is
    desired) stays for whoever registers under the id: `triarch component policy delete` forgets that.
    """
    with Api.of(urls, timeout_s) as api:
        api.delete(component_path(component_id), key=key)
    if output != "table":
        emit({"id": component_id, "removed": True}, output)
    note(f"{component_id} is removed")


def _finished(api: Api, path: str, body: dict[str, Any], key: str, wait_s: float) -> Any:
    """The component's answer; asked for again under the same key until the work has ended or `wait_s` are over."""
    ends = time.monotonic() + wait_s
    while True:
        answer = api.post(path, body, key=key)
        if answer["completed"] or time.monotonic() >= ends:
            return answer
        time.sleep(min(POLL_S, max(0.0, ends - time.monotonic())))


def _object(text: str) -> dict[str, Any]:
    try:
        found = json_value(text)
    except ValueError as error:
        raise click.BadParameter(f"it is no JSON that can be sent: {error}", param_hint="--params") from None
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
