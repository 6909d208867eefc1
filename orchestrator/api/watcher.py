"""One client of a watch: its mailbox, and how its stream waits for it."""

import asyncio
import contextlib
import time

from cluster import Change
from orchestrator.access.principal import Principal
from orchestrator.watching.mailbox import Mailbox, Message

Address = tuple[str, int]

LEADERLESS_S = 10.0
"""How long one is kept at a node that knows no leader: elections are over by then. Another node may know one."""


class Watcher(Mailbox):
    """One client. `after`: the index up to which it knew all; `backlog`: what came behind that before it joined."""

    def __init__(self, subjects: frozenset[str], principal: Principal, client: Address | None) -> None:
        self._called = asyncio.Event()
        super().__init__(subjects, self._called.set)
        self.principal = principal
        self.client = client
        self.after = 0
        self.backlog: list[Change] = []
        self._led_at = time.monotonic()

    def forsaken(self, now: float, *, led: bool) -> bool:
        """Whether nobody has led for too long. `led`: whether this node knows a leader, looked up again and again."""
        if led:
            self._led_at = now
        return now - self._led_at > LEADERLESS_S

    async def next(self, timeout_s: float) -> list[Message]:
        """What waits, awaited for so long; nothing when it ended, or nothing came."""
        if self.empty and not self.ended:
            self._called.clear()
            # What came without a call yet is taken all the same: "nothing" lets the client count on the newest index.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._called.wait()
        return self.take()
