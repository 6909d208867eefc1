"""taskiq with the stream broker of taskiq-redis.

- `xread_count` 64; the receiver prefetches 64 and runs 64 tasks at a time.
- `ack_time` when executed, no result backend or that of taskiq-redis (results kept for an hour); parameters not
  validated (`--no-parse`), uvloop.
- The producer kicks 64 tasks at a time; there is no call for several at once. A task is acknowledged on its own.
"""

import asyncio
from typing import Any

from benchmarks.peers.peer import BATCH, QUEUE, RESULT, Peer, batches, payload

GROUP = "taskiq"
KEPT_S = 3_600


class Taskiq(Peer):
    """Messages through one stream and one consumer group."""

    results = False

    def connect(self) -> Any:
        """The broker."""
        from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

        broker: Any = RedisStreamBroker(
            url=self.place.redis, queue_name=QUEUE, consumer_group_name=GROUP, consumer_id="0", xread_count=BATCH
        )
        if self.results:
            backend: Any = RedisAsyncResultBackend(redis_url=self.place.redis, result_ex_time=KEPT_S)
            broker = broker.with_result_backend(backend)
        return broker

    def prepare(self) -> None:
        import redis

        self.redis: Any = redis.Redis.from_url(self.place.redis)
        self.broker = self.connect()
        self.run(self.broker.startup())

    def publish(self) -> None:
        async def handle(data: str) -> None:
            raise NotImplementedError("the producer only names the task")

        task = self.broker.register_task(handle, task_name="handle")

        async def all_of_them() -> None:
            for numbers in batches(self.place.events):
                await asyncio.gather(*(task.kiq(payload(number).decode()) for number in numbers))

        self.run(all_of_them())

    def work(self) -> None:
        from taskiq.acks import AcknowledgeType
        from taskiq.api import run_receiver_task

        broker = self.connect()
        process = self.process

        async def handle(data: str) -> str | None:
            process(data)
            return RESULT if self.results else None

        broker.register_task(handle, task_name="handle")

        async def run() -> None:
            await broker.startup()
            self.ready()
            await run_receiver_task(
                broker,
                ack_time=AcknowledgeType.WHEN_EXECUTED,
                max_async_tasks=BATCH,
                max_prefetch=BATCH,
                validate_params=False,
            )

        self.run(run())

    def outstanding(self) -> int:
        (group,) = self.redis.xinfo_groups(QUEUE)
        return int(group["pending"]) + int(group["lag"] or 0)


class TaskiqResults(Taskiq):
    """The same, with a result for each."""

    results = True
