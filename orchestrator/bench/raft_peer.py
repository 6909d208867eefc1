"""One member of `triarch bench raft`. Whoever leads runs the load in its own process and prints what it measured."""

import argparse
import asyncio
import itertools
import json
import os
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from cluster import (
    Cluster,
    ClusterError,
    ClusterSettings,
    Command,
    Event,
    Gained,
    Member,
    Outcome,
    Position,
)
from orchestrator.bench.figures import latency

BODY = bytes(64)
SECRET = "TRIARCH_BENCH_SECRET"  # noqa: S105  a name
"""Environment variable with what the members of one run share: a flag would stand in the process list."""


class Counting:
    """The smallest state machine: it counts."""

    def __init__(self) -> None:
        self.count = 0

    def apply(self, _command: Command, _position: Position, /) -> tuple[Outcome, Sequence[Event]]:
        """Count one command."""
        self.count += 1
        return Outcome(), ()

    def snapshot(self) -> bytes:
        """The count, as text."""
        return str(self.count).encode()

    def restore(self, data: bytes) -> None:
        """Take over a count."""
        self.count = int(data)


_run = uuid.uuid4().hex
_numbers = itertools.count()


def new_command() -> Command:
    """A command of the size of a heartbeat's. A uuid4 for each would be a system call: the bench would measure that."""
    return Command(kind="bench.count", body=BODY, id=f"{_run}/{next(_numbers)}", time=time.time())


async def sequential(cluster: Cluster, seconds: float) -> dict[str, Any]:
    """One proposal after the other."""
    durations = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.perf_counter()
        await cluster.propose(new_command())
        durations.append(time.perf_counter() - began)
    return latency(durations)


async def concurrent(cluster: Cluster, seconds: float, outstanding: int) -> dict[str, Any]:
    """`outstanding` proposals at any time."""
    durations: list[float] = []
    ends = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < ends:
            began = time.perf_counter()
            await cluster.propose(new_command(), timeout=10.0)
            durations.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(outstanding)))
    elapsed = time.perf_counter() - began
    return {"commits_per_s": round(len(durations) / elapsed, 1), **latency(durations, "loaded_")}


async def peer(arguments: argparse.Namespace) -> None:
    """Join the others; measure when leadership is gained; serve until ended."""
    members = tuple(Member(id=f"n{number + 1}", address=at) for number, at in enumerate(arguments.addresses))
    settings = ClusterSettings(
        node_id=members[arguments.number].id,
        members=members,
        data_dir=arguments.directory,
        cluster_name="bench",
        secret=SecretStr(os.environ[SECRET]),
    )
    cluster = Cluster(settings, Counting())
    await cluster.start()
    try:
        async for change in cluster.leadership():
            if not isinstance(change, Gained):
                continue
            try:
                await sequential(cluster, min(1.0, arguments.phase / 4))  # warm up
                found = await sequential(cluster, arguments.phase)
                found |= await concurrent(cluster, arguments.phase, arguments.outstanding)
            except ClusterError as error:  # whoever leads next measures
                sys.stderr.write(f"measurement broken off: {error!r}\n")
                continue
            sys.stdout.write(json.dumps(found) + "\n")
            sys.stdout.flush()
    finally:
        await cluster.stop()


def main(argv: Sequence[str] | None = None) -> None:
    """Run one member until SIGTERM."""
    asyncio.run(peer(parse(argv)))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the arguments that `orchestrator.bench.raft` passes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--phase", type=float, required=True)
    parser.add_argument("--outstanding", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--batched", action="store_true")
    parser.add_argument("addresses", nargs="+")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
