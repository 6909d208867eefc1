"""A camera program: publishes at a steady rate until SIGTERM, then until the server has confirmed every frame.

Its cameras share a gateway: a batch holds frames of all of them.

Prints one JSON object a camera when it ends, also when an error ends it; the exit code says whether one did. With
`--beats` it also writes down when frames were confirmed.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from framebuffer.durability import Durability
from framebuffer.errors import FrameBufferError
from framebuffer.gateway import FrameGateway
from framebuffer.policy import PolicyName
from framebuffer.producer import FrameProducer
from orchestrator.drills.load.beats import Beats

TICK_S = 0.01
"""Frames that fall due within one tick are published together: a sleep a frame would cost more than the frame."""

LOOK_S = 0.01
"""How often the confirmed frames are counted: what the gaps in them are exact to."""

LIVE_S = 0.1
"""How far behind a live camera may be before it gives up what is overdue."""


@dataclass(frozen=True)
class Pace:
    """What one camera publishes. `rate`: frames a second; `frames`: 0 for no end. What frames ask for takes turns, and
    so do their priorities; a frame that asks for several capabilities is worked on for each.
    """

    rate: float
    frames: int
    asked: tuple[tuple[str, ...], ...]
    payload: bytes
    priorities: tuple[int, ...]
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
                asked = pace.asked[sent % len(pace.asked)]
                await self._producer.publish(
                    pace.payload,
                    width=8,
                    height=8,
                    format="raw",
                    priority=pace.priorities[sent % len(pace.priorities)],
                    metadata={"detection_types": list(asked)} if len(asked) > 1 else {"detection_type": asked[0]},
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
        """What the ledger is held against. `confirmed`: frames that the server has said it has; `dropped`: frames given
        up of which it has said that it knows; `missed`: frames that a live camera did not even offer while `publish`
        made it wait.
        """
        counters = self._producer.counters
        return {
            "camera_id": self._producer.camera_id,
            "accepted": counters.accepted,
            "confirmed": counters.published + counters.duplicates,
            "duplicates": counters.duplicates,
            "refused": counters.refused,
            "dropped": counters.refused + counters.freshest + counters.deadline - self._producer.unrecorded,
            "missed": self.missed,
            "retries": counters.retries,
            "rollbacks": counters.rollbacks,
            "error": self.error,
        }


def turns(capabilities: str) -> tuple[tuple[str, ...], ...]:
    """What a camera's frames ask for, in turn: `echo,echo+face` is every other frame for both."""
    return tuple(tuple(one.split("+")) for one in capabilities.split(","))


async def confirmed(producers: Sequence[FrameProducer], beats: Beats) -> None:
    """Write down when frames are confirmed, until cancelled."""
    before = 0
    while True:
        now = sum(producer.counters.published + producer.counters.duplicates for producer in producers)
        if now > before:
            beats.note(time.monotonic(), now - before)
            before = now
        await asyncio.sleep(LOOK_S)


async def play(arguments: argparse.Namespace) -> bool:
    """Whether no camera was ended by an error."""
    pace = Pace(
        rate=arguments.rate,
        frames=arguments.frames,
        asked=turns(arguments.capabilities),
        payload=b"\xff" * arguments.payload_bytes,
        priorities=tuple(int(priority) for priority in arguments.priorities.split(",")),
        live=arguments.live,
    )
    durability: Durability = "majority" if arguments.durability == "majority" else int(arguments.durability)
    password = os.environ.get("TRIARCH_REDIS_PASSWORD") or None
    gateway = FrameGateway(arguments.redis, durability=durability, password=password)
    policy, deadline_s, buffer = arguments.policy, arguments.deadline_s, arguments.buffer
    producers = [
        FrameProducer(name, gateway, policy=policy, deadline_s=deadline_s, buffer=buffer) for name in arguments.camera
    ]
    cameras = [Camera(producer, pace) for producer in producers]

    def stop() -> None:
        for camera in cameras:
            camera.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    await asyncio.gather(*(producer.open() for producer in producers))
    watching = None if arguments.beats is None else asyncio.create_task(confirmed(producers, Beats(arguments.beats)))
    try:
        await asyncio.gather(*(camera.run() for camera in cameras))
    finally:
        if watching is not None:
            watching.cancel()
        for camera in cameras:
            sys.stdout.write(json.dumps(camera.summary()) + "\n")
        sys.stdout.flush()
        await asyncio.gather(*(producer.close(0.0) for producer in producers))
        await gateway.close()
    return not any(camera.error for camera in cameras)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the cameras; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--camera", action="append", required=True, help="camera id; may be repeated")
    url = os.environ.get("TRIARCH_REDIS_URL")  # where it holds a password: arguments are seen by everybody
    parser.add_argument("--redis", required=url is None, default=url)
    parser.add_argument("--beats", type=Path, help="file for the times at which frames were confirmed")
    parser.add_argument("--rate", type=float, required=True, help="frames a second, of each camera")
    parser.add_argument("--frames", type=int, default=0, help="of each camera; 0: until SIGTERM")
    parser.add_argument("--capabilities", default="echo", help="take turns; one frame asks for several: a,b,b+c")
    parser.add_argument("--payload-bytes", type=int, default=200)
    parser.add_argument("--priorities", default="0", help="separated by commas; frames take turns")
    parser.add_argument("--live", action="store_true", help="what fell due while it was held up is not published")
    parser.add_argument("--durability", default="0", help="replicas, or `majority`")
    parser.add_argument("--buffer", type=int, default=256)
    parser.add_argument("--policy", choices=get_args(PolicyName), default="lossless")
    parser.add_argument("--deadline-s", type=float, help="of policy `deadline`")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    return 0 if asyncio.run(play(arguments)) else 1


if __name__ == "__main__":
    sys.exit(main())
