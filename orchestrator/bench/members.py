"""Three members as processes: started, asked, killed, stopped and continued by name. Each runs member.py."""

import asyncio
import json
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from orchestrator.bench.asking import Asking, Declined, Unanswered
from orchestrator.bench.member import Seen
from orchestrator.bench.raft_peer import SECRET
from orchestrator.bench.tally import State
from orchestrator.dev.errors import MeasurementFailed
from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Processes, Program
from orchestrator.dev.waiting import until

START_S = 20.0
STATUS_S = 0.5
IDS = ("n1", "n2", "n3")


class Members:
    """The members n1, n2, n3; use it by `members`."""

    def __init__(self, processes: Processes, directory: Path, settings: Mapping[str, Any]) -> None:
        ports = free_ports(2 * len(IDS))
        addresses = [f"127.0.0.1:{port}" for port in ports[: len(IDS)]]
        self.processes = processes
        self.directory = directory
        self.asking = {name: Asking(port) for name, port in zip(IDS, ports[len(IDS) :], strict=True)}
        env = {SECRET: secrets.token_urlsafe(32)}
        for number, name in enumerate(IDS):
            argv = [sys.executable, "-m", "orchestrator.bench.member", "--number", str(number)]
            argv += ["--port", str(ports[len(IDS) + number]), "--directory", str(self.data(name))]
            argv += ["--settings", json.dumps(dict(settings)), *addresses]
            processes.add(Program(name, tuple(argv), env))

    def data(self, name: str) -> Path:
        """The data directory of a member."""
        return self.directory / name

    # ── Faults ────────────────────────────────

    async def start(self, *names: str) -> None:
        """Start these members, or all that do not run."""
        await asyncio.gather(*(self.processes[name].start() for name in names or IDS))

    async def kill(self, *names: str) -> int:
        """SIGKILL these at once; returns when that was, on the monotonic clock in nanoseconds."""
        at = self._signal(signal.SIGKILL, *names)
        for name in names:
            status = await self.processes[name].wait(5.0)
            if status != -signal.SIGKILL:
                raise MeasurementFailed(f"{name} ended with {status}, not by SIGKILL; see {self.processes[name].log}")
        return at

    def pause(self, *names: str) -> int:
        """SIGSTOP these; returns when, as `kill`."""
        return self._signal(signal.SIGSTOP, *names)

    def resume(self, *names: str) -> int:
        """SIGCONT these; returns when, as `kill`."""
        return self._signal(signal.SIGCONT, *names)

    def _signal(self, number: signal.Signals, *names: str) -> int:
        at = time.monotonic_ns()
        for name in names:
            self.processes[name].send(number)
        return at

    # ── What they say ────────────────────────────────

    async def seen(self, name: str, *, timeout: float = STATUS_S) -> Seen | None:
        """A member's status, None when it does not answer. Raises ProcessDied when it ended by itself."""
        process = self.processes[name]
        if process.starts and not process.running and process.returncode != -signal.SIGKILL:
            raise process.ended()
        try:
            answer = await self.asking[name].ask("status", timeout=timeout)
        except (Unanswered, Declined):
            return None
        return msgspec.convert(answer["seen"], Seen)

    async def all_seen(self) -> dict[str, Seen]:
        """Those that answer."""
        found = await asyncio.gather(*(self.seen(name) for name in IDS))
        return {name: seen for name, seen in zip(IDS, found, strict=True) if seen is not None}

    async def leader(self, *, seconds: float = START_S, other_than: str = "") -> tuple[str, Seen]:
        """Who leads, its claim applied. `other_than`: an epoch that has passed. Raises NotReached, ProcessDied."""

        async def look() -> tuple[str, Seen] | None:
            leading = [(name, seen) for name, seen in (await self.all_seen()).items() if seen.gained_at is not None]
            return max(
                ((name, seen) for name, seen in leading if seen.epoch != other_than),
                key=lambda one: one[1].term,
                default=None,
            )

        return await until(look, seconds=seconds, what="a leader whose claim is applied", interval=0.02)

    async def settled(self, *, seconds: float = START_S) -> tuple[str, Seen]:
        """The leader, once all three members follow it and have applied what it had committed at some moment."""

        async def look() -> tuple[str, Seen] | None:
            found = await self.all_seen()
            leading = [(name, seen) for name, seen in found.items() if seen.gained_at is not None]
            if len(found) < len(IDS) or len(leading) != 1:
                return None
            name, leader = leading[0]
            again = await self.all_seen()
            fine = len(again) == len(IDS) and all(
                seen.leader == name and seen.term == leader.term and seen.applied >= leader.commit
                for seen in again.values()
            )
            return (name, leader) if fine else None

        return await until(look, seconds=seconds, what="three members that follow one leader and have caught up")

    async def states(self, *, seconds: float = START_S) -> dict[str, State]:
        """The states of all members, once their logs are applied to the same index. The load must be at rest."""
        await self.settled(seconds=seconds)

        async def look() -> bool:
            seen = await self.all_seen()
            return len(seen) == len(IDS) and len({one.applied for one in seen.values()}) == 1

        await until(look, seconds=seconds, what="members at the same index")
        return {
            name: msgspec.convert((await self.asking[name].ask("state", timeout=10.0))["state"], State) for name in IDS
        }


@asynccontextmanager
async def members(directory: Path, **settings: Any) -> AsyncIterator[Members]:
    """Three started members that follow a leader; `settings` are further ClusterSettings. They end with the block."""
    async with Processes(directory / "logs", grace=0.2) as processes:
        group = Members(processes, directory, settings)
        try:
            await group.start()
            await group.settled()
            yield group
        finally:
            await asyncio.gather(*(asking.close() for asking in group.asking.values()))
