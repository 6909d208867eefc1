"""What a node watches of its own host, and the figures of it: disk, clock, its own loop, its audit.

Nothing here decides anything: it is shown at /metrics, for rules and people. Each look is cheap and bounded; what may
block runs in a thread, and what one part cannot see keeps none of the others from looking.
"""

import asyncio
import logging
import shutil
import ssl
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import msgspec
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from orchestrator.api.leader_link import Broken, LeaderLink, NotSent
from orchestrator.audit.sweep import AuditSweep
from orchestrator.audit.trail import Trail
from orchestrator.clock_offset import ClockOffset, best, of_round_trip
from orchestrator.kernel_clock import kernel_clock

__all__ = ["HostWatch", "measured"]

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""Between two looks at the disk, the clock and the audit."""
FIRST_LOOKS, FIRST_LOOK_S = 3, 1.0
"""The first ones come sooner: the other nodes may be about to start, too."""
CLOCKS_EVERY = 2
"""Looks between two round trips to the other nodes."""
ROUND_TRIPS = 3
"""The quickest of them counts: it tells the clock most exactly."""
ANSWER_S = 2.0
KEEP_S = 1.0
BEAT_S = 0.25
BEATS = 120
"""The loop's delays of so many beats are remembered: half a minute."""


class _Alive(msgspec.Struct):
    node: str = ""
    time: float = 0.0


async def measured(link: LeaderLink, member_id: str, api: str) -> ClockOffset | None:
    """A member's clock minus this host's, by the quickest of `ROUND_TRIPS`. None where it does not answer, or does not
    say its time: it may be of an older release.
    """
    found = []
    for _ in range(ROUND_TRIPS):
        sent, began = time.time(), time.perf_counter()
        try:
            answer = await link.ask(api, "GET", "/healthz", [], within_s=ANSWER_S)
            took = time.perf_counter() - began
            said = msgspec.json.decode(answer.content, type=_Alive)
        except (NotSent, Broken, msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if said.node != member_id or not said.time:
            return None
        found.append(of_round_trip(sent, said.time, took))
    return best(found)


class HostWatch(Collector):
    """Made once a node, with its registry.

    `others`: (id, API) of the other members, as they are now; `tls`: what the certificates of `https://` are held
    against.
    """

    def __init__(
        self,
        directory: Path,
        registry: CollectorRegistry,
        *,
        others: Callable[[], Iterable[tuple[str, str]]],
        tls: ssl.SSLContext | None,
        trail: Trail,
        sweep: AuditSweep,
    ) -> None:
        self._directory = directory
        self._others = others
        self._link = LeaderLink(keep_s=KEEP_S, tls=tls)
        self._trail = trail
        self._sweep = sweep
        self._free, self._size = 0, 0
        self._synchronised: bool | None = None
        self._clocks: dict[str, ClockOffset] = {}
        self._delays: deque[float] = deque([0.0], maxlen=BEATS)
        self._said: set[str] = set()
        ProcessCollector(registry=registry)
        registry.register(self)

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            async with asyncio.TaskGroup() as watching:
                watching.create_task(self._beat(), name="loop-delay")
                watching.create_task(self._look(), name="host-look")
        finally:
            await self._link.aclose()

    def collect(self) -> Iterator[Metric]:
        """Every figure as it was seen last."""
        yield _gauge("disk_free_bytes", "Free for the node on the file system of its data.", self._free)
        yield _gauge("disk_size_bytes", "Size of the file system of its data.", self._size)
        yield _gauge(
            "clock_synchronised",
            "1 while something keeps this host's clock; no value where nobody may ask.",
            self._synchronised,
        )
        offset = GaugeMetricFamily(
            "triarch_clock_offset_seconds", "The peer's clock minus this host's, by round trips.", labels=["peer"]
        )
        within = GaugeMetricFamily(
            "triarch_clock_uncertainty_seconds", "What the offset may be wrong by.", labels=["peer"]
        )
        for peer, found in sorted(self._clocks.items()):
            offset.add_metric([peer], found.offset_s)
            within.add_metric([peer], found.uncertainty_s)
        yield offset
        yield within
        yield _gauge(
            "event_loop_delay_seconds", "The longest that the node's loop was late in the last half minute.",
            max(self._delays),
        )  # fmt: skip
        yield _gauge("audit_entries", "Number of the newest entry in this node's audit file.", self._trail.last)
        yield _gauge("audit_write_failed", "1 while the audit cannot be written.", bool(self._trail.trouble))
        yield _gauge("audit_broken", "1 since its file was found not to be the chain.", bool(self._sweep.broken))

    async def _beat(self) -> None:
        while True:
            due = time.monotonic() + BEAT_S
            await asyncio.sleep(BEAT_S)
            self._delays.append(max(0.0, time.monotonic() - due))

    async def _look(self) -> None:
        looks = 0
        while True:
            await asyncio.to_thread(self._look_here)
            if looks % CLOCKS_EVERY == 0 or looks < FIRST_LOOKS:
                await self._look_around()
            looks += 1
            await asyncio.sleep(LOOK_S if looks >= FIRST_LOOKS else FIRST_LOOK_S)

    def _look_here(self) -> None:
        try:
            usage = shutil.disk_usage(self._directory)
            self._free, self._size = usage.free, usage.total
        except OSError as error:
            self._free = 0
            self._say(f"the disk of {self._directory} cannot be asked: {error.strerror}")
        try:
            self._synchronised = kernel_clock().synchronised
        except OSError as error:
            self._synchronised = None  # as in some containers: that is no clock which nothing keeps
            self._say(f"the kernel cannot be asked for its clock: {error}")
        try:
            self._sweep.step()
        except OSError as error:
            self._say(f"the audit cannot be read: {error}")

    async def _look_around(self) -> None:
        others = list(self._others())
        found = await asyncio.gather(*(measured(self._link, member_id, api) for member_id, api in others))
        # A member that does not answer loses its row: an old offset would be taken for what is true now.
        self._clocks = {
            member_id: offset for (member_id, _), offset in zip(others, found, strict=True) if offset is not None
        }

    def _say(self, text: str) -> None:
        if text not in self._said:  # of each thing once: it would be said every few seconds
            self._said.add(text)
            log.warning("%s", text)


def _gauge(name: str, text: str, value: float | None) -> Metric:
    return GaugeMetricFamily(f"triarch_{name}", text, value=value)
