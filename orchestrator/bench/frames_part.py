"""The processes of `triarch bench frames`: publisher, dispatcher, worker. Each prints JSON lines.

Mode `calls` uses FrameStreams directly, with frames made beforehand; mode `sdk` uses FrameProducer and the processor's
pipeline, as cameras and processors do.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections import deque
from contextlib import suppress

import msgspec
import uvloop

from framebuffer.connection import connect
from framebuffer.dispatcher import Dispatcher
from framebuffer.keys import Keys
from framebuffer.pipeline import Pipeline
from framebuffer.producer import FrameProducer
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame, RoutingRow, RoutingTable, Settlement, TakenFrame

PAYLOAD = bytes(256)
EVENT = (
    b'{"frame_id":"cam1-1","camera_id":"cam1","ns":%020d,"width":176,"height":144,"format":"jpeg","metadata":{}}' % 0
)
RESULT = b'{"frame_id":"cam1-1","camera_id":"cam1","sequence":1,"result":{}}'
CAMERAS = 4
BATCH = 64
CAPACITY = 1_024
AHEAD_MAX = 10_000  # frames published and not dispatched: more would measure memory
SAMPLES_MAX = 100_000
EPOCH = (1, 1)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Stamp(msgspec.Struct):
    """What the latency phase reads of an event: the monotonic clock at publishing, the same for all processes."""

    ns: int = 0


class Wrapped(msgspec.Struct):
    """The same in an event of the SDK."""

    metadata: Stamp


_stamp = msgspec.json.Decoder(Stamp)


def say(**values: object) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def event() -> bytes:
    """An event of constant size with the present time in it."""
    return EVENT.replace(b"0" * 20, b"%d" % time.monotonic_ns(), 1)


async def publish_calls(streams: FrameStreams, arguments: argparse.Namespace) -> int:
    """Publish batches of 64 from each camera in turn, or single frames at a rate; the number of frames."""
    sessions = [await streams.open_camera(f"cam{number}") for number in range(CAMERAS)]
    sequences = [session.next_sequence for session in sessions]
    size = 1 if arguments.fps else BATCH
    published = 0
    began = time.monotonic()
    while (now := time.monotonic()) < began + arguments.seconds:
        if arguments.fps and (wait := began + published / arguments.fps - now) > 0:
            await asyncio.sleep(wait)
        turn = (published // size) % CAMERAS
        first = sequences[turn]
        stamped = event()
        frames = [
            OutgoingFrame(f"cam{turn}-{sequence}", sequence, stamped, PAYLOAD, traceparent=TRACEPARENT)
            for sequence in range(first, first + size)
        ]
        await streams.publish(sessions[turn], frames)
        sequences[turn] += size
        published += size
        if not arguments.fps and published % (BATCH * 16) == 0:
            while await streams.redis.xlen(streams.keys.capture) > AHEAD_MAX:
                await asyncio.sleep(0.005)
    return published


async def publish_sdk(streams: FrameStreams, arguments: argparse.Namespace) -> int:
    """Publish as cameras do, one task each."""
    ends = time.monotonic() + arguments.seconds

    async def camera(number: int) -> int:
        async with FrameProducer(f"cam{number}", arguments.redis, keys=streams.keys, buffer=256) as producer:
            while time.monotonic() < ends:
                await producer.publish(PAYLOAD, width=176, height=144, format="jpeg")
                if producer.counters.accepted % 1_024 == 0:
                    while await streams.redis.xlen(streams.keys.capture) > AHEAD_MAX:
                        await asyncio.sleep(0.005)
            await producer.flush()
            return producer.counters.published + producer.counters.duplicates

    return sum(await asyncio.gather(*(camera(number) for number in range(CAMERAS))))


async def publisher(streams: FrameStreams, arguments: argparse.Namespace) -> None:
    """Publish for so many seconds; print how many frames, and when it began."""
    began = time.monotonic()
    publish = publish_sdk if arguments.mode == "sdk" else publish_calls
    say(published=await publish(streams, arguments), began=began)


async def dispatcher(streams: FrameStreams, arguments: argparse.Namespace) -> None:
    """Dispatch as the leader does, until ended."""
    rows = tuple(RoutingRow(name, ("default",), CAPACITY) for name in arguments.workers.split(","))
    table = RoutingTable(rows=rows)
    await streams.fence(EPOCH, "n1")
    say(ready=True)
    await Dispatcher(streams, epoch=EPOCH, node_id="n1", table=lambda: table, limit=BATCH).run()


async def work_calls(streams: FrameStreams, worker: str, latencies: deque[float]) -> None:
    """Take and settle batches of 64; wait without polling when there is nothing."""
    queue, seen = streams.keys.ready(worker), "0-0"
    while True:
        frames = await streams.take(worker, worker, count=BATCH)
        if not frames:
            await streams.wait({queue: seen}, 1.0)
            continue
        now = time.monotonic_ns()
        latencies.extend((now - _stamp.decode(frame.event).ns) / 1e6 for frame in frames)
        seen = frames[-1].entry_id
        await streams.settle(worker, worker, [Settlement(frame.entry_id, result=RESULT) for frame in frames])


async def work_sdk(streams: FrameStreams, worker: str) -> None:
    """The processor's pipeline around a function that does nothing."""

    async def handle(frame: TakenFrame) -> Settlement:
        return Settlement(frame.entry_id, result=RESULT)

    await Pipeline(streams, worker, worker, handle, batch=BATCH, concurrency=1).run()


async def worker(streams: FrameStreams, arguments: argparse.Namespace) -> None:
    """Work until ended; print the latencies that were seen."""
    latencies: deque[float] = deque(maxlen=SAMPLES_MAX)
    say(ready=True)
    try:
        if arguments.mode == "sdk":
            await work_sdk(streams, arguments.id)
        else:
            await work_calls(streams, arguments.id, latencies)
    finally:
        say(latencies_ms=[round(one, 3) for one in latencies])


async def part(arguments: argparse.Namespace) -> None:
    """Run one role until it is done or SIGTERM comes."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    redis = connect(arguments.redis)
    streams = FrameStreams(redis, Keys(arguments.prefix))
    try:
        await streams.ready()
        role = {"publisher": publisher, "dispatcher": dispatcher, "worker": worker}[arguments.role]
        await role(streams, arguments)
    finally:
        await streams.aclose()
        await redis.aclose()


def main() -> None:
    """Run one process of the bench."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("publisher", "dispatcher", "worker"))
    parser.add_argument("--redis", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--mode", choices=("calls", "sdk"), default="calls")
    parser.add_argument("--id", default="")
    parser.add_argument("--workers", default="")
    parser.add_argument("--fps", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0)
    with suppress(asyncio.CancelledError):
        uvloop.run(part(parser.parse_args()))


if __name__ == "__main__":
    main()
