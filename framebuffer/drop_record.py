"""Tells the server which frames their cameras gave up: each is dropped in the ledger, with its reason.

It waits for replicas as publishing does: a drop that a failover took back would be a lost frame.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence

from framebuffer.connection import Backoff
from framebuffer.durability import Durability
from framebuffer.errors import CameraSuperseded, NotDurable, RedisUnavailable
from framebuffer.line import Line
from framebuffer.streams import FrameStreams

__all__ = ["DropRecord"]

log = logging.getLogger(__name__)

_EVERY_S = 0.1  # in portions of so much time: a camera under pressure drops frame by frame
_BATCH = 1_000
_AT_ONCE = 8  # cameras: each call waits for the replicas, and a hundred cameras one by one would wait for seconds

_ANOTHER_TRY = (RedisUnavailable, NotDurable)


class DropRecord:
    """``lines``: the cameras. ``reopen``: what to do for one whose session the server does not know: ``current`` is.

    ``durability``: how many replicas must have a drop before it is forgotten here, as of now; ``learn`` asks for it
    anew, where too few have it.
    """

    def __init__(
        self,
        streams: FrameStreams,
        lines: Callable[[], Collection[Line]],
        reopen: Callable[[Line, str], Awaitable[None]],
        durability: Callable[[], Durability],
        learn: Callable[[], Awaitable[None]],
    ) -> None:
        self._streams = streams
        self._lines = lines
        self._reopen = reopen
        self._durability = durability
        self._learn = learn
        self._wanted = asyncio.Event()

    def want(self) -> None:
        """Some camera gave a frame up."""
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled. Errors: those that no repeat heals."""
        backoff = Backoff()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            owing = [line for line in self._lines() if line.outbox.drops]
            try:
                await self._record_all(owing)
            except _ANOTHER_TRY as error:
                if backoff.failures == 0:
                    names = ", ".join(sorted(line.outbox.camera_id for line in owing))
                    log.warning("camera %s: what was given up is not in the ledger yet: %s; repeating", names, error)
                self._wanted.set()
                await backoff.wait()
                if isinstance(error, NotDurable):
                    await self._learn()
            else:
                backoff.reset()
                await asyncio.sleep(_EVERY_S)

    async def _record_all(self, owing: Sequence[Line]) -> None:
        missing: NotDurable | None = None
        for at in range(0, len(owing), _AT_ONCE):
            try:
                await self._record_together(owing[at : at + _AT_ONCE])
            except NotDurable as error:  # written all the same: what the other cameras gave up is to be written too
                missing = error
        if missing is not None:
            raise missing

    async def _record_together(self, lines: Sequence[Line]) -> None:
        outcomes = await asyncio.gather(*(self._record(line) for line in lines), return_exceptions=True)
        failures = [outcome for outcome in outcomes if outcome is not None]
        if failures:  # one that no repeat heals is not hidden by one that another try does
            raise next((one for one in failures if not isinstance(one, _ANOTHER_TRY)), failures[0])

    async def _record(self, line: Line) -> None:
        owed = len(line.outbox.drops)  # now: a camera that goes on giving frames up keeps no other waiting
        while owed > 0 and line.session is not None and not line.gone:
            given = line.outbox.drops.first(min(owed, _BATCH))
            try:
                statuses = await self._streams.drop(line.session, given, durability=self._durability())
            except CameraSuperseded as superseded:
                await self._reopen(line, superseded.current)
                continue
            for frame, status in zip(given, statuses, strict=True):
                if status.startswith("refused"):
                    log.error(
                        "camera %s: frame %s (sequence %d, given up: %s) cannot be recorded: %s; the ledger will call "
                        "it lost",
                        line.outbox.camera_id,
                        frame.frame_id,
                        frame.sequence,
                        frame.reason,
                        status,
                    )
            line.outbox.drops.recorded(len(given))
            owed -= len(given)
            line.pulse()
