"""A router that a plant's nodes load by its name: see `frames.router`."""

from collections.abc import Sequence

from framebuffer.router import Candidate, RoutableFrame


def by_sequence(frames: Sequence[RoutableFrame], processors: Sequence[Candidate]) -> list[str | None]:
    """A camera's frames to the processors in turn, by their names; a frame for one that is full waits."""
    found: list[str | None] = []
    for frame in frames:
        able = sorted(one.processor_id for one in processors if frame.capability in one.capabilities)
        found.append(able[frame.sequence % len(able)] if able else None)
    return found
