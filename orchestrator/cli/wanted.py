"""Options and requests that commands about wanted states share; waiting until components are as they are wanted."""

import time
import urllib.parse
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

from orchestrator.cli.http import Api
from orchestrator.cli.output import Failure, emit, note

F = TypeVar("F", bound=Callable[..., Any])

KEY_HELP = "Repeat an earlier attempt whose outcome is unknown: it is done once."
POLL_S = 0.3
DOWN = ("READY", "STOPPED", "FAULT")
STATES = ("STARTED", "STOPPED", "none")

key_option = click.option("--key", help=KEY_HELP)
by_option = click.option("--by", envvar="USER", default="", metavar="NAME", help="Who says so. [default: $USER]")
wait_option = click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=0.0,
    metavar="SECONDS",
    help="Wait until it is so, for so long at most.",
)
deleted_revision_option = click.option(
    "--if-revision", type=click.IntRange(min=1), metavar="N", help="Only while it has this revision."
)
revision_option = click.option(
    "--if-revision",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only while it has this revision; 0: only if there is none.",
)


def component_path(component_id: str, rest: str = "") -> str:
    return f"/v1/components/{urllib.parse.quote(component_id, safe='')}{rest}"


def group_path(name: str, rest: str = "") -> str:
    return f"/v1/groups/{urllib.parse.quote(name, safe='@')}{rest}"


def condition(if_revision: int | None) -> dict[str, str]:
    """The headers of a change at a revision."""
    if if_revision is None:
        return {}
    return {"If-Match": f'"{if_revision}"'} if if_revision else {"If-None-Match": "*"}


def desired_body(state: str, by: str) -> dict[str, Any]:
    return {"state": None if state == "none" else state, "by": by}


def wait_until(api: Api, state: str, ids: Iterable[str], wait_s: float) -> None:
    """Until all are in `state`. Exits with 7 after `wait_s`, with 1 when one is given up; both say which and why."""
    wanted = tuple(ids)
    ends = time.monotonic() + wait_s
    told = ""
    while True:
        rows = {row["id"]: row for row in api.get("/v1/components")}
        missing = [each for each in wanted if not _there(rows.get(each), state)]
        if not missing:
            return
        if given_up := [each for each in missing if rows.get(each, {}).get("exhausted") and state == "STARTED"]:
            each = given_up[0]
            raise Failure("failed", f"{each}: {rows[each]['exhausted']}")
        late = time.monotonic() >= ends
        reasons = {each["component"]: each["reason"] for each in api.get("/v1/supervision")}
        shown = "\n".join(f"  {each}: {reasons.get(each, 'nothing is decided yet')}" for each in missing[:10])
        if late:
            raise Failure("outcome_unknown", f"not {state} after {wait_s:g} s, and still wanted so:\n{shown}")
        if shown != told:
            note(shown)
            told = shown
        time.sleep(min(POLL_S, max(0.0, ends - time.monotonic())))


def _there(row: Mapping[str, Any] | None, state: str) -> bool:
    if row is None:
        return False
    if state == "STARTED":
        return (row["state"], row["presence"]) == ("STARTED", "ONLINE")
    return row["state"] in DOWN


def show_plan(
    api: Api, output: str, target: str, *, groups: Sequence[str] = (), components: Sequence[str] = (), related: bool
) -> None:
    """Ask for a plan and show it. Exits with 8 when something that was selected does not get there."""
    asked = {"group": list(groups), "component": list(components), "related": str(related).lower()}
    plan = api.get("/v1/plan", target=target, **asked)
    if output != "table":
        emit(plan, output)
    else:
        from orchestrator.cli.output import emit_rows

        steps = [{**step, "commands": " ".join(step["commands"])} for step in plan["steps"]]
        columns = {"WAVE": "wave", "COMPONENT": "component_id", "NOW": "state", "COMMANDS": "commands"}
        emit_rows(steps, columns, output, empty="nothing has to move")
        for skip in plan["skipped"]:
            note(f"{'blocked' if skip['blocked'] else 'left'}: {skip['component_id']}: {skip['reason']}")
    if not plan["complete"]:
        blocked = sum(skip["blocked"] for skip in plan["skipped"])
        note(f"{blocked} of the selected do not get to {plan['target']}")
        raise click.exceptions.Exit(8)
