"""A primary, two replicas that lag 60 ms and three sentinels: 20 primaries lose their power, and planned failovers.

Size: kills; one planned failover for each four of them. The primary is killed and what it had sent and no replica had
received is gone, as with a host that loses power: on loopback the kernel would still deliver it. Cameras publish with
durability `majority`: what the server acknowledged so may not be lost. One camera more sends frame after frame, and
its longest wait for an acknowledgement around each failover is the publish gap.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from framebuffer.embedded import find_binary
from framebuffer.producer import FrameProducer
from tests.chaos.faults import FaultMissing
from tests.chaos.frames.plant import Cameras, FramePlant
from tests.framebuffer.sentinel_set import LinkedSet
from tests.soak.frame_kills import figures

SIZE = 20
LAG_S = 0.06
CAMERAS = (Cameras("cams-1", ("cam1", "cam2"), 50.0, ("--durability", "majority")),)
BETWEEN = 200
GAP_MAX_MS = 3000.0


class Pulse:
    """A camera that has one frame acknowledged after the other, and remembers the longest wait."""

    def __init__(self, producer: FrameProducer) -> None:
        self._producer = producer
        self._longest_s = 0.0
        self._since = time.monotonic()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._producer.publish(b"x", width=8, height=8, format="raw", metadata={"detection_type": "echo"})
            await self._producer.flush()
            self._longest_s, self._since = max(self._longest_s, time.monotonic() - self._since), time.monotonic()

    def longest_ms(self) -> float:
        """The longest wait since this was asked last, one that still lasts included; in milliseconds."""
        longest, self._longest_s = max(self._longest_s, time.monotonic() - self._since), 0.0
        return longest * 1000


@asynccontextmanager
async def pulse(plant: FramePlant) -> AsyncIterator[Pulse]:
    """The pulse of a plant, in the camera `pulse`."""
    async with plant.producer("pulse", durability="majority") as producer:
        beating = Pulse(producer)
        task = asyncio.create_task(beating.run())
        try:
            yield beating
        finally:
            task.cancel()
            await asyncio.wait({task})


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` kills, each healed before the next, and a planned failover after each fourth."""
    killed, planned = [], []
    binary = await asyncio.to_thread(find_binary)
    lags = (LAG_S, LAG_S, LAG_S)
    async with (
        LinkedSet(directory / "servers", binary, lags) as servers,
        FramePlant(directory / "plant", cameras=CAMERAS, server_url=servers.url) as plant,
    ):
        async with pulse(plant) as beating:
            for number in range(1, int(size) + 1):
                killed.append(await gap_of_kill(plant, servers, beating))
                if number % 4 == 0:
                    planned.append(await gap_of_failover(plant, servers, beating))
        await plant.moves(BETWEEN)
        verdict = await plant.finish()
    gaps = [*killed, *planned]
    problems = [*verdict.problems]
    if max(gaps) > GAP_MAX_MS:
        problems.append(f"the longest publish gap is {max(gaps):.0f} ms, wanted {GAP_MAX_MS:.0f}")
    return {
        "kills": len(killed),
        "planned_failovers": len(planned),
        "replication_lag_ms": LAG_S * 1000,
        "publish_gap_p50_ms": round(statistics.median(killed), 1),
        "publish_gap_max_ms": round(max(killed), 1),
        "planned_gap_max_ms": round(max(planned), 1) if planned else None,
        "publish_gaps_ms": [round(gap, 1) for gap in killed],
        "planned_gaps_ms": [round(gap, 1) for gap in planned],
        "acknowledged_and_lost": verdict.lost,
        **figures(verdict),
        "problems": problems,
    }


async def gap_of_kill(plant: FramePlant, servers: LinkedSet, beating: Pulse) -> float:
    """The primary loses its power, another is promoted, and it comes back as a replica; the publish gap in ms."""
    await plant.moves(BETWEEN)
    beating.longest_ms()
    at = await servers.lose_power()
    if servers.set.servers[at].pid is not None:
        raise FaultMissing(f"server {at} still runs")
    now = await servers.failed_over(at)
    return await _gap(plant, beating, at, now)


async def gap_of_failover(plant: FramePlant, servers: LinkedSet, beating: Pulse) -> float:
    """A planned failover; the publish gap in ms."""
    await plant.moves(BETWEEN)
    beating.longest_ms()
    at = await servers.set.primary()
    await servers.set.failover()
    await servers.set.moved_from(at)
    now = await servers.set.healthy()
    return await _gap(plant, beating, at, now)


async def _gap(plant: FramePlant, beating: Pulse, before: int, now: int) -> float:
    if now == before:
        raise FaultMissing(f"server {before} is the primary as before")
    await plant.moves(BETWEEN)
    return beating.longest_ms()
