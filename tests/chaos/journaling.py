"""A component process that writes down what it is told, and fails when it is asked to.

    python -m tests.chaos.journaling --id io --directory DIR --orchestrator URL

Each call of a hook, and each fault, is a line in `DIR/<id>.journal`. SIGUSR1 is a fault. While `DIR/<id>.breaks` is
there, it fails to start.
"""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from orchestrator.component import Component

WORK_S = 0.15
"""Of a hook: long enough to die in the middle of."""


class Journaling(Component):
    """Writes before it works, so that what was begun is known even if nobody heard of its end."""

    def __init__(self, component_id: str, directory: Path, urls: list[str]) -> None:
        super().__init__(component_id, orchestrator_url=urls, heartbeat_s=0.3)
        self._journal = directory / f"{component_id}.journal"
        self._breaks = directory / f"{component_id}.breaks"

    def write(self, what: str) -> None:
        with self._journal.open("a", encoding="utf-8") as journal:
            journal.write(f"{what}\n")

    async def on_initialize(self) -> None:
        self.write("initialize")
        await asyncio.sleep(WORK_S)

    async def on_start(self) -> None:
        self.write("start")
        await asyncio.sleep(WORK_S)
        if self._breaks.exists():
            raise RuntimeError("the belt is torn")

    async def on_stop(self) -> None:
        self.write("stop")
        await asyncio.sleep(WORK_S)

    async def on_reset(self) -> None:
        self.write("reset")
        await asyncio.sleep(WORK_S)

    def tear(self) -> None:
        """What SIGUSR1 does."""
        self.write("fault")
        self.fault("the belt is torn")


async def serve(component: Journaling) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, component.tear)
    loop.add_signal_handler(signal.SIGTERM, lambda: asyncio.ensure_future(component.stop()))
    await component.serve()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--id", required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--orchestrator", action="append", required=True)
    arguments = parser.parse_args()
    asyncio.run(serve(Journaling(arguments.id, arguments.directory, arguments.orchestrator)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
