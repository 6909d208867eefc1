"""What the library remembers of depths and loads changes nothing: not who gets a frame, and not after others wrote."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary, EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.library import library
from framebuffer.streams import FrameStreams
from framebuffer.wire import RoutingTable, Settlement, TakenFrame
from tests.framebuffer.frames import EPOCH, NODE, entries, frame, frames, opened, settle_all, table
from tests.support import eventually, free_port

LENT_MS = 9_000
TABLES = (
    table(("p1", "a,b", 12), ("p2", "a", 20), ("p3", "a,b", 16), ("p4", "b", 8), ("p5", "a", 3)),
    table(("p1", "a,b", 24), ("p3", "a", 16), ("p4", "a,b", 12)),
    table(("p2", "a", 30)),
)
PROCESSORS = ("p1", "p2", "p3", "p4", "p5")
Strategy = Literal["least_loaded", "round_robin", "affinity"]
STRATEGIES: tuple[Strategy, ...] = ("least_loaded", "round_robin", "affinity")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from("ab"), st.integers(1, 6)),
        st.tuples(st.just("publish"), st.sampled_from("ab"), st.integers(1, 6)),
        st.tuples(st.just("settle"), st.sampled_from(PROCESSORS), st.integers(1, 4)),
        st.tuples(st.just("settle"), st.sampled_from(PROCESSORS), st.integers(1, 4)),
        st.tuples(st.just("release"), st.sampled_from(PROCESSORS), st.integers(1, 2)),
        st.tuples(st.just("return"), st.sampled_from(PROCESSORS), st.just(0)),
        st.tuples(st.just("dispatch"), st.just(""), st.integers(0, 1)),
        st.tuples(st.just("table"), st.just(""), st.integers(0, len(TABLES) - 1)),
    ),
    min_size=10,
    max_size=24,
)
Step = tuple[str, str, int]


async def told(streams: FrameStreams, rows: RoutingTable, steps: Sequence[Step], *, forgets: bool) -> list[Any]:
    """What each step left in the queues, frame by frame. ``forgets``: before each step the library knows nothing."""
    seen: list[Any] = []
    held: dict[str, list[TakenFrame]] = defaultdict(list)
    session, sequence = await opened(streams), 0
    await streams.dispatch(EPOCH, NODE, rows, lend_ms=LENT_MS)
    for what, name, number in steps:
        if forgets:
            await execute(streams.redis, "FUNCTION", "LOAD", "REPLACE", library().code)
        if what == "publish":
            await streams.publish(session, [frame(sequence + at, name) for at in range(number)])
            sequence += number
        elif what in ("settle", "release"):
            held[name] += await streams.take(name, "c", count=number)
            mine, held[name] = held[name][:number], held[name][number:]
            await streams.settle(
                name, "c", [Settlement(one.entry_id, "ok" if what == "settle" else "release", b"{}") for one in mine]
            )
        elif what == "return":
            await settle_all(streams, name, held.pop(name, []))  # what is in hand would be a suspect: those go by time
            await streams.return_queue(EPOCH, name)
        elif what == "table":
            rows = RoutingTable(rows.strategy, TABLES[number].rows)
            await streams.dispatch(EPOCH, NODE, rows, lend_ms=LENT_MS)
        else:
            await streams.dispatch(EPOCH, NODE, rows, lend_ms=LENT_MS, claim=number == 1)
        seen.append(await queues(streams))
    return seen


async def queues(streams: FrameStreams) -> dict[str, list[bytes]]:
    """The heads in each processor's queue; the depths that are kept must be their numbers."""
    found: dict[str, list[bytes]] = {}
    for name in PROCESSORS:
        held = await entries(streams.redis, streams.keys.ready(name))
        found[name] = [fields[b"frame"].split()[0] for fields in held]
    assert await streams.depths(PROCESSORS) == [len(found[name]) for name in PROCESSORS]
    return found


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=STEPS, strategy=st.sampled_from(STRATEGIES))
def test_frames_go_where_they_would_if_nothing_were_remembered(
    server: EmbeddedServer, steps: list[Step], strategy: Strategy
) -> None:
    async def run() -> None:
        async with connect(server.url) as redis:
            found = []
            for forgets in (False, True):
                await execute(redis, "FLUSHALL")
                await execute(redis, "FUNCTION", "LOAD", "REPLACE", library().code)
                rows = RoutingTable(strategy, TABLES[0].rows)
                found.append(await told(FrameStreams(redis), rows, steps, forgets=forgets))
            assert found[0] == found[1]

    asyncio.run(run())


class Model:
    """Least loaded of those with room, ties to the first behind the one that was chosen last."""

    def __init__(self, capacities: list[int]) -> None:
        self.capacities, self.depths, self.turn = capacities, [0] * len(capacities), 0

    def choose(self) -> int | None:
        room = [at for at, depth in enumerate(self.depths) if depth < self.capacities[at]]
        if not room:
            return None
        number = len(self.depths)
        best = min(room, key=lambda at: (self.depths[at] / self.capacities[at], (at - self.turn) % number))
        self.depths[best] += 1
        self.turn = (best + 1) % number
        return best


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    capacities=st.lists(st.integers(1, 9), min_size=1, max_size=9),
    steps=st.lists(st.tuples(st.integers(0, 8), st.integers(1, 9)), max_size=12),
)
def test_the_least_loaded_is_chosen_and_ties_go_round(
    server: EmbeddedServer, capacities: list[int], steps: list[tuple[int, int]]
) -> None:
    async def run() -> None:
        async with connect(server.url) as redis:
            await execute(redis, "FLUSHALL")
            streams = FrameStreams(redis)
            session, model, sequence = await opened(streams), Model(capacities), 0
            names = [f"w{at}" for at in range(len(capacities))]
            rows = table(*((name, "default", capacity) for name, capacity in zip(names, capacities, strict=True)))
            for leaves, published in steps:
                name = names[leaves % len(names)]
                taken = await streams.take(name, "c", count=published)
                await settle_all(streams, name, taken)
                model.depths[names.index(name)] -= len(taken)
                await streams.dispatch(EPOCH, NODE, rows, lend_ms=LENT_MS)
                while (await streams.stats()).capture_len:  # those that found no room go first
                    report = await streams.dispatch(EPOCH, NODE, rows, lend_ms=LENT_MS)
                    if not report.moved:
                        break
                waited = (await streams.stats()).in_flight - sum(model.depths)
                await streams.publish(session, frames(sequence, sequence + published))
                sequence += published
                await streams.dispatch(EPOCH, NODE, rows, lend_ms=LENT_MS)
                for _ in range(waited + published):
                    model.choose()
                assert await streams.depths(names) == model.depths

    asyncio.run(run())


AT_ONCE = ("repl-diskless-sync-delay 0",)
TWO = table(("p1", "default", 100), ("p2", "default", 100))


async def lengths(streams: FrameStreams) -> tuple[int, int]:
    first, second = await streams.depths(["p1", "p2"])
    return first, second


@pytest.mark.anyio
async def test_data_that_others_changed_are_read_anew(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.dispatch(EPOCH, NODE, TWO, lend_ms=LENT_MS)
    await streams.publish(session, frames(0, 10))
    assert await lengths(streams) == (5, 5)
    kept: Any = {key: await redis.dump(key) for key in (streams.keys.depths, streams.keys.rotation)}
    await settle_all(streams, "p1", await streams.take("p1", "c", count=5))
    await streams.publish(session, frames(10, 12))
    assert await lengths(streams) == (2, 5)
    for key, dumped in kept.items():  # an older state of both, with a number that this memory has used
        await execute(redis, "RESTORE", key, 0, dumped, "REPLACE")
    await streams.publish(session, frames(12, 14))
    assert await lengths(streams) == (6, 6)

    await execute(redis, "FLUSHALL")
    session = await opened(streams)
    await streams.dispatch(EPOCH, NODE, TWO, lend_ms=LENT_MS)
    await streams.publish(session, frames(0, 4))
    assert await lengths(streams) == (2, 2)
    await execute(redis, "SET", streams.keys.rotation, "no hash")  # they wait for the leader
    assert await streams.publish(session, frames(4, 5)) == ["ok"]
    assert (await lengths(streams), (await streams.stats()).capture_len) == ((2, 2), 1)
    await settle_all(streams, "p1", await streams.take("p1", "c", count=1))
    await execute(redis, "DEL", streams.keys.rotation)
    await streams.dispatch(EPOCH, NODE, TWO, lend_ms=LENT_MS)
    await streams.publish(session, frames(5, 7))
    assert await lengths(streams) == (3, 3)


@pytest.mark.anyio
async def test_a_primary_that_was_a_replica_meanwhile_believes_the_data(tmp_path: Path, binary: Binary) -> None:
    """Its memory is of before: the other one has routed and settled since."""
    ports = free_port(), free_port()
    async with (
        EmbeddedServer(tmp_path / "a", ports[0], binary=binary, options=AT_ONCE) as one,
        EmbeddedServer(tmp_path / "b", ports[1], binary=binary, options=AT_ONCE) as two,
        connect(one.url) as a,
        connect(two.url) as b,
    ):
        first, second = FrameStreams(a), FrameStreams(b)
        await first.ready()
        await _follow(b, a, ports[0])
        session = await opened(first)
        await first.dispatch(EPOCH, NODE, TWO, lend_ms=LENT_MS)
        await first.publish(session, frames(0, 8))
        assert await lengths(first) == (4, 4)
        for new, old, port, streams, start in ((b, a, ports[1], second, 8), (a, b, ports[0], first, 14)):
            await _caught_up(new, old)
            await execute(new, "REPLICAOF", "NO", "ONE")
            await _follow(old, new, port)
            before = sum(await lengths(streams))
            if streams is second:
                taken = await streams.take("p1", "c", count=3)
                assert set(await settle_all(streams, "p1", taken)) == {"settled"}
                before -= 3
            await streams.dispatch(EPOCH, NODE, TWO, lend_ms=LENT_MS)
            await streams.publish(session, frames(start, start + 6))
            after = await lengths(streams)
            assert sum(after) == before + 6
            assert abs(after[0] - after[1]) <= 1  # evened out by what the data say
            stats = await streams.stats()
            assert tuple(stats.ready[name].length for name in ("p1", "p2")) == after
        assert (await verify(first)).problems == []


async def _follow(replica: Redis, primary: Redis, port: int) -> None:
    await execute(replica, "REPLICAOF", "127.0.0.1", port)
    await _caught_up(replica, primary)


async def _caught_up(replica: Redis, primary: Redis) -> None:
    async def level() -> bool:
        here, there = await replica.info("replication"), await primary.info("replication")
        return (
            here.get("master_link_status", "up") == "up"
            and here["role"] == "slave"
            and int(here["slave_repl_offset"]) == int(there["master_repl_offset"])
        )

    await eventually(level, message="the replica to have all")
