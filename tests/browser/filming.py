"""Cameras and a processor before the plant of the browser tests: real producers whose frames are remembered."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from framebuffer.processor import ProcessorClient
from framebuffer.producer import FrameProducer
from framebuffer.wire import TakenFrame
from orchestrator.demo.clip import Clip, find_video
from tests.browser.plant import CLUSTER_TOKEN, BrowserPlant

FPS = 10.0
KEPT = 300
BROKEN = "gate-broken"
"""The camera whose frames no processor can read: they die."""
CAMERAS = ("gate-north", "hall-1", BROKEN)
WIDTH, HEIGHT = 176, 144
STILLS = 100


class Inspector(ProcessorClient):
    """Settles every frame, but those of the camera that is broken."""

    def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
        if frame.camera_id == BROKEN:
            raise ValueError("the lens is covered")
        return {"bytes": len(frame.payload)}


@dataclass
class Filming:
    """What the cameras published lately, by camera and sequence; and those that are to stop."""

    published: dict[str, deque[tuple[str, bytes]]] = field(default_factory=dict)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)

    def image(self, camera: str, sequence: int) -> bytes:
        """The bytes of that frame, as the camera handed them over."""
        for frame_id, image in list(self.published[camera]):
            if frame_id == f"{camera}-{sequence}":
                return image
        raise AssertionError(f"{camera} published no frame {sequence} lately")

    async def stop(self, camera: str) -> None:
        """The camera publishes nothing more."""
        self.tasks[camera].cancel()
        with suppress(asyncio.CancelledError):
            await self.tasks[camera]


def _stills(number: int) -> list[bytes]:
    clip = Clip(find_video(None), FPS)
    try:
        return [clip.next().jpeg for _ in range(number)]
    finally:
        clip.close()


async def _film(
    producer: FrameProducer, stills: list[bytes], kept: deque[tuple[str, bytes]], frames: int | None
) -> None:
    number = 0
    while frames is None or number < frames:
        image = stills[number % len(stills)]
        frame_id = await producer.publish(image, width=WIDTH, height=HEIGHT, format="jpeg")
        kept.append((frame_id, image))
        number += 1
        await asyncio.sleep(1 / FPS)


@asynccontextmanager
async def _running(plant: BrowserPlant) -> AsyncIterator[Filming]:
    found = Filming()
    url = plant.plant.topology.redis_url
    inspector = Inspector("inspector-1", ["default"], list(plant.apis), redis_url=url, token=CLUSTER_TOKEN)
    async with AsyncExitStack() as stack:
        working = asyncio.create_task(inspector.start())
        stills = await asyncio.to_thread(_stills, STILLS)
        for at, name in enumerate(CAMERAS):
            kept: deque[tuple[str, bytes]] = deque(maxlen=KEPT)
            producer = await stack.enter_async_context(FrameProducer(name, url))
            frames = 6 if name == BROKEN else None
            found.published[name] = kept
            found.tasks[name] = asyncio.create_task(
                _film(producer, stills[at * 20 :] + stills[: at * 20], kept, frames)
            )
        try:
            yield found
        finally:
            for name in CAMERAS:
                await found.stop(name)
            inspector.request_stop()
            await working


@contextmanager
def filming(plant: BrowserPlant) -> Iterator[Filming]:
    """Three cameras at ten frames a second, one of which only sends what cannot be read, and who works on them."""
    with plant.portal.wrap_async_context_manager(_running(plant)) as found:
        yield found
