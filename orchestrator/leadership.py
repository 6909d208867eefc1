"""Leadership in one place: two mirror images, establish and revoke.

A term of office begins when this node's own claim has been *applied* (the cluster says so with
``Gained(epoch)``), and ends with ``Lost``. Everything that only the leader does is a :class:`Duty`. Duties
are taken up in order and laid down in reverse, always, also when taking one up failed half way, or when
leadership is lost and won again at once. Nothing else in the product asks "am I the leader?" before an
effect: effects carry the epoch, and their receivers refuse an older one.
"""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Protocol

from cluster import Epoch, Gained, Lost
from orchestrator.tasks import ended

log = logging.getLogger(__name__)


class Duty(Protocol):
    """One thing that only the leader does, for one epoch."""

    name: str

    async def take_up(self) -> asyncio.Task[None] | None:
        """Start. Must return soon: what has to wait for the outside goes on in a task, which is returned.

        It ends by being cancelled in ``lay_down``. If it fails before, the node ends: a leader that neglects a duty
        is worse than none, as nobody takes over from it.
        """

    async def lay_down(self) -> None:
        """Stop, and undo what ``take_up`` began, also after only a part of it. Never waits for the outside."""


class Leadership:
    """Follows the cluster's leadership and keeps exactly one term of office's duties running.

    Args:
        changes: makes the iterator of gained and lost leadership (``Cluster.leadership``).
        duties: makes the duties of one epoch, in the order in which they are taken up.
    """

    def __init__(
        self,
        changes: Callable[[], AsyncIterator[Gained | Lost]],
        duties: Callable[[Epoch], Sequence[Duty]],
    ) -> None:
        self._changes = changes
        self._duties = duties
        self._term: contextlib.AsyncExitStack | None = None
        self.epoch: Epoch | None = None
        """The epoch whose duties run here; None while this node does not lead."""
        self._failed: asyncio.Future[BaseException] | None = None
        self.changes_total = 0
        """How many terms of office began here since the process started."""

    async def run(self) -> None:
        """Follow leadership until cancelled; the duties that run then are laid down before it returns.

        Raises what a duty raised, and what ended the changes.
        """
        self._failed = asyncio.get_running_loop().create_future()
        following = asyncio.create_task(self._follow(), name="leadership-changes")
        try:
            first: set[asyncio.Future[Any]] = {following, self._failed}
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
            if self._failed.done():
                raise self._failed.result()
            following.result()
        finally:
            await _outlasting_cancellation(self._leave(following))

    async def _leave(self, following: asyncio.Task[None]) -> None:
        await ended(following)
        await self.revoke("this node stops")

    async def _follow(self) -> None:
        async for change in self._changes():
            if isinstance(change, Gained):
                await self.establish(change.epoch)
            else:
                await self.revoke(change.reason)

    async def establish(self, epoch: Epoch) -> None:
        """Take up the duties of ``epoch``, in order.

        A duty that cannot start is a defect: the term ends, and the error is raised.
        """
        await self.revoke("a new term of office begins")
        started = time.monotonic()
        self._term = contextlib.AsyncExitStack()
        self.epoch = epoch
        self.changes_total += 1
        for duty in self._duties(epoch):
            # Registered before it starts: what a duty began before it failed is undone as well.
            self._term.push_async_callback(self._lay_down, duty)
            try:
                task = await duty.take_up()
            except Exception:
                log.exception("duty %s of epoch %s could not be taken up", duty.name, epoch)
                await self.revoke(f"duty {duty.name} could not be taken up")
                raise
            if task is not None:
                task.add_done_callback(functools.partial(self._on_ended, duty.name, epoch))
        log.info("leading since epoch %s: duties taken up in %.0f ms", epoch, (time.monotonic() - started) * 1e3)

    async def revoke(self, reason: str) -> None:
        """Lay down the duties in reverse order. Does nothing when none are held."""
        term, self._term = self._term, None
        epoch, self.epoch = self.epoch, None
        if term is None:
            return
        log.info("no longer leading epoch %s: %s", epoch, reason)
        # A node that is cancelled while it steps down still lays everything down.
        await _outlasting_cancellation(term.aclose())

    def _on_ended(self, name: str, epoch: Epoch, task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None or self.epoch != epoch:
            return  # laid down, which reports it
        log.error("duty %s of epoch %s failed", name, epoch, exc_info=error)
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    @staticmethod
    async def _lay_down(duty: Duty) -> None:
        try:
            await duty.lay_down()
        except Exception:
            # The other duties are still laid down; this one is reported, not hidden.
            log.exception("duty %s was not laid down cleanly", duty.name)


async def _outlasting_cancellation(work: Coroutine[Any, Any, None]) -> None:
    """Finish ``work`` however often the caller is cancelled meanwhile; raises that cancellation afterwards."""
    task = asyncio.create_task(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancellation = error
    task.result()
    if cancellation is not None:
        raise cancellation
