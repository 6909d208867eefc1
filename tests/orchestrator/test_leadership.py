"""A term of office: duties are taken up in order and laid down in reverse, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from cluster import Epoch, Gained, Lost
from orchestrator.leadership import Duty, Leadership
from tests.support import eventually

pytestmark = pytest.mark.anyio


class Recorded:
    """A duty that writes down what happens to it."""

    def __init__(self, name: str, epoch: Epoch, diary: list[str], *, fails: str = "") -> None:
        self.name = name
        self.epoch = epoch
        self.diary = diary
        self.fails = fails
        self.task: asyncio.Task[None] | None = None
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def take_up(self) -> asyncio.Task[None] | None:
        self.diary.append(f"+{self.name}@{self.epoch}")
        if self.fails == "take_up":
            raise RuntimeError(f"{self.name} cannot start")
        if self.fails == "later":
            self.task = asyncio.create_task(self.fail())
        return self.task

    async def fail(self) -> None:
        raise RuntimeError(f"{self.name} has a defect")

    async def lay_down(self) -> None:
        await self.may_end.wait()
        self.diary.append(f"-{self.name}@{self.epoch}")
        if self.fails == "lay_down":
            raise RuntimeError(f"{self.name} cannot stop")


class Office:
    """Feeds changes of leadership to a running Leadership."""

    def __init__(self, **fails: str) -> None:
        self.diary: list[str] = []
        self.fails = fails
        self.queue: asyncio.Queue[Gained | Lost | None] = asyncio.Queue()
        self.leadership = Leadership(self.changes, self.duties)
        self.task = asyncio.create_task(self.leadership.run())

    async def changes(self) -> AsyncIterator[Gained | Lost]:
        while (change := await self.queue.get()) is not None:
            yield change

    def duties(self, epoch: Epoch) -> Sequence[Duty]:
        self.held = [Recorded(name, epoch, self.diary, fails=self.fails.get(name, "")) for name in ("a", "b", "c")]
        return self.held

    async def reads(self, *expected: str) -> None:
        await eventually(lambda: self.diary == list(expected))


FIRST, SECOND = Epoch(1, 2), Epoch(2, 9)
UP = ("+a@1.2", "+b@1.2", "+c@1.2")
DOWN = ("-c@1.2", "-b@1.2", "-a@1.2")


async def test_duties_are_laid_down_in_reverse_order() -> None:
    office = Office()
    office.queue.put_nowait(Gained(FIRST))
    await office.reads(*UP)
    assert office.leadership.epoch == FIRST
    office.queue.put_nowait(Lost(FIRST, "stepped down"))
    await office.reads(*UP, *DOWN)
    assert office.leadership.epoch is None
    office.queue.put_nowait(None)
    await office.task
    assert office.diary == [*UP, *DOWN]


async def test_lost_and_won_again_at_once_starts_anew() -> None:
    office = Office()
    for change in (Gained(FIRST), Lost(FIRST, "term changed"), Gained(SECOND)):
        office.queue.put_nowait(change)
    await office.reads(*UP, *DOWN, "+a@2.9", "+b@2.9", "+c@2.9")
    assert office.leadership.epoch == SECOND
    assert office.leadership.changes_total == 2
    office.queue.put_nowait(None)
    await office.task


async def test_a_gain_without_a_loss_still_revokes_the_term_before() -> None:
    office = Office()
    office.queue.put_nowait(Gained(FIRST))
    office.queue.put_nowait(Gained(SECOND))
    await office.reads(*UP, *DOWN, "+a@2.9", "+b@2.9", "+c@2.9")
    office.queue.put_nowait(None)
    await office.task


async def test_a_cancelled_node_lays_its_duties_down() -> None:
    office = Office()
    office.queue.put_nowait(Gained(FIRST))
    await office.reads(*UP)
    office.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await office.task
    assert office.diary == [*UP, *DOWN]


async def test_a_duty_that_cannot_start_is_undone_with_those_before_it_and_raised() -> None:
    office = Office(b="take_up")
    office.queue.put_nowait(Gained(FIRST))
    with pytest.raises(RuntimeError, match="b cannot start"):
        await office.task
    assert office.diary == ["+a@1.2", "+b@1.2", "-b@1.2", "-a@1.2"]
    assert office.leadership.epoch is None


async def test_a_duty_that_cannot_stop_does_not_keep_the_others(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(c="lay_down")
    office.queue.put_nowait(Gained(FIRST))
    office.queue.put_nowait(Lost(FIRST, "stepped down"))
    await office.reads(*UP, *DOWN)
    assert "duty c was not laid down cleanly" in caplog.text
    office.queue.put_nowait(None)
    await office.task


async def test_a_node_that_is_cancelled_while_it_steps_down_still_lays_everything_down() -> None:
    office = Office()
    office.queue.put_nowait(Gained(FIRST))
    await office.reads(*UP)
    office.held[1].may_end.clear()
    office.queue.put_nowait(Lost(FIRST, "stepped down"))
    await office.reads(*UP, "-c@1.2")
    for _ in range(3):
        office.task.cancel()
        await asyncio.sleep(0.01)
        assert not office.task.done()
    office.held[1].may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await office.task
    assert office.diary == [*UP, *DOWN]


async def test_a_duty_that_fails_later_ends_the_term_and_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    office = Office(a="later", b="later")
    office.queue.put_nowait(Gained(FIRST))
    with pytest.raises(RuntimeError, match="a has a defect"):
        await office.task
    assert office.diary == [*UP, *DOWN]
    assert office.leadership.epoch is None
    assert "duty a of epoch 1.2 failed" in caplog.text


async def test_a_duty_that_fails_while_it_is_laid_down_ends_nothing_else() -> None:
    office = Office(c="later")
    office.queue.put_nowait(Gained(FIRST))
    office.queue.put_nowait(Lost(FIRST, "stepped down"))
    await office.reads(*UP, *DOWN)
    office.queue.put_nowait(None)
    await office.task
