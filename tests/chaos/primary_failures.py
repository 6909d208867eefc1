"""Primaries that lose power behind a lagging link, and planned failovers, under load; the ledger decides.

    python -m tests.chaos.primary_failures --kills 20 --failovers 5 --lag-ms 60 --durability majority --report FILE

Cameras publish, a dispatcher routes and a processor settles all the time. After each failure it is measured how long no
frame was acknowledged. At the end every frame that was acknowledged must be accounted for, and none twice.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from framebuffer.connection import connect
from framebuffer.dispatcher import Dispatcher
from framebuffer.durability import Durability
from framebuffer.embedded import find_binaries
from framebuffer.errors import RedisFailure
from framebuffer.ledger import verify
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from framebuffer.wire import RoutingRow, RoutingTable, Settlement
from tests.framebuffer.sentinel_set import LinkedSet
from tests.support import eventually

EPOCH = (1, 1)
NODE = "n1"
TABLE = RoutingTable(rows=(RoutingRow("p1", ("default",), 200),))
IMAGE = {"width": 4, "height": 3, "format": "jpeg"}


@dataclass
class Outcome:
    """Gaps in seconds without an acknowledged frame, per failure; frames as the ledger and the producers count them."""

    durability: Durability
    lag_ms: int
    kill_gaps_s: list[float] = field(default_factory=list)
    failover_gaps_s: list[float] = field(default_factory=list)
    coordinated: bool = False
    accepted: int = 0
    acknowledged: int = 0
    rollbacks: int = 0
    published: int = 0
    settled: int = 0
    lost: int = 0
    duplicates: int = 0
    problems: list[str] = field(default_factory=list)


class Plant:
    """Cameras, a dispatcher and a processor on one Sentinel set."""

    def __init__(self, url: str, durability: Durability, cameras: int) -> None:
        self.redis = connect(url)
        self.streams = FrameStreams(self.redis)
        self.producers = [FrameProducer(f"cam{number}", url, durability=durability) for number in range(cameras)]
        self._filming = True

    @property
    def acknowledged(self) -> int:
        return sum(one.counters.published + one.counters.duplicates for one in self.producers)

    async def film(self, producer: FrameProducer, fps: float) -> None:
        while self._filming:
            await producer.publish(b"jpeg", **IMAGE)
            await asyncio.sleep(random.uniform(0.5, 1.5) / fps)

    def cut(self) -> None:
        """No more frames."""
        self._filming = False

    async def dispatch(self) -> None:
        while True:
            try:
                await self.streams.fence(EPOCH, NODE)
                break
            except RedisFailure:
                await asyncio.sleep(0.05)
        await Dispatcher(self.streams, epoch=EPOCH, node_id=NODE, table=lambda: TABLE).run()

    async def work(self) -> None:
        own = True
        while True:
            try:
                taken = await self.streams.take("p1", "c", count=64, own=own)
                own = False
                await self.streams.settle("p1", "c", [Settlement(one.entry_id, result=b"{}") for one in taken])
                if not taken:
                    await self.streams.wait_queue("p1", {}, 0.02)
                    await asyncio.sleep(0.01)
            except RedisFailure:
                own = True
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running(url: str, durability: Durability, *, cameras: int, fps: float) -> AsyncIterator[Plant]:
    """A plant at work; at the end all that was filmed is acknowledged and processed."""
    plant = Plant(url, durability, cameras)
    await plant.streams.ready()
    for producer in plant.producers:
        await producer.open()
    films = [asyncio.create_task(plant.film(producer, fps)) for producer in plant.producers]
    services = [asyncio.create_task(plant.dispatch()), asyncio.create_task(plant.work())]
    try:
        yield plant
        plant.cut()
        await asyncio.gather(*films)
        for producer in plant.producers:
            await producer.flush()
        await eventually(lambda: _drained(plant.streams), deadline_s=30, every_s=0.1)
    finally:
        await ended(*films, *services)
        for producer in plant.producers:
            await producer.close(0)
        await plant.streams.aclose()
        await plant.redis.aclose()


async def _drained(streams: FrameStreams) -> bool:
    return (await streams.stats()).in_flight == 0


async def drill(
    directory: Path,
    *,
    kills: int,
    failovers: int,
    lag_s: float,
    durability: Durability,
    cameras: int = 3,
    software: str = "valkey",
) -> Outcome:
    """Fail the primary so often, in mixed order, with a pause in which all becomes well again."""
    binary = next(one for one in find_binaries() if one.software == software)
    outcome = Outcome(durability, round(lag_s * 1000))
    failures = ["kill"] * kills + ["failover"] * failovers
    random.shuffle(failures)
    async with LinkedSet(directory, binary, (lag_s,) * 3) as linked:
        async with running(linked.url, durability, cameras=cameras, fps=100) as plant:
            for number, failure in enumerate(failures):
                before = plant.acknowledged
                await eventually(lambda before=before: plant.acknowledged > before + 50, deadline_s=30)  # type: ignore[misc]
                began = time.monotonic()
                if failure == "kill":
                    at = await linked.lose_power()
                    outcome.kill_gaps_s.append(await _gap(plant, began, durability))
                    await linked.failed_over(at)
                else:
                    at = await linked.set.primary()
                    outcome.coordinated = await linked.set.failover()
                    await linked.set.moved_from(at)
                    outcome.failover_gaps_s.append(await _gap(plant, began, durability))
                    await linked.set.healthy()
                print(f"{number + 1}/{len(failures)} {failure} of server {at}", file=sys.stderr, flush=True)
            last = plant
        # Read when nothing moves any more, so that what is missing is lost and not on its way.
        redis = connect(linked.url)
        report = await verify(FrameStreams(redis))
        await redis.aclose()
    outcome.accepted = sum(one.counters.accepted for one in last.producers)
    outcome.acknowledged = last.acknowledged
    outcome.rollbacks = sum(one.counters.rollbacks for one in last.producers)
    outcome.published, outcome.settled = report.published, report.settled
    outcome.lost, outcome.duplicates, outcome.problems = report.lost, report.duplicates, report.problems
    return outcome


async def _gap(plant: Plant, began: float, durability: Durability) -> float:
    """Until a frame is written again. Under `majority` it is acknowledged only once the dead server is back."""
    if durability == "majority":
        async with asyncio.timeout(30):
            while True:
                try:
                    await plant.streams.fence(EPOCH, NODE)
                    break
                except RedisFailure:
                    await asyncio.sleep(0.02)
    else:
        before = plant.acknowledged
        await eventually(lambda: plant.acknowledged > before, deadline_s=30)
    return round(time.monotonic() - began, 3)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--failovers", type=int, default=5)
    parser.add_argument("--lag-ms", type=int, default=60)
    parser.add_argument("--durability", default="majority", choices=("0", "1", "2", "majority"))
    parser.add_argument("--software", default="valkey", choices=("valkey", "redis"))
    parser.add_argument("--report", type=Path, help="where the result goes as JSON")
    arguments = parser.parse_args()
    durability: Durability = "majority" if arguments.durability == "majority" else int(arguments.durability)
    with tempfile.TemporaryDirectory(prefix="primary-failures-") as directory:
        outcome = asyncio.run(
            drill(
                Path(directory),
                kills=arguments.kills,
                failovers=arguments.failovers,
                lag_s=arguments.lag_ms / 1000,
                durability=durability,
                software=arguments.software,
            )
        )
    text = json.dumps(asdict(outcome), indent=2)
    print(text)
    if arguments.report is not None:
        arguments.report.write_text(text + "\n")
    return 0 if outcome.lost == 0 and not outcome.problems else 1


if __name__ == "__main__":
    sys.exit(main())
