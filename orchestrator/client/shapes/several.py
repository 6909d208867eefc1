"""Shapes of answers: several. Generated from the API by `make docs`; not edited by hand."""

import msgspec


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """Why a component is left alone, who said so, and since when (unix seconds)."""

    reason: str
    by: str
    since: float


class Neighbour(msgspec.Struct, frozen=True, kw_only=True):
    """`state` and `presence` are null for one that is not registered."""

    id: str
    state: str | None
    presence: str | None


class PressureAlert(msgspec.Struct, frozen=True, kw_only=True):
    """While the level is critical: since when (unix seconds), and how it came to be."""

    since: float
    message: str


class Pressure(msgspec.Struct, frozen=True, kw_only=True):
    """The backpressure that producers are told: the level of the fullest capability, and the figures of all
    together. Frames in queues (`outstanding`), in lanes (`waiting`) and in capture, beside what processors
    may hold (`capacity`).
    """

    level: int
    """0 to 3."""
    name: str
    """`normal`, `low`, `high` or `critical`."""
    crowded: dict[str, str]
    """Capabilities that are fuller than the rest, with the level of each."""
    usage: float | None
    """Null where frames wait and nobody can take any."""
    outstanding: int
    waiting: int
    capture: int
    capacity: int
    unserved: dict[str, int]
    """Frames by capability, where no processor has it."""
    alert: PressureAlert | None


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """After a change."""

    revision: int
