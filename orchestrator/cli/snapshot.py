"""`triarch cluster snapshot save|show|restore`."""

import os
import tempfile
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import Failure, emit, leave, note, output_option

_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(
    epilog="\b\nExamples:\n  triarch cluster snapshot save plant.snapshot\n"
    "  triarch cluster snapshot restore plant.snapshot --yes"
)
def snapshot() -> None:
    """The whole replicated state as a file, and back."""


@snapshot.command(
    epilog="\b\nExamples:\n  triarch cluster snapshot save plant.snapshot\n"
    "  triarch cluster snapshot save plant-$(date +%F).snapshot -o json"
)
@click.argument("file", type=_FILE)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@api_options
@output_option
def save(file: Path, force: bool, urls: str, timeout_s: float, output: str) -> None:
    """Save the state as the leader has it, checksummed, in FILE (readable by you alone).

    It holds components, processors and the ids of recent changes: not the frames, which are in Redis, and not who the
    members are.
    """
    if file.exists() and not force:
        raise Failure("conflict", f"{file} is there already; name another file, or --force")
    with Api.of(urls, timeout_s) as api:
        data, headers = api.download("/v1/cluster/snapshot")
    try:
        _put(file, data)
    except OSError as error:
        raise Failure("failed", f"{file}: cannot be written: {error.strerror}") from None
    index = int(headers.get("x-triarch-index", 0))
    facts = {"level": (found := _facts(file, data))["level"], "digest": found["digest"]}
    emit(
        {"file": str(file), "bytes": len(data), "index": index, "node": headers.get("x-triarch-node"), **facts}, output
    )


@snapshot.command(
    epilog="\b\nExamples:\n  triarch cluster snapshot show plant.snapshot\n"
    "  triarch cluster snapshot show plant.snapshot -o json | jq -r .digest"
)
@click.argument("file", type=_FILE)
@output_option
def show(file: Path, output: str) -> None:
    """Show what FILE holds, without asking a node: index, members, level, and the digest of the state.

    The digest is of what a restore brings back; the answer of a restore has the same one. Exits with 1 when FILE is
    damaged.
    """
    data = _read(file)
    emit({"file": str(file), "bytes": len(data), **_facts(file, data)}, output)


def _facts(file: Path, data: bytes) -> dict[str, Any]:
    import msgspec

    import cluster
    from orchestrator.backups.snapshot import facts_of
    from orchestrator.errors import SnapshotUnreadable

    try:
        found: dict[str, Any] = msgspec.to_builtins(facts_of(data))
    except (cluster.SnapshotUnreadable, SnapshotUnreadable) as error:
        raise Failure("snapshot_unreadable", f"{file}: {error}") from None
    return {**found, "members": ", ".join(found["members"])}


@snapshot.command(epilog="\b\nExamples:\n  triarch cluster snapshot restore plant.snapshot --yes")
@click.argument("file", type=_FILE)
@click.option("--yes", is_flag=True, help="Do it: the state of all members is replaced.")
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is done once.")
@api_options
@output_option
def restore(file: Path, yes: bool, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Replace the state of all members by that in FILE. Members and leadership stay as they are.

    Without --yes it only says what would be done, and exits with 2.
    """
    data = _read(file)
    if not yes:
        note(
            f"{file} ({len(data)} bytes) would replace the whole state on every member: whatever was registered or "
            "changed since it was saved is gone, and who registered since must do so again.\n"
            "Save the present state first (triarch cluster snapshot save FILE). Nothing was done; --yes does it."
        )
        leave(Exit.USAGE)
    with Api.of(urls, timeout_s) as api:
        emit(api.upload("/v1/cluster/restore", data, key=key), output)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        raise Failure("not_found", f"{file}: there is no such file") from None
    except OSError as error:
        raise Failure("failed", f"{file}: cannot be read: {error.strerror}") from None


def _put(file: Path, data: bytes) -> None:
    """Whole or not at all, and on the disk when this returns. `mkstemp` makes it private."""
    descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(name).replace(file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
