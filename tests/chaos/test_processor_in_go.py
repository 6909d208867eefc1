"""A processor in another language, built from examples/processor-go, on a real plant that loses its leader,
and on one that loses its primary.
"""

import asyncio
import hashlib
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from framebuffer import ledger
from framebuffer.connection import connect
from framebuffer.embedded import find_binary
from framebuffer.errors import RedisFailure
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import leashed
from orchestrator.drills.targets.local_plant import SetPlant, set_plant
from tests.chaos.conftest import _absent
from tests.chaos.insisting import insist
from tests.framebuffer.frames import EPOCH, NODE, frames, opened, table
from tests.framebuffer.sentinel_set import LinkedSet
from tests.framebuffer.tiny_orchestrator import TinyOrchestrator
from tests.support import eventually
from tests.system.working import streams_of

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "processor-go"
EVERY_S = 0.01
SIZES = (6, 60_000)
"""Of payloads in bytes: one that travels in the streams, and one that has a key of its own."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built example."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        _absent("Go is missing. Debian and Ubuntu: apt install golang-go    macOS: brew install go")
    built = tmp_path_factory.mktemp("go") / "processor"
    done = subprocess.run(
        [go, "build", "-o", str(built), "."], cwd=EXAMPLE, capture_output=True, text=True, check=False
    )
    if done.returncode != 0 and "dial tcp" in done.stderr:
        _absent(f"the modules of the example cannot be fetched: {done.stderr}")
    assert done.returncode == 0, done.stderr
    return built


class Camera:
    """Publishes payloads of both sizes at a steady rate, of all priorities."""

    def __init__(self, producer: FrameProducer) -> None:
        self._producer = producer
        self._enough = asyncio.Event()
        self.digests: dict[int, str] = {}
        self._task = asyncio.create_task(self._publish())

    async def _publish(self) -> None:
        number = 0
        while not self._enough.is_set():
            payload = f"{number:06}".encode() * (SIZES[number % 2] // 6)
            self.digests[number] = hashlib.sha256(payload).hexdigest()
            fields = {"width": 8, "height": 8, "format": "raw", "metadata": {"detection_type": "digests"}}
            await self._producer.publish(payload, priority=number % 11, **fields)
            number += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), EVERY_S)

    async def stop(self) -> None:
        self._enough.set()
        await self._task
        await self._producer.flush()


@asynccontextmanager
async def processing(program: Path, nodes: Sequence[str], log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ["-id", "digests-1", "-capability", "digests", "-orchestrator", ",".join(nodes)]
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(*leashed([str(program), *arguments]), stdout=file, stderr=file)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def said(log: Path) -> str:
    return await asyncio.to_thread(log.read_text)


async def results(streams: FrameStreams) -> dict[int, dict[str, Any]]:
    """By sequence."""
    found: Any = await streams.redis.xrange(streams.keys.results)
    documents = [json.loads(fields[b"result"]) for _, fields in found]
    return {document["sequence"]: document for document in documents}


async def more(streams: FrameStreams, count: int, log: Path) -> None:
    """Wait until so many frames more are settled; the server may be away meanwhile."""
    wanted: int | None = None

    async def there() -> bool:
        nonlocal wanted
        with suppress(RedisFailure):
            counters = (await streams.stats()).cameras.get("cam1")
            settled = 0 if counters is None else counters.settled
            wanted = settled + count if wanted is None else wanted
            return settled >= wanted
        return False

    await eventually(there, deadline_s=30, message=await said(log))


async def ended_well(
    process: asyncio.subprocess.Process, plant: LocalPlant, streams: FrameStreams, camera: Camera, log: Path
) -> None:
    """All frames become final, the processor ends and says goodbye; each frame has its one result, the right one."""
    await camera.stop()

    async def all_final() -> bool:
        return (await streams.stats()).cameras["cam1"].in_flight == 0

    await eventually(all_final, deadline_s=30)
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10) == 0, await said(log)
    assert (await insist(plant, "GET", "/v1/processors/digests-1")).status_code == 404
    report = await ledger.verify(streams)
    published = len(camera.digests)
    found = (report.published, report.settled, report.dead, report.lost, report.duplicates)
    assert found == (published, published, 0, 0, 0)
    assert report.ledger_ok
    documents = await results(streams)
    assert set(documents) == set(camera.digests)
    for sequence, document in documents.items():
        assert document["result"]["sha256"] == camera.digests[sequence]
        assert document["processor_id"] == "digests-1"


async def test_every_frame_gets_its_one_result(program: Path, plant: LocalPlant, tmp_path: Path) -> None:
    first, log = await plant.current_leader(5), tmp_path / "go.log"
    async with streams_of(plant.topology) as streams, FrameProducer("cam1", plant.topology.redis_url) as producer:
        camera = Camera(producer)
        async with processing(program, plant.topology.apis, log) as process:
            await more(streams, 100, log)
            row = (await insist(plant, "GET", "/v1/processors/digests-1")).json()
            assert (row["healthy"], row["breaker"]) == (True, "CLOSED")
            await plant.kill(first.node_id)
            await plant.other_leader(first)
            await more(streams, 100, log)
            process.kill()  # with frames in hand, most likely
        async with processing(program, plant.topology.apis, log) as process:
            await more(streams, 100, log)
            await ended_well(process, plant, streams, camera, log)


@pytest.fixture
async def before_a_set(tmp_path: Path) -> AsyncIterator[SetPlant]:
    """Three nodes before a primary with two replicas and three sentinels."""
    async with set_plant(tmp_path / "plant", cut_raft=False, cut_redis=False) as running:
        await running.wait_ready()
        yield running


async def test_it_goes_on_at_the_next_primary(program: Path, before_a_set: SetPlant, tmp_path: Path) -> None:
    plant, log = before_a_set, tmp_path / "go.log"
    url = plant.topology.redis_url
    assert url.startswith("redis+sentinel://")
    async with streams_of(plant.topology) as streams, FrameProducer("cam1", url, durability=1) as producer:
        camera = Camera(producer)
        async with processing(program, plant.topology.apis, log) as process:
            await more(streams, 100, log)
            at = await plant.servers.kill_primary()
            await plant.servers.moved_from(at)
            await more(streams, 100, log)
            await ended_well(process, plant, streams, camera, log)


async def test_it_says_what_the_url_says(program: Path, tmp_path: Path) -> None:
    """Passwords of servers and sentinels, which differ, with characters that a URL escapes."""
    log = tmp_path / "go.log"
    async with LinkedSet(tmp_path / "set", find_binary(), password="p/w?d:@") as linked:
        redis = connect(linked.url)
        streams = FrameStreams(redis)
        await streams.ready()
        await streams.publish(await opened(streams), frames(0, 3, "digests"))
        node = TinyOrchestrator(linked.url)
        node.max_attempts, node.lease_s = 5, 30.0
        with node.running():
            async with processing(program, (node.url,), log):
                await streams.dispatch(EPOCH, NODE, table(("digests-1", "digests", 8)))

                async def settled() -> bool:
                    return (await streams.stats()).cameras["cam"].settled == 3

                await eventually(settled, deadline_s=20, message=await said(log))
        await streams.aclose()
        await redis.aclose()
