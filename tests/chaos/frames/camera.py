"""A camera program: publishes at a steady rate until SIGTERM, then until the server has confirmed every frame.

Its cameras share a gateway: a batch holds frames of all of them.

Prints one JSON object a camera when it ends, also when an error ends it; the exit code says whether one did.
"""

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from framebuffer.durability import Durability
from framebuffer.errors import FrameBufferError
from framebuffer.gateway import FrameGateway
from framebuffer.producer import FrameProducer

TICK_S = 0.01
"""Frames that fall due within one tick are published together: a sleep a frame would cost more than the frame."""

LIVE_S = 0.1
"""How far behind a live camera may be before it gives up what is overdue."""


@dataclass(frozen=True)
class Pace:
    """What one camera publishes. `rate`: frames a second; `frames`: 0 for no end; capabilities take turns."""

    rate: float
    frames: int
    capabilities: tuple[str, ...]
    payload: bytes
    priority: int
    live: bool


class Camera:
    """Publishes at its pace until `stop` is called or its frames are out. A camera that was held up catches up; a live
    one has seen nothing meanwhile.
    """

    def __init__(self, producer: FrameProducer, pace: Pace) -> None:
        self._producer = producer
        self._pace = pace
        self._stopping = asyncio.Event()
        self.error: str | None = None
        self.missed = 0
        self._stopped_at: float | None = None

    def stop(self) -> None:
        """Publish nothing more. Call it on the event loop."""
        self._stopped_at = time.monotonic()
        self._stopping.set()

    async def run(self) -> None:
        """Until all is confirmed. An error that ends the producer is kept in `error`."""
        try:
            await self._publish()
            await self._producer.flush()
        except FrameBufferError as error:
            self.error = error.code

    async def _publish(self) -> None:
        pace, sent, began = self._pace, 0, time.monotonic()
        while not self._stopping.is_set() and (not pace.frames or sent < pace.frames):
            due = int((time.monotonic() - began) * pace.rate) + 1 - self.missed
            if pace.live and due - sent > pace.rate * LIVE_S + 1:
                self.missed += due - sent - 1
                due = sent + 1
            if pace.frames:
                due = min(due, pace.frames)
            while sent < due and not self._stopping.is_set():
                capability = pace.capabilities[sent % len(pace.capabilities)]
                await self._producer.publish(
                    pace.payload,
                    width=8,
                    height=8,
                    format="raw",
                    priority=pace.priority,
                    metadata={"detection_type": capability},
                )
                sent += 1
            try:
                async with asyncio.timeout(TICK_S):
                    await self._stopping.wait()
            except TimeoutError:
                continue
        if pace.live and self._stopped_at is not None:  # also what fell due while the last `publish` waited
            self.missed = max(self.missed, int((self._stopped_at - began) * pace.rate) + 1 - sent)

    def summary(self) -> dict[str, Any]:
        """What the ledger is held against. `confirmed`: frames that the server has said it has; `missed`: frames that a
        live camera did not even offer while `publish` made it wait.
        """
        counters = self._producer.counters
        return {
            "camera_id": self._producer.camera_id,
            "accepted": counters.accepted,
            "confirmed": counters.published + counters.duplicates,
            "duplicates": counters.duplicates,
            "refused": counters.refused,
            "missed": self.missed,
            "retries": counters.retries,
            "rollbacks": counters.rollbacks,
            "error": self.error,
        }


async def play(arguments: argparse.Namespace) -> bool:
    """Whether no camera was ended by an error."""
    pace = Pace(
        rate=arguments.rate,
        frames=arguments.frames,
        capabilities=tuple(arguments.capabilities.split(",")),
        payload=b"\xff" * arguments.payload_bytes,
        priority=arguments.priority,
        live=arguments.live,
    )
    durability: Durability = "majority" if arguments.durability == "majority" else int(arguments.durability)
    gateway = FrameGateway(arguments.redis, durability=durability)
    producers = [FrameProducer(name, gateway, buffer=arguments.buffer) for name in arguments.camera]
    cameras = [Camera(producer, pace) for producer in producers]

    def stop() -> None:
        for camera in cameras:
            camera.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(producer.open() for producer in producers))
    try:
        await asyncio.gather(*(camera.run() for camera in cameras))
    finally:
        for camera in cameras:
            print(json.dumps(camera.summary()), flush=True)
        await asyncio.gather(*(producer.close(0.0) for producer in producers))
        await gateway.close()
    return not any(camera.error for camera in cameras)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cameras; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", action="append", required=True, help="camera id; may be repeated")
    parser.add_argument("--redis", required=True)
    parser.add_argument("--rate", type=float, required=True, help="frames a second, of each camera")
    parser.add_argument("--frames", type=int, default=0, help="of each camera; 0: until SIGTERM")
    parser.add_argument("--capabilities", default="echo", help="separated by commas; frames take turns")
    parser.add_argument("--payload-bytes", type=int, default=200)
    parser.add_argument("--priority", type=int, default=0)
    parser.add_argument("--live", action="store_true", help="what fell due while it was held up is not published")
    parser.add_argument("--durability", default="0", help="replicas, or `majority`")
    parser.add_argument("--buffer", type=int, default=256)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return 0 if asyncio.run(play(arguments)) else 1


if __name__ == "__main__":
    sys.exit(main())
