"""Triarch itself: publish ▸ dispatch ▸ take ▸ settle, each hop one call of the server's functions for up to 64 frames.

`Triarch` calls `FrameStreams` as the others call their clients; the leader's dispatcher is a process of its own.
`TriarchSdk` is what cameras and processors use: validation, JSON, buffers and the processor's pipeline included.
`TriarchCopies` publishes with two replicas and `durability` 1: a frame counts when two of three servers have it, as an
event does with JetStream's three copies. (`majority` would wait for both replicas.)
An event carries more than with the others: its frame's head, an event of 110 bytes, a bit in the ledger, a result.
"""

import asyncio
from collections.abc import Awaitable, Callable

from benchmarks.peers.peer import BATCH, WORKERS, Peer, Place, batches, payload
from framebuffer.connection import connect
from framebuffer.dispatcher import Dispatcher
from framebuffer.pipeline import Pipeline
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame, RoutingRow, RoutingTable, Settlement, TakenFrame

CAMERAS = 4
CAPACITY = 1_000_000
"""Frames that a worker's queue may hold: as with the others, whose queues have no bound."""
EPOCH = (1, 1)
EVENT = b'{"frame_id":"cam1-1","camera_id":"cam1","width":176,"height":144,"format":"jpeg","metadata":{"site":"north"}}'
RESULT = b'{"frame_id":"cam1-1","camera_id":"cam1","sequence":1,"result":{}}'
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Triarch(Peer):
    """Batches of 64."""

    durability = 0

    def __init__(self, place: Place) -> None:
        super().__init__(place)
        self.redis = connect(place.redis)
        self.streams = FrameStreams(self.redis)

    @property
    def processor(self) -> str:
        """The worker's name."""
        return f"w{self.place.number}"

    def prepare(self) -> None:
        async def make() -> None:
            await self.streams.ready()
            await self.streams.fence(EPOCH, "n1")

        self.run(make())

    def publish(self) -> None:
        # A task a camera, so that a batch is made while another is on its way.
        self.run(self.cameras(self.publish_camera))

    async def cameras(self, publish: Callable[[str, range], Awaitable[None]]) -> None:
        """Give each camera its share of the events' numbers."""
        shares = [range(number, self.place.events, CAMERAS) for number in range(CAMERAS)]
        await asyncio.gather(*(publish(f"cam{number}", share) for number, share in enumerate(shares)))

    async def publish_camera(self, camera: str, numbers: range) -> None:
        """Publish one camera's events, 64 a call."""
        session = await self.streams.open_camera(camera)
        sequence = session.next_sequence
        for batch in batches(len(numbers)):
            frames = [
                OutgoingFrame(
                    f"{camera}-{sequence + at}", sequence + at, EVENT, payload(numbers[at]), traceparent=TRACE
                )
                for at in batch
            ]
            statuses = await self.streams.publish(session, frames, durability=self.durability)
            if refused := set(statuses) - {"ok"}:
                raise RuntimeError(f"camera {camera}: frames were not taken: {', '.join(sorted(refused))}")

    def dispatch(self) -> None:
        """As the leader does."""
        rows = tuple(RoutingRow(f"w{number}", ("default",), CAPACITY) for number in range(1, WORKERS + 1))
        table = RoutingTable(rows=rows)

        async def run() -> None:
            dispatcher = Dispatcher(
                self.streams, epoch=EPOCH, node_id="n1", table=lambda: table, limit=BATCH, direct=True
            )
            self.ready()
            await dispatcher.run()

        self.run(run())

    def work(self) -> None:
        process = self.process

        async def run() -> None:
            name = self.processor
            seen: dict[str, str] = {}  # by level of priority, the newest entry taken
            frames: list[TakenFrame] = []
            self.ready()
            while True:
                if len(frames) < BATCH:
                    await self.streams.wait_queue(name, seen, 1.0)
                frames = await self.streams.take(name, name, count=BATCH)
                if not frames:
                    continue
                for frame in frames:
                    level, _, entry_id = frame.entry_id.rpartition(":")
                    seen[level or "0"] = entry_id
                    process(frame.payload)
                await self.streams.settle(name, name, [Settlement(frame.entry_id, result=RESULT) for frame in frames])

        self.run(run())

    def outstanding(self) -> int:
        cameras = self.run(self.streams.stats()).cameras.values()
        return self.place.events - sum(camera.settled for camera in cameras)


class TriarchCopies(Triarch):
    """Each frame on one of two replicas before it counts."""

    durability = 1


class TriarchSdk(Triarch):
    """A producer a camera, a task each; a pipeline a processor."""

    async def publish_camera(self, camera: str, numbers: range) -> None:
        async with FrameProducer(camera, self.place.redis, buffer=4 * BATCH) as producer:
            for number in numbers:
                await producer.publish(payload(number), width=176, height=144, format="jpeg")
            await producer.flush()

    def work(self) -> None:
        process = self.process

        async def handle(frame: TakenFrame) -> Settlement:
            process(frame.payload)
            return Settlement(frame.entry_id, result=RESULT)

        async def run() -> None:
            pipeline = Pipeline(self.streams, self.processor, self.processor, handle, batch=BATCH, concurrency=1)
            self.ready()
            await pipeline.run()

        self.run(run())
