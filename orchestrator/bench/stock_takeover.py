"""One member of the stock library in `triarch bench failover`.

Whoever leads proposes at a steady rate from its own process, and prints when its first command was committed. Every
member prints when it is ready: it knows a leader and has caught up.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.bench.raft_peer import BODY
from orchestrator.bench.raft_stock import Stock, start

LOOK_S = 0.002
BATCH_S = 0.01
REPLY_S = 1.0


class Leading:
    """Watches one leadership of this member."""

    def __init__(self, stock: Stock) -> None:
        self._stock = stock
        self._committed_at: int | None = None
        self._asked_at = float("-inf")
        self._told = False

    def look(self) -> bool:
        """Ask for the first commit, again when it is not answered; tell of it once. Whether it was committed."""
        if self._committed_at is None:
            if time.monotonic() - self._asked_at > REPLY_S:
                self._asked_at = time.monotonic()
                self._stock.apply(BODY, callback=self._on_reply)
            return False
        if not self._told:
            self._told = True
            tell(committed_at=self._committed_at)
        return True

    def _on_reply(self, _result: object, error: object) -> None:
        if not error and self._committed_at is None:
            self._committed_at = time.monotonic_ns()
        elif error:
            self._asked_at = float("-inf")


def tell(**when: int) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(when) + "\n")
    sys.stdout.flush()


def main(argv: Sequence[str] | None = None) -> None:
    """Run one member until it is killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("addresses", nargs="+")
    arguments = parser.parse_args(argv)
    stock = start(arguments.addresses, arguments.number, arguments.directory, batched=True)
    leading: Leading | None = None
    ready = False
    while True:
        if not ready and stock.isReady():
            ready = True
            tell(ready_at=time.monotonic_ns())
        if stock.getStatus()["leader"] != stock.selfNode:
            leading = None
            time.sleep(LOOK_S)
            continue
        leading = leading or Leading(stock)
        if leading.look():
            for _ in range(int(arguments.rate * BATCH_S)):
                stock.apply(BODY)
            time.sleep(BATCH_S)
        else:
            time.sleep(LOOK_S)


if __name__ == "__main__":
    main()
