"""Shapes of answers: components. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec

from orchestrator.client.shapes.several import Maintenance


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """Who has seen the fault that a component is in now, and when (unix seconds)."""

    by: str
    note: str
    time: float


class CommandAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What a component answers to a command. `completed` is false when the work goes on after the answer
    (`state` is then a passage such as INITIALIZING). `code` is empty for success, else `command_refused`,
    `command_failed` or `command_interrupted` (begun before the process was started again, and not known to be
    finished), with the reason in `message`. `result` is what a command of the component's own gave. Members
    that are unknown here are ignored: what a newer component adds must not turn its answer into an unknown
    outcome.
    """

    component_id: str
    command: str
    key: str
    state: str
    completed: bool
    incarnation: str | None = None
    sequence: int | None = None
    code: str | None = None
    message: str | None = None
    repeated: bool | None = None
    result: dict[str, Any] | None = None


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """A registered component. `presence` is ONLINE while its heartbeats arrive; `state` is the last one known."""

    id: str
    name: str
    address: str
    groups: list[str]
    state: str
    presence: str
    reason: str
    registered_time: float
    """Unix seconds by the clock of the node that proposed it; for display."""
    position: list[int]
    health: str | None = None
    health_reason: str | None = None
    labels: dict[str, str] | None = None
    heartbeat_s: float | None = None
    """The interval of its heartbeats that it declared."""
    last_seen_s: float | None = None
    """Seconds since its last heartbeat to the present leader; null before one, and from followers."""
    cpu: float | None = None
    """Share of one core, by its last heartbeat."""
    memory: int | None = None
    """Resident bytes, by its last heartbeat."""
    metrics: dict[str, float] | None = None
    """Figures of its own, by its last heartbeat."""
    depends_on: list[str] | None = None
    """What it needs, by its registration and its policy."""
    desired: str | None = None
    maintenance: Maintenance | None = None
    acknowledged: Acknowledgement | None = None
    exhausted: str | None = None
    """Why it is not restarted any more; empty while it may be."""


class MetricPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What was heard in `step_s` seconds from `time` on."""

    time: float
    """Unix seconds by the leader's clock."""
    mean: float
    least: float
    greatest: float


class MetricForecast(msgspec.Struct, frozen=True, kw_only=True):
    """When a threshold will be reached, in seconds from the newest sample; `outlook` says why there is no time."""

    outlook: str
    in_s: float | None
    earliest_s: float | None
    latest_s: float | None


class MetricTrend(msgspec.Struct, frozen=True, kw_only=True):
    """Of the points in the answer. `slope_certain`: noise does not explain the slope."""

    slope_per_s: float | None
    slope_error_per_s: float | None
    """Standard error; null with less than three points."""
    slope_certain: bool
    ewma: float | None
    half_life_s: float
    forecast: MetricForecast | None
    """With `above` or `below`."""


class MetricHistory(msgspec.Struct, frozen=True, kw_only=True):
    """One metric. `points` and `trend` only where it was asked for by name."""

    name: str
    since: float
    """Unix seconds: its first sample in this leader's history."""
    latest: float
    latest_time: float
    entries: int
    """Slots kept of it, in all steps."""
    step_s: float | None = None
    points: list[MetricPoint] | None = None
    trend: MetricTrend | None = None


class ComponentMetrics(msgspec.Struct, frozen=True, kw_only=True):
    """Histories since `history_since`: the leader keeps them in memory, and one that takes over begins anew."""

    component: str
    history_since: float
    """Unix seconds: from when on the node that leads could keep a history."""
    node: str
    """The node that leads, whose history this is."""
    metrics: list[MetricHistory]


class RefusedHeartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """One that was not taken; `index` is its place in the request, from 0."""

    index: int
    code: str
    detail: str


class HeartbeatsTaken(msgspec.Struct, frozen=True, kw_only=True):
    taken: int
    refused: list[RefusedHeartbeat]


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """Who listens at `/event`, and to what."""

    id: str
    name: str
    address: str
    port: int | None
    types: list[str]
    """The product's own types that are taken."""
    other_types: bool
    """Whether events of an application's own types are taken."""
    event_bytes_max: int
