"""`triarch audit list|show|export|verify`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import Failure, emit, emit_rows, leave, note, output_option

if TYPE_CHECKING:
    from orchestrator.audit.verifying import Line

COLUMNS = {"NUMBER": "number", "TIME": "time", "WHO": "who", "FROM": "actor.address", "KIND": "kind", "ID": "id",
           "OUTCOME": "outcome"}  # fmt: skip
PAGE = 500
LINES_AT_ONCE = 20_000
LINE_BYTES_MAX = 1 << 20
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Who changed what, when and from where: a chain of entries that can be verified."""


@audit.command(
    "list",
    epilog="\b\nExamples:\n  triarch audit list\n  triarch audit list --actor Ada --since 2026-05-04\n"
    "  triarch audit list --kind 'variable.*' --id speed -o json",
)
@click.option("--actor", metavar="ID|NAME", help="By this one alone.")
@click.option("--kind", metavar="KIND", help="`variable.*`: all that begin so.")
@click.option("--subject", help="components, variables, executions, tokens, cluster, …")
@click.option("--id", "row", metavar="ID", help="Of what was changed.")
@click.option("--since", metavar="TIME", help="UTC, such as 2026-05-04 or 2026-05-04T06:30:00Z.")
@click.option("--until", metavar="TIME")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@api_options
@output_option
def list_(limit: int, urls: str, timeout_s: float, output: str, row: str | None, **filters: str | None) -> None:
    """The newest changes. The cluster keeps 1,000 at hand; `audit export` has what is older."""
    wanted = {name: value for name, value in {**filters, "id": row}.items() if value is not None}
    found: list[dict[str, Any]] = []
    cursor = ""
    with Api.of(urls, timeout_s) as api:
        while len(found) < limit and cursor is not None:
            asked = {**wanted, "limit": str(min(PAGE, limit - len(found))), **({"cursor": cursor} if cursor else {})}
            page = api.get("/v1/audit", **asked)
            found += page["entries"]
            cursor = page["cursor"]
    if output == "table":
        found = [{**each, "who": each["actor"].get("name") or each["actor"].get("id")} for each in found]
    emit_rows(found, COLUMNS, output, empty="no change that fits is entered")


@audit.command(epilog="\b\nExamples:\n  triarch audit show 42\n  triarch audit show 42 -o json | jq .before")
@click.argument("number", type=click.IntRange(min=1))
@api_options
@output_option
def show(number: int, urls: str, timeout_s: float, output: str) -> None:
    """One entry, with what was there before and after."""
    import msgspec

    with Api.of(urls, timeout_s) as api:
        data, _ = api.download(f"/v1/audit/export?after={number - 1}&limit=1")
    for line in data.splitlines():
        entry = msgspec.json.decode(line)
        if entry.get("number") == number:
            emit(entry, output)
            return
    raise Failure("audit_unknown", f"there is no entry {number}, or the node that answered does not keep it any more")


@audit.command(
    epilog="\b\nExamples:\n  triarch audit export audit.jsonl\n  triarch audit export - --after 4000 | jq .kind"
)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--after", type=click.IntRange(min=0), default=0, metavar="NUMBER", help="Only entries behind this one.")
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@api_options
@output_option
def export(file: Path, after: int, force: bool, urls: str, timeout_s: float, output: str) -> None:
    """Write all entries that a node keeps to FILE as JSON lines, the oldest first; - is stdout."""
    with Api.of(urls, timeout_s) as api:
        if str(file) == "-":
            for _, text in _of_cluster(api, after):
                click.echo(text)
            return
        if file.exists() and not force:
            raise Failure("conflict", f"{file} is there already; name another file, or --force")
        count, last = _written(file, _of_cluster(api, after))
    emit({"file": str(file), "lines": count, "last": last}, output)


@audit.command(
    epilog="\b\nExamples:\n  triarch audit verify                          the chain as the cluster has it\n"
    "  triarch audit verify audit.jsonl              exported files, or a node's own, without a cluster\n"
    "  triarch audit verify audit.jsonl --against-cluster\n"
    "  triarch audit verify --head 4000:41d0…        and that it goes through a head that was noted before"
)
@click.argument("files", nargs=-1, type=_FILE)
@click.option("--head", "heads", multiple=True, metavar="NUMBER:HASH", help="A head that is known from elsewhere.")
@click.option("--against-cluster", is_flag=True, help="FILEs must be what the cluster has, and reach as far.")
@api_options
@output_option
def verify(
    files: tuple[Path, ...], heads: tuple[str, ...], against_cluster: bool, urls: str, timeout_s: float, output: str
) -> None:
    """Recompute the chain, and name the first entry that does not fit.

    Exits with 0 when all fits, with 1 when an entry does not, and with 8 when all fits but entries are missing that a
    node never had.
    """
    from orchestrator.audit.verifying import Misfit

    known = dict(_head(text) for text in heads)
    try:
        report = _verified(files, known, against_cluster or not files, urls, timeout_s)
    except Misfit as error:
        emit({"ok": False, "place": error.place, "number": error.number, "reason": error.reason}, output)
        raise Failure("audit_broken", f"{error}") from None
    emit(report, output)
    if report["gaps"]:
        note("entries are missing that the node which wrote this never had; another node's file may have them")
        leave(Exit.DEGRADED)


def _verified(
    files: tuple[Path, ...], known: dict[int, str], cluster: bool, urls: str, timeout_s: float
) -> dict[str, Any]:
    from orchestrator.audit.verifying import complete_up_to, verify

    newest = max(known, default=0)
    heads, parts = sorted(known), []
    for file in sorted(files, key=_begins):
        parts.append(verify(_of_file(file), known))
        known.update(parts[-1].hashes)
    if files:
        complete_up_to(max(parts, key=lambda part: part.last), newest, str(files[-1]))
    first = min((part.first for part in parts if part.entries), default=0)
    if cluster:
        with Api.of(urls, timeout_s) as api:
            head = api.get("/v1/audit/head")
            if head["number"]:
                known.setdefault(head["number"], head["hash"])
            parts.append(verify(_of_cluster(api, max(0, first - 1)), known))
            complete_up_to(parts[-1], max(head["number"], newest), "the cluster")
    end = max(parts, key=lambda part: part.last)
    if files and not any(part.entries for part in parts):
        raise Failure("audit_broken", f"{', '.join(map(str, files))}: no entry stands there, so nothing is proved")
    first = min((part.first for part in parts if part.entries), default=0)
    return {
        "ok": True,
        "entries": len(set().union(*(part.hashes for part in parts))),
        "first": first,
        "last": end.last,
        "hash": end.hash,
        "gaps": [{"after": after, "next": following} for part in parts for after, following in part.gaps],
        "heads_not_reached": [number for number in heads if number < first],
    }


def _head(text: str) -> tuple[int, str]:
    number, _, value = text.partition(":")
    if not (number.isascii() and number.isdecimal() and len(value) == 64 and set(value) <= set("0123456789abcdef")):
        raise click.BadParameter(f"{text!r} is not NUMBER:HASH with a hash of 64 hex digits", param_hint="--head")
    return int(number), value


def _begins(file: Path) -> tuple[int, str]:
    """Where a file begins, so that the segments of one node are taken in their order."""
    import msgspec

    with file.open("rb") as lines:
        try:
            first = msgspec.json.decode(lines.readline(LINE_BYTES_MAX))
            return int(first.get("number", 0)), str(file)
        except (msgspec.MsgspecError, ValueError, AttributeError, TypeError, RecursionError):
            return 0, str(file)


def _of_file(file: Path) -> "Iterator[Line]":
    try:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(LINE_BYTES_MAX):
                number += 1
                yield f"{file}:{number}", line.removesuffix(b"\n")
    except OSError as error:
        raise Failure("failed", f"{file}: cannot be read: {error.strerror}") from None


def _of_cluster(api: Api, after: int) -> "Iterator[Line]":
    import msgspec

    while True:
        data, headers = api.download(f"/v1/audit/export?after={after}&limit={LINES_AT_ONCE}")
        found = data.splitlines()
        for text in found:
            yield f"{headers.get('x-triarch-node', 'the cluster')}: behind entry {after}", text
            try:
                line = msgspec.json.decode(text)
                after = line["number"] if "number" in line else line["gap"]["next"] - 1
            except (msgspec.MsgspecError, LookupError, TypeError, RecursionError):
                return  # whoever verifies it has said so; an export has it
        if len(found) < LINES_AT_ONCE:
            return


def _written(file: Path, lines: "Iterator[Line]") -> tuple[int, str]:
    """Whole or not at all; readable by its owner alone."""
    import tempfile

    count, last = 0, b""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    except OSError as error:
        raise Failure("failed", f"{file}: cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "wb") as out:
            for _, text in lines:
                out.write(text + b"\n")
                count, last = count + 1, text
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except OSError as error:
        Path(name).unlink(missing_ok=True)
        raise Failure("failed", f"{file}: cannot be written: {error.strerror}") from None
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return count, _head_of(last)


def _head_of(text: bytes) -> str:
    import msgspec

    if not text:
        return ""
    line = msgspec.json.decode(text)
    return f"{line['number']}:{line['hash']}" if "hash" in line else ""
