"""The components of `triarch bench playbooks`: several in one process, each with its own address and its own command.

Prints one JSON line when all are registered and STARTED, and one when it has ended: how often each did its command.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence

import uvloop

from orchestrator.component import Component, NoParams

COMMAND = "TICK"


class Ticker(Component):
    """Does nothing but count; by key the SDK answers a repeat itself."""

    def __init__(self, component_id: str, urls: Sequence[str], done: Counter[str]) -> None:
        super().__init__(component_id, orchestrator_url=urls, groups=("bench",))
        self._done = done
        self.on_command(COMMAND, NoParams, self._tick)

    async def _tick(self, _params: NoParams) -> dict[str, int]:
        self._done[self.id] += 1
        return {"done": self._done[self.id]}


async def serve(arguments: argparse.Namespace) -> None:
    """Until SIGTERM."""
    done: Counter[str] = Counter()
    urls = arguments.apis.split(",")
    tickers = [Ticker(f"bench-{number}", urls, done) for number in range(arguments.count)]
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    serving = [asyncio.create_task(each.serve()) for each in tickers]
    await asyncio.gather(*(each.wait_registered() for each in tickers))
    sys.stdout.write(json.dumps({"registered": len(tickers)}) + "\n")
    sys.stdout.flush()
    await stop.wait()
    await asyncio.gather(*(each.stop() for each in tickers))
    await asyncio.gather(*serving)
    sys.stdout.write(json.dumps({"done": sum(done.values())}) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the components; the arguments are those that `orchestrator.bench.playbooks` passes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--apis", required=True)
    parser.add_argument("--count", type=int, required=True)
    uvloop.run(serve(parser.parse_args(argv)))


if __name__ == "__main__":
    main()
