"""Tells the server which frames their cameras gave up: each is dropped in the ledger, with its reason."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

from framebuffer.connection import Backoff
from framebuffer.errors import CameraSuperseded, RedisUnavailable
from framebuffer.line import Line
from framebuffer.streams import FrameStreams

__all__ = ["DropRecord"]

log = logging.getLogger(__name__)

_EVERY_S = 0.1  # in portions of so much time: a camera under pressure drops frame by frame
_BATCH = 1_000


class DropRecord:
    """``lines``: the cameras. ``reopen``: what to do for one whose session the server does not know: ``current`` is."""

    def __init__(
        self,
        streams: FrameStreams,
        lines: Callable[[], Collection[Line]],
        reopen: Callable[[Line, str], Awaitable[None]],
    ) -> None:
        self._streams = streams
        self._lines = lines
        self._reopen = reopen
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
            try:
                for line in [line for line in self._lines() if line.outbox.drops]:
                    await self._record(line)
            except RedisUnavailable:  # the sender says so
                self._wanted.set()
                await backoff.wait()
            else:
                backoff.reset()
                await asyncio.sleep(_EVERY_S)

    async def _record(self, line: Line) -> None:
        while line.outbox.drops and line.session is not None and not line.gone:
            given = line.outbox.drops.first(_BATCH)
            try:
                statuses = await self._streams.drop(line.session, given)
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
            line.pulse()
