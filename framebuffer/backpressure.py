"""What the leader measures where frames wait, and what it tells those who publish. Pure."""

from typing import Literal, TypeAlias

import msgspec

__all__ = ["Backpressure", "CrowdedLane", "Durability"]

Durability: TypeAlias = int | Literal["majority"]
"""How many replicas must have a frame before it counts as published: see ``framebuffer.durability``."""


class Backpressure(msgspec.Struct, frozen=True):
    """What publishers are told: the level for all frames, 0 to 3, and of capabilities that have a higher one.

    ``durability``: the plant's, for producers that were given none of their own. None: it was not told, by a leader of
    0.1.0, or as there was no leader yet.
    """

    level: int = 0
    crowded: dict[str, int] = {}
    durability: Durability | None = None

    @property
    def highest(self) -> int:
        """The level of the fullest capability."""
        return max(self.level, *self.crowded.values()) if self.crowded else self.level

    def __str__(self) -> str:
        """``1 face=3 =majority``: as it is kept at the server. The last part has no name, which releases that know
        nothing of it leave out.
        """
        crowded = (f"{name}={level:d}" for name, level in sorted(self.crowded.items()))
        return " ".join((f"{self.level:d}", *crowded, *(() if self.durability is None else (f"={self.durability}",))))

    @classmethod
    def parse(cls, text: str) -> "Backpressure":
        """From its text form, as it is kept at the server. What is not understood is left out."""
        first, *others = text.split(" ")
        pairs = [other.rpartition("=") for other in others]
        crowded = {name: min(3, int(level)) for name, _, level in pairs if name and level.isdecimal()}
        durability: Durability | None = None
        for name, mark, wanted in pairs:
            if mark and not name:
                # One that only a newer release knows asks for more than nothing: the most there is.
                durability = int(wanted) if wanted.isdecimal() else "majority"
        return cls(min(3, int(first)) if first.isdecimal() else 0, crowded, durability)


class CrowdedLane(msgspec.Struct, frozen=True, array_like=True):
    """A capability, the frames in its lane, those in the queues of processors that offer it, and their capacity."""

    capability: str
    waiting: int
    outstanding: int
    capacity: int
