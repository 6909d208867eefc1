"""Who works on frames: so many at once, however many queues they come from."""

import asyncio

from framebuffer.hand import Hand

__all__ = ["Crew"]


class Crew:
    """`size`: frames worked on at once. `work_limit_s`: a frame that takes longer is not renewed any more."""

    def __init__(self, size: int, work_limit_s: float) -> None:
        self.size = size
        self.places = asyncio.Semaphore(size)
        """Hold one while working on a frame."""
        self._work_limit_s = work_limit_s
        self._hands: list[Hand] = []

    def new_hand(self) -> Hand:
        """For one queue."""
        hand = Hand(self._work_limit_s)
        self._hands.append(hand)
        return hand

    def stuck(self, now: float) -> bool:
        """All of them work on something for longer than the limit: what else is in hand may wait for ever."""
        return sum(hand.overdue(now) for hand in self._hands) >= self.size
