"""`triarch variable list|get|set|delete`."""

import json
import urllib.parse

import click

from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import Failure, emit, emit_rows, output_option

COLUMNS = {"NAME": "name", "VALUE": "value", "REVISION": "revision"}
KEY_HELP = "Repeat an earlier attempt whose outcome is unknown: it is done once."

key_option = click.option("--key", help=KEY_HELP)


@click.group()
def variable() -> None:
    """Values that the whole cluster agrees on."""


@variable.command("list", epilog="\b\nExamples:\n  triarch variable list\n  triarch variable list -o json")
@api_options
@output_option
def list_(urls: str, timeout_s: float, output: str) -> None:
    """Show all variables."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/variables")
    if output == "table":
        rows = [{**row, "value": _text(row["value"])} for row in rows]
    emit_rows(rows, COLUMNS, output, empty="no variable is set")


@variable.command(
    epilog="\b\nExamples:\n  triarch variable get line-a.speed\n  triarch variable get line-a.speed -o json | jq .value"
)
@click.argument("name", metavar="NAME")
@api_options
@output_option
def get(name: str, urls: str, timeout_s: float, output: str) -> None:
    """Show one variable with its revision."""
    with Api.of(urls, timeout_s) as api:
        row = api.get(_path(name))
    emit({**row, "value": _text(row["value"])} if output == "table" else row, output)


@variable.command(
    "set",
    context_settings={"ignore_unknown_options": True},  # -5 is a value
    epilog="\b\nExamples:\n  triarch variable set line-a.speed 120\n"
    '  triarch variable set line-a.recipe \'{"mm_s": 120, "tool": "T4"}\'\n'
    "  triarch variable set line-a.operator --string Ada\n"
    "  triarch variable set line-a.speed 90 --if-revision 42",
)
@click.argument("name", metavar="NAME")
@click.argument("value", metavar="VALUE")
@click.option("--string", is_flag=True, help="VALUE is text as it stands, not JSON.")
@click.option(
    "--if-revision",
    type=click.IntRange(min=0),
    metavar="N",
    help="Only while the variable has this revision; 0: only if it does not exist.",
)
@key_option
@api_options
@output_option
def set_(
    name: str,
    value: str,
    string: bool,
    if_revision: int | None,
    key: str | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Set a variable to VALUE, which is JSON, and show its new revision.

    Exits with 5 when it has another revision than --if-revision asks for.
    """
    body = {"value": _checked(value if string else _parsed(value))}
    with Api.of(urls, timeout_s) as api:
        row = api.put(_path(name), body, key=key, headers=_condition(if_revision))
    emit({**row, "value": _text(row["value"])} if output == "table" else row, output)


@variable.command(
    epilog="\b\nExamples:\n  triarch variable delete line-a.speed\n"
    "  triarch variable delete line-a.speed --if-revision 42"
)
@click.argument("name", metavar="NAME")
@click.option(
    "--if-revision", type=click.IntRange(min=1), metavar="N", help="Only while the variable has this revision."
)
@key_option
@api_options
@output_option
def delete(name: str, if_revision: int | None, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Delete a variable."""
    with Api.of(urls, timeout_s) as api:
        api.delete(_path(name), key=key, headers=_condition(if_revision))
    emit({"name": name, "deleted": True}, output)


def _path(name: str) -> str:
    from orchestrator.errors import VariableInvalid
    from orchestrator.variables import checked_name

    try:
        return f"/v1/variables/{urllib.parse.quote(checked_name(name), safe='')}"
    except VariableInvalid as error:
        raise Failure(error.code, error.message) from None


def _condition(if_revision: int | None) -> dict[str, str]:
    if if_revision is None:
        return {}
    return {"If-Match": f'"{if_revision}"'} if if_revision else {"If-None-Match": "*"}


def _parsed(value: str) -> object:
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise click.BadParameter(f"{value!r} is not JSON; text takes --string", param_hint="VALUE") from None


def _checked(value: object) -> object:
    """`value` itself: what a node would refuse may not even be possible to send."""
    from orchestrator.errors import VariableInvalid
    from orchestrator.variables import json_text

    try:
        json_text(value)
    except VariableInvalid as error:
        raise Failure(error.code, error.message) from None
    return value


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
