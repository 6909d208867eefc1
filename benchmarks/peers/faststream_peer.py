"""FastStream on Redis Streams, in the two ways that its documentation shows.

- `StreamSub(..., batch=True, max_records=64)`: the handler gets a list, which is acknowledged at once. Without `batch`
  64 are read at a time, and handled and acknowledged one by one.
- Published through a Redis pipeline of 64 ("to optimize performance when publishing multiple messages").
- `apply_types=False` and no logger: nothing is cast, nothing logged for each message. uvloop.
"""

from typing import Any

from benchmarks.peers.peer import BATCH, QUEUE, Peer, batches, payload

GROUP = "workers"
BLOCK_MS = 1_000


class FastStreamBatch(Peer):
    """A handler of lists."""

    batch = True

    def connect(self) -> Any:
        """The broker."""
        from faststream.redis import RedisBroker

        return RedisBroker(self.place.redis, apply_types=False, logger=None)

    def prepare(self) -> None:
        import redis

        self.redis: Any = redis.Redis.from_url(self.place.redis)
        self.redis.xgroup_create(QUEUE, GROUP, id="0", mkstream=True)
        self.broker = self.connect()
        self.client: Any = self.run(self.broker.connect())

    def publish(self) -> None:
        async def all_of_them() -> None:
            for numbers in batches(self.place.events):
                async with self.client.pipeline(transaction=False) as pipe:
                    for number in numbers:
                        await self.broker.publish(payload(number), stream=QUEUE, pipeline=pipe)
                    await pipe.execute()

        self.run(all_of_them())

    def work(self) -> None:
        from faststream import FastStream
        from faststream.redis import StreamSub

        broker = self.connect()
        process = self.process
        stream: Any = StreamSub(
            QUEUE,
            polling_interval=BLOCK_MS,
            group=GROUP,
            consumer=f"w{self.place.number}",
            batch=self.batch,
            max_records=BATCH,
        )

        async def handle_list(bodies: list[bytes]) -> None:
            for body in bodies:
                process(body)

        async def handle_one(body: bytes) -> None:
            process(body)

        broker.subscriber(stream=stream)(handle_list if self.batch else handle_one)
        app = FastStream(broker, logger=None)

        async def started() -> None:
            self.ready()

        app.after_startup(started)
        self.run(app.run())

    def outstanding(self) -> int:
        (group,) = self.redis.xinfo_groups(QUEUE)
        return int(group["pending"]) + int(group["lag"] or 0)


class FastStreamSingle(FastStreamBatch):
    """A handler of single messages."""

    batch = False
