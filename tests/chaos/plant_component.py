"""A component process for playbooks: it writes down what it does, and fails when it is told to.

python -m tests.chaos.plant_component --id io --log FILE --orchestrator URL [--group G] [--needs ID]

SIGUSR1: it goes into FAULT. A command whose name stands in FILE.fail fails.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.component import Component

WORK_S = 0.05


class PlantComponent(Component):
    """Appends a line for each command that it really does: at once, so that a kill loses none."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        super().__init__(
            arguments.id,
            orchestrator_url=arguments.orchestrator,
            groups=arguments.group,
            depends_on=arguments.needs,
            heartbeat_s=0.5,
            memory=arguments.log.with_suffix(".memory"),
            token=os.environ.get("PLANT_TOKEN"),
        )
        self._log = os.open(arguments.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._failing: Path = arguments.log.with_suffix(".fail")

    async def _work(self, what: str) -> None:
        os.write(self._log, f"{what}\n".encode())
        await asyncio.sleep(WORK_S)
        if self._failing.exists() and what in self._failing.read_text().split():
            raise RuntimeError(f"{what} was told to fail")

    async def on_initialize(self) -> None:
        await self._work("INITIALIZE")

    async def on_start(self) -> None:
        await self._work("START")

    async def on_stop(self) -> None:
        await self._work("STOP")

    async def on_reset(self) -> None:
        await self._work("RESET")


async def serve(arguments: argparse.Namespace) -> None:
    """Until SIGTERM."""
    component = PlantComponent(arguments)
    leaving: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, lambda: leaving.append(asyncio.ensure_future(component.stop())))
    loop.add_signal_handler(signal.SIGUSR1, lambda: component.fault("told to fail"))
    await component.serve()
    await asyncio.gather(*leaving)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one component; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--log", required=True, type=Path)
    parser.add_argument("--orchestrator", action="append", required=True)
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--needs", action="append", default=[])
    asyncio.run(serve(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
