"""Running an async command until it is done or a signal ends it, in order."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_interruptible(command: Callable[[], Coroutine[Any, Any, int]]) -> int:
    """Run `command` and return its exit code, or 128 plus the signal's number when SIGINT or SIGTERM ended it.

    The first signal cancels the command, which then stops what it started; a second one cancels its waiting too.
    """
    return asyncio.run(_run(command))


async def _run(command: Callable[[], Coroutine[Any, Any, int]]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(command())
    received: list[int] = []

    def on_signal(number: int) -> None:
        received.append(number)
        task.cancel()

    for number in SIGNALS:
        loop.add_signal_handler(number, on_signal, number)
    try:
        return await task
    except asyncio.CancelledError:
        if not received:
            raise
        return 128 + received[0]
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
