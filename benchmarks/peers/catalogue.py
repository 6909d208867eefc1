"""Who is compared. Data only: read by the driver, in the product's environment, and by each peer's processes.

`events` is what a peer does in about five seconds on two cores; a run's own figure is events by seconds, whatever the
number. `roles` are processes beside the producer and the workers.
"""

from dataclasses import dataclass

PRODUCT, PEERS, PEERS_ARQ = "product", "peers", "peers-arq"
"""Environments: .venv, .venv-peers, .venv-peers-arq."""

DISPATCHED = ("dispatch",)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the report. `code`: module and class. `replicas`: of the server, for this row only."""

    title: str
    code: str
    environment: str
    packages: tuple[str, ...]
    events: int
    roles: tuple[str, ...] = ()
    batch: str = "64"
    copies: int = 1
    replicas: int = 0
    nats: bool = False
    ours: bool = False
    results: bool = False
    """Of a row without a dispatcher: whether it gives a result for each event, as ours does."""

    @property
    def way(self) -> str:
        """The hops of an event."""
        if self.roles:
            return "publish, dispatch, take, settle with a result"
        return "publish, take, acknowledge" + (" with a result" if self.results else "")


REDIS = ("redis", "hiredis")

CATALOGUE: dict[str, Entry] = {
    "triarch": Entry("Triarch", "triarch_peer:Triarch", PRODUCT, ("triarch", *REDIS), 160_000, DISPATCHED, ours=True),
    "triarch-sdk": Entry(
        "Triarch, through its SDK",
        "triarch_peer:TriarchSdk",
        PRODUCT,
        ("triarch", *REDIS),
        60_000,
        DISPATCHED,
        ours=True,
    ),
    "triarch-copies": Entry(
        "Triarch, durability 1 (two of three copies)",
        "triarch_peer:TriarchCopies",
        PRODUCT,
        ("triarch", *REDIS),
        60_000,
        DISPATCHED,
        copies=3,
        replicas=2,
        ours=True,
    ),
    "redis-dispatch": Entry(
        "redis-py, with a dispatcher", "redis_peer:RedisDispatch", PRODUCT, REDIS, 120_000, DISPATCHED
    ),
    "redis": Entry("redis-py, one stream, COUNT 64", "redis_peer:RedisStream", PRODUCT, REDIS, 250_000),
    "redis-single": Entry("redis-py, one stream, COUNT 1", "redis_peer:RedisSingle", PRODUCT, REDIS, 16_000, batch="1"),
    "nats": Entry(
        "NATS JetStream, R3 work queue", "nats_peer:JetStream", PEERS, ("nats-py",), 40_000, copies=3, nats=True
    ),
    "faststream-batch": Entry(
        "FastStream, batches", "faststream_peer:FastStreamBatch", PEERS, ("faststream", *REDIS), 60_000
    ),
    "faststream": Entry(
        "FastStream",
        "faststream_peer:FastStreamSingle",
        PEERS,
        ("faststream", *REDIS),
        12_000,
        batch="64 read, 1 acked",
    ),
    "dramatiq": Entry(
        "dramatiq", "dramatiq_peer:Dramatiq", PEERS, ("dramatiq", *REDIS), 8_000, batch="64 fetched, 1 acked"
    ),
    "dramatiq-results": Entry(
        "dramatiq, with results",
        "dramatiq_peer:DramatiqResults",
        PEERS,
        ("dramatiq", *REDIS),
        6_000,
        batch="64 fetched, 1 acked",
        results=True,
    ),
    "celery": Entry("Celery", "celery_peer:Celery", PEERS, ("celery", "kombu", *REDIS), 3_000, batch="1"),
    "celery-results": Entry(
        "Celery, with results",
        "celery_peer:CeleryResults",
        PEERS,
        ("celery", "kombu", *REDIS),
        2_000,
        batch="1",
        results=True,
    ),
    "taskiq": Entry(
        "taskiq", "taskiq_peer:Taskiq", PEERS, ("taskiq", "taskiq-redis", *REDIS), 5_000, batch="64 read, 1 acked"
    ),
    "taskiq-results": Entry(
        "taskiq, with results",
        "taskiq_peer:TaskiqResults",
        PEERS,
        ("taskiq", "taskiq-redis", *REDIS),
        4_000,
        batch="64 read, 1 acked",
        results=True,
    ),
    "arq": Entry("arq", "arq_peer:Arq", PEERS_ARQ, ("arq", *REDIS), 4_000, batch="1"),
    "arq-results": Entry(
        "arq, with results", "arq_peer:ArqResults", PEERS_ARQ, ("arq", *REDIS), 3_000, batch="1", results=True
    ),
}
