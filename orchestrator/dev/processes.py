"""Real child processes: started in parallel, logged to files, killed and restarted by name, never left behind.

A child dies with its parent. On Linux the kernel sees to it (`leash`), so that not even SIGKILL of the parent leaves
an orphan; everywhere `Processes` ends its children when its block is left, whatever the reason.
A child has a session of its own: Ctrl-C in a terminal reaches the parent only, which then stops them in order.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from orchestrator.dev import leash
from orchestrator.dev.errors import NotReached, ProcessDied

LOG_TAIL = 2_000  # characters of a dead process's log that its error quotes


def leashed(argv: Sequence[str]) -> tuple[str, ...]:
    """The command that runs `argv` as a child of this process that cannot outlive it. `argv[0]` is an absolute path."""
    return (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), *argv)


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `env` is added to the environment of this process."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)


class Process:
    """One run after the other of a program. `<name>.log` gets its standard error, `<name>.out` its standard output."""

    def __init__(self, program: Program, log_directory: Path) -> None:
        self.program = program
        self.log = log_directory / f"{program.name}.log"
        self.out = log_directory / f"{program.name}.out"
        self.starts = 0
        self._child: asyncio.subprocess.Process | None = None

    @property
    def name(self) -> str:
        """Name of the program."""
        return self.program.name

    @property
    def pid(self) -> int:
        """Process id of the current or last run. Raises ProcessDied when it was never started."""
        if self._child is None:
            raise ProcessDied(f"{self.name} was never started")
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """Exit status of the last run, minus the signal's number where a signal ended it; None while it runs."""
        return None if self._child is None else self._child.returncode

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.returncode is None

    async def start(self) -> None:
        """Start it, or start it again after it ended. Does not wait until it is ready."""
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log, self.out.open("ab") as out:
            self._child = await asyncio.create_subprocess_exec(
                *leashed(self.program.argv),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=log,
                env={**os.environ, **self.program.env},
                start_new_session=True,
            )
        self.starts += 1

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it has ended."""
        if self.running:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    async def wait(self, seconds: float) -> int:
        """Wait for its end and return the exit status. Raises NotReached."""
        if self._child is None:
            raise ProcessDied(f"{self.name} was never started")
        try:
            async with asyncio.timeout(seconds):
                return await self._child.wait()
        except TimeoutError:
            raise NotReached(f"end of {self.name} (pid {self.pid})", seconds) from None

    async def kill(self, seconds: float = 5.0) -> int:
        """End it with SIGKILL and return the exit status: -9 proves that the signal did it."""
        self.send(signal.SIGKILL)
        return await self.wait(seconds)

    async def stop(self, grace: float = 5.0) -> int | None:
        """Ask it to end with SIGTERM, insist with SIGKILL after `grace` seconds; return the exit status."""
        if not self.running:
            return self.returncode
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)  # a stopped process would sit on its SIGTERM
        try:
            return await self.wait(grace)
        except NotReached:
            return await self.kill()

    def ended(self) -> ProcessDied:
        """Describe its end: exit status and the end of the log."""
        code = self.returncode
        how = (
            f"ended by signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        )
        return ProcessDied(f"{self.name}: {how}; log {self.log}\n{self.tail()}".rstrip())

    def tail(self) -> str:
        """Return the end of its log."""
        try:
            return self.log.read_bytes()[-LOG_TAIL:].decode(errors="replace").strip()
        except FileNotFoundError:
            return ""


class Processes:
    """The processes of one plant, by name; leaving the block ends them in the reverse order of their addition."""

    def __init__(self, log_directory: Path, *, grace: float = 5.0) -> None:
        self.log_directory = log_directory
        self._grace = grace
        self._all: dict[str, Process] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A cancelled task must still end its children: the work is shielded, and a second cancellation only
        # cuts the grace short.
        ending = asyncio.ensure_future(self.stop_all(grace=self._grace))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            for process in self._all.values():
                process.send(signal.SIGKILL)
            await ending
            raise

    def __getitem__(self, name: str) -> Process:
        return self._all[name]

    def __contains__(self, name: str) -> bool:
        return name in self._all

    def add(self, program: Program) -> Process:
        """Take in a program without starting it."""
        if program.name in self._all:
            raise ValueError(f"process {program.name!r} is there already")
        process = self._all[program.name] = Process(program, self.log_directory)
        return process

    async def start(self, *programs: Program) -> list[Process]:
        """Add and start programs, all at once."""
        added = [self.add(program) for program in programs]
        await asyncio.gather(*(process.start() for process in added))
        return added

    def dead(self, *, except_for: Iterable[str] = ()) -> list[Process]:
        """Processes that were started and have ended."""
        ignored = set(except_for)
        return [one for one in self._all.values() if one.starts and not one.running and one.name not in ignored]

    async def stop(self, names: Iterable[str], grace: float = 5.0) -> None:
        """Stop the named processes at once, in parallel."""
        await asyncio.gather(*(self._all[name].stop(grace) for name in names if name in self._all))

    async def stop_all(self, grace: float = 5.0) -> None:
        """Stop every process, those added last first; all get their SIGTERM before any is waited for."""
        running = [process for process in reversed(self._all.values()) if process.running]
        await asyncio.gather(*(process.stop(grace) for process in running))
