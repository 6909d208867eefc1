"""A processor in another language, built from examples/processor-go, on a real plant that loses its leader."""

import asyncio
import hashlib
import json
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from framebuffer import ledger
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import leashed
from tests.chaos.conftest import _absent
from tests.chaos.insisting import insist
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
async def processing(program: Path, plant: LocalPlant, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = ["-id", "digests-1", "-capability", "digests", "-orchestrator", ",".join(plant.topology.apis)]
    with log.open("ab") as file:
        process = await asyncio.create_subprocess_exec(*leashed([str(program), *arguments]), stdout=file, stderr=file)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def results(streams: FrameStreams) -> dict[int, dict[str, Any]]:
    """By sequence."""
    found: Any = await streams.redis.xrange(streams.keys.results)
    documents = [json.loads(fields[b"result"]) for _, fields in found]
    return {document["sequence"]: document for document in documents}


async def test_every_frame_gets_its_one_result(program: Path, plant: LocalPlant, tmp_path: Path) -> None:
    first = await plant.current_leader(5)
    async with streams_of(plant.topology) as streams, FrameProducer("cam1", plant.topology.redis_url) as producer:

        async def settled() -> int:
            counters = (await streams.stats()).cameras.get("cam1")
            return 0 if counters is None else counters.settled

        async def more(count: int) -> None:
            wanted = await settled() + count

            async def there() -> bool:
                return await settled() >= wanted

            await eventually(there, deadline_s=30, message=(tmp_path / "go.log").read_text())

        camera = Camera(producer)
        async with processing(program, plant, tmp_path / "go.log") as process:
            await more(100)
            row = (await insist(plant, "GET", "/v1/processors/digests-1")).json()
            assert (row["healthy"], row["breaker"]) == (True, "CLOSED")
            await plant.kill(first.node_id)
            await plant.other_leader(first)
            await more(100)
            process.kill()  # with frames in hand, most likely
        async with processing(program, plant, tmp_path / "go.log") as process:
            await more(100)
            await camera.stop()

            async def all_final() -> bool:
                return (await streams.stats()).cameras["cam1"].in_flight == 0

            await eventually(all_final, deadline_s=30)
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 10) == 0, (tmp_path / "go.log").read_text()
        assert (await insist(plant, "GET", "/v1/processors/digests-1")).status_code == 404  # it said goodbye
        report = await ledger.verify(streams)
        documents = await results(streams)
    published = len(camera.digests)
    found = (report.published, report.settled, report.dead, report.lost, report.duplicates)
    assert found == (published, published, 0, 0, 0)
    assert report.ledger_ok
    assert set(documents) == set(camera.digests)
    for sequence, document in documents.items():
        assert document["result"]["sha256"] == camera.digests[sequence]
        assert document["processor_id"] == "digests-1"
