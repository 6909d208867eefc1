"""Shapes of answers: watch. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec

from orchestrator.client.shapes.several import Pressure


class CameraFigures(msgspec.Struct, frozen=True, kw_only=True):
    """`rate`: frames a second that it publishes."""

    id: str
    sequence: int
    rate: float | None
    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int


class ComponentsFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How many there are, and for how many seconds each was silent. Empty where no leader has been asked yet."""

    total: int | None = None
    offline: int | None = None
    states: dict[str, int] | None = None
    health: dict[str, int] | None = None
    silence_s: dict[str, float] | None = None


class FiguresLedger(msgspec.Struct, frozen=True, kw_only=True):
    """Sums over all cameras, since each was first opened."""

    published: int
    settled: int
    dead: int
    dropped: int
    in_flight: int


class FiguresMember(msgspec.Struct, frozen=True, kw_only=True):
    """A node, as the one that answers sees it."""

    id: str
    role: str | None
    reachable: bool
    lag: int | None


class FiguresQueue(msgspec.Struct, frozen=True, kw_only=True):
    """A processor's queue: `length` counts frames that wait or are in hand, `pending` those in hand."""

    length: int
    pending: int


class FramesFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Rates are frames a second, null until there are two readings."""

    published_s: float | None
    dispatched_s: float | None
    settled_s: float | None
    capture: int
    lanes: dict[str, int]
    queues: dict[str, FiguresQueue]
    dead_letters: int
    ledger: FiguresLedger
    backpressure: Pressure | None
    dispatch_p95_s: float | None
    oldest_frame_s: dict[str, float] | None
    """By kind of place: `capture`, `lane`, `ready`."""
    lost: float | None


class ProcessorFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the leader knows of a processor by its heartbeats; null where it says nothing of it."""

    in_flight: int | None
    settled: int | None
    settled_s: float | None
    errors: int | None
    breaker: str
    silence_s: float | None


class PlantFigures(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of the leader (`figures_of`), `staleness_s` old, and what the node that answers knows itself.
    With `own=true` only what the leader works out, and its age as `age_s`: so the other nodes ask for it.
    """

    leader: str | None
    epoch: str | None
    frames: FramesFigures | None
    """Null while Redis does not answer."""
    cameras: list[CameraFigures]
    processors: dict[str, ProcessorFigures]
    components: ComponentsFigures
    node: str | None = None
    """Who answers; it is left out with `own=true`, as are those that follow."""
    index: int | None = None
    """How far its state is."""
    state_age_s: float | None = None
    """Seconds since it heard the leader."""
    figures_of: str | None = None
    staleness_s: float | None = None
    members: list[FiguresMember] | None = None
    age_s: float | None = None
    """With `own=true` alone."""


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All rows at one index of the log: by subject and id, as the lists show them."""

    index: int
    """`GET /v1/watch?after=INDEX` tells what changes from there on."""
    subjects: dict[str, dict[str, Any]]
