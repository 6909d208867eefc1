"""A component process of the demo: a piece of plant with a lifecycle, such as a conveyor."""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence

from framebuffer.otlp import from_environment
from orchestrator.component import Component

WARM_UP_S = 0.3
BRAKE_S = 0.2

log = logging.getLogger("orchestrator.demo.component")


class Machine(Component):
    """Takes a moment to get going and another to come to rest, as machines do."""

    async def on_initialize(self) -> None:
        """Warm up."""
        await asyncio.sleep(WARM_UP_S)

    async def on_start(self) -> None:
        """Run."""
        log.info("%s runs", self.id)

    async def on_stop(self) -> None:
        """Brake, then stand still."""
        await asyncio.sleep(BRAKE_S)
        log.info("%s stands still", self.id)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT, then leave in order."""
    machine = Machine(arguments.id, orchestrator_url=arguments.orchestrator, name=arguments.id, groups=arguments.group)
    telemetry = from_environment("triarch-component")
    if telemetry is not None:
        machine.spans = telemetry.spans
    leaving: list[asyncio.Task[None]] = []

    def leave() -> None:
        leaving.append(asyncio.ensure_future(machine.stop()))

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave)
    await machine.serve(port=arguments.port)
    await asyncio.gather(*leaving)
    if telemetry is not None:
        await asyncio.to_thread(telemetry.spans.close)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one component; the exit code."""
    parser = argparse.ArgumentParser(prog="orchestrator.demo.component", description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--orchestrator", action="append", required=True, help="base URL of a node; may be repeated")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(parser.parse_args(argv)))
    except OSError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
