"""Plain redis-py: what a careful user writes on Streams without a framework. Synchronous, hiredis, pipelines of 64.

`RedisStream` is the least there can be: one stream, one group, three consumers. `RedisDispatch` does what Triarch
does to an event: one stream in, a dispatcher that moves each entry to the queue of one worker, a result for each. It
has no fence, no ledger and no routing by capability, and what its pipelines do is not atomic.
"""

import itertools
from typing import Any

from benchmarks.peers.peer import BATCH, QUEUE, RESULT, WORKERS, Peer, Place, batches, payload

GROUP = "workers"
BLOCK_MS = 1_000
RESULTS_MAX = 100_000  # as Triarch keeps them
RESULT_BYTES = RESULT.encode()


class RedisStream(Peer):
    """Publish and take in batches; entries are deleted when they are acknowledged, so that the stream stays small."""

    count = BATCH

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        import redis

        self.redis: Any = redis.Redis.from_url(place.redis, socket_timeout=30)

    def group(self, stream: str) -> None:
        """Make a stream and its group, from the beginning."""
        self.redis.xgroup_create(stream, GROUP, id="0", mkstream=True)

    def prepare(self) -> None:
        self.group(QUEUE)

    def publish(self) -> None:
        for numbers in batches(self.place.events, self.count):
            pipe = self.redis.pipeline(transaction=False)
            for number in numbers:
                pipe.xadd(QUEUE, {"payload": payload(number)})
            pipe.execute()

    def read(self, stream: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """New entries, or none after a second."""
        found = self.redis.xreadgroup(GROUP, f"w{self.place.number}", {stream: ">"}, count=self.count, block=BLOCK_MS)
        entries: list[tuple[bytes, dict[bytes, bytes]]] = found[0][1] if found else []
        return entries

    def work(self) -> None:
        process = self.process
        self.ready()
        while True:
            entries = self.read(QUEUE)
            if not entries:
                continue
            for _, fields in entries:
                process(fields[b"payload"])
            ids = [entry for entry, _ in entries]
            pipe = self.redis.pipeline(transaction=False)
            pipe.xack(QUEUE, GROUP, *ids)
            pipe.xdel(QUEUE, *ids)
            pipe.execute()

    def outstanding(self) -> int:
        return int(self.redis.xlen(QUEUE))


class RedisSingle(RedisStream):
    """One event a round trip, as the task frameworks do it."""

    count = 1


class RedisDispatch(RedisStream):
    """The hops of Triarch with plain commands."""

    def prepare(self) -> None:
        self.group(QUEUE)
        for number in range(1, WORKERS + 1):
            self.group(f"{QUEUE}:{number}")

    def dispatch(self) -> None:
        """Move entries to the workers in turn."""
        turns = itertools.cycle(range(1, WORKERS + 1))
        self.ready()
        while True:
            entries = self.read(QUEUE)
            if not entries:
                continue
            pipe = self.redis.pipeline(transaction=False)
            for _, fields in entries:
                pipe.xadd(f"{QUEUE}:{next(turns)}", fields)
            ids = [entry for entry, _ in entries]
            pipe.xack(QUEUE, GROUP, *ids)
            pipe.xdel(QUEUE, *ids)
            pipe.execute()

    def work(self) -> None:
        process = self.process
        stream = f"{QUEUE}:{self.place.number}"
        self.ready()
        while True:
            entries = self.read(stream)
            if not entries:
                continue
            pipe = self.redis.pipeline(transaction=False)
            for _, fields in entries:
                process(fields[b"payload"])
                pipe.xadd(f"{QUEUE}:results", {"result": RESULT_BYTES}, maxlen=RESULTS_MAX, approximate=True)
            ids = [entry for entry, _ in entries]
            pipe.xack(stream, GROUP, *ids)
            pipe.xdel(stream, *ids)
            pipe.execute()

    def outstanding(self) -> int:
        pipe = self.redis.pipeline()  # at one instant
        pipe.xlen(QUEUE)
        for number in range(1, WORKERS + 1):
            pipe.xlen(f"{QUEUE}:{number}")
        return sum(pipe.execute())
