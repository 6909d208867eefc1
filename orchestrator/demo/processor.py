"""A processor process of the demo: takes frames, decodes each JPEG, looks at it, publishes what it saw."""

import argparse
import asyncio
import json
import logging
import signal
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from framebuffer.errors import FrameBufferError
from framebuffer.otlp import from_environment
from framebuffer.processor import FrameRejected, ProcessorClient
from framebuffer.tracing import SpanSink
from framebuffer.wire import TakenFrame
from orchestrator.demo.detectors import KINDS, Detector, detector
from orchestrator.dev.errors import FrameUndecodable
from orchestrator.errors import OrchestratorError


class Detecting(ProcessorClient):
    """Runs one detector over the frames whose `metadata.detection_type` is its kind."""

    def __init__(
        self,
        processor_id: str,
        kind: str,
        orchestrators: Sequence[str],
        *,
        redis_url: str | None = None,
        spans: SpanSink | None = None,
    ) -> None:
        instance = f"{processor_id}-demo"
        super().__init__(processor_id, [kind], orchestrators, redis_url=redis_url, instance=instance, spans=spans)
        self._detector: Detector = detector(kind)

    def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
        """Return `{"kind", "detections"}`. A frame that cannot be decoded is rejected: no attempt will help it."""
        try:
            found = self._detector.detect(frame.camera_id, frame.payload)
        except FrameUndecodable as error:
            raise FrameRejected(str(error)) from error
        return {"kind": self._detector.kind, "detections": found}


async def process(arguments: argparse.Namespace) -> None:
    """Process until SIGTERM or SIGINT, then finish what is in hand. Prints the counters as one line of JSON."""
    telemetry = from_environment("triarch-processor")
    spans = None if telemetry is None else telemetry.spans
    client = Detecting(arguments.id, arguments.kind, arguments.orchestrator, redis_url=arguments.redis, spans=spans)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, client.request_stop)
    try:
        await client.start()
    finally:
        counters = msgspec.structs.asdict(client.counters)
        sys.stdout.write(json.dumps({"processor_id": arguments.id, "kind": arguments.kind, **counters}) + "\n")
        sys.stdout.flush()
        if spans is not None:
            await asyncio.to_thread(spans.close)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one processor; the exit code."""
    parser = argparse.ArgumentParser(prog="orchestrator.demo.processor", description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--kind", required=True, choices=KINDS)
    parser.add_argument("--orchestrator", action="append", required=True, help="base URL of a node; may be repeated")
    parser.add_argument("--redis", help="default: what the orchestrator says")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(process(arguments))
    except OrchestratorError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    except FrameBufferError as error:
        sys.stderr.write(f"error: {error.code}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
