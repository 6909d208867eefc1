"""`triarch component desire|maintenance|ack|dependents|policy|decisions`: what people want of a component."""

from typing import Any

import click

from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, output_option
from orchestrator.cli.wanted import (
    STATES,
    by_option,
    component_path,
    condition,
    deleted_revision_option,
    desired_body,
    key_option,
    revision_option,
    wait_option,
    wait_until,
)

NEIGHBOURS = {"ID": "id", "RELATION": "relation", "STATE": "state", "PRESENCE": "presence"}
DECISIONS = {"COMPONENT": "component", "REASON": "reason", "TROUBLE": "trouble"}


@click.command(
    epilog="\b\nExamples:\n  triarch component desire press-1 STARTED --wait 60\n"
    "  triarch component desire press-1 none"
)
@click.argument("component_id", metavar="ID")
@click.argument("state", type=click.Choice(STATES, case_sensitive=False), metavar="STARTED|STOPPED|none")
@by_option
@wait_option
@revision_option
@key_option
@api_options
@output_option
def desire(
    component_id: str,
    state: str,
    by: str,
    wait_s: float,
    if_revision: int | None,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Have the component ID kept STARTED or STOPPED, or neither.

    It starts after what it needs and stops after what needs it; `triarch component decisions` says what it waits for.
    """
    with Api.of(urls, timeout_s) as api:
        path = component_path(component_id, "/desired")
        answer = api.put(path, desired_body(state, by), key=key, headers=condition(if_revision))
        if wait_s and state != "none":
            wait_until(api, state, [component_id], wait_s)
    emit({"id": component_id, "desired": state, **answer}, output)


@click.command(
    epilog="\b\nExamples:\n  triarch component maintenance press-1 on --reason 'new valve'\n"
    "  triarch component maintenance press-1 off"
)
@click.argument("component_id", metavar="ID")
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.option("--reason", default="", help="Why; needed to begin it.")
@by_option
@key_option
@api_options
@output_option
def maintenance(
    component_id: str, switch: str, reason: str, by: str, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Begin or end maintenance of the component ID: meanwhile the supervision leaves it alone."""
    if switch == "on" and not reason:
        raise click.UsageError("--reason is needed: whoever finds the component so wants to know why")
    with Api.of(urls, timeout_s) as api:
        path = component_path(component_id, "/maintenance")
        if switch == "on":
            api.put(path, {"reason": reason, "by": by}, key=key)
        else:
            api.delete(path, key=key)
    emit({"id": component_id, "maintenance": switch, "reason": reason, "by": by}, output)


@click.command(
    epilog="\b\nExamples:\n  triarch component ack press-1 --note 'belt is ordered'\n"
    "  triarch component ack press-1 --retry"
)
@click.argument("component_id", metavar="ID")
@click.option("--note", default="", help="For those who look next.")
@click.option("--retry", is_flag=True, help="It may be restarted again: the counters begin anew.")
@by_option
@key_option
@api_options
@output_option
def ack(
    component_id: str, note: str, retry: bool, by: str, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Say that the fault of the component ID has been seen.

    Nothing moves, unless --retry lets its policy restart it.
    """
    with Api.of(urls, timeout_s) as api:
        api.post(component_path(component_id, "/acknowledge"), {"by": by, "note": note, "retry": retry}, key=key)
    emit({"id": component_id, "acknowledged_by": by, "note": note, "retry": retry}, output)


@click.command(epilog="\b\nExamples:\n  triarch component dependents io\n  triarch component dependents io -o json")
@click.argument("component_id", metavar="ID")
@api_options
@output_option
def dependents(component_id: str, urls: str, timeout_s: float, output: str) -> None:
    """Show who needs the component ID, and whom it needs, directly or not."""
    with Api.of(urls, timeout_s) as api:
        found = api.get(component_path(component_id, "/dependents"))
    if output != "table":
        emit(found, output)
        return
    rows = [{**row, "relation": "needs it"} for row in found["dependents"]]
    rows += [{**row, "relation": "is needed"} for row in found["needs"]]
    emit_rows(rows, NEIGHBOURS, output, empty=f"nobody needs {component_id}, and it needs nobody")


@click.group()
def policy() -> None:
    """What a component needs, and when it is restarted."""


@policy.command("get", epilog="\b\nExamples:\n  triarch component policy get press-1 -o json")
@click.argument("component_id", metavar="ID")
@api_options
@output_option
def get(component_id: str, urls: str, timeout_s: float, output: str) -> None:
    """Show all that is said of the component ID, with its revision and the supervision's last attempt."""
    with Api.of(urls, timeout_s) as api:
        emit(api.get(component_path(component_id, "/policy")), output)


@policy.command(
    "set",
    epilog="\b\nExamples:\n  triarch component policy set kds --needs supervisor --restart on_failure\n"
    "  triarch component policy set io --restart always --limit 3 --window 60 --backoff 1",
)
@click.argument("component_id", metavar="ID")
@click.option("--needs", multiple=True, metavar="ID", help="A component that it needs; may be repeated.")
@click.option("--restart", type=click.Choice(["never", "on_failure", "always"]), default="never", show_default=True)
@click.option("--limit", type=int, metavar="N", help="Restarts within the window; then it stops. [default: 5]")
@click.option("--window", "window_s", type=float, metavar="SECONDS", help="[default: 300]")
@click.option("--backoff", "backoff_initial_s", type=float, metavar="SECONDS", help="Before the first. [default: 1]")
@click.option("--backoff-factor", type=float, metavar="X", help="Each pause is so much longer. [default: 2]")
@click.option("--backoff-max", "backoff_max_s", type=float, metavar="SECONDS", help="[default: 60]")
@click.option(
    "--on-dependency-failure",
    type=click.Choice(["stop", "ignore"]),
    default="stop",
    show_default=True,
    help="When what it needs is in FAULT or OFFLINE.",
)
@revision_option
@key_option
@api_options
@output_option
def set_(
    component_id: str,
    needs: tuple[str, ...],
    restart: str,
    on_dependency_failure: str,
    if_revision: int | None,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
    **numbers: Any,
) -> None:
    """Replace the policy of the component ID. It need not be registered yet."""
    given = {name: value for name, value in numbers.items() if value is not None}
    body = {
        "depends_on": list(needs),
        "restart": {"when": restart, **given},
        "on_dependency_failure": on_dependency_failure,
    }
    with Api.of(urls, timeout_s) as api:
        answer = api.put(component_path(component_id, "/policy"), body, key=key, headers=condition(if_revision))
    emit({"id": component_id, **answer, **body}, output)


@policy.command("delete", epilog="\b\nExamples:\n  triarch component policy delete press-1")
@click.argument("component_id", metavar="ID")
@deleted_revision_option
@key_option
@api_options
@output_option
def delete(
    component_id: str, if_revision: int | None, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Forget all that was said of the component ID: policy, desired state, maintenance, counters."""
    with Api.of(urls, timeout_s) as api:
        api.delete(component_path(component_id, "/policy"), key=key, headers=condition(if_revision))
    emit({"id": component_id, "deleted": True}, output)


@click.command(epilog="\b\nExamples:\n  triarch component decisions\n  triarch component decisions -o json")
@api_options
@output_option
def decisions(urls: str, timeout_s: float, output: str) -> None:
    """Show what the supervision does about each component now, and why."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/supervision")
    emit_rows(rows, DECISIONS, output, empty="nothing is asked of any component")


COMMANDS = (desire, maintenance, ack, dependents, policy, decisions)
