"""Any order of publishing, dispatching, taking, settling, returning and crashing keeps the books.

Hypothesis finds the orders; each runs on a real server.
"""

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, Settlement, TakenFrame
from tests.framebuffer.frames import EPOCH, NODE, frame, table

T = TypeVar("T")

SETTINGS = settings(
    max_examples=20,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
ROWS = table(("p1", "a", 3), ("p2", "a,b", 4))
OPEN = table(("p1", "a,b,c", 10_000))
CAMERAS = st.sampled_from(["cam1", "cam2"])
PROCESSORS = st.sampled_from(["p1", "p2"])


class Books(RuleBasedStateMachine):
    """Two cameras, two processors, a capability that nobody has; the model only counts what the replies say."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.redis = connect(self.url)
        self.streams = FrameStreams(self.redis, max_attempts=2, segment_size=32)
        self.sessions: dict[str, CameraSession] = {}
        self.next: dict[str, int] = defaultdict(int)
        self.held: dict[str, list[TakenFrame]] = defaultdict(list)
        self.counts: dict[str, int] = defaultdict(int)
        self.run(self.begin())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    async def begin(self) -> None:
        await execute(self.redis, "FLUSHALL")
        await self.streams.ready()
        for camera in ("cam1", "cam2"):
            self.sessions[camera] = await self.streams.open_camera(camera)

    @rule(camera=CAMERAS, count=st.integers(1, 6), capability=st.sampled_from("abc"))
    def publish(self, camera: str, count: int, capability: str) -> None:
        start = self.next[camera]
        self.next[camera] += count
        batch = [frame(sequence, capability) for sequence in range(start, start + count)]
        assert self.run(self.streams.publish(self.sessions[camera], batch)) == ["ok"] * count
        self.counts["published"] += count

    @precondition(lambda self: any(self.next.values()))
    @rule(camera=CAMERAS, data=st.data())
    def publish_again(self, camera: str, data: st.DataObject) -> None:
        if not self.next[camera]:
            return
        sequence = data.draw(st.integers(0, self.next[camera] - 1))
        assert self.run(self.streams.publish(self.sessions[camera], [frame(sequence, "a")])) == ["duplicate"]

    @rule(limit=st.integers(1, 12), claim=st.booleans(), lend_ms=st.sampled_from([0, 9_000]))
    def dispatch(self, limit: int, claim: bool, lend_ms: int) -> None:
        report = self.run(self.streams.dispatch(EPOCH, NODE, ROWS, limit=limit, claim=claim, lend_ms=lend_ms))
        assert report.read + report.drained <= limit
        assert report.depths.get("p1", 0) <= 3
        assert report.depths.get("p2", 0) <= 4

    @rule(processor=PROCESSORS, count=st.integers(1, 4))
    def take(self, processor: str, count: int) -> None:
        self.held[processor] += self.run(self.streams.take(processor, "c", count=count))

    @precondition(lambda self: any(self.held.values()))
    @rule(
        processor=PROCESSORS,
        statuses=st.lists(st.sampled_from(["ok", "ok", "error", "dead"]), min_size=1, max_size=4),
        repeat=st.booleans(),
    )
    def settle(self, processor: str, statuses: list[Any], repeat: bool) -> None:
        batch = self.held[processor][: len(statuses)]
        self.held[processor] = self.held[processor][len(batch) :]
        settlements = [Settlement(one.entry_id, status, b"{}") for one, status in zip(batch, statuses, strict=False)]
        for outcome in self.run(self.streams.settle(processor, "c", settlements)):
            assert outcome != "duplicate"
            self.counts[outcome] += 1
        if repeat:  # the reply was lost
            assert set(self.run(self.streams.settle(processor, "c", settlements))) <= {"not-owner"}

    @rule(processor=PROCESSORS)
    def crash_and_come_back(self, processor: str) -> None:
        self.held[processor] = self.run(self.streams.take(processor, "c", count=100, own=True))

    @rule(processor=PROCESSORS)
    def give_back(self, processor: str) -> None:
        """The processor is declared dead; it goes on with what it holds, and none of that counts any more."""
        before = self.run(self.streams.stats()).dead_len
        self.run(self.streams.return_queue(EPOCH, processor))
        self.counts["dead"] += self.run(self.streams.stats()).dead_len - before

    @invariant()
    def the_books_balance(self) -> None:
        stats = self.run(self.streams.stats())
        cameras = stats.cameras.values()
        assert sum(camera.published for camera in cameras) == self.counts["published"]
        assert sum(camera.settled for camera in cameras) == self.counts["settled"] == stats.results_added
        assert sum(camera.dead for camera in cameras) == self.counts["dead"] == stats.dead_len
        assert sum(camera.in_flight for camera in cameras) == stats.in_flight
        assert stats.capture_pending == 0

    def teardown(self) -> None:
        try:
            for processor in ("p1", "p2"):
                self.give_back(processor)
            self.run(self.end())
        finally:
            self.runner.close()

    async def end(self) -> None:
        """Whatever happened, everything can still be settled, once."""
        while (await self.streams.dispatch(EPOCH, NODE, OPEN)).more:
            pass
        while taken := await self.streams.take("p1", "end", count=10_000):
            outcomes = await self.streams.settle("p1", "end", [Settlement(one.entry_id) for one in taken])
            assert set(outcomes) <= {"settled"}
        report = await verify(self.streams)
        assert report.problems == []
        assert report.published == report.settled + report.dead == self.counts["published"]
        assert report.dead == self.counts["dead"]
        assert report.in_flight == 0
        await self.redis.aclose()


def test_the_books_balance_in_any_order(server: EmbeddedServer) -> None:
    machine = type("BooksOnServer", (Books,), {"url": server.url})
    run_state_machine_as_test(machine, settings=SETTINGS)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("publish"), st.sampled_from("ab"), st.integers(1, 8)),
        st.tuples(st.just("dispatch"), st.sampled_from(["", "a", "b", "a,b"]), st.integers(1, 10)),
        st.tuples(st.just("work"), st.just(""), st.integers(1, 8)),
    ),
    max_size=40,
)


@settings(SETTINGS, max_examples=50)
@given(steps=STEPS, capacity=st.integers(1, 12), lent=st.sampled_from([0, 9_000]))
def test_a_capability_is_first_in_first_out_for_one_consumer(
    server: EmbeddedServer, steps: list[tuple[str, str, int]], capacity: int, lent: int
) -> None:
    """Whatever the processor can do at the moment, and however often lanes fill and drain."""

    async def run() -> None:
        async with connect(server.url) as redis:
            await execute(redis, "FLUSHALL")
            streams = FrameStreams(redis)
            session = await streams.open_camera("cam")
            published: dict[str, list[int]] = defaultdict(list)
            seen: dict[str, list[int]] = defaultdict(list)
            sequence = 0

            async def work(count: int) -> int:
                taken = await streams.take("p1", "c", count=count)
                for one in taken:
                    seen[one.capability].append(one.sequence)
                await streams.settle("p1", "c", [Settlement(one.entry_id) for one in taken])
                return len(taken)

            for kind, capabilities, number in steps:
                if kind == "publish":
                    batch = [frame(sequence + n, capabilities) for n in range(number)]
                    await streams.publish(session, batch)
                    published[capabilities] += range(sequence, sequence + number)
                    sequence += number
                elif kind == "dispatch":
                    rows = table(("p1", capabilities, capacity)) if capabilities else table()
                    await streams.dispatch(EPOCH, NODE, rows, limit=number, lend_ms=lent)
                else:
                    await work(number)
            while (await streams.stats()).in_flight:
                await streams.dispatch(EPOCH, NODE, table(("p1", "a,b", capacity)))
                await work(100)
            assert seen == published

    asyncio.run(run())
