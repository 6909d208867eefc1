"""dramatiq on Redis.

- `dramatiq_queue_prefetch` (its variable for the number of messages that a worker fetches ahead): 64.
- Eight threads a process, its default: 1, 2 and 4 were slower here.
- No results, or the Redis backend for them, which stores each before the message is acknowledged; the middleware that
  it comes with. Workers that found nothing look again after 20 ms at most.
- It has no call that enqueues several messages at once.
"""

import os
import signal
import threading
from typing import Any

from benchmarks.peers.peer import BATCH, RESULT, Peer, payload

THREADS = 8
IDLE_MS = 20


class Dramatiq(Peer):
    """Messages through dramatiq's script: a list of ids, a hash of messages, a set of those in hand per worker."""

    results = False

    def connect(self) -> Any:
        """The broker."""
        os.environ["dramatiq_queue_prefetch"] = str(BATCH)  # noqa: SIM112  its name is written so; read at import
        import dramatiq
        from dramatiq.brokers.redis import RedisBroker

        broker: Any = RedisBroker(url=self.place.redis)
        if self.results:
            from dramatiq.results import Results
            from dramatiq.results.backends import RedisBackend

            backend: Any = RedisBackend(url=self.place.redis)
            broker.add_middleware(Results(backend=backend, store_results=True))
        dramatiq.set_broker(broker)
        return broker

    def prepare(self) -> None:
        self.broker = self.connect()

    def publish(self) -> None:
        import dramatiq

        def handle(data: str) -> None:
            raise NotImplementedError("the producer only names the actor")

        actor = dramatiq.actor(handle, actor_name="handle")
        for number in range(self.place.events):
            actor.send(payload(number).decode())

    def work(self) -> None:
        import dramatiq

        broker = self.connect()
        process = self.process

        def handle(data: str) -> str | None:
            process(data)
            return RESULT if self.results else None

        dramatiq.actor(handle, actor_name="handle")
        worker = dramatiq.Worker(broker, worker_threads=THREADS, worker_timeout=IDLE_MS)
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        worker.start()
        self.ready()
        ended.wait()
        worker.stop()

    def outstanding(self) -> int:
        # Messages leave the hash when they are acknowledged.
        return int(self.broker.client.hlen(f"{self.broker.namespace}:default.msgs"))


class DramatiqResults(Dramatiq):
    """The same, with a result for each."""

    results = True
