"""Data on stdout as a table, JSON or YAML; messages and failures on stderr."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, TypeVar

import click

from orchestrator.cli.exits import Exit, exit_of

F = TypeVar("F", bound=Callable[..., Any])
Columns = Mapping[str, str]
"""Heading → member of a row; a dotted path leads into a member."""

TIMES = ("time", "until", "created", "expires", "rotated", "grace_until", "revoked")

output_option: Callable[[F], F] = click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json", "yaml"]),
    default="table",
    show_default=True,
    help="Form of the data on stdout.",
)


class Failure(click.ClickException):
    """A failed command: `code` decides the exit code; the message goes to stderr."""

    def __init__(self, code: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = int(exit_of(code, status))  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"{click.style('Error', fg='red')} [{self.code}]: {printable(self.message)}", err=True, file=file)


def note(message: str) -> None:
    """A message for people."""
    click.echo(printable(message), err=True)


def leave(code: Exit) -> None:
    """End the command with this exit code; `OK` lets it go on to its end."""
    if code is not Exit.OK:
        raise click.exceptions.Exit(int(code))


def emit(data: Any, output: str) -> None:
    """`data` as JSON or YAML; a table of one object's members for `table`."""
    match output:
        case "json":
            click.echo(json.dumps(data, indent=2, ensure_ascii=False))
        case "yaml":
            import yaml

            click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip("\n"))
        case _:
            rows = [{"field": name, "value": _shown(name, value)} for name, value in data.items()]
            _table(rows, {"FIELD": "field", "VALUE": "value"})


def emit_rows(rows: Sequence[Mapping[str, Any]], columns: Columns, output: str, *, empty: str = "") -> None:
    """`rows` as a table with `columns`, or in full as JSON or YAML. `empty` is said when a table would have no row."""
    if output != "table":
        emit(list(rows), output)
        return
    if not rows and empty:
        note(empty)
    _table(rows, columns)


def printable(text: str) -> str:
    """`text` without control characters: what a server says must not steer the terminal."""
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def utc(unix: float) -> str:
    """Unix seconds as people read them."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))


def _shown(name: str, value: Any) -> str:
    """A member for people. Times of the API are Unix seconds, and called so: `time`, `expires`, `fired_time`."""
    if isinstance(value, float) and (name in TIMES or name.endswith("_time")):
        return utc(value)
    return _short(value)


def _short(value: Any) -> str:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return _cell(value)


def _cell(value: Any) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
        case list() | tuple():
            return ",".join(_cell(item) for item in value)
        case _:
            return printable(str(value)).replace("\n", " ")


def _member(row: Mapping[str, Any], path: str) -> Any:
    found: Any = row
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _table(rows: Sequence[Mapping[str, Any]], columns: Columns) -> None:
    cells = [[_cell(_member(row, path)) for path in columns.values()] for row in rows]
    if sys.stdout.isatty():
        _rich_table(cells, list(columns))
    else:
        _plain_table(cells, list(columns))


def _plain_table(cells: list[list[str]], headings: list[str]) -> None:
    """Columns apart by at least two blanks: for `awk`, `grep` and logs."""
    widths = [max(len(line[column]) for line in [headings, *cells]) for column in range(len(headings))]
    for line in [headings, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _rich_table(cells: list[list[str]], headings: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console, table = Console(), Table(box=None, header_style="bold", pad_edge=False)
    # What a row is called stays in one piece, to be copied, where that leaves room for the others: those are folded.
    whole = max((len(line[0]) for line in cells), default=0) <= console.width // 2
    for at, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=whole and at == 0)
    for line in cells:
        table.add_row(*(Text(cell) for cell in line))  # Text: what a server says is not markup
    console.print(table)
