"""The history of a component's metrics, and the trends in it: what the leader keeps in its memory."""

import time
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from orchestrator.api.asking import Ask, Read
from orchestrator.api.components import ComponentId
from orchestrator.api.documented import READ, problems
from orchestrator.api.problems import Problem
from orchestrator.monitoring.history import RETENTION_S, History, Point, Series
from orchestrator.monitoring.trends import Outlook, ewma, forecast, slope

router = APIRouter(prefix="/v1/components", tags=["components"])

LOOK_BACK_S = 3600.0
MetricName = Annotated[str, Field(max_length=64)]


class MetricPoint(BaseModel):
    """What was heard in `step_s` seconds from `time` on."""

    time: float = Field(description="Unix seconds by the leader's clock.")
    mean: float
    least: float
    greatest: float


class MetricForecast(BaseModel):
    """When a threshold will be reached, in seconds from the newest sample; `outlook` says why there is no time."""

    outlook: Outlook
    in_s: float | None
    earliest_s: float | None
    latest_s: float | None


class MetricTrend(BaseModel):
    """Of the points in the answer. `slope_certain`: noise does not explain the slope."""

    slope_per_s: float | None
    slope_error_per_s: float | None = Field(description="Standard error; null with less than three points.")
    slope_certain: bool
    ewma: float | None
    half_life_s: float
    forecast: MetricForecast | None = Field(description="With `above` or `below`.")


class MetricHistory(BaseModel):
    """One metric. `points` and `trend` only where it was asked for by name."""

    name: str
    since: float = Field(description="Unix seconds: its first sample in this leader's history.")
    latest: float
    latest_time: float
    entries: int = Field(description="Slots kept of it, in all steps.")
    step_s: float | None = None
    points: list[MetricPoint] | None = None
    trend: MetricTrend | None = None


class ComponentMetrics(BaseModel):
    """Histories since `history_since`: the leader keeps them in memory, and one that takes over begins anew."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "component": "press-1",
                "history_since": 1767225600.0,
                "node": "n1",
                "metrics": [
                    {"name": "cpu", "since": 1767225601.0, "latest": 0.2, "latest_time": 1767229200.0, "entries": 720}
                ],
            }
        }
    )

    component: str
    history_since: float = Field(description="Unix seconds: from when on the node that leads could keep a history.")
    node: str = Field(description="The node that leads, whose history this is.")
    metrics: list[MetricHistory]


@router.get(
    "/{component_id}/metrics",
    summary="Histories of a component's metrics",
    responses=problems("component_unknown", "metric_unknown", *READ),
)
async def metrics(
    ask: Ask,
    read: Read,
    component_id: ComponentId,
    name: Annotated[list[MetricName] | None, Query(max_length=20, description="With its points and its trend.")] = None,
    since: Annotated[
        float | None, Query(allow_inf_nan=False, description="Unix seconds; an hour ago if it is not given.")
    ] = None,
    step: Annotated[
        float, Query(ge=0, le=RETENTION_S, allow_inf_nan=False, description="Seconds that a point stands for at least.")
    ] = 0.0,
    above: Annotated[float | None, Query(allow_inf_nan=False, description="Forecast when it rises above this.")] = None,
    below: Annotated[float | None, Query(allow_inf_nan=False, description="Forecast when it falls below this.")] = None,
    half_life: Annotated[float, Query(gt=0, le=RETENTION_S, allow_inf_nan=False, description="Of the EWMA.")] = 60.0,
) -> ComponentMetrics:
    """Without `name`: which metrics there are, and their newest values. At most 1,440 points a metric."""
    if above is not None and below is not None:
        fault = {"location": "query.above", "message": "not together with below", "type": "threshold"}
        raise Problem("invalid_request", "query.above: not together with below", errors=[fault])
    if await read.row(lambda plant: plant.components.get(component_id)) is None:
        raise Problem("component_unknown", f"component {component_id} is not registered")
    history = (await ask.duties()).alerts.history
    now, wall = time.monotonic(), time.time()
    shift = wall - now
    from_ = (wall - LOOK_BACK_S if since is None else since) - shift
    found: list[MetricHistory] = []
    for each in history.names(component_id) if name is None else dict.fromkeys(name):
        series = history.series(component_id, each)
        if series is None:
            raise _unknown(history, component_id, each)
        row = MetricHistory(
            name=each,
            since=series.began + shift,
            latest=series.latest[1],
            latest_time=series.latest[0] + shift,
            entries=series.entries,
        )
        if name is not None:
            row = row.model_copy(update=_in_full(series, from_, step, shift, (above, below), half_life))
        found.append(row)
    return ComponentMetrics(
        component=component_id, history_since=history.began + shift, node=ask.node.config.node.id, metrics=found
    )


def _in_full(
    series: Series,
    since: float,
    step: float,
    shift: float,
    threshold: tuple[float | None, float | None],
    half_life: float,
) -> dict[str, object]:
    step_s, points = series.points(since, step)
    shown = [
        MetricPoint(time=point.time + shift, mean=point.mean, least=point.least, greatest=point.greatest)
        for point in points
    ]
    return {"step_s": step_s, "points": shown, "trend": _trend(points, step_s, threshold, half_life)}


def _trend(
    points: list[Point], step_s: float, threshold: tuple[float | None, float | None], half_life: float
) -> MetricTrend:
    samples = [(point.time + step_s / 2, point.mean) for point in points]
    line = slope(samples)
    above, below = threshold
    ahead = None
    if above is not None or below is not None:
        ahead = MetricForecast(**forecast(samples, above=above, below=below)._asdict())
    return MetricTrend(
        slope_per_s=None if line is None else line.per_s,
        slope_error_per_s=None if line is None or line.points < 3 else line.error,
        slope_certain=line is not None and line.certain,
        ewma=ewma(samples, half_life),
        half_life_s=half_life,
        forecast=ahead,
    )


def _unknown(history: History, component_id: str, name: str) -> Problem:
    known = ", ".join(history.names(component_id)) or "none yet"
    return Problem("metric_unknown", f"component {component_id} has no metric {name}; known: {known}")
