"""`triarch component metrics`."""

import time
import urllib.parse
from typing import Any

import click

from orchestrator.cli.durations import Duration
from orchestrator.cli.http import Api, api_options
from orchestrator.cli.output import emit, emit_rows, note, output_option

COLUMNS = {"METRIC": "name", "LATEST": "latest", "AT": "at", "SINCE": "kept_since", "ENTRIES": "entries"}
POINT_COLUMNS = {"METRIC": "name", "AT": "at", "MEAN": "mean", "LEAST": "least", "GREATEST": "greatest"}


@click.command(
    epilog="\b\nExamples:\n  triarch component metrics press-1\n"
    "  triarch component metrics press-1 --name cpu --last 10m\n"
    "  triarch component metrics press-1 --name memory --above 4e9 -o json | jq .metrics[0].trend"
)
@click.argument("component_id", metavar="ID")
@click.option("--name", "names", multiple=True, help="This metric with its points and its trend; may be repeated.")
@click.option("--last", "last_s", type=Duration(), default="1h", show_default=True, metavar="DURATION")
@click.option("--step", "step_s", type=Duration(), default="0s", metavar="DURATION", help="A point for each so long.")
@click.option("--above", type=float, help="Forecast when it rises above this.")
@click.option("--below", type=float, help="Forecast when it falls below this.")
@api_options
@output_option
def metrics(
    component_id: str,
    names: tuple[str, ...],
    last_s: float,
    step_s: float,
    above: float | None,
    below: float | None,
    urls: str,
    timeout_s: float,
    output: str,
) -> None:
    """Show what is kept of a component's metrics: cpu, memory and its own, for at most 24 h.

    The leader keeps them in memory: after a takeover the history begins anew.
    """
    if above is not None and below is not None:
        raise click.UsageError("--above and --below cannot go together")
    params: dict[str, str | list[str]] = {"since": str(time.time() - last_s), "step": str(step_s)}
    params |= {name: str(value) for name, value in (("above", above), ("below", below)) if value is not None}
    if names:
        params["name"] = list(names)
    with Api.of(urls, timeout_s) as api:
        found = api.get(f"/v1/components/{urllib.parse.quote(component_id, safe='')}/metrics", **params)
    if output != "table":
        emit(found, output)
        return
    note(f"history since {_time(found['history_since'])} on {found['node']}")
    if not names:
        rows = [{**row, "at": _time(row["latest_time"]), "kept_since": _time(row["since"])} for row in found["metrics"]]
        emit_rows(rows, COLUMNS, output, empty="nothing was heard of it yet")
        return
    points = [
        {**point, "name": row["name"], "at": _time(point["time"])}
        for row in found["metrics"]
        for point in row["points"]
    ]
    emit_rows(points, POINT_COLUMNS, output, empty="nothing was heard in that time")
    for row in found["metrics"]:
        note(f"{row['name']}: {_trend(row['trend'])}")


def _trend(trend: dict[str, Any]) -> str:
    if trend["slope_per_s"] is None:
        return "too few points for a trend"
    sure = "" if trend["slope_certain"] else " (not told from noise)"
    text = f"slope {trend['slope_per_s']:.3g}/s{sure}, smoothed {trend['ewma']:.6g}"
    ahead = trend["forecast"]
    if ahead is None:
        return text
    when = f" in {ahead['in_s']:.0f} s" if ahead["in_s"] is not None else ""
    return f"{text}; threshold: {ahead['outlook'].replace('_', ' ')}{when}"


def _time(unix: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(unix))
