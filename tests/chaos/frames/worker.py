"""A processor program. What a frame's `metadata.act` asks for, it does:

`hold`    the first process that gets the frame says so in a file (its name is `held`) and never finishes it
`poison`  whoever gets the frame is killed by it, with SIGKILL
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from framebuffer.processor import ProcessorClient
from framebuffer.wire import TakenFrame


def held(directory: Path, frame_id: str) -> Path:
    """The file whose text is the id of the processor that holds the frame; one more line for each that got it."""
    return directory / f"held-{frame_id}"


class Worker(ProcessorClient):
    """Answers each frame after `work_s` seconds; with `stamp` it says when the frame was captured."""

    def __init__(self, processor_id: str, *, directory: Path, work_s: float, stamp: bool, **options: Any) -> None:
        # A restart is known by its instance: it has its id back at once.
        super().__init__(processor_id, instance=f"{processor_id}-chaos", **options)
        self._directory = directory
        self._work_s = work_s
        self._stamp = stamp

    async def process_frame(self, frame: TakenFrame) -> dict[str, Any]:
        """Errors: none."""
        if b'"act"' in frame.event:
            await self._act(str(msgspec.json.decode(frame.event)["metadata"].get("act")), frame)
        if self._work_s:
            await asyncio.sleep(self._work_s)
        found: dict[str, Any] = {"kind": frame.capability}
        if self._stamp:
            captured = datetime.fromisoformat(msgspec.json.decode(frame.event)["timestamp"])
            found |= {"priority": frame.priority, "captured_ms": captured.timestamp() * 1000}
        return found

    async def _act(self, act: str, frame: TakenFrame) -> None:
        # Written before the act and without buffering: a SIGKILL takes nothing of it back.
        file = held(self._directory, frame.frame_id)
        first = not file.exists()
        with file.open("a", encoding="utf-8") as found:
            found.write(f"{self.id}\n")
        if act == "hold" and first:
            await asyncio.Event().wait()
        if act == "poison":
            os.kill(os.getpid(), signal.SIGKILL)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one processor until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--orchestrator", action="append", required=True)
    parser.add_argument("--capabilities", default="echo", help="separated by commas")
    parser.add_argument("--capacity", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--concurrency", type=int, default=1)
    parser.add_argument("--work-ms", type=float, default=0.0)
    parser.add_argument("--stamp", action="store_true", help="results say when their frames were captured")
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    Worker(
        arguments.id,
        directory=arguments.directory,
        work_s=arguments.work_ms / 1000,
        stamp=arguments.stamp,
        capabilities=arguments.capabilities.split(","),
        orchestrator_url=arguments.orchestrator,
        redis_url=arguments.redis,
        capacity=arguments.capacity,
        batch=arguments.batch,
        concurrency=arguments.concurrency,
    ).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
