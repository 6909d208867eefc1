"""The books before and after a drill: the ledger, the fence, and the plant's own timeline of leaders."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from framebuffer import ledger
from framebuffer.errors import RedisFailure
from framebuffer.ledger import LedgerReport
from framebuffer.shards import ShardedStreams
from orchestrator.client import AsyncClient, ClientError
from orchestrator.dev.errors import NotReached
from orchestrator.drills.recorded import Epoch, LedgerCounts, parse_epoch

__all__ = ["drained", "leaderships", "ledger_of"]

T = TypeVar("T")

READ_S = 30.0
LOOK_S = 0.2
LEADERS_KEPT = 200
_PROBLEMS_MAX = 20


async def ledger_of(shards: ShardedStreams, cameras: Sequence[str]) -> LedgerCounts:
    """Counts of these cameras, losses of the whole plant. Waits for a server that is away: NotReached."""

    async def read() -> list[LedgerReport]:
        return [await ledger.verify(part) for part in shards.parts]

    reports = await _answered(read, "the ledger")
    by_camera = [(name, report.cameras[name]) for report in reports for name in cameras if name in report.cameras]
    own = [camera for _, camera in by_camera]
    published: Counter[str] = Counter()
    for name, camera in by_camera:
        published[name] += camera.published
    return LedgerCounts(
        published=sum(camera.published for camera in own),
        settled=sum(camera.settled for camera in own),
        dead=sum(camera.dead for camera in own),
        dropped=sum(camera.dropped for camera in own),
        in_flight=sum(camera.in_flight for camera in own),
        lost=sum(report.lost for report in reports),
        duplicates=sum(report.duplicates for report in reports),
        ledger_ok=all(report.ledger_ok for report in reports),
        problems=tuple(problem for report in reports for problem in report.problems)[:_PROBLEMS_MAX],
        cameras=dict(published),
    )


async def drained(shards: ShardedStreams, cameras: Sequence[str], seconds: float) -> bool:
    """Wait until no frame of these cameras is in flight; whether that came about."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            stats = [await part.stats() for part in shards.parts]
        except RedisFailure:
            stats = []
        own = [one.cameras[camera] for one in stats for camera in cameras if camera in one.cameras]
        if own and not any(camera.in_flight for camera in own):
            return True
        await asyncio.sleep(LOOK_S)
    return False


async def leaderships(client: AsyncClient, shards: ShardedStreams) -> list[tuple[Epoch, str]]:
    """(epoch, node) of the plant's timeline, and of the fence in front of every shard. NotReached."""

    async def fenced() -> list[tuple[Epoch, str]]:
        found = []
        for part in shards.parts:
            stats = await part.stats(leaders=LEADERS_KEPT)
            found += [(one.epoch, one.node) for one in [*stats.leaders, *([stats.fence] if stats.fence else [])]]
        return found

    async def noted() -> list[tuple[Epoch, str]]:
        return [(parse_epoch(row.epoch), row.node) for row in await client.cluster.leaderships()]

    return [*await _answered(noted, "the timeline of leaders"), *await _answered(fenced, "the fence")]


async def _answered(read: Callable[[], Awaitable[T]], what: str) -> T:
    deadline = time.monotonic() + READ_S
    while True:
        try:
            return await read()
        except (RedisFailure, ClientError) as error:
            if time.monotonic() >= deadline:
                raise NotReached(what, READ_S, str(error)) from error
        await asyncio.sleep(LOOK_S)
