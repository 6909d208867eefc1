"""All shards of the frame streams as one, for whoever looks after all of them: the leader, the API, the command line.

Where there is no cluster there is one shard, and everything here is that shard's. Who publishes for one camera, or
works at one queue, uses the FrameStreams of a shard (``of_camera``, ``parts``).
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import redis.exceptions as redis_errors
from msgspec.structs import replace

from framebuffer.backpressure import Backpressure
from framebuffer.connection import Client, connect, execute, translate
from framebuffer.errors import InvalidName
from framebuffer.keys import Keys
from framebuffer.ledger import LedgerReport, verify
from framebuffer.sharding import keys_of_url, shard_of
from framebuffer.stream_calls import DEFAULT_INLINE_BYTES_MAX, DEFAULT_MAX_ATTEMPTS, DEFAULT_RESULTS_MAXLEN
from framebuffer.streams import FrameStreams
from framebuffer.stuck import DEFAULT_STUCK_S
from framebuffer.wire import CameraCounters, DeadFrame, FenceRecord, QueueStats, ServerInfo, StreamStats

__all__ = ["ShardedStreams", "verify_shards"]

T = TypeVar("T")

_OF_SHARD = "/"


class ShardedStreams:
    """One FrameStreams a shard. Errors are those of FrameStreams; a call fails when it fails on one shard, and is safe
    to repeat.

    Ids of dead frames carry their shard in front (``2/1764-0``) where there are several.
    """

    def __init__(self, parts: Sequence[FrameStreams], clients: Sequence[Client] = ()) -> None:
        self.parts = tuple(parts)
        self._clients = tuple(clients)

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        password: str | None = None,
        sentinel_password: str | None = None,
        timeout_s: float = 2.0,
        inline_bytes_max: int = DEFAULT_INLINE_BYTES_MAX,
        max_attempts: int = DEFAULT_MAX_ATTEMPTS,
        results_maxlen: int = DEFAULT_RESULTS_MAXLEN,
        keys: Keys | None = None,
    ) -> "ShardedStreams":
        """Those at ``url``, in any form of ``framebuffer.addresses``; nothing is sent yet. ``keys``: one shard under
        these, whatever the URL says. Errors: RedisRefused (the URL is not one).
        """
        every = (keys,) if keys is not None else keys_of_url(url)
        clients = [
            connect(
                url, password=password, sentinel_password=sentinel_password, timeout_s=timeout_s, key=of_shard.prefix
            )
            for of_shard in every
        ]
        parts = [
            FrameStreams(
                client,
                of_shard,
                inline_bytes_max=inline_bytes_max,
                max_attempts=max_attempts,
                results_maxlen=results_maxlen,
            )
            for client, of_shard in zip(clients, every, strict=True)
        ]
        return cls(parts, clients)

    def __len__(self) -> int:
        return len(self.parts)

    def of_camera(self, camera_id: str) -> FrameStreams:
        """The shard that the camera's frames are published to."""
        return self.parts[shard_of(camera_id, len(self.parts))]

    async def ready(self) -> ServerInfo:
        """Check every server and load the library; of the first, with what is true of all."""
        infos = await self._all(lambda part: part.ready())
        return replace(
            infos[0],
            persistent=all(info.persistent for info in infos),
            append_only=all(info.append_only for info in infos),
            replicas=min(info.replicas for info in infos),
        )

    async def ping(self) -> None:
        """Whether every server answers. Errors: RedisUnavailable, RedisRefused."""

        async def ping(part: FrameStreams) -> None:
            try:
                await execute(part.redis, "PING")
            except (redis_errors.RedisError, OSError) as error:
                raise translate(error) from error

        await self._all(ping)

    async def aclose(self) -> None:
        """Close the streams and, when ``connect`` made them, their clients."""
        for part in self.parts:
            await part.aclose()
        for client in self._clients:
            await client.aclose()

    # -- the leader ---------------------------------------------------------------------------------------------------

    async def fence(self, epoch: tuple[int, int], node_id: str) -> None:
        """In every shard. Errors: Fenced."""
        await self._all(lambda part: part.fence(epoch, node_id))

    async def set_pressure(self, epoch: tuple[int, int], level: int | Backpressure) -> None:
        """In every shard. Errors: Fenced."""
        await self._all(lambda part: part.set_pressure(epoch, level))

    async def pressure(self) -> int:
        """The highest that publishers are told in any shard."""
        return (await self.backpressure()).level

    async def backpressure(self) -> Backpressure:
        """The same, with the capabilities that have a higher one in any shard."""
        told = await self._all(lambda part: part.backpressure())
        level = max(one.level for one in told)
        names = {name for one in told for name in one.crowded}
        crowded = {name: max(one.crowded.get(name, one.level) for one in told) for name in names}
        return Backpressure(level, {name: own for name, own in crowded.items() if own > level})

    async def return_queue(self, epoch: tuple[int, int], processor_id: str) -> int:
        """Its queues in all shards; how many frames there were. Errors: Fenced."""
        return sum(await self._all(lambda part: part.return_queue(epoch, processor_id)))

    async def expire(self, epoch: tuple[int, int], processor_id: str, lease_ms: int, *, limit: int = 256) -> int:
        """In all shards. Errors: Fenced."""
        return sum(await self._all(lambda part: part.expire(epoch, processor_id, lease_ms, limit=limit)))

    # -- looking ------------------------------------------------------------------------------------------------------

    async def stats(self, *, leaders: int = 100) -> StreamStats:
        """Of all shards, each at one instant of its own server."""
        return _added(await self._all(lambda part: part.stats(leaders=leaders)), leaders)

    # -- the dead -----------------------------------------------------------------------------------------------------

    async def dead_list(self, after: str = "", *, count: int = 100) -> list[DeadFrame]:
        """A page of the frames that were given up, shard by shard, oldest first in each."""
        shard, after = self._split(after) if after else (0, "")
        page: list[DeadFrame] = []
        while shard < len(self.parts) and len(page) < count:
            found = await self.parts[shard].dead_list(after, count=count - len(page))
            page += [replace(frame, entry_id=self._joined(shard, frame.entry_id)) for frame in found]
            shard, after = shard + 1, ""
        return page

    async def dead_replay(self, entry_ids: Sequence[str]) -> list[str]:
        """Per frame ``replayed``, ``not-found`` or ``refused``."""
        return await self._of_each(entry_ids, lambda part, ids: part.dead_replay(ids))

    async def dead_drop(self, entry_ids: Sequence[str]) -> list[str]:
        """Per frame ``dropped`` or ``not-found``."""
        return await self._of_each(entry_ids, lambda part, ids: part.dead_drop(ids))

    # -- inside -------------------------------------------------------------------------------------------------------

    async def _all(self, call: Callable[[FrameStreams], Awaitable[T]]) -> list[T]:
        """The call on every shard at once; all have ended when one's error is raised."""
        if len(self.parts) == 1:
            return [await call(self.parts[0])]
        answers = await asyncio.gather(*(call(part) for part in self.parts), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException):
                raise answer
        return [answer for answer in answers if not isinstance(answer, BaseException)]

    async def _of_each(
        self, entry_ids: Sequence[str], call: Callable[[FrameStreams, list[str]], Awaitable[list[str]]]
    ) -> list[str]:
        places = [self._split(entry_id) for entry_id in entry_ids]
        outcomes = dict.fromkeys(places, "not-found")
        for shard in sorted({shard for shard, _ in places}):
            ids = [entry_id for of_shard, entry_id in outcomes if of_shard == shard]
            for entry_id, outcome in zip(ids, await call(self.parts[shard], ids), strict=True):
                outcomes[shard, entry_id] = outcome
        return [outcomes[place] for place in places]

    def _joined(self, shard: int, entry_id: str) -> str:
        return entry_id if len(self.parts) == 1 else f"{shard}{_OF_SHARD}{entry_id}"

    def _split(self, entry_id: str) -> tuple[int, str]:
        if len(self.parts) == 1:
            return 0, entry_id
        shard, found, rest = entry_id.partition(_OF_SHARD)
        if not found or not shard.isdecimal() or int(shard) >= len(self.parts):
            raise InvalidName("dead frame", entry_id)
        return int(shard), rest


async def verify_shards(
    streams: ShardedStreams, *, named_max: int = 100, stuck_s: float = DEFAULT_STUCK_S
) -> LedgerReport:
    """The ledgers of all shards as one; a camera that stands in two of them is a problem (see ``ledger.verify``)."""
    reports = [await verify(part, named_max=named_max, stuck_s=stuck_s) for part in streams.parts]
    if len(reports) == 1:
        return reports[0]
    homes: dict[str, list[int]] = {}
    for shard, report in enumerate(reports):
        for camera in report.cameras:
            homes.setdefault(camera, []).append(shard)
    problems = [f"shard {shard}: {problem}" for shard, report in enumerate(reports) for problem in report.problems]
    problems += [
        f"camera {camera} is in shards {', '.join(map(str, shards))}: the number of shards was changed"
        for camera, shards in sorted(homes.items())
        if len(shards) > 1
    ]
    summed = {
        name: sum(getattr(report, name) for report in reports)
        for name in ("published", "settled", "dead", "dropped", "in_flight", "lost", "duplicates", "stuck")
    }
    return replace(
        reports[0],
        **summed,
        ledger_ok=not problems,
        lost_frames=[frame for report in reports for frame in report.lost_frames],
        duplicate_frames=[frame for report in reports for frame in report.duplicate_frames],
        cameras={camera: one for report in reports for camera, one in report.cameras.items()},
        problems=problems,
        stuck_frames=[frame for report in reports for frame in report.stuck_frames],
    )


def _added(every: Sequence[StreamStats], leaders: int) -> StreamStats:
    if len(every) == 1:
        return every[0]
    ready: dict[str, QueueStats] = {}
    cameras: dict[str, CameraCounters] = {}
    closed: dict[tuple[int, int], list[FenceRecord]] = {}
    for one in every:
        for name, queue in one.ready.items():
            had = ready.get(name, QueueStats(0, 0))
            ready[name] = QueueStats(had.length + queue.length, had.pending + queue.pending)
        cameras |= one.cameras
        for record in one.leaders:
            closed.setdefault(record.epoch, []).append(record)
    fences = [one.fence for one in every if one.fence is not None]
    newest = max((fence.epoch for fence in fences), default=None)
    return replace(
        every[0],
        capture_len=sum(one.capture_len for one in every),
        capture_pending=sum(one.capture_pending for one in every),
        lanes=_sums(one.lanes for one in every),
        ready=ready,
        results_len=sum(one.results_len for one in every),
        results_added=sum(one.results_added for one in every),
        dead_len=sum(one.dead_len for one in every),
        dead_owed=sum(one.dead_owed for one in every),
        cameras=cameras,
        fence=_one([fence for fence in fences if fence.epoch == newest]) if fences else None,
        leaders=[_one(records) for _, records in sorted(closed.items(), reverse=True)][:leaders],
        places={
            f"{shard}{_OF_SHARD}{name}": place for shard, one in enumerate(every) for name, place in one.places.items()
        },
        pressure=max(one.pressure for one in every),
    )


def _one(records: Sequence[FenceRecord]) -> FenceRecord:
    """The records of one leader in several shards: from its first frame to its last."""
    began = [record.first_us for record in records if record.first_us]
    return replace(
        records[0],
        first_us=min(began, default=0),
        last_us=max(record.last_us for record in records),
        frames=sum(record.frames for record in records),
    )


def _sums(every: Iterable[dict[str, int]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one in every:
        for name, count in one.items():
            found[name] = found.get(name, 0) + count
    return found
