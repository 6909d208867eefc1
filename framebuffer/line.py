"""A camera on its way through a gateway: its outbox, its session at the server, and who waits for either."""

import asyncio
import math
import time

from framebuffer.outbox import Outbox
from framebuffer.wire import CameraSession

__all__ = ["Line"]


class Line:
    """Made and driven by the gateway; a producer waits on it. One event loop uses it."""

    def __init__(self, outbox: Outbox, pictures_every_s: float = 0.0) -> None:
        self.outbox = outbox
        self.pictures_every_s = pictures_every_s
        self.picture_due = 0.0 if pictures_every_s else math.inf  # when the next one may be left
        self.session: CameraSession | None = None
        self.known: frozenset[str] = frozenset()
        """Tokens that the server may hold after a rollback. Any other is a rival's."""
        self.failure: Exception | None = None
        self.queued = False  # stands among those that may send now
        self.due = math.inf  # when it may send, if it waits for that
        self._left = False
        self._waiters: list[asyncio.Future[None]] = []

    @property
    def gone(self) -> bool:
        """Nothing of it is to be sent any more."""
        return self._left or self.failure is not None

    @property
    def drained(self) -> bool:
        """Every accepted frame is answered for, or recorded as given up."""
        return not self.outbox.owed

    def opened(self, session: CameraSession) -> None:
        """The server has made it the camera's session."""
        self.session = session
        self.known = frozenset(("", session.previous))
        self.outbox.next_sequence = session.next_sequence

    def leave(self) -> None:
        """The producer has closed."""
        self._left = True
        self.pulse()

    def fail(self, error: Exception) -> None:
        """It cannot go on. The first reason stays."""
        self.failure = self.failure or error
        self.pulse()

    def pulse(self) -> None:
        """Something has changed: those who wait look again."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def changed_by(self, deadline: float | None = None) -> bool:
        """Until something changes; false when that did not happen by ``deadline`` (monotonic seconds)."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            timeout = None if deadline is None else max(0.0, deadline - time.monotonic())
            done, _ = await asyncio.wait((waiter,), timeout=timeout)
        finally:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
        return bool(done)
