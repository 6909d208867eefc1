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


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """After a change."""

    revision: int
