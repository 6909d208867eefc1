"""`triarch execution list|get|follow|pause|resume|cancel|retry|approve|reject|signal`."""

import json
import sys
import time
import urllib.parse
from typing import Any

import click

from orchestrator.cli.execution_end import leave_with, path_of, show_end, wait_option, who_option
from orchestrator.cli.execution_step import paths_meant
from orchestrator.cli.following import ENDED, Follower, TimeOver
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.json_value import json_value
from orchestrator.cli.output import Failure, emit, emit_rows, note, output_option, printable
from orchestrator.cli.variable import key_option

COLUMNS = {
    "ID": "id",
    "PLAYBOOK": "playbook",
    "VERSION": "version",
    "STATUS": "status",
    "RETRYING": "retrying",
    "CREATED": "created",
    "SECONDS": "duration_s",
    "ERROR": "error",
}
STEPS = {
    "PATH": "path",
    "ID": "id",
    "TYPE": "type",
    "STATUS": "status",
    "ATTEMPT": "attempt",
    "STARTED": "started",
    "WHY": "why",
}
STATUSES = ("QUEUED", "RUNNING", "PAUSED", *ENDED)
PAGE = 500

comment_option = click.option("--comment", default="", metavar="TEXT", help="Why; goes into its story.")


@click.group()
def execution() -> None:
    """Executions of playbooks: what became of each, and what to do about one."""


@execution.command(
    "list",
    epilog="\b\nExamples:\n  triarch execution list\n  triarch execution list --status RUNNING --status PAUSED\n"
    "  triarch execution list --playbook startup --limit 1000 -o json",
)
@click.option("--status", "statuses", type=click.Choice(STATUSES), multiple=True, help="Only those; more than once.")
@click.option("--playbook", default="", metavar="NAME", help="Only executions of this playbook.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True, metavar="N")
@api_options
@output_option
def list_(statuses: tuple[str, ...], playbook: str, limit: int, urls: str, timeout_s: float, output: str) -> None:
    """Show executions, the newest first."""
    filters = [("status", status) for status in statuses] + ([("playbook", playbook)] if playbook else [])
    with Api.of(urls, timeout_s) as api:
        rows = pages(api, "/v1/executions", "executions", filters, limit)
    emit_rows(rows, COLUMNS, output, empty="there is no such execution")


def pages(api: Api, path: str, member: str, filters: list[tuple[str, str]], limit: int) -> list[dict[str, Any]]:
    """Up to `limit` rows, by as many requests as that takes."""
    rows: list[dict[str, Any]] = []
    cursor = ""
    while len(rows) < limit:
        query = [*filters, ("limit", str(min(PAGE, limit - len(rows)))), *([("cursor", cursor)] if cursor else [])]
        found = api.get(f"{path}?{urllib.parse.urlencode(query)}")
        rows += found[member]
        if found["cursor"] is None:
            break
        cursor = found["cursor"]
    return rows


@execution.command(epilog="\b\nExamples:\n  triarch execution get ID\n  triarch execution get ID -o json | jq .steps")
@click.argument("execution_id", metavar="ID")
@api_options
@output_option
def get(execution_id: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one execution with its steps, and what open ones wait for."""
    with Api.of(urls, timeout_s) as api:
        row = api.get(path_of(execution_id))
    if output != "table":
        emit(row, output)
        return
    emit({name: value for name, value in row.items() if name != "steps" and value not in (None, "", {}, [])}, output)
    emit_rows([{**step, "why": why(step)} for step in row["steps"]], STEPS, output, empty="no step has begun")


@execution.command(
    epilog="\b\nExamples:\n  triarch execution follow ID\n  triarch execution follow ID -o json | jq -c .data.status\n"
    "  triarch execution follow ID --from 4711"
)
@click.argument("execution_id", metavar="ID")
@click.option("--from", "last", default="", metavar="INDEX", help="Go on behind this index: the id of an event.")
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="SECONDS", help="End after so long, with 7.")
@api_options
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="A line for people for each step, or a JSON document for each change.",
)
def follow(execution_id: str, last: str, seconds: float | None, urls: str, timeout_s: float, output: str) -> None:  # noqa: ARG001 - streams have times of their own
    """Show each change as it happens, until the execution has ended.

    Goes on at the next node when one is lost, without a gap. Exits with 1 when the execution does not succeed.
    """
    follow_to_end(urls, execution_id, output, last=last, seconds=seconds)


def follow_to_end(urls: str, execution_id: str, output: str, *, last: str = "", seconds: float | None = None) -> None:
    """Show each change until the end, and leave with its exit code."""
    follower = Follower(urls, f"{path_of(execution_id)}/follow", last=last)
    told, row = None, {"status": "", "error": ""}
    try:
        for told in follower.events(None if seconds is None else time.monotonic() + seconds):
            row = told.data
            if output == "json":
                shown = {"index": int(told.index), "event": told.kind, "data": told.data}
                click.echo(json.dumps(shown, ensure_ascii=False))
            else:
                for line in lines(told.data):
                    click.echo(printable(line))
            sys.stdout.flush()
    except TimeOver:
        raise Failure("outcome_unknown", f"execution {execution_id} has not ended after {seconds:g} s") from None
    if told is None:
        note(f"execution {execution_id} has ended, and nothing came after {last or 'that'}")
        return
    leave_with(row)


def lines(change: dict[str, Any]) -> list[str]:
    """A change for people: a line for each step, or one for the execution."""
    steps = []
    for step in change["steps"]:
        at = _clock(step["ended"] or step["started"])
        steps.append(f"{at}  {step['status']:9}  {step['path']}  {step['type']}  {why(step)}".rstrip())
    status = f"execution {change['id']} is {change['status']}" + (f": {change['error']}" if change["error"] else "")
    return [*steps, status] if not steps or change["status"] in ENDED else steps


def why(step: dict[str, Any]) -> str:
    """Why a step is as it is: what it waits for, when it is tried again, how it failed."""
    retrying = step.get("retrying")
    if retrying:
        return f"attempt {retrying['n']} failed, again at {_clock(retrying['next'])}: {retrying['error']}"
    if step["error"]:
        return f"[{step['code']}] {step['error']}" if step["code"] else str(step["error"])
    return str(step.get("waiting") or "")


def _clock(time_: str | None) -> str:
    return (time_ or "-").partition("T")[2] or "-"


# ── What a person does ────────────────────────────────


def _control(execution_id: str, action: str, body: dict[str, Any], key: str | None, options: dict[str, Any]) -> None:
    with Api.of(options["urls"], options["timeout_s"]) as api:
        if step := body.get("path"):
            body = {**body, "path": _path_of_step(api, execution_id, step, action)}
        told = api.post(f"{path_of(execution_id)}/{action}", body, key=key)
    if options.get("wait_s"):
        show_end(options["urls"], options["timeout_s"], execution_id, options["wait_s"], options["output"])
    else:
        emit(told, options["output"])


def _path_of_step(api: Api, execution_id: str, step: str, action: str) -> str:
    """A step's path as it stands, or the path of the step that is meant by this id; people know steps by either."""
    if "/" in step:
        return step
    paths = paths_meant(api.get(path_of(execution_id))["steps"], step, action)
    if len(paths) > 1:
        raise Failure("usage", f"several steps with the id {step} may be meant; name one: {', '.join(paths[:10])}")
    if not paths:
        known = f"triarch execution get {execution_id} shows the ids and paths of those that have begun"
        raise Failure("step_unknown", f"execution {execution_id} has come to no step {step}; {known}")
    return paths[0]


@execution.command(epilog="\b\nExamples:\n  triarch execution pause ID --comment 'shift change'")
@click.argument("execution_id", metavar="ID")
@who_option
@comment_option
@key_option
@api_options
@output_option
def pause(execution_id: str, who: str, comment: str, key: str | None, **options: Any) -> None:
    """Pause: no further step begins, deadlines wait. What a step has begun outside goes on."""
    _control(execution_id, "pause", {"who": who, "comment": comment}, key, options)


@execution.command(epilog="\b\nExamples:\n  triarch execution resume ID\n  triarch execution resume ID --wait 60")
@click.argument("execution_id", metavar="ID")
@who_option
@comment_option
@wait_option
@key_option
@api_options
@output_option
def resume(execution_id: str, who: str, comment: str, key: str | None, **options: Any) -> None:
    """Go on after a pause."""
    _control(execution_id, "resume", {"who": who, "comment": comment}, key, options)


@execution.command(
    epilog="\b\nExamples:\n  triarch execution cancel ID --comment 'wrong recipe'\n"
    "  triarch execution cancel ID --force"
)
@click.argument("execution_id", metavar="ID")
@click.option(
    "--force", is_flag=True, help="It ends now: nothing that is open is waited for, and `finally` is not run."
)
@who_option
@comment_option
@wait_option
@key_option
@api_options
@output_option
def cancel(execution_id: str, force: bool, who: str, comment: str, key: str | None, **options: Any) -> None:
    """Give up what is open, run `finally`, and end as CANCELLED. With --wait that is waited for, and exits with 1."""
    _control(execution_id, "cancel", {"force": force, "who": who, "comment": comment}, key, options)


@execution.command(
    epilog="\b\nExamples:\n  triarch execution retry ID\n  triarch execution retry ID --step actions/2 --wait"
)
@click.argument("execution_id", metavar="ID")
@click.option(
    "--step", "path", default="", metavar="STEP", help="From there: its path or id.  [default: the first that failed]"
)
@who_option
@comment_option
@wait_option
@key_option
@api_options
@output_option
def retry(execution_id: str, path: str, who: str, comment: str, key: str | None, **options: Any) -> None:
    """Go on from a step of an execution that FAILED, TIMED_OUT or was CANCELLED. What was done before stays done."""
    _control(execution_id, "retry", {"path": path, "who": who, "comment": comment}, key, options)


@execution.command(
    epilog="\b\nExamples:\n  triarch execution approve ID\n"
    "  triarch execution approve ID --step actions/3 --comment 'seen'"
)
@click.argument("execution_id", metavar="ID")
@click.option("--step", "path", default="", metavar="STEP", help="Its path or id.  [default: the only one that waits]")
@who_option
@comment_option
@wait_option
@key_option
@api_options
@output_option
def approve(execution_id: str, path: str, who: str, comment: str, key: str | None, **options: Any) -> None:
    """Approve a step that waits for it."""
    _control(execution_id, "approve", {"path": path, "who": who, "comment": comment}, key, options)


@execution.command(epilog="\b\nExamples:\n  triarch execution reject ID --comment 'the door is open'")
@click.argument("execution_id", metavar="ID")
@click.option("--step", "path", default="", metavar="STEP", help="Its path or id.  [default: the only one that waits]")
@who_option
@comment_option
@wait_option
@key_option
@api_options
@output_option
def reject(execution_id: str, path: str, who: str, comment: str, key: str | None, **options: Any) -> None:
    """Reject a step that waits for approval: it fails."""
    _control(execution_id, "reject", {"path": path, "who": who, "comment": comment}, key, options)


@execution.command(
    epilog="\b\nExamples:\n  triarch execution signal ID tool_changed\n"
    '  triarch execution signal ID tool_changed \'{"tool": "T4"}\''
)
@click.argument("execution_id", metavar="ID")
@click.argument("name", metavar="NAME")
@click.argument("value", metavar="[VALUE]", default="null")
@click.option("--string", is_flag=True, help="VALUE is text as it stands, not JSON.")
@who_option
@wait_option
@key_option
@api_options
@output_option
def signal(execution_id: str, name: str, value: str, string: bool, who: str, key: str | None, **options: Any) -> None:
    """Send the signal NAME with VALUE, which is JSON."""
    try:
        sent = value if string else json_value(value)
    except ValueError as error:
        reason = f"{value!r} is not JSON that can be sent: {error}; text takes --string"
        raise click.BadParameter(reason, param_hint="VALUE") from None
    _control(execution_id, "signal", {"name": name, "value": sent, "who": who}, key, options)
