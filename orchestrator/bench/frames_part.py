"""The processes of `triarch bench frames`: publisher and worker. Each prints JSON lines.

Mode `calls` uses FrameStreams directly, with frames made beforehand; mode `sdk` uses FrameProducer, as cameras do, and
its workers are processors of the SDK (frames_processor.py). All are registered with the plant's nodes, whose leader
dispatches.
"""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress

import msgspec
import uvloop

from framebuffer.connection import connect
from framebuffer.gateway import FrameGateway
from framebuffer.models import ProcessorRegistration
from framebuffer.producer import FrameProducer
from framebuffer.registrar import Registrar
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame, Settlement, TakenFrame

PAYLOAD = bytes(256)
EVENT = (
    b'{"frame_id":"cam1-1","camera_id":"cam1","ns":%020d,"width":176,"height":144,"format":"jpeg","metadata":{}}' % 0
)
RESULT = b'{"frame_id":"cam1-1","camera_id":"cam1","sequence":1,"result":{}}'
CAMERAS = 4
BATCH = 64
CAPACITY = 1_000
AHEAD_MAX = 2_000  # frames published and not settled: two thirds of all capacity; more would measure backpressure
SAMPLES_MAX = 100_000
HEARTBEAT_S = 1.0
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


class Stamp(msgspec.Struct):
    """What is read of an event: the monotonic clock at publishing, the same for all processes."""

    ns: int = 0


_stamp = msgspec.json.Decoder(Stamp)


def say(**values: object) -> None:
    """Print one line."""
    sys.stdout.write(json.dumps(values) + "\n")
    sys.stdout.flush()


def event() -> bytes:
    """An event of constant size with the present time in it."""
    return EVENT.replace(b"0" * 20, b"%d" % time.monotonic_ns(), 1)


async def publish_calls(streams: FrameStreams, arguments: argparse.Namespace) -> int:
    """Publish batches of 64 from each camera, or single frames in turn at a rate; the number of frames."""
    sessions = [await streams.open_camera(f"cam{number}") for number in range(CAMERAS)]
    sequences = [session.next_sequence for session in sessions]
    payload = bytes(arguments.payload)
    ends = time.monotonic() + arguments.seconds

    async def publish(turn: int, size: int) -> None:
        first = sequences[turn]
        sequences[turn] += size
        stamped = event()
        await streams.publish(
            sessions[turn],
            [
                OutgoingFrame(f"cam{turn}-{sequence}", sequence, stamped, payload, traceparent=TRACEPARENT)
                for sequence in range(first, first + size)
            ],
        )

    async def camera(turn: int) -> int:
        published = 0
        while time.monotonic() < ends:
            await publish(turn, BATCH)
            published += BATCH
            if published % (BATCH * 4) == 0:
                await _not_too_far_ahead(streams)
        return published

    if not arguments.fps:
        return sum(await asyncio.gather(*(camera(turn) for turn in range(CAMERAS))))
    return await _at_rate(arguments.fps, ends, lambda turn: publish(turn, 1))


async def _at_rate(fps: int, ends: float, publish: Callable[[int], Awaitable[None]]) -> int:
    """One frame after the other, the cameras in turn, until `ends` (monotonic seconds); the number of frames."""
    published, began = 0, time.monotonic()
    while (now := time.monotonic()) < ends:
        if (wait := began + published / fps - now) > 0:
            await asyncio.sleep(wait)
        await publish(published % CAMERAS)
        published += 1
    return published


async def _not_too_far_ahead(streams: FrameStreams) -> None:
    while True:
        waiting = await streams.redis.xlen(streams.keys.capture)
        queued = await streams.redis.hvals(streams.keys.depths)
        if waiting + sum(map(int, queued)) <= AHEAD_MAX:
            return
        await asyncio.sleep(0.002)


async def publish_sdk(streams: FrameStreams, arguments: argparse.Namespace) -> int:
    """Publish as cameras do, on one gateway: as many as go, or single frames in turn at a rate."""
    ends = time.monotonic() + arguments.seconds
    payload = bytes(arguments.payload)

    async def capture(producer: FrameProducer) -> None:
        taken_at = {"ns": time.monotonic_ns()}
        await producer.publish(payload, width=176, height=144, format="jpeg", metadata=taken_at)

    async def camera(producer: FrameProducer) -> None:
        while time.monotonic() < ends:
            await capture(producer)
            if producer.counters.accepted % 256 == 0:
                await _not_too_far_ahead(streams)

    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(FrameGateway(arguments.redis))
        producers = [
            await stack.enter_async_context(FrameProducer(f"sdk{number}", gateway, buffer=256))
            for number in range(CAMERAS)
        ]
        if arguments.fps:
            await _at_rate(arguments.fps, ends, lambda turn: capture(producers[turn]))
        else:
            await asyncio.gather(*(camera(producer) for producer in producers))
        for producer in producers:
            await producer.flush()
        return sum(producer.counters.published + producer.counters.duplicates for producer in producers)


async def publisher(streams: FrameStreams, arguments: argparse.Namespace) -> None:
    """Publish for so many seconds; print how many frames, and when it began."""
    began = time.monotonic()
    publish = publish_sdk if arguments.mode == "sdk" else publish_calls
    say(published=await publish(streams, arguments), began=began)


async def work_calls(streams: FrameStreams, worker: str, latencies: deque[float]) -> None:
    """Take and settle batches of 64; wait without polling when there is no more, as the processor's pipeline does."""
    seen: dict[str, str] = {}
    frames: list[TakenFrame] = []
    while True:
        if len(frames) < BATCH:
            await streams.wait_queue(worker, seen, 1.0)
        frames = await streams.take(worker, worker, count=BATCH)
        if not frames:
            continue
        now = time.monotonic_ns()
        latencies.extend((now - _stamp.decode(frame.event).ns) / 1e6 for frame in frames)
        level, _, seen_id = frames[-1].entry_id.rpartition(":")
        seen[level or "0"] = seen_id
        await streams.settle(worker, worker, [Settlement(frame.entry_id, result=RESULT) for frame in frames])


async def worker(streams: FrameStreams, arguments: argparse.Namespace) -> None:
    """Register, work until ended, unregister; print the latencies that were seen."""
    latencies: deque[float] = deque(maxlen=SAMPLES_MAX)
    registration = ProcessorRegistration(id=arguments.id, capabilities=("default",), capacity=CAPACITY)
    registrar = Registrar(registration, arguments.apis)
    await registrar.register(exists_wait_s=10.0)
    say(ready=True)
    beats = asyncio.create_task(_beat(registrar))
    try:
        await work_calls(streams, arguments.id, latencies)
    finally:
        beats.cancel()
        await registrar.unregister()
        await registrar.aclose()
        say(latencies_ms=[round(one, 3) for one in latencies])


async def _beat(registrar: Registrar) -> None:
    while True:
        await registrar.heartbeat(in_flight=0, settled=0, errors=0)
        await asyncio.sleep(HEARTBEAT_S)


async def part(arguments: argparse.Namespace) -> None:
    """Run one role until it is done or SIGTERM comes."""
    task = asyncio.current_task()
    if task is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    redis = connect(arguments.redis)
    streams = FrameStreams(redis)
    try:
        await streams.ready()
        role = {"publisher": publisher, "worker": worker}[arguments.role]
        await role(streams, arguments)
    finally:
        await streams.aclose()
        await redis.aclose()


def main() -> None:
    """Run one process of the bench."""
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=("publisher", "worker"))
    parser.add_argument("--redis", required=True)
    parser.add_argument("--apis", required=True)
    parser.add_argument("--payload", type=int, default=256)
    parser.add_argument("--mode", choices=("calls", "sdk"), default="calls")
    parser.add_argument("--id", default="")
    parser.add_argument("--fps", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=5.0)
    with suppress(asyncio.CancelledError):
        uvloop.run(part(parser.parse_args()))


if __name__ == "__main__":
    main()
