"""A person who pulls plugs and cables: told what to do, and believed only when the plant shows it."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from orchestrator.drills.target import Fault, FaultUnproven

WAIT_S = 600.0
PROBE_S = 0.5
SILENT = 4
"""So many rounds of probes in a row without an answer are silence."""


def tell(text: str) -> None:
    """On standard error: standard output is data."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


async def silence(fault: Fault, places: Sequence[str], *, wait_s: float = WAIT_S) -> tuple[float, float]:
    """Wait until nothing at `places` (`host:port`) can be connected to any more.

    Returns when something was last there, by `time.monotonic`, and for how many seconds all has been silent since.
    FaultUnproven after `wait_s`.
    """
    ends = time.monotonic() + wait_s
    last = time.monotonic()
    rounds = 0
    while rounds < SILENT:
        began = time.monotonic()
        if began > ends:
            raise FaultUnproven(fault, f"{', '.join(places)} still answer after {wait_s:g} s")
        if any(await asyncio.gather(*(answers(place) for place in places))):
            last, rounds = began, 0
        else:
            rounds += 1
        await asyncio.sleep(max(0.0, began + 0.1 - time.monotonic()))
    return last, time.monotonic() - last


async def answers(place: str, timeout_s: float = PROBE_S) -> bool:
    """Whether a connection to `host:port` is accepted in time."""
    host, _, port = place.rpartition(":")
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError:  # TimeoutError too
        return False
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return True


async def once(look: Callable[[], Awaitable[bool]], *, remind: str, every_s: float = 60.0) -> None:
    """Wait for the person for as long as it takes, and remind them."""
    next_at = time.monotonic()
    while not await look():
        if time.monotonic() >= next_at:
            tell(remind)
            next_at = time.monotonic() + every_s
        await asyncio.sleep(0.2)
