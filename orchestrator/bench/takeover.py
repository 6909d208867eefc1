"""The part of `triarch bench failover` about agreement alone: SIGKILL or SIGSTOP of a leader until the next one works.

Ours: three `cluster` members with secret and fsync; 1,000 proposals a second come from this process, each sent again
under its id until it is acknowledged. Measured to the moment the new leader's claim is applied, as that member writes
it down; at the end every acknowledged command must be in the state of every member, once.
Stock: pysyncobj with its password and journal, its leader proposing as many in its own process. To its first commit.
etcd, where it is there: its Go client at the same rate at all members. To the next put that succeeds.

A stopped leader is continued once another leads. All times are of the machine's monotonic clock.
"""

import asyncio
import json
import secrets
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from orchestrator.bench import etcd
from orchestrator.bench.clients import RATE, Load
from orchestrator.bench.figures import percentile, say
from orchestrator.bench.members import members
from orchestrator.bench.options import FAULTS, BenchOptions
from orchestrator.bench.raft_peer import SECRET
from orchestrator.bench.tally import judge
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Process, Processes, Program
from orchestrator.dev.waiting import until

CALM_S = 0.5
"""Under load, before each fault."""
NEXT_S = 15.0
"""The longest wait for a next leader."""

Times = dict[str, list[float]]
"""Milliseconds, by fault."""


async def measure(options: BenchOptions, directory: Path, seconds: float) -> dict[str, Any]:
    """Ours, stock and etcd, each for a third of the time or until `options.runs` of each fault. Raises NotReached."""
    faults = FAULTS if options.fault == "both" else (options.fault,)
    binary = await etcd.client(directory)
    share = seconds / 3
    ours, report = await _ours(directory / "takeover", _Runs(faults, options.runs, share))
    report |= _figures("takeover", ours)
    report |= _figures("stock", await _stock(directory / "stock", _Runs(faults, options.runs, share)))
    found: Times = {fault: [] for fault in faults}
    if binary is not None:
        found = await _etcd(directory / "etcd", binary, _Runs(faults, options.runs, share))
    return report | _figures("etcd", found)


class _Runs:
    """Which fault comes next: in turn, until there were enough of each or the time is over, at least one of each."""

    def __init__(self, faults: tuple[str, ...], count: int, seconds: float) -> None:
        self._faults = faults
        self._count = count
        self._ends = time.monotonic() + seconds

    async def each(self, name: str, fault: Callable[[str], Awaitable[float]]) -> Times:
        """Call `fault(kind)` again and again; its milliseconds by kind."""
        times: Times = {kind: [] for kind in self._faults}
        for number in range(self._count):
            for kind in self._faults:
                if number and time.monotonic() > self._ends:
                    return times
                took = await fault(kind)
                times[kind].append(round(took, 1))
                say(f"bench failover: {name}: {kind} {number + 1}: {took:.0f} ms")
        return times


def _figures(prefix: str, times: Times) -> dict[str, Any]:
    """Runs, median and maximum by fault, None where there is none; and all of them."""
    report: dict[str, Any] = {}
    for kind, found in times.items():
        report[f"{prefix}_{kind}_runs"] = len(found)
        report[f"{prefix}_{kind}_p50_ms"] = percentile(found, 0.5) if found else None
        report[f"{prefix}_{kind}_max_ms"] = max(found, default=None)
        report[f"{prefix}_{kind}_times_ms"] = found
    return report


def _since(at: int, then: int) -> float:
    return (then - at) / 1e6


async def _ours(directory: Path, runs: _Runs) -> tuple[Times, dict[str, Any]]:
    async with members(directory) as group:
        async with Load(group) as load:

            async def fault(kind: str) -> float:
                leader, before = await group.settled()
                await asyncio.sleep(CALM_S)
                at = await group.kill(leader) if kind == "kill" else group.pause(leader)
                _, seen = await group.leader(seconds=NEXT_S, other_than=before.epoch or "")
                if kind == "kill":
                    await group.start(leader)
                else:
                    group.resume(leader)
                return _since(at, seen.gained_at or 0)

            times = await runs.each("cluster", fault)
        verdict = judge(load.acknowledged, await group.states())
    return times, {
        "takeover_acknowledged": verdict.acknowledged,
        "takeover_lost": verdict.lost,
        "takeover_twice": verdict.twice,
        "takeover_problems": list(verdict.problems),
    }


async def _stock(directory: Path, runs: _Runs) -> Times:
    addresses = [f"127.0.0.1:{port}" for port in free_ports(3)]
    env = {SECRET: secrets.token_urlsafe(32)}
    programs = []
    for number in range(len(addresses)):
        home = directory / f"s{number + 1}"
        await asyncio.to_thread(home.mkdir, parents=True)
        argv = [sys.executable, "-m", "orchestrator.bench.stock_takeover", "--number", str(number)]
        argv += ["--rate", str(RATE), "--directory", str(home), *addresses]
        programs.append(Program(home.name, tuple(argv), env))
    async with Processes(directory / "logs", grace=0.5) as processes:
        peers = await processes.start(*programs)
        await _first_commit(peers, 0)

        async def fault(kind: str) -> float:
            leader, _ = await _first_commit(peers, 0)
            await asyncio.sleep(CALM_S)
            at = await _strike(leader, kind)
            _, committed_at = await _first_commit(peers, at, other_than=leader)
            await _mend(leader, kind)
            if kind == "kill":
                await _ready(leader, at)
            await asyncio.sleep(2 * CALM_S)  # a continued one does not tell when it has caught up
            return _since(at, committed_at)

        return await runs.each("stock", fault)


async def _first_commit(peers: list[Process], after: int, *, other_than: Process | None = None) -> tuple[Process, int]:
    """The member that led last and when its first command was committed, later than `after` (0: whenever)."""

    async def look() -> tuple[Process, int] | None:
        found = [
            (peer, line["committed_at"])
            for peer in peers
            if peer is not other_than
            for line in _lines(peer)
            if line.get("committed_at", 0) > after
        ]
        # The latest leader; of those after a fault the first one, however soon it was followed by another.
        return (min if after else max)(found, key=lambda one: one[1], default=None)

    return await until(look, seconds=NEXT_S, what="a leader of the stock library", interval=0.02)


async def _ready(peer: Process, after: int) -> None:
    async def look() -> bool:
        return any(line.get("ready_at", 0) > after for line in _lines(peer))

    await until(look, seconds=NEXT_S, what=f"{peer.name} of the stock library ready after its restart")


def _lines(process: Process) -> list[dict[str, Any]]:
    """What a process has printed, without a last line that it has not ended yet."""
    whole = process.out.read_text(encoding="utf-8").rpartition("\n")[0]
    return [json.loads(line) for line in whole.splitlines()]


async def _strike(process: Process, kind: str) -> int:
    at = time.monotonic_ns()
    process.send(signal.SIGKILL if kind == "kill" else signal.SIGSTOP)
    if kind == "kill":
        await process.wait(5.0)
    return at


async def _mend(process: Process, kind: str) -> None:
    if kind == "kill":
        await process.start()
    else:
        process.send(signal.SIGCONT)


async def _etcd(directory: Path, binary: Path, runs: _Runs) -> Times:
    async with etcd.etcd(directory, binary) as group:
        client = await group.run_client("load", "load", "-endpoints", group.endpoint(), "-rate", str(RATE))

        async def fault(kind: str) -> float:
            leader = await group.whole()
            await asyncio.sleep(CALM_S)
            at = await _strike(group.processes[leader], kind)

            async def look() -> int | None:
                if not client.running:
                    raise client.ended()
                later = (line["success_at"] for line in _lines(client) if line.get("success_at", 0) > at + GAP_NS)
                return next(later, None)

            put_at = await until(look, seconds=NEXT_S, what="a put that succeeds", interval=0.02)
            await group.leader(other_than=leader)
            await _mend(group.processes[leader], kind)
            return _since(at, put_at)

        return await runs.each("etcd", fault)


GAP_NS = 50_000_000
"""The client tells of a success after a gap of so long; what came sooner was on its way when the leader was struck."""
