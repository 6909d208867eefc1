"""What was seen of one drill: the raw facts, before anything is concluded from them. Pure.

All times are seconds of the controller's monotonic clock.
"""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

__all__ = ["Beat", "Effect", "Epoch", "LedgerCounts", "Recorded", "Sighting", "parse_epoch"]

Epoch = tuple[int, int]
"""(term, index) of a leader's claim."""


class Beat(NamedTuple):
    """`number` happenings from `first` to `last`."""

    first: float
    last: float
    number: int


class Effect(NamedTuple):
    """One effect of the drill's component. `epoch`: of the leader whose command it was; `tag`: what it was for."""

    at: float
    epoch: Epoch
    tag: str


class Sighting(NamedTuple):
    """From `at` on a node answered `/leader` like this: "leads" under `epoch`, "follows", or "silent"."""

    at: float
    node: str
    state: str
    epoch: Epoch | None


class LedgerCounts(msgspec.Struct, frozen=True):
    """The frames of the drill's cameras, as the ledger counts them; `lost` and `duplicates` of the whole plant.

    `cameras`: by camera, what it has published.
    """

    published: int = 0
    settled: int = 0
    dead: int = 0
    dropped: int = 0
    in_flight: int = 0
    lost: int = 0
    duplicates: int = 0
    ledger_ok: bool = True
    problems: tuple[str, ...] = ()
    cameras: Mapping[str, int] = {}


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """One drill. `began`: the load was in full swing; `at`: just before the fault; `healed`: healing was asked for;
    `settled`: the plant was as before; `ended`: the last moment that was measured, cameras still at work.

    `confirmed`: by camera, frames that the SDK has told the camera are stored. `wanted`: the tags of effects that were
    ordered by runs which succeeded; `unfinished`: runs that did not. `leaderships`: (epoch, node) of the plant's own
    timeline and of the fence. `linearizable`: None where nothing was judged; `history`: what was, in words.
    """

    began: float
    at: float
    healed: float
    settled: float | None
    ended: float
    published: tuple[Beat, ...] = ()
    arrived: tuple[Beat, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    leaderships: tuple[tuple[Epoch, str], ...] = ()
    effects: tuple[Effect, ...] = ()
    wanted: tuple[str, ...] = ()
    unfinished: tuple[str, ...] = ()
    before: LedgerCounts = LedgerCounts()
    after: LedgerCounts | None = None
    confirmed: Mapping[str, int] = {}
    linearizable: bool | None = None
    history: str = ""
    operations: int = 0


def parse_epoch(text: str) -> Epoch:
    """Of `term.index`. Raises ValueError."""
    term, _, index = text.partition(".")
    return int(term), int(index)
