"""Who is alive: a pure tracker of heartbeats and of health pulls, used by the leader only.

Monotonic times are passed in, so nothing here looks at a clock. The tracker compares what it heard with what the
replicated registry says, and returns the differences as commands. It keeps returning one until the registry agrees,
so a proposal that failed needs no bookkeeping. A new leader has heard nobody yet: each processor gets a full
timeout from the moment the leader first sees its row.

Two signs of life, and both must be fine where both are used. A processor without `health_url` must send heartbeats.
One with it must answer there, and once it has sent a heartbeat it must go on with these too.
"""

from collections.abc import Mapping
from typing import NamedTuple

from framebuffer.registry import Health, Position, ProcessorRow

PULL_FAILURES = 2
"""So many failed pulls in a row make a processor unhealthy. The one after a failed one comes early (`pull_again_s`)."""


class Heartbeat(NamedTuple):
    """What a processor reports of itself: frames in its hands, frames settled and errors since its start."""

    in_flight: int = 0
    settled: int = 0
    errors: int = 0


class _Heard(NamedTuple):
    position: Position
    at: float
    beaten: bool = False
    """By a heartbeat, not just by being seen in the registry."""


class _Pulled(NamedTuple):
    position: Position
    failures: int
    reason: str


def pull_again_s(interval_s: float, failures: int) -> float:
    """Seconds from the beginning of one pull to the next.

    After a failure it is a quarter: then two failures in a row are seen within two intervals of what caused them, if a
    pull takes at most half an interval.
    """
    return interval_s if failures == 0 or failures >= PULL_FAILURES else interval_s / 4


class HeartbeatTracker:
    """`timeout_s` without a heartbeat makes a processor unhealthy; its next heartbeat makes it healthy again."""

    def __init__(self, timeout_s: float = 3.0) -> None:
        if not timeout_s > 0:
            raise ValueError(f"heartbeat timeout must be above 0 s, is {timeout_s}")
        self.timeout_s = timeout_s
        self._heard: dict[str, _Heard] = {}
        self._last: dict[str, Heartbeat] = {}
        self._pulled: dict[str, _Pulled] = {}

    def beat(self, row: ProcessorRow, now: float, report: Heartbeat = Heartbeat()) -> None:  # noqa: B008 (immutable)
        """A heartbeat of the registered processor `row` came in at `now`."""
        self._heard[row.id] = _Heard(row.position, now, beaten=True)
        self._last[row.id] = report

    def pulled(self, row: ProcessorRow, reason: str = "") -> int:
        """Its `health_url` was asked; `reason` says what was wrong, empty when it was well. Failures in a row."""
        before = self._pulled.get(row.id)
        earlier = before.failures if before is not None and before.position == row.position else 0
        failures = earlier + 1 if reason else 0
        self._pulled[row.id] = _Pulled(row.position, failures, reason)
        return failures

    def last_report(self, processor_id: str) -> Heartbeat | None:
        return self._last.get(processor_id)

    def last_pull(self, processor_id: str) -> str | None:
        """What was wrong at the last health pull: empty when it was well, None when there was none."""
        pulled = self._pulled.get(processor_id)
        return None if pulled is None else pulled.reason

    def silence_s(self, processor_id: str, now: float) -> float | None:
        """Seconds since it was last heard; None when it is not tracked."""
        heard = self._heard.get(processor_id)
        return None if heard is None else now - heard.at

    def verdicts(self, rows: Mapping[str, ProcessorRow], now: float) -> list[Health]:
        """The commands that make the registry say what is true at `now`, by id. Rows that are gone are forgotten."""
        for gone in self._heard.keys() - rows.keys():
            del self._heard[gone]
            self._last.pop(gone, None)
            self._pulled.pop(gone, None)
        found = []
        for processor_id, row in sorted(rows.items()):
            healthy, reason = self._judge(row, now)
            if healthy != row.healthy:
                found.append(Health(id=processor_id, healthy=healthy, reason=reason, position=row.position))
        return found

    def _judge(self, row: ProcessorRow, now: float) -> tuple[bool, str]:
        heard = self._heard.get(row.id)
        if heard is None or heard.position != row.position:
            # First sight, or a new registration: registering counts as a sign of life, standing unhealthy does not.
            self._heard[row.id] = heard = _Heard(row.position, now if row.healthy else now - self.timeout_s)
        silent = now - heard.at
        alive = silent < self.timeout_s
        if row.registration.health_url is None:
            return alive, "heartbeat received" if alive else f"no heartbeat for {silent:.1f} s"
        if heard.beaten and not alive:
            return False, f"no heartbeat for {silent:.1f} s"
        pulled = self._pulled.get(row.id)
        if pulled is None or pulled.position != row.position:
            return row.healthy, row.reason  # not asked yet
        if pulled.failures == 0:
            return True, "answers at its health_url"
        if pulled.failures < PULL_FAILURES:
            return row.healthy, row.reason  # one failed pull changes nothing
        return False, f"health_url: {pulled.reason}"
