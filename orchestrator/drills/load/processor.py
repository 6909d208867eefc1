"""A processor program of a drill: it answers each frame at once, and writes down when frames reach it."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from framebuffer.processor import ProcessorClient
from framebuffer.wire import TakenFrame
from orchestrator.drills.load.beats import BUCKET_S, Beats


class Echo(ProcessorClient):
    """Says of each frame what kind it is."""

    def __init__(self, processor_id: str, *, beats: Beats, **options: Any) -> None:
        # A restart is known by its instance: it has its id back at once.
        super().__init__(processor_id, instance=f"{processor_id}-drill", **options)
        self._beats = beats

    async def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
        """Errors: none."""
        self._beats.note(time.monotonic())
        return {"kind": frame.capability}


async def process(arguments: argparse.Namespace) -> None:
    """Until SIGTERM."""
    beats = Beats(arguments.beats)

    async def flush() -> None:
        while True:  # the last frames before a standstill are on disk while it lasts
            await asyncio.sleep(BUCKET_S * 5)
            beats.flush()

    client = Echo(
        arguments.id,
        beats=beats,
        capabilities=[arguments.capability],
        orchestrator_url=arguments.orchestrator,
        redis_url=arguments.redis,
        redis_password=os.environ.get("TRIARCH_REDIS_PASSWORD") or None,
        token=os.environ.get("TRIARCH_TOKEN") or None,
        ca_file=os.environ.get("TRIARCH_CA_FILE") or None,
        capacity=64,
        batch=16,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, client.request_stop)
    flushing = asyncio.create_task(flush())
    try:
        await client.start()
    finally:
        flushing.cancel()
        beats.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """Run one processor until SIGTERM; the exit code."""
    parser = argparse.ArgumentParser(prog="orchestrator.drills.load.processor", description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--capability", required=True)
    parser.add_argument("--orchestrator", action="append", required=True, help="base URL of a node; may be repeated")
    parser.add_argument("--redis", default=os.environ.get("TRIARCH_REDIS_URL"), help="default: TRIARCH_REDIS_URL")
    parser.add_argument("--beats", type=Path, required=True, help="file for the times at which frames arrived")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    asyncio.run(process(arguments))
    return 0


if __name__ == "__main__":
    sys.exit(main())
