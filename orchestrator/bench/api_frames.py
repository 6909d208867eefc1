"""The frames beside `triarch bench api --components …`: cameras that publish once a second, processors that settle.

One process. Answers a line of standard input with one JSON object, of what was settled and missed since it began.
"""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator

import uvloop

from framebuffer.connection import connect
from framebuffer.errors import OrchestratorUnavailable
from framebuffer.models import ProcessorRegistration
from framebuffer.registrar import Registrar
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame, Settlement

PERIOD_S = 1.0
BATCH = 16
CAPACITY = 32
REGISTER_AT_ONCE = 8
EVENT = b'{"frame_id":"bench","camera_id":"bench","width":176,"height":144,"format":"jpeg","metadata":{}}'
RESULT = b'{"result":{}}'
PAYLOAD = bytes(1024)


class Frames:
    """Cameras and processors, over one connection to the server each way."""

    def __init__(self, redis_url: str, apis: list[str]) -> None:
        self._redis_url = redis_url
        self._apis = apis
        self.settled = 0
        self.missed = 0
        """Heartbeats of processors that no node took in time."""

    async def camera(self, streams: FrameStreams, number: int, first: float) -> None:
        """Publish a frame a second."""
        session = await streams.open_camera(f"bench{number}")
        sequence = session.next_sequence
        loop = asyncio.get_running_loop()
        due = loop.time() + first
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            await streams.publish(session, [OutgoingFrame(f"bench{number}-{sequence}", sequence, EVENT, PAYLOAD)])
            sequence += 1
            due += PERIOD_S

    async def processor(self, streams: FrameStreams, number: int, turn: asyncio.Semaphore) -> None:
        """Register, then take and settle; a heartbeat a second."""
        name = f"bench-{number:03}"
        apis = [*self._apis[number % len(self._apis) :], *self._apis[: number % len(self._apis)]]
        registrar = Registrar(ProcessorRegistration(id=name, capabilities=("default",), capacity=CAPACITY), apis)
        async with turn:
            await registrar.register(exists_wait_s=10.0)
        await asyncio.gather(self._work(streams, name), self._beat(registrar, number))

    async def _work(self, streams: FrameStreams, name: str) -> None:
        seen: dict[str, str] = {}
        while True:
            await streams.wait_queue(name, seen, 1.0)
            frames = await streams.take(name, name, count=BATCH)
            if not frames:
                continue
            level, _, seen_id = frames[-1].entry_id.rpartition(":")
            seen[level or "0"] = seen_id
            await streams.settle(name, name, [Settlement(frame.entry_id, result=RESULT) for frame in frames])
            self.settled += len(frames)

    async def _beat(self, registrar: Registrar, number: int) -> None:
        await asyncio.sleep(number * 0.618 % 1)
        while True:
            try:
                await registrar.heartbeat(in_flight=0, settled=self.settled, errors=0)
            except OrchestratorUnavailable:
                self.missed += 1
            await asyncio.sleep(PERIOD_S)


async def _lines() -> AsyncIterator[str]:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield line.decode().strip()


async def run(arguments: argparse.Namespace) -> None:
    """Until standard input ends. Whatever goes wrong in one of them ends all."""
    frames = Frames(arguments.redis, arguments.apis)
    redis = connect(arguments.redis)
    streams = FrameStreams(redis)
    await streams.ready()
    turn = asyncio.Semaphore(REGISTER_AT_ONCE)

    async def answer() -> None:
        async for _ in _lines():
            sys.stdout.write(json.dumps({"settled": frames.settled, "missed": frames.missed}) + "\n")
            sys.stdout.flush()
        raise asyncio.CancelledError

    async with asyncio.TaskGroup() as tasks:
        for number in range(arguments.processors):
            tasks.create_task(frames.processor(streams, number, turn))
        for number in range(arguments.cameras):
            tasks.create_task(frames.camera(streams, number, 2.0 + number * 0.618 % 1))
        tasks.create_task(answer())


def main() -> None:
    """Run the process."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--redis", required=True)
    parser.add_argument("--apis", nargs="+", required=True)
    parser.add_argument("--processors", type=int, required=True)
    parser.add_argument("--cameras", type=int, required=True)
    with contextlib.suppress(asyncio.CancelledError):
        uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
