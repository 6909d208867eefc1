"""A processor that does nothing to a frame: the load of `triarch bench failover`."""

import argparse
import asyncio
import logging
import signal
from typing import Any

from framebuffer.processor import ProcessorClient
from framebuffer.wire import TakenFrame


class Idle(ProcessorClient):
    """Answers every frame with an empty result."""

    async def process_frame(self, _frame: TakenFrame, /) -> dict[str, Any]:
        """Return {}."""
        return {}


async def work(arguments: argparse.Namespace) -> None:
    """Work until SIGTERM, then drain."""
    client = Idle(arguments.id, ["default"], arguments.orchestrator, capacity=256, batch=32)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, client.request_stop)
    await client.start()


def main() -> None:
    """Run one processor."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--orchestrator", action="append", required=True)
    logging.basicConfig(level=logging.WARNING)
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
