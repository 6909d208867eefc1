"""A processor's queues: one where there is one server, one in each shard of a cluster, all worked on by the same crew.

Priorities hold within a shard; between shards the crew takes turns.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from framebuffer.crew import Crew
from framebuffer.pipeline import Pipeline
from framebuffer.streams import FrameStreams
from framebuffer.tasks import ended
from framebuffer.wire import Settlement, SettleOutcome, TakenFrame

__all__ = ["Handling", "Pipelines"]

Told = Callable[[str, SettleOutcome], None]
Handling = Callable[[FrameStreams], tuple[Callable[[TakenFrame], Awaitable[Settlement]], Told | None]]
"""For the streams of a shard: what turns a frame into its settlement, and what is told the server's answers."""


class Pipelines:
    """`batch` and `concurrency` are of all shards together; see `Pipeline` for the rest."""

    def __init__(
        self,
        shards: Sequence[FrameStreams],
        processor_id: str,
        consumer: str,
        handling: Handling,
        *,
        batch: int,
        concurrency: int,
        drain_s: float,
        lease_s: float,
        work_limit_s: float,
    ) -> None:
        crew = Crew(concurrency, work_limit_s)
        limit = -(-max(batch, concurrency) // len(shards))
        self._of_shards: list[Pipeline] = []
        for streams in shards:
            handle, told = handling(streams)
            self._of_shards.append(
                Pipeline(
                    streams,
                    processor_id,
                    consumer,
                    handle,
                    batch=limit,
                    concurrency=min(concurrency, limit),
                    crew=crew,
                    drain_s=drain_s,
                    lease_s=lease_s,
                    told=told,
                )
            )

    @property
    def taken(self) -> int:
        return sum(one.taken for one in self._of_shards)

    @property
    def in_flight(self) -> int:
        return sum(one.in_flight for one in self._of_shards)

    @property
    def errors(self) -> int:
        return sum(one.errors for one in self._of_shards)

    @property
    def outcomes(self) -> Counter[SettleOutcome]:
        return sum((one.outcomes for one in self._of_shards), Counter())

    def stop(self) -> None:
        """See `Pipeline.stop`."""
        for one in self._of_shards:
            one.stop()

    async def run(self) -> None:
        """Until all are stopped, or cancelled; what ends one early ends all."""
        tasks = {asyncio.create_task(one.run()) for one in self._of_shards}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            await ended(*tasks)
