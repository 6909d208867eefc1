"""Ending tasks, also those that lose a cancellation."""

import asyncio

import pytest

from framebuffer.tasks import cancelled, ended

pytestmark = pytest.mark.anyio


async def test_a_task_that_loses_a_cancellation_ends_all_the_same() -> None:
    lost = 0

    async def careless() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if lost:
                    raise
                lost += 1

    task = asyncio.create_task(careless())
    await asyncio.sleep(0)
    await ended(None, task)
    assert lost == 1
    assert task.cancelled()


async def test_what_a_task_raises_instead_of_ending_is_raised() -> None:
    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise RuntimeError("could not tidy up") from None

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    with pytest.raises(RuntimeError, match="could not tidy up"):
        await cancelled(task)
    await cancelled(None)


async def test_the_callers_own_cancellation_is_its_own() -> None:
    released = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await released.wait()

    inner = asyncio.create_task(slow())
    await asyncio.sleep(0)
    outer = asyncio.create_task(cancelled(inner))
    await asyncio.sleep(0)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    released.set()
    await asyncio.wait({inner})
    assert inner.done()
