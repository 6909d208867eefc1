"""Shapes of answers: variables. Generated from the API by `make docs`; not edited by hand."""

from typing import Any

import msgspec


class Variable(msgspec.Struct, frozen=True, kw_only=True):
    """A value that the whole cluster agrees on. `revision` changes with every change; it is the ETag."""

    name: str
    value: Any
    """Any JSON."""
    revision: int
    """Where in the replicated log it was last changed."""
    time: float
    """Unix seconds of the last change by the clock of the node that proposed it; for display."""
