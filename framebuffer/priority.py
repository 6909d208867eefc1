"""What leaves a buffer next: the highest priority, first in first out within one, and nothing starves. Pure."""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

__all__ = ["LEVELS", "PATIENCE", "PriorityBuffer"]

LEVELS = 11
"""Priorities 0 to 10."""
PATIENCE = 39
"""A priority that was passed over this often is next. Ten may be due together, so the last of them leaves at the 49th
dequeue."""

T = TypeVar("T")


class PriorityBuffer(Generic[T]):
    """Items by priority 0 to 10. The oldest item of every priority leaves within 50 dequeues of becoming the oldest.

    Every operation is constant in the number of items, but ``remove``.
    """

    def __init__(self) -> None:
        self._levels: list[deque[T]] = [deque() for _ in range(LEVELS)]
        self._passed = [0] * LEVELS
        self._used = 0  # a bit for each level that holds items
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[T]:
        """All items, highest priority first, oldest first within one."""
        for level in reversed(self._levels):
            yield from level

    def push(self, item: T, priority: int) -> None:
        """Behind all others of its priority. Errors: ValueError."""
        if not 0 <= priority < LEVELS:
            raise ValueError(f"priority must be 0 to {LEVELS - 1}, is {priority}")
        if not self._levels[priority]:
            self._passed[priority] = 0
            self._used |= 1 << priority
        self._levels[priority].append(item)
        self._length += 1

    def peek(self, at_least: int = 0) -> T | None:
        """What ``pop`` would return; None when there is nothing of that priority or above."""
        level = self._next(at_least)
        return None if level is None else self._levels[level][0]

    def pop(self, at_least: int = 0) -> T:
        """Remove the next item among those of priority ``at_least`` and above. Errors: IndexError."""
        chosen = self._next(at_least)
        if chosen is None:
            raise IndexError("pop from an empty buffer")
        if self._used >> at_least != 1 << (chosen - at_least):  # it is not the only one
            for level in range(at_least, LEVELS):
                self._passed[level] += 1
        self._passed[chosen] = 0
        return self._take(chosen)

    def oldest(self) -> Iterator[tuple[int, T]]:
        """(priority, item): the oldest item of each priority that has any."""
        for priority, level in enumerate(self._levels):
            if level:
                yield priority, level[0]

    def pop_of(self, priority: int) -> T:
        """Remove the oldest item of this priority, out of turn. Errors: IndexError."""
        return self._take(priority)

    def remove(self, unwanted: Callable[[T], bool]) -> list[T]:
        """Remove the items for which ``unwanted`` says so; returns them, oldest first within a priority."""
        removed: list[T] = []
        for at, level in enumerate(self._levels):
            if level:
                gone = [item for item in level if unwanted(item)]
                if gone:
                    self._levels[at] = deque(item for item in level if not unwanted(item))
                    if not self._levels[at]:
                        self._used &= ~(1 << at)
                    removed += gone
        self._length -= len(removed)
        return removed

    def _take(self, priority: int) -> T:
        level = self._levels[priority]
        item = level.popleft()
        self._length -= 1
        if not level:
            self._used &= ~(1 << priority)
        return item

    def _next(self, at_least: int) -> int | None:
        used = self._used >> at_least << at_least
        if not used:
            return None
        highest = used.bit_length() - 1
        if used == 1 << highest:
            return highest
        due, longest = highest, PATIENCE - 1
        for level in range(highest, at_least - 1, -1):
            if used >> level & 1 and self._passed[level] > longest:
                due, longest = level, self._passed[level]
        return due
