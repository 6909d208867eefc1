"""`triarch event list|follow|send`."""

import json
import sys
import time
from typing import Any

import click

from orchestrator.cli.execution import pages
from orchestrator.cli.following import Follower, TimeOver
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.json_value import json_value
from orchestrator.cli.output import emit, emit_rows, note, output_option, printable

COLUMNS = {"TIME": "time", "LEVEL": "level", "TYPE": "type", "SOURCE": "source", "MESSAGE": "message"}
CHARS_MAX = 160
"""Of what a table shows of one event."""
LEVELS = ("info", "warning", "error", "critical")


def _filters(command: Any) -> Any:
    for option in (
        click.option("--execution", default="", metavar="ID", help="Written by this execution."),
        click.option("--level", default="", type=click.Choice(("", *LEVELS)), metavar="|".join(LEVELS)),
        click.option("--source", default="", metavar="ID", help="Only from there."),
        click.option("--type", "type_", default="", metavar="TYPE", help="Only those; `part.*`: all that begin so."),
    ):
        command = option(command)
    return command


def _given(type_: str, source: str, level: str, execution: str) -> list[tuple[str, str]]:
    named = (("type", type_), ("source", source), ("level", level), ("execution", execution))
    return [(name, value) for name, value in named if value]


@click.group()
def event() -> None:
    """The plant's journal: events from outside, and what playbooks and triggers wrote."""


@event.command(
    "list",
    epilog="\b\nExamples:\n  triarch event list\n  triarch event list --level error --limit 20\n"
    "  triarch event list --type 'part.*' -o json",
)
@_filters
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True, metavar="N")
@api_options
@output_option
def list_(
    type_: str, source: str, level: str, execution: str, limit: int, urls: str, timeout_s: float, output: str
) -> None:
    """Show the journal, the newest first; it keeps the last 1,000."""
    with Api.of(urls, timeout_s) as api:
        rows = pages(api, "/v1/events", "events", _given(type_, source, level, execution), limit)
    if output == "table":
        rows = [{**row, "message": _cut(_said(row))} for row in rows]
    emit_rows(rows, COLUMNS, output, empty="there is no such event")


@event.command(
    epilog="\b\nExamples:\n  triarch event follow\n  triarch event follow --level error -o json | jq -c .message"
)
@_filters
@click.option("--from", "last", default="", metavar="INDEX", help="Begin behind this index.  [default: from now on]")
@click.option("--for", "seconds", type=click.FloatRange(0.1), metavar="SECONDS", help="End after so long.")
@click.option("--count", type=click.IntRange(1), metavar="N", help="End after N events.")
@api_options
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True,
              help="A line for people, or a JSON document, for each event.")  # fmt: skip
def follow(
    type_: str,
    source: str,
    level: str,
    execution: str,
    last: str,
    seconds: float | None,
    count: int | None,
    urls: str,
    timeout_s: float,  # noqa: ARG001 - streams have times of their own
    output: str,
) -> None:
    """Show events as they come, until interrupted. Goes on at the next node when one is lost, without a gap."""
    follower = Follower(urls, "/v1/events/follow", params=dict(_given(type_, source, level, execution)), last=last)
    left = count
    try:
        for told in follower.events(None if seconds is None else time.monotonic() + seconds):
            if told.data.get("may_have_missed"):
                note("some events between may be missing: the journal has let them go")
            for line in told.data["events"]:
                click.echo(json.dumps(line, ensure_ascii=False) if output == "json" else printable(_line(line)))
                if left is not None and (left := left - 1) == 0:
                    return
            sys.stdout.flush()
    except TimeOver:
        return


@event.command(
    epilog="\b\nExamples:\n  triarch event send part.jammed --source press-1 --payload '{\"station\": 3}'\n"
    "  triarch event send shift.ended --source clock-1 --key shift-2026-05-04-a"
)
@click.argument("type_", metavar="TYPE")
@click.option("--source", required=True, metavar="ID", help="The component that it comes from; it is registered.")
@click.option("--payload", default="{}", metavar="JSON", help="Its payload: a JSON object.")
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is taken once.")
@api_options
@output_option
def send(type_: str, source: str, payload: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Send an event of TYPE to the orchestrator; playbooks may be started by it."""
    try:
        document = json_value(payload)
    except ValueError as error:
        reason = f"{payload!r} is not JSON that can be sent: {error}"
        raise click.BadParameter(reason, param_hint="--payload") from None
    if not isinstance(document, dict):
        raise click.BadParameter("a payload is a JSON object", param_hint="--payload")
    body: dict[str, Any] = {"type": type_, "source": source, "payload": document}
    if key is not None:
        body["id"] = key
    with Api.of(urls, timeout_s) as api:
        told = api.post("/event", body, key=key)
    emit(told if isinstance(told, dict) else {"type": type_, "source": source, "taken": True}, output)


def _cut(text: str) -> str:
    """A table has one line for each; `-o json` has all."""
    return text if len(text) <= CHARS_MAX else f"{text[: CHARS_MAX - 1]}…"


def _line(line: dict[str, Any]) -> str:
    at = line["time"].partition("T")[2]
    return f"{at}  {line['level']:8}  {line['type']}  {line['source']}  {_said(line)}".rstrip()


def _said(line: dict[str, Any]) -> str:
    """The message and what came with the event: most of those of components have no message."""
    data = "" if line["data"] in ({}, None) else json.dumps(line["data"], ensure_ascii=False)
    return f"{line['message']} {data}".strip()
