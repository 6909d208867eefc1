"""Which processors are kept away from although they live: a circuit breaker each, at the leader. Pure.

A breaker hears three things of its processor:

- heartbeats: what it settled and where it failed since the one before. One that settled anything is a success,
  whatever else failed meanwhile: frames fail too, not only processors.
- health pulls: each failed one is a failure, and a good one takes those back. It is no success: answering a question
  about its health is not yet work done.
- frames whose lease ran out in its hands: a failure each. Frames that wait for it while it has none in hand, for as
  long as a lease, open the breaker at once: it says that it lives, and takes nothing.

A new registration of an id starts afresh, and so does a new leader: it isolates who goes on failing within the
same few failures.
"""

from collections.abc import Mapping

from framebuffer.breaker import Breaker, BreakerSettings, BreakerState
from framebuffer.health import Heartbeat
from framebuffer.registry import Position, ProcessorRow

__all__ = ["PROCESSOR_BREAKER", "Gates", "Isolation"]

PROCESSOR_BREAKER = BreakerSettings(failures=3, open_s=30.0, successes=3)

UNTAKEN_LOOKS = 3

Gates = Mapping[str, BreakerState]
"""The processors whose breaker is not CLOSED. Replaced on change and never altered: identity tells."""


class _Watched:
    def __init__(self, position: Position, settings: BreakerSettings) -> None:
        self.position = position
        self.breaker = Breaker(settings)
        self.totals: Heartbeat | None = None
        self.failed_pulls = 0
        self.untaken_since = 0.0
        self.untaken_looks = 0


class Isolation:
    """The breakers of all processors. Times are monotonic seconds."""

    def __init__(self, settings: BreakerSettings = PROCESSOR_BREAKER) -> None:
        self._settings = settings
        self._watched: dict[str, _Watched] = {}
        self.gates: Gates = {}

    def reported(self, row: ProcessorRow, report: Heartbeat, now: float) -> None:
        """A heartbeat. The first one of a registration says nothing yet: its totals may be older than this leader."""
        watched = self._of(row)
        before, watched.totals = watched.totals, report
        if before is None:
            return
        restarted = report.settled < before.settled or report.errors < before.errors
        settled = report.settled - (0 if restarted else before.settled)
        errors = report.errors - (0 if restarted else before.errors)
        if settled > 0:
            watched.breaker.succeeded(now, settled)
        else:
            watched.breaker.failed(now, errors)

    def pulled(self, row: ProcessorRow, healthy: bool, now: float) -> None:
        """Its health was asked for."""
        watched = self._of(row)
        if healthy:
            watched.breaker.forgive(watched.failed_pulls)
            watched.failed_pulls = 0
        else:
            watched.failed_pulls += 1
            watched.breaker.failed(now)

    def expired(self, row: ProcessorRow, frames: int, now: float) -> None:
        """The leases of `frames` frames ran out in its hands."""
        self._of(row).breaker.failed(now, frames)

    def queue_seen(self, row: ProcessorRow, *, waiting: int, in_hand: int, patience_s: float, now: float) -> None:
        """A look at its queue. Waiting frames while nothing is in hand must be taken within `patience_s`.

        Only several looks in a row tell: between two that are far apart, by a leader that was held up, much may have
        been taken.
        """
        watched = self._of(row)
        if in_hand > 0 or waiting == 0:
            watched.untaken_looks = 0
            return
        if watched.untaken_looks == 0:
            watched.untaken_since = now
        watched.untaken_looks += 1
        if watched.untaken_looks >= UNTAKEN_LOOKS and now - watched.untaken_since >= patience_s:
            watched.untaken_looks = 0
            watched.breaker.failed(now, self._settings.failures)

    def state(self, processor_id: str, now: float) -> BreakerState:
        """CLOSED for one that nothing was heard of."""
        watched = self._watched.get(processor_id)
        return BreakerState.CLOSED if watched is None else watched.breaker.state(now)

    def refresh(self, rows: Mapping[str, ProcessorRow], now: float) -> list[tuple[str, BreakerState]]:
        """Bring `gates` up to date and forget who is gone; what changed, ordered by id."""
        for gone in self._watched.keys() - rows.keys():
            del self._watched[gone]
        gates = {
            processor_id: state
            for processor_id, watched in sorted(self._watched.items())
            if watched.position == rows[processor_id].position
            and (state := watched.breaker.state(now)) is not BreakerState.CLOSED
        }
        if gates == self.gates:
            return []
        closed = BreakerState.CLOSED
        changed = [
            (processor_id, gates.get(processor_id, closed))
            for processor_id in sorted(gates.keys() | self.gates.keys())
            if gates.get(processor_id, closed) is not self.gates.get(processor_id, closed)
        ]
        self.gates = gates
        return changed

    def _of(self, row: ProcessorRow) -> _Watched:
        watched = self._watched.get(row.id)
        if watched is None or watched.position != row.position:
            watched = self._watched[row.id] = _Watched(row.position, self._settings)
        return watched
