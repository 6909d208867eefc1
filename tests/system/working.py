"""Work for a plant under test: a camera that publishes, processors that take part, and what became of it all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from framebuffer.connection import connect
from framebuffer.processor import ProcessorClient
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import TakenFrame
from orchestrator.dev.topology import Topology

PAYLOAD_BYTES = 6000
"""Above the inline limit: the payload has a key of its own."""


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
async def streams_of(topology: Topology) -> AsyncIterator[FrameStreams]:
    """The plant's frame streams, as an onlooker."""
    redis = connect(topology.redis_url)
    streams = FrameStreams(redis)
    try:
        yield streams
    finally:
        await streams.aclose()
        await redis.aclose()


async def publish_until(producer: FrameProducer, enough: asyncio.Event, *, every_s: float, capability: str) -> int:
    """Publish at a steady rate until told that it is enough; how many frames were accepted."""
    count = 0
    while not enough.is_set():
        await producer.publish(
            b"x" * PAYLOAD_BYTES, width=8, height=8, format="raw", metadata={"detection_type": capability}
        )
        count += 1
        try:
            await asyncio.wait_for(enough.wait(), every_s)
        except TimeoutError:
            continue
    return count
