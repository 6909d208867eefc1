"""A primary, two replicas that lag 60 ms and three sentinels: 20 primaries lose their power, and planned failovers.

Size: kills; one planned failover for each four of them, at least one. The primary is killed, and what it had sent and
no replica had received is gone, as with a host that loses power: on loopback the kernel would still deliver it.
Cameras publish with durability `majority`: what the server acknowledged so may not be lost. Two of them have buffers
so small that they give frames up meanwhile, one as newer ones are there, one as they are too late: what the server
acknowledged of those may not be lost either.

Two gaps are measured around each failover. The publish gap: how long no publish call is carried out, probed with one
that changes nothing, the repeat of a frame. The acknowledgement gap: how long a camera waits for the confirmation of a
frame by the majority, which is both replicas, so that it lasts until the killed server is back as one.
"""

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from framebuffer.connection import connect
from framebuffer.embedded import find_binary
from framebuffer.errors import RedisFailure
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame
from tests.chaos.faults import FaultMissing
from tests.chaos.frames.plant import Cameras, FramePlant
from tests.framebuffer.sentinel_set import LinkedSet
from tests.soak.frame_kills import figures

SIZE = 20
LAG_S = 0.06
DURABLE = ("--durability", "majority")
SMALL = (*DURABLE, "--buffer", "8", "--policy")
CAMERAS = (
    Cameras("cams-1", ("cam1", "cam2"), 50.0, DURABLE),
    Cameras("cams-2", ("cam3",), 50.0, (*SMALL, "freshest")),
    Cameras("cams-3", ("cam4",), 50.0, (*SMALL, "deadline", "--deadline-s", "0.5")),
)
BETWEEN = 200
GAP_MAX_MS = 3000.0
PROBE_S = 0.5
PROBE_EVERY_S = 0.01


class Longest:
    """The longest time between two beats since it was asked last."""

    def __init__(self) -> None:
        self._longest_s = 0.0
        self._since = time.monotonic()

    def beat(self) -> None:
        """What is timed has happened again."""
        now = time.monotonic()
        self._longest_s, self._since = max(self._longest_s, now - self._since), now

    def take_ms(self) -> float:
        """In milliseconds, one that still lasts included."""
        longest, self._longest_s = max(self._longest_s, time.monotonic() - self._since), 0.0
        return longest * 1000


class Gaps(NamedTuple):
    """Around one failover, in milliseconds."""

    publish: float
    acknowledgement: float


class Beating:
    """A camera that has one frame confirmed after the other, and a probe that repeats a frame of long ago."""

    def __init__(self, plant: FramePlant) -> None:
        self._plant = plant
        self._confirmed, self._carried_out = Longest(), Longest()

    async def confirm(self, producer: FrameProducer) -> None:
        """Until cancelled."""
        while True:
            await producer.publish(b"x", width=8, height=8, format="raw", metadata={"detection_type": "echo"})
            await producer.flush()
            self._confirmed.beat()

    async def probe(self) -> None:
        """Until cancelled. The frame was confirmed by both replicas, so that every primary knows it."""
        frame = OutgoingFrame("probe-0", 0, b"{}", b"x", "echo")
        redis = connect(self._plant.topology.redis_url, timeout_s=PROBE_S)
        streams = FrameStreams(redis)
        try:
            session = await streams.open_camera("probe")
            assert await streams.publish(session, [frame], durability="majority") == ["ok"]
            self._plant.account("probe", accepted=1, confirmed=1)
            while True:
                with contextlib.suppress(RedisFailure):
                    assert await streams.publish(session, [frame]) == ["duplicate"]
                    self._carried_out.beat()
                await asyncio.sleep(PROBE_EVERY_S)
        finally:
            await streams.aclose()
            await redis.aclose()

    def gaps(self) -> Gaps:
        """The longest since they were asked for last."""
        return Gaps(self._carried_out.take_ms(), self._confirmed.take_ms())


@asynccontextmanager
async def beating(plant: FramePlant) -> AsyncIterator[Beating]:
    """Both, until the block is left."""
    both = Beating(plant)
    async with plant.producer("pulse", durability="majority") as producer, asyncio.TaskGroup() as group:
        tasks = [group.create_task(both.confirm(producer)), group.create_task(both.probe())]
        yield both
        for task in tasks:
            task.cancel()


async def run(directory: Path, size: float) -> dict[str, Any]:
    """`size` kills, each healed before the next, and a planned failover after each fourth."""
    killed: list[Gaps] = []
    planned: list[Gaps] = []
    binary = await asyncio.to_thread(find_binary)
    lags = (LAG_S, LAG_S, LAG_S)
    async with (
        LinkedSet(directory / "servers", binary, lags) as servers,
        FramePlant(directory / "plant", cameras=CAMERAS, server_url=servers.url) as plant,
    ):
        async with beating(plant) as both:
            for number in range(1, int(size) + 1):
                killed.append(await gap_of_kill(plant, servers, both))
                if number % 4 == 0 or number == size < 4:
                    planned.append(await gap_of_failover(plant, servers, both))
        await plant.moves(BETWEEN)
        verdict = await plant.finish()
    given_up = {name: sum(said["dropped"] for said in plant.said(name)) for name in ("cam3", "cam4")}
    return {
        "kills": len(killed),
        "planned_failovers": len(planned),
        "replication_lag_ms": LAG_S * 1000,
        **_timed("publish_gap", [gaps.publish for gaps in killed]),
        **_timed("acknowledgement_gap", [gaps.acknowledgement for gaps in killed]),
        **_timed("planned_publish_gap", [gaps.publish for gaps in planned]),
        **_timed("planned_acknowledgement_gap", [gaps.acknowledgement for gaps in planned]),
        "acknowledged_and_lost": verdict.lost,
        **figures(verdict),
        "given_up": sum(given_up.values()),
        "problems": [
            *verdict.problems,
            *too_long([gaps.publish for gaps in [*killed, *planned]]),
            *(f"{name} gave no frame up: this proves nothing of it" for name, frames in given_up.items() if not frames),
        ],
    }


def _timed(name: str, gaps: list[float]) -> dict[str, Any]:
    middle = round(statistics.median(gaps), 1) if gaps else None
    most = round(max(gaps), 1) if gaps else None
    return {f"{name}_p50_ms": middle, f"{name}_max_ms": most, f"{name}s_ms": [round(gap, 1) for gap in gaps]}


def too_long(gaps: list[float]) -> list[str]:
    """What breaks the promise."""
    if not gaps:
        return ["no gap was measured"]
    if max(gaps) > GAP_MAX_MS:
        return [f"the longest publish gap is {max(gaps):.0f} ms, wanted {GAP_MAX_MS:.0f}"]
    return []


async def gap_of_kill(plant: FramePlant, servers: LinkedSet, both: Beating) -> Gaps:
    """The primary loses its power, another is promoted, and it comes back as a replica."""
    await plant.moves(BETWEEN)
    both.gaps()
    at = await servers.lose_power()
    if servers.set.servers[at].pid is not None:
        raise FaultMissing(f"server {at} still runs")
    now = await servers.failed_over(at)
    return await _gap(plant, both, at, now)


async def gap_of_failover(plant: FramePlant, servers: LinkedSet, both: Beating) -> Gaps:
    """A planned failover."""
    await plant.moves(BETWEEN)
    both.gaps()
    at = await servers.set.primary()
    await servers.set.failover()
    await servers.set.moved_from(at)
    now = await servers.set.healthy()
    return await _gap(plant, both, at, now)


async def _gap(plant: FramePlant, both: Beating, before: int, now: int) -> Gaps:
    if now == before:
        raise FaultMissing(f"server {before} is the primary as before")
    await plant.moves(BETWEEN)
    return both.gaps()
