"""Waiting for an execution's end, and the exit code that it leads to."""

import time
import urllib.parse
from collections.abc import Callable
from typing import Any, TypeVar

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.following import Follower, TimeOver
from orchestrator.cli.http import Api
from orchestrator.cli.output import Failure, emit, leave, note

F = TypeVar("F", bound=Callable[..., Any])

WAIT_MAX_S = 86_400.0
WAIT_DEFAULT_S = 3_600.0

wait_option: Callable[[F], F] = click.option(
    "--wait",
    "wait_s",
    is_flag=False,
    flag_value=WAIT_DEFAULT_S,
    default=0.0,
    type=click.FloatRange(0, WAIT_MAX_S),
    metavar="[SECONDS]",
    help="Wait for its end, an hour or SECONDS at most; exits with 1 when it does not succeed, 7 when time is over.",
)
who_option: Callable[[F], F] = click.option(
    "--who", envvar="USER", default="", metavar="NAME", help="Who asks; goes into its story.  [default: the user]"
)


def path_of(execution_id: str) -> str:
    return f"/v1/executions/{urllib.parse.quote(execution_id, safe='')}"


def wait_for_end(urls: str, execution_id: str, seconds: float) -> None:
    """Until the execution has ended. Failure `outcome_unknown` (7) when it has not after so many seconds."""
    follower = Follower(urls, f"{path_of(execution_id)}/follow")
    try:
        for _ in follower.events(time.monotonic() + seconds):
            pass
    except TimeOver:
        raise Failure(
            "outcome_unknown",
            f"execution {execution_id} has not ended after {seconds:g} s; it goes on: "
            f"triarch execution follow {execution_id}",
        ) from None


def show_end(urls: str, timeout_s: float, execution_id: str, seconds: float, output: str) -> None:
    """Wait, show the execution, and leave with the exit code of its end."""
    wait_for_end(urls, execution_id, seconds)
    with Api.of(urls, timeout_s) as api:
        row = api.get(path_of(execution_id))
    emit(row if output != "table" else brief(row), output)
    leave_with(row)


def brief(row: dict[str, Any]) -> dict[str, Any]:
    """What of an execution goes into a table of its members."""
    names = ("id", "playbook", "version", "status", "created", "ended", "duration_s", "code", "error")
    return {name: row.get(name) for name in names}


def leave_with(row: dict[str, Any]) -> None:
    """Exit code 1 for an execution that ended otherwise than SUCCEEDED."""
    if row["status"] != "SUCCEEDED":
        reason = f": {row['error']}" if row.get("error") else ""
        note(f"execution {row.get('id', '')} is {row['status']}{reason}")
        leave(Exit.FAILED)
