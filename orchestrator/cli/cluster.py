"""`triarch cluster status|members|transfer|add|remove`; `snapshot` and `recover` stand beside this module."""

import time
import urllib.parse
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, api_options, trust, trusted
from orchestrator.cli.output import Failure, emit, emit_rows, leave, note, output_option, utc
from orchestrator.cli.recover import recover
from orchestrator.cli.snapshot import snapshot

COLUMNS = {
    "NODE": "id",
    "ROLE": "role",
    "READY": "ready",
    "VOTER": "voter",
    "LAG": "lag",
    "RELEASE": "release",
    "API": "api",
    "RAFT": "raft",
    "REASON": "reason",
}
MEMBER_COLUMNS = {
    "NODE": "id",
    "ROLE": "role",
    "VOTER": "voter",
    "REACHABLE": "reachable",
    "LAG": "lag",
    "RELEASE": "release",
    "API": "api",
    "RAFT": "raft",
}
LED_COLUMNS = {"EPOCH": "epoch", "NODE": "node", "AT": "at", "GAP_S": "gap_s", "REASON": "reason"}
PROBE_S = 2.0
STEP_S = 5.0
"""How long one request of `add` waits; the next one goes on waiting."""


@click.group()
def cluster() -> None:
    """Who leads, who is ready; members, backups, recovery."""


cluster.add_command(snapshot)
cluster.add_command(recover)


@cluster.command(epilog="\b\nExamples:\n  triarch cluster status\n  triarch cluster status -o json | jq .leader")
@api_options
@output_option
def status(urls: str, timeout_s: float, output: str) -> None:
    """Show every member, as each of them answers for itself, and how far it is behind the leader (entries).

    Exits with 0 when all are ready, 8 when some are not, 6 when nobody leads.
    """
    with Api.of(urls, timeout_s) as api:
        seen = _seen(api)
    members = _probed(seen["members"])
    leader = next((member["id"] for member in members if member["role"] == "leader"), None)
    answer = {
        "leader": leader,
        "epoch": seen["epoch"],
        "term": seen["term"],
        "mode": seen["mode"],
        "commit_index": seen["commit_index"],
        "state_level": seen.get("state_level"),  # 0.1.0 does not say it
        "healthy": leader is not None and all(member["ready"] for member in members),
        "answered_by": seen["node"],
        "members": members,
    }
    if output == "table":
        emit_rows(members, COLUMNS, output)
        note(
            f"leader {leader or 'none'}, term {seen['term']}, epoch {seen['epoch'] or '-'}, mode {seen['mode']}, "
            f"seen from {seen['node']}"
        )
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


@cluster.command(
    epilog="\b\nExamples:\n  triarch cluster leaderships\n  triarch cluster leaderships -o json | jq '.[0].gap_s'"
)
@api_options
@output_option
def leaderships(urls: str, timeout_s: float, output: str) -> None:
    """Show who led since when, the newest first, and how long nobody did before."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/cluster/leaderships")
    if output == "table":
        rows = [{**row, "at": utc(row["at"])} for row in rows]
    emit_rows(rows, LED_COLUMNS, output, empty="no leadership is noted yet")


@cluster.command(
    "members", epilog="\b\nExamples:\n  triarch cluster members\n  triarch cluster members -o json | jq '.[].id'"
)
@api_options
@output_option
def members_(urls: str, timeout_s: float, output: str) -> None:
    """Show who belongs to the cluster, as the leader knows it."""
    with Api.of(urls, timeout_s) as api:
        rows = api.get("/v1/cluster/members")
    emit_rows(rows, MEMBER_COLUMNS, output)


@cluster.command(
    epilog="\b\nExamples:\n  triarch cluster add n4 --raft 10.0.0.4:7101 --api http://10.0.0.4:8101\n"
    "  triarch cluster add n4 --raft 10.0.0.4:7101 --api http://10.0.0.4:8101 --wait 300"
)
@click.argument("member_id", metavar="ID")
@click.option("--raft", required=True, metavar="HOST:PORT", help="Where the other nodes reach its Raft.")
@click.option("--api", "api_url", required=True, metavar="URL", help="Where nodes and clients reach its API.")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0, 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long it may take to catch up and vote.",
)
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is entered in the audit once.")
@api_options
@output_option
def add(
    member_id: str, raft: str, api_url: str, wait_s: float, key: str | None, urls: str, timeout_s: float, output: str
) -> None:
    """Add the node ID, and wait until it votes.

    Start that node with `cluster.join: true`, an empty data directory and an id that was never a member's. It gets the
    log first and counts for nothing until it has caught up; the command exits with 7 when that takes too long, and
    goes on waiting when it is given again.
    """
    ends = time.monotonic() + wait_s
    wanted = {"id": member_id, "raft": raft, "api": api_url}
    said = False
    with Api.of(urls, max(timeout_s, 2 * STEP_S)) as api:
        while True:
            # Under one key a request is the same to the letter, however often it is made.
            left = STEP_S if key is not None else min(STEP_S, max(0.1, ends - time.monotonic()))
            row = api.post(f"/v1/cluster/members?timeout={left:.1f}", wanted, key=key)
            if row["voter"]:
                break
            if time.monotonic() >= ends:
                emit(row, output)
                reason = "connected" if row["reachable"] else "not connected: does it run, with cluster.join: true?"
                raise Failure("outcome_unknown", f"{member_id} is added and does not vote yet ({reason})")
            if not said:
                note(f"{member_id} is added; waiting until it has caught up and votes")
                said = True
    emit(row, output)


@cluster.command(epilog="\b\nExamples:\n  triarch cluster remove n2")
@click.argument("member_id", metavar="ID")
@click.option("--key", help="Repeat an earlier attempt whose outcome is unknown: it is done once.")
@api_options
@output_option
def remove(member_id: str, key: str | None, urls: str, timeout_s: float, output: str) -> None:
    """Remove the member ID, and wait until that is committed. Its id is never given again.

    Remove a member whose disk is lost, before another one is added in its place. The leader hands over first:
    `triarch cluster transfer`.
    """
    with Api.of(urls, timeout_s) as api:
        api.delete(f"/v1/cluster/members/{urllib.parse.quote(member_id, safe='')}", key=key)
    if output != "table":
        emit({"id": member_id, "removed": True}, output)
    note(f"{member_id} is removed; end its process if it still runs, and never start it on its data again")


def _seen(api: Api) -> Any:
    """The leader's view, which knows how far everyone is; without a leader that of the node that answers."""
    try:
        return api.get("/v1/cluster", consistency="leader")
    except Failure as error:
        if error.code not in ("no_leader", "no_node", "read_timed_out", "outcome_unknown"):
            raise
    return api.get("/v1/cluster")


def _probed(members: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each member with what it says itself; a node that does not answer is shown as such, whatever others think."""
    if not members:
        return []
    given = trusted()  # now: the threads know nothing of this command's options
    with ThreadPoolExecutor(max_workers=len(members)) as pool:
        return list(pool.map(lambda member: _probe(member, given), members))


def _probe(member: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    import httpx

    row: dict[str, Any] = {"id": member["id"], "role": "unknown", "ready": False}
    row |= {name: member.get(name) for name in ("voter", "lag", "release", "api", "raft")}
    try:
        # No token goes there: the address comes from an answer, and /readyz is open.
        url = member["api"].rstrip("/") + "/readyz"
        answer = httpx.get(url, timeout=PROBE_S, trust_env=False, verify=trust(url, given))
        said = answer.json()
        if said["node"] != member["id"]:
            return {**row, "reason": f"{said['node']} answers at this address"}
        reasons = [str(item) for item in said.get("reasons", [])]
        refusals = {str(who): str(why) for who, why in said.get("refusals", {}).items()}
        reasons += [
            line for who, why in sorted(refusals.items()) if (line := f"{who} refuses this node: {why}") not in reasons
        ]
        role = said["role"] if row["voter"] is not False else "learner"
        reason = "; ".join(reasons)
        return {**row, "role": role, "ready": answer.status_code == 200, "reason": reason, "refusals": refusals}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        return {**row, "reason": f"does not answer ({type(error).__name__})"}
