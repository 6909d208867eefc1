"""`triarch cluster status|transfer`."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, leave, note, output_option

COLUMNS = {
    "NODE": "id",
    "ROLE": "role",
    "READY": "ready",
    "API": "api",
    "RAFT": "raft",
    "REASON": "reason",
}
PROBE_S = 2.0


@click.group()
def cluster() -> None:
    """Who leads, who is ready; hand leadership over."""


@cluster.command(epilog="\b\nExamples:\n  triarch cluster status\n  triarch cluster status -o json | jq .leader")
@api_options
@output_option
def status(urls: str, timeout_s: float, output: str) -> None:
    """Show every member, as each of them answers for itself.

    Exits with 0 when all are ready, 8 when some are not, 6 when nobody leads.
    """
    with Api.of(urls, timeout_s) as api:
        seen = api.get("/v1/cluster")
    members = _probed(seen["members"])
    leader = next((member["id"] for member in members if member["role"] == "leader"), None)
    answer = {
        "leader": leader,
        "epoch": seen["epoch"],
        "term": seen["term"],
        "mode": seen["mode"],
        "healthy": leader is not None and all(member["ready"] for member in members),
        "answered_by": seen["node"],
        "members": members,
    }
    if output == "table":
        emit_rows(members, COLUMNS, output)
        note(f"leader {leader or 'none'}, epoch {seen['epoch'] or '-'}, mode {seen['mode']}, seen from {seen['node']}")
    else:
        emit(answer, output)
    if leader is None:
        leave(Exit.NO_LEADER)
    leave(Exit.OK if answer["healthy"] else Exit.DEGRADED)


@cluster.command(epilog="\b\nExamples:\n  triarch cluster transfer\n  triarch cluster transfer --to n2")
@click.option("--to", metavar="NODE", help="The member that shall lead. [default: the cluster chooses]")
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown. Together with --to it is done once.")
@api_options
@output_option
def transfer(to: str | None, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Hand leadership over, and wait until the new leader's claim is applied."""
    with Api.of(urls, timeout_s) as api:
        answer = api.post("/v1/cluster/transfer", {} if to is None else {"to": to}, key=key)
    emit(answer, output)


def _probed(members: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each member with what it says itself; a node that does not answer is shown as such, whatever others think."""
    if not members:
        return []
    with ThreadPoolExecutor(max_workers=len(members)) as pool:
        return list(pool.map(_probe, members))


def _probe(member: dict[str, Any]) -> dict[str, Any]:
    import httpx

    row = {"id": member["id"], "role": "unknown", "ready": False, "api": member["api"], "raft": member["raft"]}
    try:
        # No token goes there: the address comes from an answer, and /readyz is open.
        answer = httpx.get(member["api"].rstrip("/") + "/readyz", timeout=PROBE_S, trust_env=False)
        said = answer.json()
        if said["node"] != member["id"]:
            return {**row, "reason": f"{said['node']} answers at this address"}
        reason = "; ".join(str(item) for item in said.get("reasons", []))
        return {**row, "role": said["role"], "ready": answer.status_code == 200, "reason": reason}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return {**row, "reason": f"does not answer ({type(error).__name__})"}
