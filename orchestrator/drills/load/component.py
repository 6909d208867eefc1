"""A component program of a drill: it writes down every effect that it has, when, and under which leader's epoch.

A line is `TIME EPOCH TAG`: the monotonic clock of this machine, the epoch that the command came with, what it was for.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.commanded import current_epoch
from orchestrator.component import Component
from orchestrator.drills.recorded import Effect, parse_epoch
from orchestrator.events import Frozen
from orchestrator.lifecycle import State

COMMAND = "DRILL_MARK"


class Tagged(Frozen):
    """What an effect is for: the run of the playbook, and where in it."""

    tag: str


class Machine(Component):
    """Has an effect for each `DRILL_MARK`."""

    def __init__(self, component_id: str, orchestrators: Sequence[str], log: Path) -> None:
        super().__init__(
            component_id,
            orchestrator_url=orchestrators,
            memory=log.with_suffix(".memory"),
            token=os.environ.get("TRIARCH_TOKEN") or None,
            ca_file=os.environ.get("TRIARCH_CA_FILE") or None,
            heartbeat_s=0.5,
        )
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self.on_command(COMMAND, Tagged, self._mark, states=tuple(State))

    async def _mark(self, params: Tagged) -> None:
        os.write(self._log, f"{time.monotonic():.4f} {current_epoch() or '0.0'} {params.tag}\n".encode())


def read_effects(log: Path) -> list[Effect]:
    """The effects in the order in which they happened; none while there is no file."""
    if not log.exists():
        return []
    found = []
    for line in log.read_text(encoding="utf-8").split("\n")[:-1]:
        at, epoch, tag = line.split(" ", 2)
        found.append(Effect(float(at), parse_epoch(epoch), tag))
    return found


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT, then leave in order."""
    machine = Machine(arguments.id, arguments.orchestrator, arguments.log)
    leaving: list[asyncio.Task[None]] = []
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: leaving.append(asyncio.ensure_future(machine.stop())))
    await machine.serve(host=arguments.host)
    await asyncio.gather(*leaving)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one component; the exit code."""
    parser = argparse.ArgumentParser(prog="orchestrator.drills.load.component", description=__doc__)
    parser.add_argument("--id", required=True)
    parser.add_argument("--host", default="127.0.0.1", help="address at which the nodes reach it")
    parser.add_argument("--log", type=Path, required=True, help="file for its effects")
    parser.add_argument("--orchestrator", action="append", required=True, help="base URL of a node; may be repeated")
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(arguments))
    except OSError as error:
        sys.stderr.write(f"error: {arguments.host}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
