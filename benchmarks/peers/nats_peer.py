"""NATS JetStream: three servers, a work queue with three copies on disk, one pull consumer for three workers.

- Published with `publish_async`, its call for publishing without waiting for each answer, up to 4,000 at a time (its
  default). All answers are awaited.
- Fetched 64 at a time, each acknowledged on its own (`ack` does not wait for an answer); `max_ack_pending` is no limit.
- The servers sync every second (`sync_interval`), as the append-only file here does; by default it is two minutes.
"""

import asyncio
from typing import Any

from benchmarks.peers.peer import BATCH, QUEUE, Peer, payload

CONSUMER = "workers"
FETCH_S = 1.0
PLACED_S = 20.0


class JetStream(Peer):
    """A stream with retention `workqueue`: a message goes when it is acknowledged."""

    async def connect(self) -> Any:
        """The client; each process at a server of its own, as the clients of a cluster are."""
        import nats

        servers = self.place.nats
        turn = self.place.number % len(servers)
        connection = await nats.connect(servers=[*servers[turn:], *servers[:turn]], dont_randomize=True)
        return connection.jetstream()

    def prepare(self) -> None:
        from nats.errors import Error
        from nats.js.api import AckPolicy, ConsumerConfig, RetentionPolicy, StorageType, StreamConfig

        async def make() -> Any:
            stream = await self.connect()
            deadline = asyncio.get_running_loop().time() + PLACED_S
            while True:  # the servers may not have found one another yet, and each of the two elects its leader
                try:
                    await stream.add_stream(
                        StreamConfig(
                            name=QUEUE,
                            subjects=[QUEUE],
                            retention=RetentionPolicy.WORK_QUEUE,
                            storage=StorageType.FILE,
                            num_replicas=3,
                        )
                    )
                    consumer = await stream.add_consumer(
                        QUEUE, ConsumerConfig(durable_name=CONSUMER, ack_policy=AckPolicy.EXPLICIT, max_ack_pending=-1)
                    )
                    held = await stream.stream_info(QUEUE)
                    if all(one.cluster is None or one.cluster.leader for one in (consumer, held)):
                        break
                except (Error, TimeoutError):
                    if asyncio.get_running_loop().time() > deadline:
                        raise
                await asyncio.sleep(0.2)
            return stream

        self.stream = self.run(make())

    def publish(self) -> None:
        async def all_of_them() -> None:
            answers: list[asyncio.Future[Any]] = [
                await self.stream.publish_async(QUEUE, payload(number)) for number in range(self.place.events)
            ]
            await asyncio.gather(*answers)

        self.run(all_of_them())

    def work(self) -> None:
        process = self.process

        async def run() -> None:
            stream = await self.connect()
            consumer = await stream.pull_subscribe_bind(consumer=CONSUMER, stream=QUEUE)
            self.ready()
            while True:
                try:
                    messages = await consumer.fetch(BATCH, timeout=FETCH_S)
                except TimeoutError:
                    continue
                for message in messages:
                    process(message.data)
                    await message.ack()

        self.run(run())

    def outstanding(self) -> int:
        info = self.run(self.stream.stream_info(QUEUE))
        return int(info.state.messages)
