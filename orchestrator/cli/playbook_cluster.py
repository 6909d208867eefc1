"""`triarch playbook list|get|apply|delete|run|plan`: the playbooks that the cluster has."""

import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.execution import follow_to_end
from orchestrator.cli.execution_end import show_end, wait_option, who_option
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.json_value import Unsendable, json_value
from orchestrator.cli.output import Failure, emit, emit_rows, note, output_option, printable
from orchestrator.cli.variable import key_option

if TYPE_CHECKING:
    from orchestrator.playbooks.loading import Loaded

COLUMNS = {
    "NAME": "name",
    "VERSION": "version",
    "TIME": "time",
    "WHO": "who",
    "TRIGGERS": "triggers",
    "INPUTS": "inputs",
    "DESCRIPTION": "description",
}
APPLIED = {"NAME": "name", "VERSION": "version", "CHANGED": "changed"}
STEPS = {"PATH": "path", "ID": "id", "TYPE": "type", "RUNS": "runs", "WHAT": "what", "PROBLEM": "problem"}

inputs_option = click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="NAME=VALUE",
    help="An input; more than once. VALUE is JSON, or text where it is no JSON; NAME:=VALUE is JSON and nothing else.",
)


def path_of(name: str) -> str:
    return f"/v1/playbooks/{urllib.parse.quote(name, safe='')}"


@click.command(
    "list", epilog="\b\nExamples:\n  triarch playbook list\n  triarch playbook list -o json | jq -r '.[].name'"
)
@api_options
@output_option
def list_(urls: str, timeout_s: float, output: str) -> None:
    """Show the playbooks that the cluster has."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/playbooks")
    for row in rows:
        if row["problem"]:
            note(f"warning: {row['name']}: {row['problem']}")
    emit_rows(rows, COLUMNS, output, empty="there is no playbook; put some: triarch playbook apply playbooks/")


@click.command(
    epilog="\b\nExamples:\n  triarch playbook get startup\n  triarch playbook get startup --version 2\n"
    "  triarch playbook get startup -o json | jq .versions"
)
@click.argument("name", metavar="NAME")
@click.option("--version", type=click.IntRange(1), metavar="N", help="An older version that is still kept.")
@api_options
@click.option("-o", "--output", type=click.Choice(["text", "json", "yaml"]), default="text", show_default=True,
              help="The text of the playbook alone, or all that is known of it.")  # fmt: skip
def get(name: str, version: int | None, urls: str, timeout_s: float, output: str) -> None:
    """Show a playbook's text."""
    with Api.of(urls, timeout_s) as api:
        row = api.get(path_of(name), **({} if version is None else {"version": str(version)}))
    if output != "text":
        emit(row, output)
        return
    click.echo(row["text"], nl=not row["text"].endswith("\n"))
    note(f"{name} version {row['version']}")


@click.command(
    epilog="\b\nExamples:\n  triarch playbook apply playbooks/\n  triarch playbook apply startup.yaml --if-version 3\n"
    "  triarch playbook apply playbooks/ --dry-run"
)
@click.argument("paths", metavar="FILE…", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option(
    "--if-version",
    type=click.IntRange(0),
    metavar="N",
    help="Only while the newest version is N; 0: only if it is not there. For one playbook.",
)
@click.option("--dry-run", is_flag=True, help="Check all, here and in the cluster; change nothing.")
@who_option
@key_option
@api_options
@output_option
def apply(
    paths: tuple[Path, ...],
    if_version: int | None,
    dry_run: bool,
    who: str,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Put playbooks into the cluster: files, and directories with all in them.

    All are checked together first; with one problem nothing is put. A text that is the newest already makes no version.
    Executions that run go on under the version that they have.
    """
    loaded = _checked(paths, urls, timeout_s)
    if if_version is not None and len(loaded) != 1:
        raise click.UsageError(f"--if-version is for one playbook, not for {len(loaded)}")
    condition = None
    if if_version is not None:
        condition = {"If-Match": f'"{if_version}"'} if if_version else {"If-None-Match": "*"}
    query = urllib.parse.urlencode({"who": who, **({"dry_run": "true"} if dry_run else {})})
    rows = []
    with Api.of(urls, timeout_s) as api:
        for name in _callees_first(loaded):
            text = loaded[name][1]
            # A key is for one request: each playbook has its own, the same when all are put again.
            own = None if key is None else key if len(loaded) == 1 else f"{key}/{name}"
            rows.append(api.put(f"{path_of(name)}?{query}", {"text": text}, key=own, headers=condition))
    emit_rows(rows, APPLIED, output)
    changed = sum(row["changed"] for row in rows)
    note(f"{changed} of {len(rows)} {'would change' if dry_run else 'changed'}")


@click.command(
    epilog="\b\nExamples:\n  triarch playbook delete startup\n  triarch playbook delete startup --if-version 3"
)
@click.argument("name", metavar="NAME")
@click.option("--if-version", type=click.IntRange(1), metavar="N", help="Only while the newest version is N.")
@key_option
@api_options
@output_option
def delete(name: str, if_version: int | None, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Delete a playbook. Executions that run go on under the version that they have."""
    with Api.of(urls, timeout_s) as api:
        api.delete(path_of(name), key=key, headers={} if if_version is None else {"If-Match": f'"{if_version}"'})
    emit({"name": name, "deleted": True}, output)


@click.command(
    epilog="\b\nExamples:\n  triarch playbook run startup\n  triarch playbook run startup --input speed=90 --wait\n"
    "  triarch playbook run startup --wait 30 -o json | jq .status\n  triarch playbook run startup --follow"
)
@click.argument("name", metavar="NAME")
@inputs_option
@who_option
@wait_option
@click.option("--follow", is_flag=True, help="Show each change as it happens, until the end; exits as with --wait.")
@key_option
@api_options
@output_option
def run(
    name: str,
    inputs: tuple[str, ...],
    who: str,
    wait_s: float,
    follow: bool,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Start an execution of a playbook."""
    if follow and (wait_s or output == "yaml"):
        raise click.UsageError("--follow waits for the end itself, and shows lines or, with -o json, documents")
    body = {"inputs": given(inputs), "who": who}
    with Api.of(urls, timeout_s) as api:
        told = api.post(f"{path_of(name)}/runs", body, key=key)
    if not wait_s and not follow:
        emit(told, output)
        return
    note(f"execution {told['id']} is {told['status']}")
    if follow:
        follow_to_end(urls, told["id"], output)
        return
    show_end(urls, timeout_s, told["id"], wait_s, output)


@click.command(
    epilog="\b\nExamples:\n  triarch playbook plan startup\n  triarch playbook plan startup --input speed=90 -o json"
)
@click.argument("name", metavar="NAME")
@inputs_option
@api_options
@output_option
def plan(name: str, inputs: tuple[str, ...], urls: str, timeout_s: float, output: str) -> None:
    """Show what a run would do now, step by step, with the components that each selector means. Nothing moves."""
    with Api.of(urls, timeout_s) as api:
        planned = api.post(f"{path_of(name)}/plan", {"inputs": given(inputs)})
    if output != "table":
        emit(planned, output)
        return
    emit_rows([{**step, "what": _what(step)} for step in planned["steps"]], STEPS, output)


def given(inputs: tuple[str, ...]) -> dict[str, Any]:
    """From `NAME=VALUE` and `NAME:=JSON`. A usage error for what is neither."""
    found: dict[str, Any] = {}
    for each in inputs:
        name, equals, text = each.partition("=")
        exact = name.endswith(":")
        name = name.removesuffix(":")
        if not (equals and name):
            raise click.BadParameter(f"{each!r} is not NAME=VALUE", param_hint="--input")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice", param_hint="--input")
        try:
            found[name] = json_value(text)
        except Unsendable as error:
            raise click.BadParameter(f"{name}: {error}", param_hint="--input") from None
        except ValueError as error:
            if exact:
                raise click.BadParameter(f"{text!r} is not JSON: {error}", param_hint="--input") from None
            found[name] = text
    return found


def _checked(paths: tuple[Path, ...], urls: str, timeout_s: float) -> "dict[str, tuple[Loaded, str]]":
    """By name, what is in the files, with its text. Leaves with 4 when there is a problem."""
    from orchestrator.playbooks.files import check_paths

    checked = check_paths(paths)
    if checked.absent:  # the cluster may have what they call
        with Api.of(urls, timeout_s) as api:
            checked = check_paths(paths, [row["name"] for row in api.get("/v1/playbooks")])
    for warning in checked.warnings:
        note(f"warning: {warning}")
    if checked.problems:
        shown = "\n".join(printable(str(problem)).replace("\n", " ") for problem in checked.problems)
        raise Failure("playbook_invalid", f"nothing was put\n{shown}")
    return {
        name: (loaded, Path(loaded.positions.file).read_text(encoding="utf-8-sig"))
        for name, loaded in checked.loaded.items()
    }


def _callees_first(loaded: "dict[str, tuple[Loaded, str]]") -> list[str]:
    """What others start is put before them: an execution that begins meanwhile finds it."""
    from orchestrator.playbooks.cycles import scenarios_of

    calls = {name: scenarios_of(each.playbook) & loaded.keys() for name, (each, _) in loaded.items()}
    order: list[str] = []
    while len(order) < len(loaded):
        ready = [name for name in sorted(calls) if name not in order and calls[name] <= set(order)]
        order += ready or [name for name in sorted(calls) if name not in order]
    return order


def _what(step: dict[str, Any]) -> str:
    if step["order"]:
        return " → ".join(",".join(wave) for wave in step["order"])
    if step["components"] is not None:
        return ",".join(step["components"]) or "nothing"
    does = step["does"]
    return str(next((value for value in does.values() if value is not None), ""))


COMMANDS = (list_, get, apply, delete, run, plan)
