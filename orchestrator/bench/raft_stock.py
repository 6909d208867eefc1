"""One member of the comparison in `triarch bench raft`: the stock library, with its password, journal, our timeouts."""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pysyncobj import SyncObj, SyncObjConf, replicated

from orchestrator.bench.figures import latency
from orchestrator.bench.raft_peer import BODY, SECRET, parse

START_S = 10.0
REPLY_S = 10.0


class Stock(SyncObj):  # type: ignore[misc]  # the library carries no types
    """The smallest replicated object: it counts."""

    def __init__(self, own: str, others: Sequence[str], conf: SyncObjConf) -> None:
        super().__init__(own, list(others), conf)
        self.count = 0

    @replicated  # type: ignore[untyped-decorator]
    def apply(self, _data: bytes) -> None:
        """Count one command."""
        self.count += 1


def sequential(stock: Stock, seconds: float) -> dict[str, Any]:
    """One command after the other."""
    durations = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done = threading.Event()
        began = time.perf_counter()
        stock.apply(BODY, callback=lambda _result, _error, done=done: done.set())
        if not done.wait(REPLY_S):
            raise TimeoutError("no reply")
        durations.append(time.perf_counter() - began)
    return latency(durations)


def concurrent(stock: Stock, seconds: float, outstanding: int) -> dict[str, Any]:
    """`outstanding` commands at any time: each reply sends the next one, from the library's own thread."""
    committed = failed = 0
    durations: list[float] = []
    ends = time.monotonic() + seconds

    def send() -> None:
        began = time.perf_counter()
        stock.apply(BODY, callback=lambda _result, error: reply(began, error))

    def reply(began: float, error: object) -> None:
        nonlocal committed, failed
        if error:
            failed += 1
        else:
            committed += 1
            durations.append(time.perf_counter() - began)
        if time.monotonic() < ends:
            send()

    began = time.perf_counter()
    for _ in range(outstanding):
        send()
    time.sleep(max(0.0, ends - time.monotonic()))
    elapsed = time.perf_counter() - began
    return {
        "commits_per_s": round(committed / elapsed, 1),
        "failed": failed,
        **latency(list(durations), "loaded_"),
    }


def start(addresses: Sequence[str], number: int, directory: Path, *, batched: bool) -> Stock:
    """Member `number` of those at `addresses`: with a password, its journal, and our timeouts."""
    own = addresses[number]
    conf = SyncObjConf(
        journalFile=str(directory / "journal"),
        fullDumpFile=str(directory / "dump"),
        appendEntriesUseBatch=batched,
        raftMinTimeout=0.35,
        raftMaxTimeout=0.5,
        appendEntriesPeriod=0.05,
        connectionRetryTime=0.2,
        password=os.environ[SECRET],
    )
    return Stock(own, [address for address in addresses if address != own], conf)


def peer(arguments: argparse.Namespace) -> None:
    """Join the others; the one that leads measures; serve until ended."""
    stock = start(arguments.addresses, arguments.number, arguments.directory, batched=arguments.batched)
    measured = False
    while True:
        if not measured and stock.isReady() and stock.getStatus()["leader"] == stock.selfNode:
            sequential(stock, min(1.0, arguments.phase / 4))  # warm up
            found = sequential(stock, arguments.phase)
            found |= concurrent(stock, arguments.phase, arguments.outstanding)
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
            measured = True
        time.sleep(0.05)


if __name__ == "__main__":
    peer(parse(None))
