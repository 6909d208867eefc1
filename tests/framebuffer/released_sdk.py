"""A camera and a processor by the SDK of an earlier release, which PYTHONPATH names: a program of its own.

python released_sdk.py REDIS_URL ORCHESTRATOR_URL FRAMES

Ends when so many frames have their end, and prints where the SDK is.
"""

import asyncio
import sys

import framebuffer
from framebuffer.processor import FrameRejected, FrameReleased, ProcessorClient
from framebuffer.producer import FrameProducer

WITHIN_S = 30.0


class Faces(ProcessorClient):
    async def process_frame(self, frame):  # type: ignore[no-untyped-def] # as it is there, not here
        if frame.sequence % 50 == 7 and frame.attempts == 0:
            raise ValueError("once")
        if frame.sequence % 50 == 8 and frame.entry_id not in released:
            released.add(frame.entry_id)
            if len(released) < 3:
                raise FrameReleased("not now")
        if frame.sequence % 100 == 9:
            raise FrameRejected("never")
        return {"size": len(frame.payload)}


released: set[str] = set()


async def main(redis_url: str, orchestrator_url: str, number: int) -> None:
    faces = Faces("faces-1", ["default"], orchestrator_url, capacity=32)
    running = asyncio.create_task(faces.start())
    async with asyncio.timeout(WITHIN_S):
        async with FrameProducer("cam", redis_url) as camera:
            for at in range(number):
                payload = b"x" * (5000 if at % 3 == 0 else 10)  # some travel, some lie beside the streams
                await camera.publish(payload, width=1, height=1, format="raw", priority=at % 11)
            await camera.flush()
        while faces.counters.settled + faces.counters.dead < number:
            await asyncio.sleep(0.02)
    await faces.stop()
    await running
    print(framebuffer.__file__)


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
