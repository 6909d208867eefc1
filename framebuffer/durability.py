"""How many replicas must have a frame before it counts as published. Pure."""

from typing import Literal, TypeAlias

__all__ = ["Durability", "checked_durability", "replicas_needed"]

Durability: TypeAlias = int | Literal["majority"]
"""A number of replicas (0: the primary alone), or more than half of those that there are."""


def checked_durability(value: object) -> Durability:
    """``value`` if it is one. Errors: ValueError."""
    if value == "majority":
        return "majority"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"durability must be a number of replicas (0, 1, 2) or 'majority'; it is {value!r}")


def replicas_needed(durability: Durability, replicas: int) -> int:
    """Of ``replicas``, how many must confirm.

    More than half of the replicas, not of all copies: with two, a planned failover to either of them loses nothing only
    if both have the frame. Where there is none, one is asked for, and publishing waits for it.
    """
    return replicas // 2 + 1 if durability == "majority" else durability
