"""A camera's record says what happened, whatever the library remembers of the record that it wrote before."""

import asyncio
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from framebuffer.connection import connect, execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.library import library
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, Given, Settlement
from tests.framebuffer.frames import EPOCH, NODE, frame, frames, opened, record, settle_all, table

ROWS = table(("p1", "default", 1_000))
CAMERAS = ("one", "two", "three")
STATUSES = ("ok", "ok", "ok", "ok", "error", "dead", "release")


class Expected:
    """What a camera's record has to say, from what the server answered."""

    def __init__(self, segment: int) -> None:
        self.counts = {"segment": segment, "floor": -1, "surplus": 0, "replaying": 0, "results": 0}
        self.counts |= dict.fromkeys(("settled", "dead", "dropped", "republished", "resettled"), 0)
        self.published: set[int] = set()
        self.final: set[int] = set()
        self.replayed: set[int] = set()

    def add(self, *names: str, by: int = 1) -> None:
        for name in names:
            self.counts[name] += by

    def ends(self, sequence: int, outcome: str) -> None:
        self.add(outcome)
        if sequence in self.replayed:
            self.replayed.remove(sequence)
            self.add("replaying", by=-1)
        self.final.add(sequence)

    def record(self) -> dict[str, int]:
        finals = _last_in_a_row(self.final)
        return self.counts | {
            "published": len(self.published),
            "highest": max(self.published, default=-1),
            "contiguous": _last_in_a_row(self.published),
            "finals": finals,
            "final_max": max(self.final, default=-1),
            "complete": (finals + 1) // self.counts["segment"],
        }


def _last_in_a_row(numbers: set[int]) -> int:
    last = -1
    while last + 1 in numbers:
        last += 1
    return last


class Plant:
    """Some cameras and one processor, and what their records have to say."""

    def __init__(self, streams: FrameStreams, rng: random.Random, segment: int) -> None:
        self._streams, self._rng = streams, rng
        self.expected = {camera: Expected(segment) for camera in CAMERAS}
        self._sessions: dict[str, CameraSession] = {}
        self._numbers: dict[str, int] = dict.fromkeys(CAMERAS, 0)

    async def open(self) -> None:
        for camera in CAMERAS:
            self._sessions[camera] = await opened(self._streams, camera)
        await self._streams.dispatch(EPOCH, NODE, ROWS, lend_ms=10_000)

    def _chosen(self, camera: str) -> int:
        """The next sequence, or one further, or one that was there."""
        chance = self._rng.random()
        if chance < 0.1:
            return self._rng.randint(0, self._numbers[camera])
        number = self._numbers[camera] + (self._rng.randint(1, 40) if chance < 0.15 else 0)
        self._numbers[camera] = number + 1
        return number

    async def publish(self) -> None:
        batch = [(camera, self._chosen(camera)) for camera in self._rng.choices(CAMERAS, k=self._rng.randint(1, 40))]
        sent = [(self._sessions[camera], frame(number)) for camera, number in batch]
        for (camera, number), status in zip(batch, (await self._streams.publish_batch(sent)).statuses, strict=True):
            expected = self.expected[camera]
            assert status == ("duplicate" if number in expected.published else "ok")
            if status == "duplicate":
                expected.add("republished")
            expected.published.add(number)

    async def drop(self) -> None:
        camera = self._rng.choice(CAMERAS)
        expected, number = self.expected[camera], self._chosen(camera)
        (status,) = await self._streams.drop(self._sessions[camera], [Given(f"gone-{number}", number, "deadline")])
        if status == "duplicate":
            expected.add("republished")
        else:
            expected.published.add(number)
            expected.ends(number, "dropped")

    async def settle(self) -> None:
        await self._streams.dispatch(EPOCH, NODE, ROWS, lend_ms=10_000)
        taken = await self._streams.take("p1", "c", count=self._rng.randint(1, 60))
        self._rng.shuffle(taken)
        said: list[Any] = [self._rng.choice(STATUSES) for _ in taken]
        batch = [Settlement(one.entry_id, status, b"{}", "broken") for one, status in zip(taken, said, strict=True)]
        for one, outcome in zip(taken, await self._streams.settle("p1", "c", batch), strict=True):
            if outcome in ("settled", "dead"):
                self.expected[one.camera_id].ends(one.sequence, outcome)
            if outcome == "settled":
                self.expected[one.camera_id].add("results")

    async def replay(self) -> None:
        dead = await self._streams.dead_list(count=3)
        outcomes = await self._streams.dead_replay([one.entry_id for one in dead])
        for one, outcome in zip(dead, outcomes, strict=True):
            assert outcome == "replayed"
            expected = self.expected[one.camera_id]
            expected.replayed.add(one.sequence)
            expected.add("replaying")
            expected.add("dead", by=-1)

    async def reopen(self) -> None:
        camera = self._rng.choice(CAMERAS)
        resume = self._numbers[camera] + self._rng.randint(0, 5)
        self._sessions[camera] = await self._streams.open_camera(camera, resume_at=resume)
        self.expected[camera].counts["floor"] = resume


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), forgets=st.sampled_from([0.0, 0.3]), segment=st.sampled_from([32, 96]))
def test_a_record_says_what_happened(server: EmbeddedServer, seed: int, forgets: float, segment: int) -> None:
    """``forgets``: how often the library knows nothing before a call."""
    rng = random.Random(seed)

    async def run() -> None:
        async with connect(server.url) as redis:
            await execute(redis, "FLUSHALL")  # leaves the library, and all that it remembers
            streams = FrameStreams(redis, segment_size=segment, max_attempts=2)
            await streams.ready()
            plant = Plant(streams, rng, segment)
            await plant.open()
            calls = (plant.publish, plant.settle, plant.drop, plant.replay, plant.reopen)
            for call in rng.choices(calls, weights=(6, 6, 2, 2, 1), k=30):
                if rng.random() < forgets:
                    await execute(redis, "FUNCTION", "LOAD", "REPLACE", library().code)
                await call()
                for camera, expected in plant.expected.items():
                    found = await record(streams, camera)
                    complete = await execute(redis, "SCARD", f"{streams.keys.ledgers}:{camera}:complete")
                    assert found == expected.record() | {"scattered": complete}, camera
            report = await verify(streams)
            gaps = sum(max(one.published, default=-1) + 1 - len(one.published) for one in plant.expected.values())
            assert (report.lost, report.duplicates) == (gaps, 0)
            await streams.aclose()

    asyncio.run(run())


@pytest.mark.anyio
@pytest.mark.parametrize("first", [0, 126, 254, 65_534, 2**32 - 2])
async def test_numbers_of_any_size_are_kept(streams: FrameStreams, first: int) -> None:
    """In a record a number takes one, two, three, five or nine bytes."""
    await opened(streams)
    session = await streams.open_camera("cam", resume_at=first)
    for number in range(first, first + 4):
        assert await streams.publish(session, frames(number, number + 1)) == ["ok"]
        await streams.dispatch(EPOCH, NODE, ROWS)
        assert await settle_all(streams, "p1", await streams.take("p1", "c")) == ["settled"]
        row = await record(streams)
        contiguous = number if first == 0 else -1
        assert (row["highest"], row["contiguous"], row["finals"], row["final_max"]) == (
            *(number, contiguous, contiguous, number),
        )
        assert (row["floor"], row["published"], row["settled"]) == (first, number - first + 1, number - first + 1)


@pytest.mark.anyio
async def test_segments_that_are_complete_are_counted(redis: Redis) -> None:
    streams = FrameStreams(redis, segment_size=32)
    await streams.ready()
    session = await opened(streams)
    assert await streams.publish(session, frames(0, 96)) == ["ok"] * 96
    await streams.dispatch(EPOCH, NODE, ROWS, limit=96)
    taken = await streams.take("p1", "c", count=96)
    for first, last, complete, scattered in (
        (0, 10, 0, 0),
        (64, 96, 0, 1),
        (10, 40, 1, 1),
        (40, 63, 1, 1),
        (63, 64, 3, 0),
    ):
        assert await settle_all(streams, "p1", taken[first:last]) == ["settled"] * (last - first)
        row = await record(streams)
        assert (row["complete"], row["scattered"]) == (complete, scattered)
    assert (await verify(streams)).ledger_ok
    await streams.aclose()
