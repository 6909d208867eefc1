"""A component process that writes down every effect that it has, when it has it: one line, appended to a file.

python -m tests.chaos.playbook_component --id io --orchestrator URL --log FILE
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from orchestrator.component import Component
from orchestrator.events import Frozen
from orchestrator.lifecycle import State


class Tagged(Frozen):
    """What an effect is for: the run, and where in it."""

    tag: str


class Machine(Component):
    """MARK has an effect. FLAKY has one too, and fails the first time for each tag."""

    def __init__(self, component_id: str, log: Path, memory: Path, orchestrators: Sequence[str]) -> None:
        super().__init__(component_id, orchestrator_url=orchestrators, heartbeat_s=0.5, memory=memory)
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._tried: set[str] = set()
        every = tuple(State)
        self.on_command("MARK", Tagged, self._mark, states=every)
        self.on_command("FLAKY", Tagged, self._flaky, states=every)

    def _happened(self, what: str) -> None:
        os.write(self._log, f"{what}\n".encode())

    async def _mark(self, params: Tagged) -> None:
        self._happened(f"MARK {params.tag}")

    async def _flaky(self, params: Tagged) -> None:
        self._happened(f"FLAKY {params.tag}")
        if params.tag not in self._tried:
            self._tried.add(params.tag)
            raise RuntimeError("not at the first attempt")

    async def on_initialize(self) -> None:
        self._happened("INITIALIZE")
        await asyncio.sleep(0.05)

    async def on_start(self) -> None:
        self._happened("START")

    async def on_stop(self) -> None:
        self._happened("STOP")

    async def on_reset(self) -> None:
        self._happened("RESET")


async def serve(arguments: argparse.Namespace) -> None:
    """Until SIGTERM."""
    memory = arguments.log.with_suffix(".memory")
    machine = Machine(arguments.id, arguments.log, memory, arguments.orchestrator)
    leaving: list[asyncio.Task[None]] = []
    asyncio.get_running_loop().add_signal_handler(
        signal.SIGTERM, lambda: leaving.append(asyncio.ensure_future(machine.stop()))
    )
    await machine.serve()
    await asyncio.gather(*leaving)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--orchestrator", action="append", required=True)
    asyncio.run(serve(parser.parse_args(argv)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
