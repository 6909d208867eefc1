"""Virtual time: what happens next, and what each host's clocks say about it."""

import heapq
from collections.abc import Callable
from typing import Any

Action = Callable[..., None]


class Agenda:
    """What will happen, in order of time; at equal times in the order in which it was entered."""

    def __init__(self) -> None:
        self.now = 0.0
        """virtual seconds since the run began"""
        self.done = 0
        """actions run so far"""
        self._entries: list[tuple[float, int, Action, tuple[Any, ...]]] = []
        self._entered = 0

    def at(self, when: float, action: Action, *args: Any) -> None:
        """Run `action(*args)` at `when`, or now if that is past."""
        self._entered += 1
        heapq.heappush(self._entries, (max(when, self.now), self._entered, action, args))

    def after(self, seconds: float, action: Action, *args: Any) -> None:
        """Run `action(*args)` that much later."""
        self.at(self.now + seconds, action, *args)

    def run(self, until: float, stop: Callable[[], bool] = lambda: False) -> None:
        """Run everything up to and including `until`, or until `stop()`, which is asked after each action."""
        entries = self._entries
        while entries and entries[0][0] <= until:
            self.now, _, action, args = heapq.heappop(entries)
            self.done += 1
            action(*args)
            if stop():
                return
        self.now = max(self.now, until)


class HostClock:
    """One host's clocks: they run `rate` times as fast as virtual time, and begin somewhere else on every host."""

    def __init__(self, agenda: Agenda, *, begin: float, wall: float, rate: float) -> None:
        self.agenda = agenda
        self.begin = begin
        self._wall = wall
        self.rate = rate
        self.spent = 0.0
        """virtual seconds that the node has used up within its present turn: waiting for the disk, thinking"""

    def virtual(self) -> float:
        """The virtual time at which the node is."""
        return self.agenda.now + self.spent

    def now(self) -> float:
        """See cluster.clock.Clock."""
        return self.begin + self.rate * self.virtual()

    def wall(self) -> float:
        """See cluster.clock.Clock."""
        return self._wall + self.virtual()

    def spend(self, seconds: float) -> None:
        """Let the node be busy."""
        self.spent += seconds

    def jump(self, monotonic_s: float, wall_s: float) -> None:
        """A host that slept: its monotonic clock goes forward. The wall clock may go anywhere."""
        self.begin += max(0.0, monotonic_s)
        self._wall += wall_s

    def boot(self) -> None:
        """After a power cut the monotonic clock begins anew, near zero."""
        self.begin = -self.rate * self.agenda.now + 3.0


class Clocks:
    """What takes the place of `cluster.clock.source`: the clocks of the host whose turn it is."""

    host: HostClock

    def now(self) -> float:
        """See cluster.clock.Clock. AttributeError where a node asks while it is not its turn."""
        host = self.host
        return host.begin + host.rate * (host.agenda.now + host.spent)

    def wall(self) -> float:
        """See cluster.clock.Clock."""
        return self.host.wall()
