"""Ending tasks."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["cancelled", "completed", "ended"]

T = TypeVar("T")

_AGAIN_S = 0.5
"""Longer than a task needs to tidy up: a second cancellation would cut that short."""


async def ended(*tasks: asyncio.Task[Any] | None) -> None:
    """Cancel tasks and wait until all have ended. What they raised stays with them.

    They are cancelled again until they have ended: on Python 3.11 ``asyncio.wait_for``, which redis-py sends with, may
    lose a cancellation that arrives together with its result, and a loop would then go on for ever.
    """
    left = {task for task in tasks if task is not None and not task.done()}
    while left:
        for task in left:
            task.cancel()
        # wait() does not raise the tasks' own cancellation, so one of the caller's cannot be mistaken for it.
        _, left = await asyncio.wait(left, timeout=_AGAIN_S)
    for one in tasks:
        if one is not None and not one.cancelled():
            one.exception()  # looked at, so that asyncio does not warn: whoever wants it asks the task


async def completed(work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` returns. It goes on to its end also where the caller is cancelled: that is raised afterwards."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def cancelled(task: asyncio.Task[Any] | None) -> None:
    """The same for one task, raising what it raised instead of ending quietly."""
    if task is None:
        return
    await ended(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
