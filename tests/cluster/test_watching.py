"""Changes held for watchers, within a bound."""

import asyncio

import pytest

from cluster import Change, Compacted, Event
from cluster.watching import Changes, Ending

pytestmark = pytest.mark.anyio


def change(index: int) -> Change:
    return Change(index, (Event("set", "k", {}),))


async def test_a_watcher_gets_what_is_held_then_what_comes() -> None:
    changes = Changes(10, Ending())
    for index in (2, 4, 5):
        changes.add(change(index))
    watch = changes.watch(3)
    assert [(await anext(watch)).index for _ in range(2)] == [4, 5]
    coming = asyncio.ensure_future(anext(watch))
    await asyncio.sleep(0)
    changes.add(change(9))
    assert (await coming).index == 9


async def test_from_now_on() -> None:
    changes = Changes(10, Ending())
    changes.add(change(2))
    watch = changes.watch(None)
    changes.add(change(3))
    assert (await anext(watch)).index == 3


async def test_what_is_no_longer_held_is_compacted() -> None:
    changes = Changes(2, Ending())
    watch = changes.watch(1)
    for index in (2, 3, 4):
        changes.add(change(index))
    with pytest.raises(Compacted) as caught:
        changes.watch(2)
    assert caught.value.first_index == 3
    with pytest.raises(Compacted):
        await anext(watch)
    assert (await anext(changes.watch(3))).index == 3


async def test_a_jump_by_snapshot_ends_older_watchers() -> None:
    changes = Changes(10, Ending())
    changes.add(change(2))
    watch = changes.watch(2)
    changes.restart(50)
    with pytest.raises(Compacted):
        await anext(watch)
    with pytest.raises(Compacted):
        changes.watch(50)
    changes.watch(51)


async def test_the_end() -> None:
    ending = Ending()
    changes = Changes(10, ending)
    watch = changes.watch(None)
    waiting = asyncio.ensure_future(anext(watch, None))
    gone = asyncio.ensure_future(anext(watch, None))
    await asyncio.sleep(0)
    gone.cancel()
    ending.ended = True
    changes.end()
    assert await waiting is None
