"""arq on Redis.

- `keep_result=0`: no results; or they are kept for an hour, its default. `poll_delay` 10 ms in place of 500: a worker
  that found nothing looks again soon.
- `max_jobs` 10 at a time, its default: more were no faster here. The producer enqueues 64 at a time.
- It has no call that enqueues or starts several jobs at once: each job is a transaction of its own, and all workers
  read the same head of the queue.
"""

import asyncio
from typing import Any

from benchmarks.peers.peer import RESULT, Peer, batches, payload

POLL_DELAY_S = 0.01
KEPT_S = 3_600


class Arq(Peer):
    """Jobs through a sorted set of ids and a key for each."""

    results = False

    def settings(self) -> Any:
        """Where the server is."""
        from arq.connections import RedisSettings

        return RedisSettings.from_dsn(self.place.redis)

    def prepare(self) -> None:
        from arq import create_pool

        self.pool: Any = self.run(create_pool(self.settings()))

    def publish(self) -> None:
        async def all_of_them() -> None:
            for numbers in batches(self.place.events):
                await asyncio.gather(*(self.pool.enqueue_job("handle", payload(number)) for number in numbers))

        self.run(all_of_them())

    def work(self) -> None:
        from arq import func
        from arq.worker import Worker

        process = self.process

        kept_s = KEPT_S if self.results else 0

        async def handle(_: dict[Any, Any], data: bytes) -> str | None:
            process(data)
            return RESULT if self.results else None

        async def started(_: dict[Any, Any]) -> None:
            self.ready()

        async def run() -> None:
            worker = Worker(
                functions=[func(handle, name="handle", keep_result=kept_s)],
                redis_settings=self.settings(),
                keep_result=kept_s,
                on_startup=started,
                poll_delay=POLL_DELAY_S,
            )
            await worker.async_run()

        self.run(run())

    def outstanding(self) -> int:
        return int(self.run(self.pool.zcard("arq:queue")))


class ArqResults(Arq):
    """The same, with a result for each."""

    results = True
