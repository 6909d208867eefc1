"""Shapes of answers: processors. Generated from the API by `make docs`; not edited by hand."""

import msgspec


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """With what the leader knows of it beside its registration. All of that is null when another node answers."""

    id: str
    capabilities: list[str]
    capacity: int
    queue: str
    health_url: str | None
    labels: dict[str, str]
    healthy: bool
    draining: bool | None = None
    """It gets no new frames and finishes what it has."""
    reason: str
    registered_time: float
    """Unix seconds by the clock of the node that proposed it; for display."""
    position: list[int]
    breaker: str | None = None
    """OPEN: kept away from after failures in a row; HALF_OPEN: tried with a frame at a time."""
    capacity_granted: int | None = None
    """Frames that it may hold now: its capacity, bounded, or less while it is kept away from."""
    silence_s: float | None = None
    """Since its last heartbeat, or since this leader first saw it."""
    in_flight: int | None = None
    """By its last heartbeat, as `settled` and `errors`."""
    settled: int | None = None
    errors: int | None = None
    health_pull: str | None = None
    """What was wrong at its `health_url`; empty when nothing was."""


class Processor(msgspec.Struct, frozen=True, kw_only=True):
    """A registered processor. `position` tells two registrations of one id apart."""

    id: str
    capabilities: list[str]
    capacity: int
    queue: str
    health_url: str | None
    labels: dict[str, str]
    healthy: bool
    draining: bool | None = None
    """It gets no new frames and finishes what it has."""
    reason: str
    registered_time: float
    """Unix seconds by the clock of the node that proposed it; for display."""
    position: list[int]


class Registered(msgspec.Struct, frozen=True, kw_only=True):
    """What a processor needs to start: its queue, the consumer group, and where Redis is (without a password). A
    frame that failed `max_attempts` times is dead. One that is held for `lease_s` seconds without being
    renewed goes to another attempt. About `results_kept` of the newest results are to be kept. `durability`:
    replicas that must have a frame before it counts as published (`majority`: all that are known), for
    whoever publishes.
    """

    id: str
    capabilities: list[str]
    capacity: int
    queue: str
    health_url: str | None
    labels: dict[str, str]
    healthy: bool
    draining: bool | None = None
    """It gets no new frames and finishes what it has."""
    reason: str
    registered_time: float
    """Unix seconds by the clock of the node that proposed it; for display."""
    position: list[int]
    group: str
    redis_url: str
    max_attempts: int
    results_kept: int | None = None
    lease_s: float
    durability: int | str
