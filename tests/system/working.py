"""Work for a plant under test: a camera that publishes, processors that take part, and what became of it all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from framebuffer import ledger
from framebuffer.connection import connect
from framebuffer.ledger import LedgerReport
from framebuffer.processor import ProcessorClient
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import TakenFrame
from orchestrator.dev.topology import Topology
from tests.support import eventually

PAYLOAD_BYTES = 6000
"""Above the inline limit: the payload has a key of its own."""
PUBLISH_EVERY_S = 0.01


class Echo(ProcessorClient):
    """Answers each frame with the length of its payload, and remembers which frames it was given."""

    def __init__(self, processor_id: str, topology: Topology, capability: str = "echo", **options: object) -> None:
        super().__init__(
            processor_id,
            [capability],
            topology.apis,
            redis_url=topology.redis_url,
            **options,  # type: ignore[arg-type]
        )
        self.seen: list[tuple[str, int]] = []

    async def process_frame(self, frame: TakenFrame) -> dict[str, int]:
        self.seen.append((frame.camera_id, frame.sequence))
        return {"bytes": len(frame.payload)}


@asynccontextmanager
async def started(*processors: ProcessorClient) -> AsyncIterator[None]:
    """The processors, running until the block is left."""
    tasks = [asyncio.create_task(processor.start()) for processor in processors]
    try:
        yield
    finally:
        for processor in processors:
            await processor.stop()
        await asyncio.gather(*tasks)


@asynccontextmanager
async def streams_of(topology: Topology, password: str | None = None) -> AsyncIterator[FrameStreams]:
    """The plant's frame streams, as an onlooker."""
    redis = connect(topology.redis_url, password=password)
    streams = FrameStreams(redis)
    try:
        yield streams
    finally:
        await streams.aclose()
        await redis.aclose()


class Flow:
    """A camera that publishes at a steady rate, the processors that take its frames, and what became of them."""

    def __init__(self, producer: FrameProducer, processors: Sequence[Echo], streams: FrameStreams) -> None:
        self.streams = streams
        self._producer = producer
        self._processors = processors
        self._enough = asyncio.Event()
        self._publishing = asyncio.create_task(self._publish(processors[0].registration.capabilities[0]))
        self.published = 0

    @property
    def seen(self) -> list[tuple[str, int]]:
        """Each frame as often as a processor was given it: camera and sequence."""
        return sorted(frame for processor in self._processors for frame in processor.seen)

    async def moves(self, frames: int = 50) -> None:
        """Wait until so many more frames were processed."""
        target = len(self.seen) + frames
        await eventually(lambda: len(self.seen) >= target, deadline_s=20)

    async def settled(self) -> LedgerReport:
        """Publish no more, wait until every frame is final, and verify."""
        self._enough.set()
        await self._publishing
        await self._producer.flush()
        camera = self._producer.camera_id

        async def all_final() -> bool:
            return (await self.streams.stats()).cameras[camera].in_flight == 0

        await eventually(all_final, deadline_s=20)
        return await ledger.verify(self.streams)

    async def _publish(self, capability: str) -> None:
        fields = {"width": 8, "height": 8, "format": "raw", "metadata": {"detection_type": capability}}
        while not self._enough.is_set():
            await self._producer.publish(b"x" * PAYLOAD_BYTES, **fields)
            self.published += 1
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._enough.wait(), PUBLISH_EVERY_S)


@asynccontextmanager
async def flowing(topology: Topology, *processors: Echo, password: str | None = None) -> AsyncIterator[Flow]:
    """Frames on their way from a camera to these processors, the first of them processed. `password`: the server's."""
    async with (
        started(*processors),
        streams_of(topology, password) as streams,
        FrameProducer("cam1", topology.redis_url, password=password) as producer,
    ):
        flow = Flow(producer, processors, streams)
        try:
            await flow.moves()
            yield flow
        finally:
            flow._publishing.cancel()
            await asyncio.wait({flow._publishing})
