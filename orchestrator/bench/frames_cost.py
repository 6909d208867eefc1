"""What a frame costs the server: its main thread's CPU time, all hops, by calls from one client.

Against the number of processors in the table, of cameras in a batch, and of shards (each a server of its own). The
leader lends its table, as it does by default, so that publishing routes; `capture` is the long way, by `dispatch`. What
the client does meanwhile does not count, so neither do the machine's cores.

Each processor finds a whole batch, so 500 of them have 32,000 frames waiting, which no machine's caches hold.
`backlog` is the base with as many: what is dearer than that is dearer for the number of processors.
"""

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import uvloop
from redis.asyncio import Redis

from framebuffer.connection import connect
from framebuffer.dispatcher import batch_of
from framebuffer.embedded import EmbeddedServer
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, OutgoingFrame, RoutingRow, RoutingTable, Settlement
from orchestrator.bench.frames_part import EVENT, RESULT, TRACEPARENT
from orchestrator.dev.ports import free_ports

BATCH = 64
ROUND = 2_048  # frames published before they are dispatched, at least: each processor must find a whole batch
BRIEF_S, BRIEF_BATCH, BRIEF_ROUND = 0.5, 8, 256
"""With less time than this for a case, these in place of the two above: it says that the bench works, no more."""
EPOCH = (1, 1)
PAYLOAD = bytes(256)

LEND_MS = 10_000

CASES: tuple[tuple[str, int, int, int], ...] = (
    ("base", 3, 4, 1),
    ("capture", 3, 4, 1),
    ("processors_50", 50, 4, 1),
    ("processors_500", 500, 4, 1),
    ("backlog", 3, 4, 1),
    ("cameras_1", 3, 1, 1),
    ("cameras_100", 3, 100, 1),
    ("cameras_1000", 3, 1_000, 1),
    ("shards_3", 3, 4, 3),
)
"""Name, processors, cameras, shards."""
BACKLOG_OF = 500
"""Processors whose whole batches wait in the case `backlog`."""


async def main_thread_s(redis: Redis) -> float:
    """CPU seconds of the server's main thread since it started."""
    info = await redis.info("cpu")
    return float(info["used_cpu_user_main_thread"]) + float(info["used_cpu_sys_main_thread"])


class Shard:
    """One server, and frames that go through it. `batches`: so many of them wait at a time, at least."""

    def __init__(
        self, streams: FrameStreams, processors: int, *, direct: bool = True, brief: bool = False, batches: int = 0
    ) -> None:
        self._streams = streams
        self._lend_ms = LEND_MS if direct else 0
        self._ids = [f"w{number}" for number in range(processors)]
        self._batch = BRIEF_BATCH if brief else BATCH
        self._round = max(BRIEF_ROUND if brief else ROUND, max(processors, batches) * self._batch)
        capacity = 2 * self._round // processors
        self._table = RoutingTable(rows=tuple(RoutingRow(name, ("default",), capacity) for name in self._ids))
        self._sessions: list[CameraSession] = []
        self._next: list[int] = []
        self._turn = 0

    async def open(self, cameras: int) -> None:
        """Open the cameras, under this leader."""
        await self._streams.ready()
        await self._streams.fence(EPOCH, "n1")
        self._sessions = [await self._streams.open_camera(f"cam{number}") for number in range(cameras)]
        self._next = [session.next_sequence for session in self._sessions]

    async def round(self) -> int:
        """One round of frames through all hops; how many."""
        await self._dispatch()
        for _ in range(self._round // self._batch):
            await self._streams.publish_batch([self._frame() for _ in range(self._batch)])
        moved = 0
        while moved < self._round:
            moved += await self._dispatch()
        for name in self._ids:
            while frames := await self._streams.take(name, name, count=self._batch):
                await self._streams.settle(name, name, [Settlement(frame.entry_id, result=RESULT) for frame in frames])
        return moved

    async def _dispatch(self) -> int:
        limit = batch_of(self._batch, self._table)
        report = await self._streams.dispatch(EPOCH, "n1", self._table, limit=limit, lend_ms=self._lend_ms)
        return report.moved

    def _frame(self) -> tuple[CameraSession, OutgoingFrame]:
        camera = self._turn % len(self._sessions)
        if len(self._sessions) <= 4:  # few cameras send in bursts of a batch each
            camera = self._turn // self._batch % len(self._sessions)
        self._turn += 1
        sequence = self._next[camera]
        self._next[camera] += 1
        frame = OutgoingFrame(f"cam{camera}-{sequence}", sequence, EVENT, PAYLOAD, traceparent=TRACEPARENT)
        return self._sessions[camera], frame


async def cost_us(
    directory: Path,
    processors: int,
    cameras: int,
    shards: int,
    seconds: float,
    *,
    direct: bool = True,
    batches: int = 0,
) -> float:
    """Microseconds of the servers' CPU a frame. `batches`: so many of frames wait at a time, at least."""
    async with AsyncExitStack() as stack:
        redises, all_shards = [], []
        for number, port in enumerate(free_ports(shards)):
            server = await stack.enter_async_context(EmbeddedServer(directory / str(number), port))
            redis = connect(server.url)
            stack.push_async_callback(redis.aclose)
            shard = Shard(FrameStreams(redis), processors, direct=direct, brief=seconds < BRIEF_S, batches=batches)
            await shard.open(cameras)
            redises.append(redis)
            all_shards.append(shard)
        await asyncio.gather(*(shard.round() for shard in all_shards))  # warm
        before = [await main_thread_s(redis) for redis in redises]
        frames, ends = 0, asyncio.get_running_loop().time() + seconds
        while not frames or asyncio.get_running_loop().time() < ends:
            frames += sum(await asyncio.gather(*(shard.round() for shard in all_shards)))
        spent = sum([await main_thread_s(redis) for redis in redises]) - sum(before)
    return round(spent / frames * 1e6, 2)


async def measured(directory: Path, seconds: float) -> dict[str, Any]:
    """Every case, by name."""
    each_s = seconds / len(CASES)
    found: dict[str, Any] = {}
    for name, processors, cameras, shards in CASES:
        direct, batches = name != "capture", BACKLOG_OF if name == "backlog" else 0
        found[name] = await cost_us(
            directory / name, processors, cameras, shards, each_s, direct=direct, batches=batches
        )
    return found


def main() -> None:
    """Print the costs by case."""
    directory, seconds = Path(sys.argv[1]), float(sys.argv[2])
    sys.stdout.write(json.dumps(uvloop.run(measured(directory, seconds))) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
