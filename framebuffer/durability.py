"""How many replicas must have a frame before it counts as published, or as given up.

``majority`` means: so many that no majority of the sentinels can make a primary of a replica without the frame.
Sentinel promotes one replica, whichever its leader takes for the best, by figures that may be ten seconds old; and
while a planned failover is under way the old primary still takes writes, and has replicas that confirm them. So it is
all replicas that are known, with two replicas WAIT 2: one that is dead holds confirmations up until it is back, or is
forgotten (``SENTINEL RESET``). A fixed number trades that for the risk; docs/adr/0012 has the figures.
"""

from redis.asyncio import Redis

from framebuffer.backpressure import Durability
from framebuffer.connection import Client

__all__ = ["Durability", "checked_durability", "replicas_wanted"]


def checked_durability(value: object) -> Durability:
    """``value`` if it is one. Errors: ValueError."""
    if value == "majority":
        return "majority"
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    raise ValueError(f"durability must be a number of replicas (0, 1, 2) or 'majority'; it is {value!r}")


async def replicas_wanted(redis: Redis, durability: Durability) -> int:
    """How many replicas WAIT must wait for. At least one for ``majority``: a primary that has lost all its replicas,
    and does not know of any, confirms nothing. Errors: RedisUnavailable, RedisRefused.
    """
    if durability != "majority":
        return max(0, durability)
    if not isinstance(redis, Client):
        raise TypeError("durability 'majority' needs a client that framebuffer.connect has made")
    return max(1, await redis.replicas())
