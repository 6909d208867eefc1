"""Ending tasks, also those that lose a cancellation."""

import asyncio

import pytest

from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.tasks import cancelled, completed, ended

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


@pytest.mark.parametrize("steps", range(6))
async def test_what_was_begun_goes_on_to_its_end_and_then_the_cancellation_is_raised(steps: int) -> None:
    done = False

    async def close() -> str:
        nonlocal done
        for _ in range(4):
            await asyncio.sleep(0)
        done = True
        return "closed"

    task = asyncio.create_task(completed(close()))
    await asyncio.sleep(0)
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert (done, task.cancelled()) == (True, True)
    assert await completed(close()) == "closed"


@pytest.mark.parametrize("steps", range(8))
async def test_a_client_is_closed_to_the_end_by_who_is_cancelled_meanwhile(server: EmbeddedServer, steps: int) -> None:
    """Between the making of redis-py's tasks and their first step it would close nothing."""
    redis = connect(server.url)
    await asyncio.gather(*(execute(redis, "PING") for _ in range(2)))
    connections = list(redis.connection_pool._available_connections)
    assert [one.is_connected for one in connections] == [True, True]

    async def use() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await redis.aclose()

    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    task.cancel()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert [one.is_connected for one in connections] == [False, False]
