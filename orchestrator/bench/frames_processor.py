"""The processor of `triarch bench frames`, as a user writes one: `triarch processor run` runs it in its own process.

It does nothing with a frame but read the clock, in a plain `def`, which the SDK calls in a thread. It prints JSON
lines: that it is ready, and at its end how often it was called, and how old the frames were.
"""

import time
from collections import deque
from typing import Any

import msgspec

from framebuffer.processor import ProcessorClient
from framebuffer.wire import TakenFrame
from orchestrator.bench.frames_part import BATCH, SAMPLES_MAX, Stamp, say

TARGET = f"{__name__}:Measured"


class _Event(msgspec.Struct):
    """What is read of an event of the producer's SDK."""

    metadata: Stamp


_event = msgspec.json.Decoder(_Event)


class Measured(ProcessorClient):
    """Holds as many frames as the workers of the other phases."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, batch=BATCH, **options)
        self.calls = 0
        self.latencies: deque[float] = deque(maxlen=SAMPLES_MAX)

    def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
        """The frame's age, from its capture to here."""
        now = time.monotonic_ns()
        self.calls += 1
        self.latencies.append((now - _event.decode(frame.event).metadata.ns) / 1e6)
        return {}

    async def register(self) -> str | None:
        """The bench waits for all processors before it publishes."""
        redis_url = await super().register()
        say(ready=True)
        return redis_url

    async def start(self) -> None:
        """The last line is what was found."""
        try:
            await super().start()
        finally:
            say(calls=self.calls, latencies_ms=[round(one, 3) for one in self.latencies])
