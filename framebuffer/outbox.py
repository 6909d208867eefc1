"""One camera's frames between acceptance and the server's answer: what goes next, what waits, what is given up. Pure.

Sequences are assigned on acceptance, and every one of them is either answered for by the server (as published) or
recorded as dropped, so that the ledger has no gap. Times are monotonic seconds.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from framebuffer.backpressure import Backpressure
from framebuffer.drops import Drops
from framebuffer.policy import DEADLINE, FRESHEST, REFUSED, Pace, Policy
from framebuffer.pressure import Level
from framebuffer.priority import PriorityBuffer
from framebuffer.wire import OutgoingFrame

__all__ = ["Outbox", "ProducerCounters"]


class ProducerCounters(msgspec.Struct):
    """``accepted`` = ``published`` + ``duplicates`` + ``refused`` + ``freshest`` + ``deadline`` + what is buffered."""

    accepted: int = 0
    published: int = 0
    duplicates: int = 0  # the server had them: the reply to an earlier try was lost
    refused: int = 0  # by the server; each is logged, and dropped in the ledger
    invalid: int = 0  # refused before they were accepted
    retries: int = 0  # batches sent once more
    rollbacks: int = 0  # the server had lost our session in a failover, and we opened the camera again
    freshest: int = 0  # dropped because newer ones were there
    deadline: int = 0  # dropped because they were too old when their turn came
    slowed: int = 0  # times that backpressure halved the rate
    paused: int = 0  # times that backpressure stopped it
    resequenced: int = 0  # sent with another sequence, because a foreign frame had theirs
    ancient: int = 0  # accepted although captured more than a day ago


_USED_S = 10.0  # a camera counts as one that uses a capability for so long after its last frame for it
_USED_MAX = 32


class Accepted(NamedTuple):
    """A frame, and when it was accepted."""

    frame: OutgoingFrame
    at: float


class Outbox:
    """``buffer``: frames accepted and not answered for, at most; as many urgent ones beside them. Under ``deadline`` as
    many again may be in flight and too late: whether they were published nobody knows, so they cannot be given up, and
    nobody waits for them either.

    ``ended`` is told of each frame that the server has answered for or that is given up, with why it was not published.
    """

    def __init__(
        self,
        camera_id: str,
        policy: Policy,
        *,
        buffer: int = 64,
        ended: Callable[[OutgoingFrame, str], None] = lambda _frame, _why: None,
    ) -> None:
        if buffer < 1:
            raise ValueError("buffer must be at least 1")
        self.camera_id = camera_id
        self.policy = policy
        self.counters = ProducerCounters()
        self.drops = Drops(camera_id)
        self.level = Level.NORMAL
        """Of this camera: the highest of the capabilities that it uses."""
        self._told = Backpressure()
        self._used: dict[str, float] = {}  # when a frame of the capability was accepted last
        self.next_sequence = 0
        self.closing = False
        """What is left is sent whatever the level: it is little, and would be lost."""
        self._limit = buffer
        self._ended = ended
        self._waiting: PriorityBuffer[Accepted] = PriorityBuffer()
        self._flying: dict[int, Accepted] = {}
        self._held = [0, 0]  # ordinary and urgent frames, waiting and flying
        self._pace = Pace()

    def __len__(self) -> int:
        """Frames accepted and neither answered for nor given up."""
        return len(self._waiting) + len(self._flying)

    @property
    def owed(self) -> int:
        """Frames accepted that the server does not have as published or as dropped, as far as is known here."""
        return len(self) + len(self.drops)

    @property
    def waiting(self) -> int:
        """Those of them that have not been sent."""
        return len(self._waiting)

    # -- acceptance ---------------------------------------------------------------------------------------------------

    def has_room(self, priority: int, now: float) -> bool:
        """Whether a frame of this priority can be accepted; drops what is too late if that is what it takes."""
        urgent = self._is_urgent(priority)
        if self._held[urgent] < self._limit:
            return True
        if urgent or self.policy.name not in (FRESHEST, DEADLINE):
            return False
        if self.policy.name == FRESHEST:
            return True  # the freshest take the place of older ones: they never wait
        self._expire(now)
        late = sum(self._is_late(item, now) for item in self._flying_ordinary())
        # Of those in flight only so many are passed over, so that what is held has a bound however long they fly.
        return self._held[False] - min(late, self._limit) < self._limit

    def room_at(self, now: float) -> float | None:
        """When an ordinary frame will be too late and make room; None where that does not happen."""
        if self.policy.deadline_s is None:
            return None
        since = [item.at for priority, item in self._waiting.oldest() if not self._is_urgent(priority)]
        since += [item.at for item in self._flying_ordinary() if not self._is_late(item, now)]
        return max(now, min(since) + self.policy.deadline_s) if since else None

    def accept(self, frame: OutgoingFrame, now: float) -> None:
        """Take a frame; its sequence is ``next_sequence``."""
        urgent = self._is_urgent(frame.priority)
        self._waiting.push(Accepted(frame, now), frame.priority)
        self._held[urgent] += 1
        self.next_sequence = frame.sequence + 1
        self.counters.accepted += 1
        self._use(frame, now)
        if not urgent and self.policy.name == FRESHEST:
            if self._is_held_back(now):
                self._keep_newest(1)
            elif self._held[False] > self._limit:
                self._displace()

    def displaces(self, now: float) -> bool:
        """An ordinary frame that is accepted now pushes others out, and does not wait for anybody."""
        return self.policy.name == FRESHEST and (self._is_held_back(now) or self._held[False] >= self._limit)

    # -- sending ------------------------------------------------------------------------------------------------------

    def hear(self, told: Backpressure, now: float) -> None:
        """Backpressure is this now."""
        self._told = told
        self.feel(self._own_level(now), now)

    def feel(self, level: Level, now: float) -> None:
        """This camera's level is this now."""
        before, self.level = self.level, level
        if level == before:
            return
        if level == Level.CRITICAL:
            self._pace.pause(now)
            self.counters.paused += 1
        elif level == Level.HIGH:
            self._pace.halve(now)
            self.counters.slowed += 1
        elif before >= Level.HIGH:
            self._pace.free(now)
        if self.policy.name == FRESHEST and self._is_paused():
            self._keep_newest(1)

    def next_at(self, now: float) -> float | None:
        """When a frame may go; None where none waits, or the level must fall first."""
        if not self._waiting:
            return None
        if self._waiting.peek(self.policy.urgent) is not None or self.closing:
            return now
        return None if self._is_paused() else self._pace.next_at(now)

    def turn(self, now: float, frames: int, size: int) -> list[OutgoingFrame]:
        """Up to so many frames, of up to so many bytes but for the first, that go now: they are in flight then."""
        batch: list[OutgoingFrame] = []
        allowed = None if self.closing else 0 if self._is_paused() else self._pace.allowed(now)
        if self.policy.name == FRESHEST and allowed:
            self._keep_newest(allowed)
        ordinary = 0
        while len(batch) < frames:
            at_least = 0 if allowed is None or ordinary < allowed else self.policy.urgent
            item = self._waiting.peek(at_least)
            if item is None:
                break
            urgent = self._is_urgent(item.frame.priority)
            size -= len(item.frame.payload) + len(item.frame.event)
            if batch and size < 0:
                break
            self._waiting.pop(at_least)
            if not urgent and (reason := self._given_up(item, now)):
                size += len(item.frame.payload) + len(item.frame.event)
                self._drop(item, reason)
                continue
            ordinary += not urgent
            self._flying[item.frame.sequence] = item
            batch.append(item.frame)
        self._pace.sent(ordinary, now)
        return batch

    def answered(self, frame: OutgoingFrame, status: str, *, repeated: bool) -> str:
        """The server has answered for a frame in flight. Returns what is to be said about that, empty for nothing."""
        item = self._flying.pop(frame.sequence)
        if status == "duplicate" and not repeated:
            return self._resequenced(item)
        self._held[self._is_urgent(frame.priority)] -= 1
        self._ended(frame, "" if status in ("ok", "duplicate") else status)
        if status == "ok":
            self.counters.published += 1
            return ""
        if status == "duplicate":
            self.counters.duplicates += 1
            return ""
        self.counters.refused += 1
        self.drops.add(frame, REFUSED)
        return f"the server refused frame {frame.frame_id}: {status}"

    def _resequenced(self, item: Accepted) -> str:
        """The server has a frame of this sequence, and it cannot be ours, which was never sent before."""
        frame = msgspec.structs.replace(item.frame, sequence=self.next_sequence)
        self.next_sequence += 1
        self._waiting.push(Accepted(frame, item.at), frame.priority)
        self.counters.resequenced += 1
        return (
            f"the server has another frame with sequence {item.frame.sequence} already: somebody publishes under this "
            f"producer's session; {frame.frame_id} goes with sequence {frame.sequence}"
        )

    def left(self) -> list[OutgoingFrame]:
        """The frames accepted and neither answered for nor given up, in no particular order."""
        return [item.frame for item in (*self._flying.values(), *self._waiting)]

    def flies(self, frame: OutgoingFrame) -> bool:
        """Whether the frame is in flight."""
        return frame.sequence in self._flying

    @property
    def lowest_unanswered(self) -> int:
        """The lowest sequence of a frame that the server has not answered for; the next one when there is none."""
        waiting = (item.frame.sequence for item in self._waiting)
        return min((*self._flying, *waiting), default=self.next_sequence)

    # -- capabilities -------------------------------------------------------------------------------------------------

    def _use(self, frame: OutgoingFrame, now: float) -> None:
        for capability in frame.capabilities or (frame.capability,):
            self._used[capability] = now
        if len(self._used) > _USED_MAX:
            del self._used[min(self._used, key=self._used.__getitem__)]
        if self._told.crowded:
            self.feel(self._own_level(now), now)

    def _own_level(self, now: float) -> Level:
        if not self._told.crowded:
            return Level(self._told.level)
        used = {capability for capability, at in self._used.items() if now - at < _USED_S}
        for item in self._waiting:
            used.update(item.frame.capabilities or (item.frame.capability,))
        return Level(max(self._told.level, *(self._told.crowded.get(capability, 0) for capability in used), 0))

    # -- giving up ----------------------------------------------------------------------------------------------------

    def _is_urgent(self, priority: int) -> bool:
        return priority >= self.policy.urgent

    def _flying_ordinary(self) -> Iterator[Accepted]:
        return (item for item in self._flying.values() if not self._is_urgent(item.frame.priority))

    def _is_paused(self) -> bool:
        return self.level == Level.CRITICAL and not self.closing

    def _is_held_back(self, now: float) -> bool:
        """An ordinary frame may not go now: its camera is paused, or has sent as many as its pace allows."""
        return not self.closing and (self._is_paused() or self._pace.next_at(now) > now)

    def _is_late(self, item: Accepted, now: float) -> bool:
        return self.policy.deadline_s is not None and now - item.at >= self.policy.deadline_s

    def _given_up(self, item: Accepted, now: float) -> str:
        """The reason for which a frame whose turn it is does not go."""
        return str(DEADLINE) if self._is_late(item, now) else ""

    def _drop(self, item: Accepted, reason: str) -> None:
        self._held[self._is_urgent(item.frame.priority)] -= 1
        self.drops.add(item.frame, reason)
        self._ended(item.frame, f"dropped: {reason}")
        if reason == FRESHEST:
            self.counters.freshest += 1
        else:
            self.counters.deadline += 1

    def _expire(self, now: float) -> None:
        late = True
        while late:
            late = False
            for priority, item in list(self._waiting.oldest()):
                if not self._is_urgent(priority) and self._is_late(item, now):
                    self._drop(self._waiting.pop_of(priority), DEADLINE)
                    late = True

    def _keep_newest(self, count: int) -> None:
        if self._held[False] <= count:
            return
        ordinary = sorted(item.frame.sequence for item in self._waiting if not self._is_urgent(item.frame.priority))
        if len(ordinary) > count:
            oldest = ordinary[-count]
            for item in self._waiting.remove(
                lambda item: not self._is_urgent(item.frame.priority) and item.frame.sequence < oldest
            ):
                self._drop(item, FRESHEST)

    def _displace(self) -> None:
        ordinary = [
            (item.frame.sequence, level) for level, item in self._waiting.oldest() if not self._is_urgent(level)
        ]
        if ordinary:
            oldest, level = min(ordinary)
            if oldest != self.next_sequence - 1:  # the newest stays, also where all others are in flight
                self._drop(self._waiting.pop_of(level), FRESHEST)
