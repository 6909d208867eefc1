"""Plant time from what was replicated, and a node's own monotonic clock. Pure.

Plant time stands still while no node runs: a deadline is not missed by a plant that was switched off.
"""

from typing import NamedTuple


class Anchor(NamedTuple):
    """At the monotonic time `noted` (seconds, of this host) it was plant time `at`."""

    at: float = 0.0
    noted: float = 0.0


def reading(anchor: Anchor, monotonic: float) -> float:
    """The plant time at the monotonic time. Never less than the anchor's own."""
    return anchor.at + max(0.0, monotonic - anchor.noted)


def anchored(anchor: Anchor, at: float, monotonic: float) -> Anchor:
    """The anchor after a command that carries the plant time `at` was applied.

    A time that is not ahead of the reading here changes nothing: it is as old as its way through the log was long, and
    whoever took it over would lose that much with every command.
    """
    return Anchor(at, monotonic) if at > reading(anchor, monotonic) else anchor
