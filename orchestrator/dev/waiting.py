"""Waiting for a state by polling it, always with a deadline."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestrator.dev.errors import NotReached

T = TypeVar("T")


async def until(look: Callable[[], Awaitable[T | None]], *, seconds: float, what: str, interval: float = 0.05) -> T:
    """Call `look` every `interval` seconds until it returns something other than None or False, and return that.

    Raises NotReached after `seconds`. What `look` raises goes through: it knows which errors mean "not yet".
    """
    deadline = time.monotonic() + seconds
    while True:
        seen = await look()
        if seen is not None and seen is not False:
            return seen
        left = deadline - time.monotonic()
        if left <= 0:
            raise NotReached(what, seconds)
        await asyncio.sleep(min(interval, left))
