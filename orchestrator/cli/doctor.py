"""`triarch doctor`."""

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.exits import Exit
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import Failure, emit, emit_rows, leave, note, output_option

if TYPE_CHECKING:
    from orchestrator.clock_offset import ClockOffset
    from orchestrator.doctor.finding import Finding
    from orchestrator.doctor.plant import NodeSaid, PlantSaid

COLUMNS = {"VERDICT": "verdict", "CHECK": "check", "SUBJECT": "subject", "FOUND": "found", "WHAT TO DO": "advice"}
PROBE_S = 3.0
ROUND_TRIPS = 3


@click.command(
    epilog="\b\nExamples:\n  triarch doctor\n  triarch doctor -o json | jq '.[] | select(.verdict != \"ok\")'\n"
    "  triarch doctor --config /etc/triarch/node.yaml"
)
@click.option(
    "--config",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Examine this host for a node with these settings instead, before it runs and after: disk, limits, clocks, "
    "ports, units, the other nodes, Redis.",
)
@click.option("--all", "everything", is_flag=True, help="Show in the table what is well, too.")
@api_options
@output_option
def doctor(path: Path | None, everything: bool, urls: str, timeout_s: float, output: str) -> None:
    """Look for what is wrong with a plant, or with a host before a node runs there and after, and say what to do.

    Exits with 0 when all is well, 8 when something may become trouble, 1 when something is wrong.
    """
    from orchestrator.doctor.finding import Verdict, worst

    findings = _host(path) if path is not None else _plant(urls, timeout_s)
    rows = [finding.shown() for finding in findings]
    verdict = worst(findings)
    if output == "table":
        shown = rows if everything else [row for row in rows if row["verdict"] != Verdict.OK]
        if shown:
            emit_rows(shown, COLUMNS, output)
        well = sum(row["verdict"] == Verdict.OK for row in rows)
        note(f"{len(rows)} checks: {well} well, {len(rows) - well} not")
    else:
        emit(rows, output)
    leave({Verdict.OK: Exit.OK, Verdict.WARN: Exit.DEGRADED, Verdict.FAIL: Exit.FAILED}[verdict])


def _host(path: Path) -> "list[Finding]":
    from orchestrator.config import load_config
    from orchestrator.doctor.host import examine
    from orchestrator.errors import OrchestratorError

    try:
        config = load_config(path, {})
    except OrchestratorError as error:
        raise Failure(error.code, error.message) from None
    return examine(config)


def _plant(urls: str, timeout_s: float) -> "list[Finding]":
    from orchestrator.doctor.plant import judge

    with Api.of(urls, timeout_s) as api:
        return judge(asked_plant(api))


def asked_plant(api: Api) -> "PlantSaid":
    """What a plant says of itself; Failure when no node answers."""
    from orchestrator.doctor.plant import PlantSaid

    members = api.get("/v1/cluster")["members"]
    with ThreadPoolExecutor(max_workers=max(1, len(members))) as pool:
        nodes = list(pool.map(lambda member: _node(api, member), members))
    problems: dict[str, str] = {}

    def asked(path: str) -> Any:
        try:
            return api.get(path)
        except Failure as error:
            problems[path] = f"{error.code}: {error.message}"
            return None

    return PlantSaid(
        nodes=nodes,
        ledger=asked("/v1/frames/ledger"),
        lag=asked("/v1/frames/lag"),
        processors=asked("/v1/processors"),
        components=asked("/v1/components"),
        alerts=asked("/v1/alerts"),
        problems=problems,
    )


def _node(api: Api, member: Mapping[str, Any]) -> "NodeSaid":
    """What a member says for itself: of the node, not of whoever passes a request on."""
    from orchestrator.clock_offset import best
    from orchestrator.doctor.plant import NodeSaid

    base = str(member["api"]).rstrip("/")
    try:
        status, ready, _, _ = api.probe(base, "/readyz", PROBE_S)
        _, seen, _, _ = api.probe(base, "/v1/cluster", PROBE_S)
        clock = best(filter(None, (_clock(api, base) for _ in range(ROUND_TRIPS))))
        figures = _figures(api, base)
    except Failure as error:
        return NodeSaid(id=member["id"], api=base, error=error.message)
    view = seen if seen.get("node") == member["id"] else None
    said = "" if view else f"{seen.get('node', 'something else')} answers at this address"
    return NodeSaid(
        id=member["id"],
        api=base,
        cluster=view,
        ready=(status, ready) if ready.get("node") == member["id"] else None,
        clock=clock,
        figures=figures if view else {},
        error=said,
    )


def _clock(api: Api, base: str) -> "ClockOffset | None":
    """By one round trip. A node of an older release says its time in a header only, in whole seconds."""
    from orchestrator.clock_offset import of_round_trip

    sent = time.time()
    _, alive, headers, took = api.probe(base, "/healthz", PROBE_S)
    if alive.get("time"):
        return of_round_trip(sent, float(alive["time"]), took)
    try:
        return of_round_trip(sent, parsedate_to_datetime(headers.get("date", "")).timestamp(), took, resolution_s=1.0)
    except (TypeError, ValueError):
        return None


def _figures(api: Api, base: str) -> dict[str, float]:
    """Gauges of a node; none where it does not show them to this token."""
    from prometheus_client.parser import text_string_to_metric_families

    from orchestrator.doctor.figures import WANTED

    status, body = api.fetch(base, "/metrics", PROBE_S)
    if status != HTTPStatus.OK:
        return {}
    try:
        families = list(text_string_to_metric_families(body.decode()))
    except ValueError:  # UnicodeDecodeError too
        return {}
    return {one.name: one.value for family in families if family.name in WANTED for one in family.samples}
