"""What the leader does about processors: one real node, a real server, and processors played by hand over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from framebuffer.connection import connect
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, OutgoingFrame, Settlement
from tests.orchestrator.api_nodes import Nodes, serving
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio

SETTINGS = {
    "heartbeat_timeout_s": 30.0,
    "lease_s": 0.6,
    "capacity_max": 50,
    "health_interval_s": 0.4,
    "health_timeout_s": 0.2,
    "breaker_open_s": 1.0,
}


@pytest.fixture(scope="module")
async def nodes(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nodes]:
    async with serving(1, tmp_path_factory.mktemp("one"), frames=SETTINGS) as found:
        yield found


class Plant:
    """Cameras and processors of one test; capabilities and ids are its own, so that tests share the node."""

    def __init__(self, http: httpx.AsyncClient, streams: FrameStreams, name: str) -> None:
        self.http = http
        self.streams = streams
        self.name = name
        self._session: CameraSession | None = None
        self._next = 0

    def id(self, short: str) -> str:
        return f"{self.name}-{short}"

    async def register(self, short: str, **extra: Any) -> dict[str, Any]:
        body = {"id": self.id(short), "capabilities": [self.name], "capacity": 10, **extra}
        answer = await self.http.post("/processors/register", json=body, headers={"X-Processor-Token": "t"})
        assert answer.status_code == 201, answer.text
        registered: dict[str, Any] = answer.json()
        return registered

    async def beat(self, short: str, **report: int) -> None:
        answer = await self.http.post(f"/processors/{self.id(short)}/heartbeat", json=report)
        assert answer.status_code == 204, answer.text

    async def ask(self, short: str, verb: str) -> dict[str, Any]:
        answer = await self.http.post(f"/v1/processors/{self.id(short)}/{verb}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def row(self, short: str) -> dict[str, Any]:
        row: dict[str, Any] = (await self.http.get(f"/v1/processors/{self.id(short)}")).json()
        return row

    async def publish(self, count: int) -> None:
        if self._session is None:
            self._session = await self.streams.open_camera(self.name)
        numbers = range(self._next, self._next + count)
        self._next += count
        frames = [OutgoingFrame(f"{self.name}-{n}", n, b"{}", b"x", self.name) for n in numbers]
        assert await self.streams.publish(self._session, frames) == ["ok"] * count

    async def queued(self, short: str) -> int:
        queue = (await self.streams.stats()).ready.get(self.id(short))
        return 0 if queue is None else queue.length

    async def waiting(self) -> int:
        return (await self.streams.stats()).lanes.get(self.name, 0)

    async def breaker(self, short: str, state: str) -> dict[str, Any]:
        """The row once its breaker has this state."""

        async def check() -> dict[str, Any]:
            row = await self.row(short)
            return row if row["breaker"] == state else {}

        return await eventually(check)

    async def metric(self, short: str) -> float | None:
        wanted = f'frame_buffer_breaker_state{{processor_id="{self.id(short)}"}}'
        for line in (await self.http.get("/metrics")).text.splitlines():
            if line.startswith(wanted):
                return float(line.split()[-1])
        return None


@pytest.fixture
async def plant(nodes: Nodes, request: pytest.FixtureRequest) -> AsyncIterator[Plant]:
    redis = connect(nodes.redis.url)
    streams = FrameStreams(redis)
    made = Plant(nodes.clients[0], streams, request.function.__name__.removeprefix("test_")[:20].strip("_"))
    yield made
    for row in (await made.http.get(f"/processors?capability={made.name}")).json():
        await made.http.delete(f"/processors/{row['id']}")
    await streams.aclose()
    await redis.aclose()


async def test_draining_gives_no_more_frames_and_leaves_those_that_are_there(plant: Plant) -> None:
    registered = await plant.register("a")
    assert (registered["draining"], registered["lease_s"]) == (False, 0.6)
    await plant.publish(4)
    await eventually(lambda: plant.queued("a"))
    assert (await plant.ask("a", "drain"))["draining"] is True
    await plant.publish(3)
    await eventually(lambda: plant.waiting())
    await plant.register("b")

    async def moved() -> bool:
        return await plant.queued("b") == 3

    await eventually(moved)
    assert await plant.queued("a") == 4
    row = await plant.row("a")
    assert (row["healthy"], row["draining"], row["capacity_granted"]) == (True, True, 0)
    assert (await plant.http.get(f"/processors?capability={plant.name}")).json()[0]["draining"] is True
    assert (await plant.ask("a", "drain"))["draining"] is True  # again is fine
    assert (await plant.ask("a", "resume"))["draining"] is False
    assert (await plant.row("a"))["capacity_granted"] == 10
    for verb in ("drain", "resume"):
        assert (await plant.http.post(f"/v1/processors/nobody/{verb}")).json()["code"] == "processor_unknown"


async def test_who_fails_is_kept_away_from_and_tried_again(plant: Plant) -> None:
    await plant.register("a")
    await plant.beat("a", settled=5, errors=1)
    await plant.publish(4)
    await eventually(lambda: plant.queued("a"))
    row = await plant.row("a")
    assert (row["breaker"], row["capacity_granted"], row["settled"], row["errors"]) == ("CLOSED", 10, 5, 1)
    assert row["silence_s"] < 30
    await plant.beat("a", settled=5, errors=4)  # within three failures
    row = await plant.breaker("a", "OPEN")
    assert (row["healthy"], row["capacity_granted"]) == (True, 0)

    async def moved_away() -> bool:
        return await plant.queued("a") == 0 and await plant.waiting() == 4

    await eventually(moved_away)
    await eventually(lambda: _is(plant.metric("a"), 2.0))
    row = await plant.breaker("a", "HALF_OPEN")
    assert row["capacity_granted"] == 1

    async def one_frame() -> bool:
        return await plant.queued("a") == 1 and await plant.waiting() == 3

    await eventually(one_frame)
    await plant.beat("a", settled=8, errors=4)
    await plant.breaker("a", "CLOSED")
    await eventually(lambda: _is(plant.metric("a"), 0.0))
    await eventually(lambda: _is(plant.queued("a"), 4))


async def test_a_lease_that_runs_out_sends_a_frame_to_another_attempt(plant: Plant) -> None:
    await plant.register("a")
    await plant.publish(1)
    await eventually(lambda: plant.queued("a"))
    [frame] = await plant.streams.take(plant.id("a"), "c")

    async def again() -> Any:
        return await plant.streams.take(plant.id("a"), "c")

    [second] = await eventually(again)
    assert (second.frame_id, second.attempts) == (frame.frame_id, 1)
    assert await plant.streams.settle(plant.id("a"), "c", [Settlement(frame.entry_id, result=b"{}")]) == ["not-owner"]
    assert await plant.streams.settle(plant.id("a"), "c", [Settlement(second.entry_id, result=b"{}")]) == ["settled"]
    assert (await plant.row("a"))["breaker"] == "CLOSED"


async def test_who_renews_keeps_a_frame_for_longer_than_a_lease(plant: Plant) -> None:
    await plant.register("a")
    await plant.publish(1)
    await eventually(lambda: plant.queued("a"))
    [frame] = await plant.streams.take(plant.id("a"), "c")
    for _ in range(8):
        await asyncio.sleep(0.2)  # a third of the lease, as the SDK does
        assert await plant.streams.renew(plant.id("a"), "c", [frame.entry_id]) == [True]
    assert await plant.streams.settle(plant.id("a"), "c", [Settlement(frame.entry_id, result=b"{}")]) == ["settled"]


async def test_who_takes_nothing_is_kept_away_from(plant: Plant) -> None:
    await plant.register("a")
    await plant.publish(2)
    await eventually(lambda: plant.queued("a"))
    await plant.breaker("a", "OPEN")
    await plant.ask("a", "drain")
    await eventually(lambda: _is(plant.waiting(), 2))


async def test_a_capacity_that_cannot_be_true_is_bounded(plant: Plant) -> None:
    registered = await plant.register("a", capacity=100_000)
    assert registered["capacity"] == 100_000
    assert (await plant.row("a"))["capacity_granted"] == 50
    await plant.publish(60)
    # Of 60 that were published in one call, and that nobody takes.
    await eventually(lambda: _is(plant.queued("a"), 50))


@pytest.mark.parametrize("name", ["in_flight", "settled", "errors"])
async def test_a_count_that_no_figure_could_show_is_refused(plant: Plant, name: str) -> None:
    await plant.register("a")
    answer = await plant.http.post(f"/processors/{plant.id('a')}/heartbeat", json={name: 10**400})
    assert (answer.status_code, answer.json()["errors"][0]["location"]) == (422, f"body.{name}")


class Place:
    """What answers at a `health_url`: with `status`."""

    def __init__(self) -> None:
        self.status = 200

    @asynccontextmanager
    async def served(self, port: int) -> AsyncIterator[str]:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"authorization" not in head.lower()
            writer.write(f"HTTP/1.1 {self.status} X\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(answer, "127.0.0.1", port):
            yield f"http://127.0.0.1:{port}/health"


async def test_health_is_asked_for_where_the_registration_says(plant: Plant) -> None:
    place = Place()

    async def healthy(wanted: bool) -> bool:
        return bool((await plant.row("a"))["healthy"]) is wanted

    async with place.served(free_port()) as url:
        await plant.register("a", health_url=url)
        await eventually(lambda: _is(_health_pull(plant), ""))
        place.status, began = 503, asyncio.get_running_loop().time()
        await eventually(lambda: healthy(False))
        assert asyncio.get_running_loop().time() - began < 2 * 0.4 + 1.0  # two cycles, a tick, and a busy machine
        row = await plant.row("a")
        assert (row["reason"], row["health_pull"]) == ("health_url: answered 503", "answered 503")
        await plant.beat("a")
        assert await healthy(False)  # where both are used, both must be fine
        place.status = 200
        await eventually(lambda: healthy(True))
        changed = await plant.http.patch(f"/processors/{plant.id('a')}", json={"health_url": "http://127.0.0.1:1/"})
        assert changed.status_code == 200
        await eventually(lambda: healthy(False))
        await plant.http.patch(f"/processors/{plant.id('a')}", json={"health_url": None})
        await eventually(lambda: healthy(True))  # its heartbeats count alone now


async def _health_pull(plant: Plant) -> Any:
    return (await plant.row("a"))["health_pull"]


async def _is(found: Any, wanted: Any) -> bool:
    return bool(await found == wanted)


async def test_settings_that_could_not_notice_a_failure_in_time_are_refused(tmp_path: Path) -> None:
    from orchestrator.errors import ConfigurationInvalid

    with pytest.raises(ConfigurationInvalid, match=r"at most half of frames\.health_interval_s"):
        async with serving(1, tmp_path, frames={"health_interval_s": 4.0}):
            pass
