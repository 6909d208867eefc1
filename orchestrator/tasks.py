"""Ending tasks."""

import asyncio
from typing import Any


async def cancelled(task: asyncio.Task[Any] | None) -> None:
    """Cancel a task and wait until it has ended. What it raised instead of ending quietly is raised here."""
    if task is None:
        return
    task.cancel()
    # wait() does not raise the task's own cancellation, so one of the caller's cannot be mistaken for it.
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None:
        raise error
