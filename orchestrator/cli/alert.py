"""`triarch alert list|get|ack|silence|silences|unsilence|rules|rule`."""

import getpass
import time
import urllib.parse
from typing import Any

import click

from orchestrator.cli.durations import Duration
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.json_value import json_value
from orchestrator.cli.output import emit, emit_rows, output_option

COLUMNS = {
    "ID": "id",
    "STATE": "state",
    "SEVERITY": "severity",
    "RULE": "rule",
    "GROUP": "group",
    "MEMBERS": "members_total",
    "SINCE": "since",
    "ACK": "acknowledged.by",
    "SILENCED": "silenced_by",
    "SUMMARY": "summary",
}
SILENCE_COLUMNS = {
    "ID": "id",
    "RULE": "rule",
    "SUBJECT": "subject",
    "SEVERITY": "severity",
    "ACTIVE": "active",
    "ENDS": "ends",
    "BY": "by",
    "REASON": "reason",
}
RULE_COLUMNS = {
    "NAME": "name",
    "SEVERITY": "severity",
    "WHEN": "when",
    "FOR": "for_s",
    "TARGET": "target",
    "ENABLED": "enabled",
    "REVISION": "revision",
}
STATES = ("open", "pending", "firing", "resolved", "all")
SEVERITIES = ("info", "warning", "error", "critical")

key_option = click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is done once.")


def by_option(command: Any) -> Any:
    return click.option(
        "--by", default=_who, show_default="the user who runs this", metavar="NAME", help="Who does it, for the others."
    )(command)


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name
        return "somebody"


@click.group()
def alert() -> None:
    """Alerts: what fires, who looks after it, what is silenced, and by which rules."""


@alert.command(
    "list",
    epilog="\b\nExamples:\n  triarch alert list\n  triarch alert list --state resolved\n"
    "  triarch alert list --severity critical -o json",
)
@click.option("--state", type=click.Choice(STATES), default="open", show_default=True, help="open: firing and pending.")
@click.option("--severity", type=click.Choice(SEVERITIES))
@click.option("--rule", metavar="NAME", help="Of this rule only.")
@api_options
@output_option
def list_(state: str, severity: str | None, rule: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Show alerts, the most severe first."""
    params = {name: value for name, value in (("state", state), ("severity", severity), ("rule", rule)) if value}
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/alerts", **params)
    if output == "table":
        rows = [{**row, "since": _time(row["fired_time"])} for row in rows]
    emit_rows(rows, COLUMNS, output, empty="no such alert" if severity or rule else f"no {state} alert")


@alert.command(
    epilog="\b\nExamples:\n  triarch alert get a42\n  triarch alert get a42 -o json | jq '.members[].subject'"
)
@click.argument("alert_id", metavar="ID")
@api_options
@output_option
def get(alert_id: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one alert with its members."""
    with Api.of(urls, timeout_s) as api:
        row = api.get(f"/v1/alerts/{_quoted(alert_id)}")
    emit(row, output)


@alert.command(
    epilog='\b\nExamples:\n  triarch alert ack a42\n  triarch alert ack a42 --by Ada --note "belt is ordered"'
)
@click.argument("alert_id", metavar="ID")
@by_option
@click.option("--note", "text", default="", help="What is done about it.")
@key_option
@api_options
@output_option
def ack(alert_id: str, by: str, text: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Say that somebody looks after an alert. It goes on firing."""
    with Api.of(urls, timeout_s) as api:
        row = api.post(f"/v1/alerts/{_quoted(alert_id)}/acknowledge", {"by": by, "note": text}, key=key)
    emit(row, output)


@alert.command(
    epilog='\b\nExamples:\n  triarch alert silence --subject press-1 --for 1h --reason "belt change"\n'
    '  triarch alert silence --rule "component-*" --severity warning --for 2d --reason holidays'
)
@click.option("--rule", default="*", show_default=True, help="Rules with this name; * stands for anything.")
@click.option("--subject", default="*", show_default=True, help="Alerts all of whose members have this name.")
@click.option("--severity", type=click.Choice(SEVERITIES))
@click.option("--for", "for_s", type=Duration(), required=True, metavar="DURATION", help="90s, 5m, 1h, 2d.")
@click.option("--reason", required=True, help="Why, for the others.")
@by_option
@key_option
@api_options
@output_option
def silence(
    rule: str,
    subject: str,
    severity: str | None,
    for_s: float,
    reason: str,
    by: str,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Have nobody told of some alerts for a while. They go on firing, and are shown as silenced."""
    body = {"rule": rule, "subject": subject, "severity": severity, "for_s": for_s, "by": by, "reason": reason}
    with Api.of(urls, timeout_s) as api:
        emit(api.post("/v1/silences", body, key=key), output)


@alert.command(epilog="\b\nExamples:\n  triarch alert silences")
@api_options
@output_option
def silences(urls: str, timeout_s: float, output: str) -> None:
    """Show the silences."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/silences")
    if output == "table":
        rows = [{**row, "ends": _time(row["until"])} for row in rows]
    emit_rows(rows, SILENCE_COLUMNS, output, empty="nothing is silenced")


@alert.command(epilog="\b\nExamples:\n  triarch alert unsilence s43")
@click.argument("silence_id", metavar="ID")
@key_option
@api_options
@output_option
def unsilence(silence_id: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """End a silence."""
    with Api.of(urls, timeout_s) as api:
        api.delete(f"/v1/silences/{_quoted(silence_id)}", key=key)
    emit({"id": silence_id, "ended": True}, output)


@alert.command(epilog="\b\nExamples:\n  triarch alert rules\n  triarch alert rules -o json")
@api_options
@output_option
def rules(urls: str, timeout_s: float, output: str) -> None:
    """Show the rules that alerts are made by."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/alert-rules")
    if output == "table":
        rows = [{**row, "when": _when(row["condition"])} for row in rows]
    emit_rows(rows, RULE_COLUMNS, output)


@alert.group()
def rule() -> None:
    """One rule: show, set, delete it."""


@rule.command("get", epilog="\b\nExamples:\n  triarch alert rule get component-fault -o json")
@click.argument("name", metavar="NAME")
@api_options
@output_option
def get_rule(name: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one rule with its revision."""
    with Api.of(urls, timeout_s) as api:
        emit(api.get(f"/v1/alert-rules/{_quoted(name)}"), output)


@rule.command(
    "set",
    epilog="\b\nExamples:\n"
    '  triarch alert rule set oven-too-hot \'{"condition": {"kind": "metric", "name": "temperature", "above": 250}}\'\n'
    '  triarch alert rule set component-degraded \'{"condition": {"kind": "health", "values": ["DEGRADED"]}, '
    '"enabled": false}\'',
)
@click.argument("name", metavar="NAME")
@click.argument("body", metavar="JSON")
@click.option("--if-revision", type=click.IntRange(min=0), metavar="N", help="0: only while nobody has set it.")
@key_option
@api_options
@output_option
def set_rule(
    name: str, body: str, if_revision: int | None, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Set the rule NAME to what JSON says. A shipped rule of that name gives way to it.

    Exits with 5 when it has another revision than --if-revision asks for.
    """
    try:
        document = json_value(body)
    except ValueError as error:
        raise click.BadParameter(f"is no JSON that can be sent: {error}", param_hint="JSON") from None
    with Api.of(urls, timeout_s) as api:
        emit(api.put(f"/v1/alert-rules/{_quoted(name)}", document, key=key, headers=_condition(if_revision)), output)


@rule.command("delete", epilog="\b\nExamples:\n  triarch alert rule delete oven-too-hot --if-revision 42")
@click.argument("name", metavar="NAME")
@click.option("--if-revision", type=click.IntRange(min=1), metavar="N", help="Only while it has this revision.")
@key_option
@api_options
@output_option
def delete_rule(name: str, if_revision: int | None, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Delete a rule that was set. A shipped rule of that name is in force again."""
    with Api.of(urls, timeout_s) as api:
        api.delete(f"/v1/alert-rules/{_quoted(name)}", key=key, headers=_condition(if_revision))
    emit({"name": name, "deleted": True}, output)


def _condition(if_revision: int | None) -> dict[str, str]:
    return {} if if_revision is None else {"If-Match": f'"{if_revision}"'}


def _quoted(text: str) -> str:
    return urllib.parse.quote(text, safe="")


def _time(unix: float | None) -> str:
    return "-" if unix is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))


def _when(condition: dict[str, Any]) -> str:
    """`health DEGRADED`, `memory > 4e+09`, `memory > 4e+09 within 3600 s`."""
    if condition["values"]:
        return f"{condition['kind']} {','.join(condition['values'])}"
    sign, value = (">", condition["above"]) if condition["above"] is not None else ("<", condition["below"])
    text = f"{condition['name']} {sign} {value:g}"
    match condition["kind"]:
        case "trend":
            return f"{text} within {condition['within_s']:g} s"
        case "increase":
            return f"{condition['name']} +{value:g} in {condition['window_s']:g} s"
    return text
