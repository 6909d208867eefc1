"""What the leader measures where frames wait, and what it tells those who publish. Pure."""

import msgspec

__all__ = ["Backpressure", "CrowdedLane"]


class Backpressure(msgspec.Struct, frozen=True):
    """What publishers are told: the level for all frames, 0 to 3, and of capabilities that have a higher one."""

    level: int = 0
    crowded: dict[str, int] = {}

    @property
    def highest(self) -> int:
        """The level of the fullest capability."""
        return max(self.level, *self.crowded.values()) if self.crowded else self.level

    def __str__(self) -> str:
        return " ".join((f"{self.level:d}", *(f"{name}={level:d}" for name, level in sorted(self.crowded.items()))))

    @classmethod
    def parse(cls, text: str) -> "Backpressure":
        """From its text form, as it is kept at the server. What is not understood is left out."""
        first, *others = text.split(" ")
        pairs = (other.rpartition("=") for other in others)
        crowded = {name: min(3, int(level)) for name, _, level in pairs if name and level.isdecimal()}
        return cls(min(3, int(first)) if first.isdecimal() else 0, crowded)


class CrowdedLane(msgspec.Struct, frozen=True, array_like=True):
    """A capability, the frames in its lane, those in the queues of processors that offer it, and their capacity."""

    capability: str
    waiting: int
    outstanding: int
    capacity: int
