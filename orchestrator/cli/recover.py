"""`triarch cluster recover`: a cluster that has lost its majority for good goes on from one survivor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.output import Failure, emit, emit_rows, leave, note, output_option

if TYPE_CHECKING:
    from cluster import Survivor

MEMBER_COLUMNS = {"NODE": "id", "VOTER": "voter", "RAFT": "raft", "API": "api"}


@click.command(
    epilog="\b\nExamples:\n  triarch cluster recover --config n3.yaml          what its disk holds; changes nothing\n"
    "  triarch cluster recover --config n3.yaml --yes"
)
@click.option("--config", "path", type=click.Path(dir_okay=False, path_type=Path), required=True, help="YAML settings.")
@click.option("--yes", is_flag=True, help="Do it: this node is the only member from then on.")
@output_option
def recover(path: Path, yes: bool, output: str) -> None:
    """Make the stopped node of this configuration the only member, when the majority is lost for good.

    It may lose acknowledged changes. Without --yes it shows what the node's disk holds, says what may be lost, and
    exits with 2.
    """
    import cluster
    from orchestrator.config import load_config
    from orchestrator.errors import OrchestratorError

    try:
        settings = load_config(path, {}).cluster_settings()
        survivor = cluster.recover(settings) if yes else cluster.inspect(settings)
    except OrchestratorError as error:
        raise Failure(error.code, error.message) from None
    except cluster.ClusterError as error:
        raise Failure(error.code, str(error)) from None
    _show(survivor, output)
    others = [member.id for member in survivor.membership.members if member.id != survivor.node]
    if not yes:
        note(_warning(survivor, others))
        leave(Exit.USAGE)
    note(_done(survivor, others))


def _show(survivor: "Survivor", output: str) -> None:
    found: dict[str, Any] = {
        "node": survivor.node,
        "cluster": survivor.cluster,
        "term": survivor.term,
        "last_term": survivor.last_term,
        "last_index": survivor.last_index,
        "snapshot_index": survivor.snapshot_index,
    }
    members = [
        {"id": member.id, "voter": member.voter, "raft": member.address, "api": member.api}
        for member in survivor.membership.members
    ]
    if output == "table":
        emit(found, output)
        emit_rows(members, MEMBER_COLUMNS, output)
    else:
        emit({**found, "members": members}, output)


def _warning(survivor: "Survivor", others: list[str]) -> str:
    place = f"(last_term {survivor.last_term}, last_index {survivor.last_index})"
    return (
        f"The log of {survivor.node} ends at {place}. With --yes {survivor.node} becomes the only member.\n"
        f"What may be lost: every change that was acknowledged and has not reached {survivor.node}. "
        "Nothing on this disk says whether there are any.\n"
        "First run this command on every other disk that can still be read, and recover the node with the newest log: "
        "the greater last_term wins, at equal last_term the greater last_index.\n"
        + (
            f"{', '.join(others)} must never be started again with the data they had: they would be a second cluster "
            "that takes changes too. Wipe them, and add them under new ids.\n"
            if others
            else ""
        )
        + "If a majority can be started again, start it instead: then nothing is lost. Nothing was done."
    )


def _done(survivor: "Survivor", others: list[str]) -> str:
    gone = f" Never start {', '.join(others)} with their old data." if others else ""
    return (
        f"{survivor.node} is the only member now; above is what it held before. Start it (triarch node), then add the "
        f"others under new ids with empty data directories (triarch cluster add).{gone}"
    )
