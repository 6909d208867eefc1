"""`triarch backup make|verify|place|restore`."""

import asyncio
import shutil
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import Failure, emit, leave, note, output_option

if TYPE_CHECKING:
    from orchestrator.backups.manifest import Manifest
    from orchestrator.config import NodeConfig

T = TypeVar("T")

_DIR = click.Path(file_okay=False, path_type=Path)
READY_S = 60.0
"""How long the nodes may take to be ready after their state was replaced."""
PAUSE_S = 0.2

config_option = click.option(
    "--config", "path", type=click.Path(dir_okay=False, path_type=Path), default=Path("/etc/triarch/node.yaml"),
    show_default=True, help="A node's settings: its cluster, and where Redis is.",
)  # fmt: skip


@click.group()
def backup() -> None:
    """The replicated state and the frames' data in one directory: made, proven, brought back."""


@backup.command(epilog="\b\nExamples:\n  triarch backup make /var/backups/triarch/2027-01-31")
@click.argument("directory", type=_DIR)
@config_option
@api_options
@output_option
def make(directory: Path, path: Path, urls: str, timeout_s: float, output: str) -> None:
    """Back the plant up into DIRECTORY, which must not exist: the leader's state, and the data of the Redis primary.

    The plant goes on meanwhile. What was saved is loaded before this returns, by a server of its own; its ledger, the
    state's digest and a SHA-256 of each file stand in DIRECTORY/manifest.json. Nobody else may read the files.
    """
    from orchestrator.backups import proving

    config = _config(path)
    try:
        directory.mkdir(mode=0o700)
    except FileExistsError:
        raise Failure("conflict", f"{directory} is there already; name another directory") from None
    except OSError as error:
        raise Failure("failed", f"{directory}: cannot be made: {error.strerror}") from None
    began = time.monotonic()
    try:
        with Api.of(urls, timeout_s) as api:
            data, _ = api.download("/v1/cluster/snapshot")
        made = _run(proving.seal(directory, config, data, began))
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)  # what is not proven is no backup
        raise
    _show(directory, made, output)


@backup.command(
    epilog="\b\nExamples:\n  triarch backup verify /var/backups/triarch/2027-01-31\n"
    "  triarch backup verify DIR --cluster line-4 -o json | jq .state.digest"
)
@click.argument("directory", type=_DIR)
@click.option("--cluster", "name", help="It must be of this cluster.")
@click.option("--adopt", is_flag=True, help="Take one of another cluster, too.")
@click.option("--quick", is_flag=True, help="Do not load the frames' data: checksums and the state only.")
@output_option
def verify(directory: Path, name: str | None, adopt: bool, quick: bool, output: str) -> None:
    """Prove that the backup in DIRECTORY can be brought back by this release. Changes nothing.

    Checksums, the state's digest, and the ledger as a server finds it that has loaded the frames' data. Exits with 1
    when it is damaged, 4 when it is no backup, of another cluster or of a newer release.
    """
    from orchestrator.backups import proving

    _show(directory, _run(proving.prove(directory, cluster_name=name, adopt=adopt, quick=quick)), output)


@backup.command(epilog="\b\nExamples:\n  triarch backup place DIR /var/lib/triarch/redis")
@click.argument("directory", type=_DIR)
@click.argument("target", type=click.Path(file_okay=False, exists=True, path_type=Path))
def place(directory: Path, target: Path) -> None:
    """Lay the frames' data of a backup down in TARGET, the data directory of a Redis server that is stopped and empty.

    The server finds them at its next start. Exits with 4 when TARGET holds data.
    """
    from orchestrator.backups import frames_data, proving
    from orchestrator.backups.manifest import FRAMES
    from orchestrator.errors import OrchestratorError

    try:
        proving.read_manifest(directory)
        frames_data.lay_down(directory / FRAMES, target)
    except OrchestratorError as error:
        raise Failure(error.code, error.message) from None
    except OSError as error:
        raise Failure("failed", f"{error.filename}: {error.strerror}") from None
    note(f"{target} holds the frames' data of {directory}; start the server.")


@backup.command(epilog="\b\nExamples:\n  triarch backup restore DIR --yes")
@click.argument("directory", type=_DIR)
@click.option("--yes", is_flag=True, help="Do it: the state of all members is replaced.")
@click.option("--adopt", is_flag=True, help="Take one of another cluster, too.")
@config_option
@api_options
@output_option
def restore(directory: Path, yes: bool, adopt: bool, path: Path, urls: str, timeout_s: float, output: str) -> None:
    """Bring the state back into a new cluster whose Redis has the backup's data already (`triarch backup place`).

    The record of the old cluster's leader is removed from Redis first: no node of that cluster may run any more. Ends
    with the proof: the ledger that is in force and the state's digest are the backup's, else it exits with 1.
    """
    from orchestrator.backups import proving

    config = _config(path)
    made = _run(proving.prove(directory, cluster_name=config.cluster.name, adopt=adopt, quick=True))
    if not yes:
        note(
            f"{directory} would replace the whole state of {config.cluster.name} on every member, and Redis would obey "
            "its leader instead of the one in the backup. Nothing was done; --yes does it."
        )
        leave(Exit.USAGE)
    from orchestrator.backups.bringing_back import forget_leader, unequal
    from orchestrator.backups.manifest import STATE

    _run(forget_leader(config))
    with Api.of(urls, timeout_s) as api:
        answer = api.upload("/v1/cluster/restore", (directory / STATE).read_bytes())
        ledger = _when_ready(api)
    differences = unequal(made, digest=answer["digest"], ledger=ledger)
    if differences:
        raise Failure("backup_unequal", f"brought back, but: {'; '.join(differences)}")
    emit(
        {
            "directory": str(directory),
            "cluster": config.cluster.name,
            "index": answer["index"],
            "digest": answer["digest"],
            "digest_equal": True,
            "ledger_equal": True,
            **{name: ledger[name] for name in made.frames.totals},
        },
        output,
    )


def _when_ready(api: Api) -> Any:
    """The ledger, once the leader has taken Redis up again."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            return api.get("/v1/frames/ledger")
        except Failure:
            if time.monotonic() > deadline:
                raise
        time.sleep(PAUSE_S)


def _config(path: Path) -> "NodeConfig":
    from orchestrator.config import load_config
    from orchestrator.errors import OrchestratorError

    try:
        return load_config(path, {})
    except OrchestratorError as error:
        raise Failure(error.code, error.message) from None


def _run(work: Coroutine[Any, Any, T]) -> T:
    import redis.exceptions as redis_errors

    from framebuffer.errors import FrameBufferError
    from orchestrator.errors import OrchestratorError

    try:
        return asyncio.run(work)
    except OrchestratorError as error:
        raise Failure(error.code, error.message) from None
    except FrameBufferError as error:
        raise Failure(error.code, str(error)) from None
    except redis_errors.RedisError as error:
        raise Failure("redis_unavailable", str(error)) from None
    except OSError as error:
        raise Failure("failed", f"{error.filename or 'the backup'}: {error.strerror or error}") from None


def _show(directory: Path, made: "Manifest", output: str) -> None:
    from orchestrator.backups.proving import shown

    for problem in made.frames.problems:
        note(f"the ledger was not in order when this backup was made: {problem}")
    found = shown(made)
    if output != "table":
        emit({"directory": str(directory), **found}, output)
        return
    emit(
        {
            "directory": str(directory),
            "cluster": made.cluster,
            "version": made.version,
            "index": made.state.index,
            "level": made.state.level,
            "digest": made.state.digest,
            **made.frames.totals,
            "bytes": sum(file.bytes for file in made.files.values()),
        },
        output,
    )
