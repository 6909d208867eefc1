"""The latest changes, held for watchers. Lives on the event loop; bounded."""

import asyncio
from collections import deque
from typing import Self

from cluster.commands import Change
from cluster.errors import Compacted
from cluster.leadership import LeadershipChange, LeadershipFeed


class Pulse:
    """Wakes everyone who waits for something to happen."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def beat(self) -> None:
        """It happened."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()

    async def wait(self) -> None:
        """Until the next beat."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)


class Ending:
    """Whether, and how, the node's life ended: every iterator ends with it."""

    def __init__(self) -> None:
        self.ended = False
        self.error: Exception | None = None

    def stop(self) -> Exception:
        """What an iterator raises at the end."""
        return StopAsyncIteration() if self.error is None else self.error


class Changes:
    """A ring of the latest `limit` changes."""

    def __init__(self, limit: int, ending: Ending) -> None:
        self._ring: deque[Change] = deque()
        self._limit = limit
        self._dropped = 0
        self._first_index = 1
        self._pulse = Pulse()
        self._ending = ending

    def add(self, change: Change) -> None:
        """A command with events was applied."""
        self._ring.append(change)
        if len(self._ring) > self._limit:
            self._first_index = self._ring.popleft().index + 1
            self._dropped += 1
        self._pulse.beat()

    def restart(self, index: int) -> None:
        """The state jumped to `index`: what changed on the way is not known."""
        self._dropped += len(self._ring)
        self._ring.clear()
        self._first_index = index + 1
        self._pulse.beat()

    def end(self) -> None:
        """Wake watchers to see the ending."""
        self._pulse.beat()

    def watch(self, from_index: int | None) -> "Watch":
        """Changes from `from_index` on (None: from now on)."""
        if from_index is None:
            return Watch(self, self._dropped + len(self._ring))
        if from_index < self._first_index:
            raise Compacted(self._first_index)
        skip = sum(1 for change in self._ring if change.index < from_index)
        return Watch(self, self._dropped + skip)

    def held(self, sequence: int) -> Change | None:
        """The change with this running number; None when it has not come yet. Compacted."""
        if sequence < self._dropped:
            raise Compacted(self._first_index)
        at = sequence - self._dropped
        return self._ring[at] if at < len(self._ring) else None

    async def next(self, sequence: int) -> Change:
        """The change with this running number. Compacted; StopAsyncIteration at the end."""
        while True:
            change = self.held(sequence)
            if change is not None:
                return change
            if self._ending.ended:
                raise self._ending.stop()
            await self._pulse.wait()


class Watch:
    """Iterates changes in log order; raises Compacted when it has fallen behind what is held."""

    def __init__(self, changes: Changes, sequence: int) -> None:
        self._changes = changes
        self._sequence = sequence

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> Change:
        """The next change."""
        change = await self._changes.next(self._sequence)
        self._sequence += 1
        return change

    def poll(self) -> Change | None:
        """The next change if it is there already. Compacted."""
        change = self._changes.held(self._sequence)
        self._sequence += change is not None
        return change


class LeadershipWatch:
    """Iterates Gained and Lost, alternating; begins with Gained when this node leads."""

    def __init__(self, feed: LeadershipFeed, ending: Ending) -> None:
        self._feed = feed
        self._ending = ending
        self._pulse = Pulse()

    def push(self, change: LeadershipChange) -> None:
        """Something changed."""
        self._feed.push(change)
        self._pulse.beat()

    def end(self) -> None:
        """Wake the consumer to see the ending."""
        self._pulse.beat()

    def __aiter__(self) -> Self:
        """Itself."""
        return self

    async def __anext__(self) -> LeadershipChange:
        """The next change; after the node's end, what was pending comes first."""
        while True:
            change = self._feed.pop()
            if change is not None:
                return change
            if self._ending.ended:
                raise self._ending.stop()
            await self._pulse.wait()
