"""`triarch group list|get|put|delete|desire|maintenance|plan`."""

import click

from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, output_option
from orchestrator.cli.wanted import (
    STATES,
    by_option,
    condition,
    deleted_revision_option,
    desired_body,
    group_path,
    key_option,
    revision_option,
    show_plan,
    wait_option,
    wait_until,
)

COLUMNS = {
    "NAME": "name",
    "STATE": "state.state",
    "SIZE": "size",
    "OFFLINE": "state.offline",
    "ABSENT": "state.absent",
    "GROUPS": "groups",
    "STRATEGY": "strategy",
    "REVISION": "revision",
}
TARGETS = ("READY", "INIT_COMPLETE", "STARTED", "STOPPED")

to_option = click.option("--to", "target", type=click.Choice(TARGETS, case_sensitive=False), required=True)
related_option = click.option(
    "--related", is_flag=True, help="Also start what is needed, and stop what needs them, though it is not selected."
)


@click.group()
def group() -> None:
    """Groups of components."""


@group.command("list", epilog="\b\nExamples:\n  triarch group list\n  triarch group list -o json")
@api_options
@output_option
def list_(urls: str, timeout_s: float, output: str) -> None:
    """Show all groups, each with the state of its members as one."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/groups")
    emit_rows(rows, COLUMNS, output, empty="there is no group")


@group.command(epilog="\b\nExamples:\n  triarch group get line-a\n  triarch group get @all -o json")
@click.argument("name", metavar="NAME")
@api_options
@output_option
def get(name: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one group with its members, those of its groups included."""
    with Api.of(urls, timeout_s) as api:
        row = api.get(group_path(name))
    if output == "table":
        row = {**row, "members": [f"{each['id']} {each['state'] or 'ABSENT'}" for each in row["members"]]}
    emit(row, output)


@group.command(
    epilog="\b\nExamples:\n  triarch group put line-a --component io --component kds --strategy rest_for_one\n"
    "  triarch group put hall --group line-a --group line-b --if-revision 42"
)
@click.argument("name", metavar="NAME")
@click.option("--component", "components", multiple=True, metavar="ID", help="A member; need not be registered yet.")
@click.option(
    "--group", "groups", multiple=True, metavar="NAME", help="A group whose members belong to it; must exist."
)
@click.option("--title", default="")
@click.option(
    "--strategy",
    type=click.Choice(["one_for_one", "rest_for_one", "all_for_one"]),
    default="one_for_one",
    show_default=True,
    help="Who is restarted with a member that failed: nobody, those that start after it, all.",
)
@revision_option
@key_option
@api_options
@output_option
def put(
    name: str,
    components: tuple[str, ...],
    groups: tuple[str, ...],
    title: str,
    strategy: str,
    if_revision: int | None,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Make the group NAME what is said here, whether it existed or not."""
    body = {"title": title, "components": list(components), "groups": list(groups), "strategy": strategy}
    with Api.of(urls, timeout_s) as api:
        answer = api.put(group_path(name), body, key=key, headers=condition(if_revision))
    emit({"name": name, **answer, **body}, output)


@group.command(epilog="\b\nExamples:\n  triarch group delete line-a")
@click.argument("name", metavar="NAME")
@deleted_revision_option
@key_option
@api_options
@output_option
def delete(name: str, if_revision: int | None, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Delete the group NAME. Its members stay as they are."""
    with Api.of(urls, timeout_s) as api:
        api.delete(group_path(name), key=key, headers=condition(if_revision))
    emit({"name": name, "deleted": True}, output)


@group.command(
    epilog="\b\nExamples:\n  triarch group desire line-a STARTED --wait 60\n  triarch group desire @all STOPPED"
)
@click.argument("name", metavar="NAME")
@click.argument("state", type=click.Choice(STATES, case_sensitive=False), metavar="STARTED|STOPPED|none")
@by_option
@wait_option
@key_option
@api_options
@output_option
def desire(
    name: str, state: str, by: str, wait_s: float, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Have all members of the group NAME kept STARTED or STOPPED, or neither; in the order of their dependencies."""
    with Api.of(urls, timeout_s) as api:
        answer = api.put(group_path(name, "/desired"), desired_body(state, by), key=key)
        if wait_s and state != "none":
            wait_until(api, state, [each["id"] for each in api.get(group_path(name))["members"]], wait_s)
    emit({"name": name, "desired": state, **answer}, output)


@group.command(
    epilog="\b\nExamples:\n  triarch group maintenance line-a on --reason 'night shift'\n"
    "  triarch group maintenance line-a off"
)
@click.argument("name", metavar="NAME")
@click.argument("switch", type=click.Choice(["on", "off"]))
@click.option("--reason", default="", help="Why; needed to begin it.")
@by_option
@key_option
@api_options
@output_option
def maintenance(
    name: str, switch: str, reason: str, by: str, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Begin or end maintenance of all members of the group NAME."""
    if switch == "on" and not reason:
        raise click.UsageError("--reason is needed: whoever finds the components so wants to know why")
    with Api.of(urls, timeout_s) as api:
        path = group_path(name, "/maintenance")
        if switch == "on":
            api.put(path, {"reason": reason, "by": by}, key=key)
        else:
            api.delete(path, key=key)
    emit({"name": name, "maintenance": switch, "reason": reason, "by": by}, output)


@group.command(epilog="\b\nExamples:\n  triarch group plan line-a --to STARTED\n  triarch group plan @all --to STOPPED")
@click.argument("name", metavar="NAME")
@to_option
@related_option
@api_options
@output_option
def plan(name: str, target: str, related: bool, urls: str, timeout_s: float, output: str) -> None:
    """Show in which order the members of the group NAME would move; nothing does.

    Exits with 8 when one of them does not get there.
    """
    with Api.of(urls, timeout_s) as api:
        show_plan(api, output, target, groups=[name], related=related)
