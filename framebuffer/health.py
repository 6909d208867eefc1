"""Who is alive: a pure tracker of heartbeats, used by the leader only.

Monotonic times are passed in, so nothing here looks at a clock. The tracker compares what it heard with what the
replicated registry says, and returns the differences as commands. It keeps returning one until the registry agrees,
so a proposal that failed needs no bookkeeping. A new leader has heard nobody yet: each processor gets a full
timeout from the moment the leader first sees its row.
"""

from collections.abc import Mapping
from typing import NamedTuple

from framebuffer.registry import Health, Position, ProcessorRow


class Heartbeat(NamedTuple):
    """What a processor reports of itself: frames in its hands, frames settled and errors since its start."""

    in_flight: int = 0
    settled: int = 0
    errors: int = 0


class _Heard(NamedTuple):
    position: Position
    at: float


class HeartbeatTracker:
    """`timeout_s` without a heartbeat makes a processor unhealthy; its next heartbeat makes it healthy again."""

    def __init__(self, timeout_s: float = 3.0) -> None:
        if not timeout_s > 0:
            raise ValueError(f"heartbeat timeout must be above 0 s, is {timeout_s}")
        self.timeout_s = timeout_s
        self._heard: dict[str, _Heard] = {}
        self._last: dict[str, Heartbeat] = {}

    def beat(self, row: ProcessorRow, now: float, report: Heartbeat = Heartbeat()) -> None:  # noqa: B008 (immutable)
        """A heartbeat of the registered processor `row` came in at `now`."""
        self._heard[row.id] = _Heard(row.position, now)
        self._last[row.id] = report

    def last_report(self, processor_id: str) -> Heartbeat | None:
        return self._last.get(processor_id)

    def silence_s(self, processor_id: str, now: float) -> float | None:
        """Seconds since it was last heard; None when it is not tracked."""
        heard = self._heard.get(processor_id)
        return None if heard is None else now - heard.at

    def verdicts(self, rows: Mapping[str, ProcessorRow], now: float) -> list[Health]:
        """The commands that make the registry say what is true at `now`, by id. Rows that are gone are forgotten."""
        for gone in self._heard.keys() - rows.keys():
            del self._heard[gone]
            self._last.pop(gone, None)
        found = []
        for processor_id, row in sorted(rows.items()):
            heard = self._heard.get(processor_id)
            if heard is None or heard.position != row.position:
                # First sight, or a new registration: registering counts as a sign of life, standing unhealthy does not.
                self._heard[processor_id] = heard = _Heard(row.position, now if row.healthy else now - self.timeout_s)
            silent = now - heard.at
            healthy = silent < self.timeout_s
            if healthy != row.healthy:
                reason = "heartbeat received" if healthy else f"no heartbeat for {silent:.1f} s"
                found.append(Health(id=processor_id, healthy=healthy, reason=reason, position=row.position))
        return found
