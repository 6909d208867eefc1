"""Node processes by fork from one that has imported everything: a killed node is back in a few tenths of a second.

A plant whose leader is killed hundreds of times would spend nearly all of its time in imports. A forked node has its
own session, log, environment and fail points, runs the same command, and dies with the forge, which dies with the test.
"""

import asyncio
import ctypes
import json
import os
import select
import signal
import sys
import threading
from typing import Any, NoReturn

from orchestrator.dev.leash import PR_SET_PDEATHSIG
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.processes import Process, Processes, Program, leashed
from orchestrator.dev.topology import Topology

LOOK_S = 0.02


class Child:
    """One forked process, as `Process` knows its own."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._ended = asyncio.Event()

    def end(self, status: int) -> None:
        self.returncode = status
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode


class Forge:
    """The process that forks. Start it once."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._born: asyncio.Queue[Child] = asyncio.Queue()
        self._children: dict[int, Child] = {}
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *leashed([sys.executable, "-m", "tests.chaos.node_forge"]),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        self._reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            told = json.loads(line)
            if "born" in told:
                child = self._children[told["born"]] = Child(told["born"])
                self._born.put_nowait(child)
            else:
                self._children.pop(told["pid"]).end(told["status"])

    async def fork(self, program: Program, log: str, out: str) -> Child:
        """A process that runs the program."""
        assert self._process is not None
        assert self._process.stdin is not None
        async with self._turn:
            order = {"argv": program.argv[3:], "env": dict(program.env), "log": log, "out": out}
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            await self._process.stdin.drain()
            async with asyncio.timeout(30):
                return await self._born.get()

    async def stop(self) -> None:
        """End it, and with it whatever it still has."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        if self._reader is not None:
            await self._reader


class ForgedProcess(Process):
    """A process that is forked rather than started."""

    forge: Forge

    async def start(self) -> None:
        if self.running:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._child = await self.forge.fork(self.program, str(self.log), str(self.out))  # type: ignore[assignment]
        self.starts += 1


class ForgedProcesses(Processes):
    """Nodes are forked, all else is started."""

    def __init__(self, forge: Forge, topology: Topology) -> None:
        super().__init__(topology.logs)
        self._forge = forge
        self._nodes = {node.id for node in topology.nodes}

    def add(self, program: Program) -> Process:
        if program.name not in self._nodes:
            return super().add(program)
        process = self._all[program.name] = ForgedProcess(program, self.log_directory)
        process.forge = self._forge
        return process


class ForgedPlant(LocalPlant):
    """A plant whose nodes are forked."""

    def __init__(self, topology: Topology, forge: Forge) -> None:
        super().__init__(topology)
        self.processes = ForgedProcesses(forge, topology)


# ── In the forge ────────────────────────────────


def main() -> None:
    """Take orders on standard input, tell of births and deaths on standard output."""
    import orchestrator.cli.node
    import orchestrator.node  # noqa: F401 - so that those who are forked have it

    assert threading.active_count() == 1, "a process with threads cannot be forked safely"
    pending = b""
    while True:
        ready, _, _ = select.select([0], [], [], LOOK_S)
        if ready:
            data = os.read(0, 65536)
            if not data:
                return
            pending += data
            while b"\n" in pending:
                line, _, pending = pending.partition(b"\n")
                _tell({"born": _fork(json.loads(line))})
        _bury()


def _fork(order: dict[str, Any]) -> int:
    pid = os.fork()
    if pid == 0:
        _become(order)
    return pid


def _become(order: dict[str, Any]) -> NoReturn:
    status = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for number, path in ((1, order["out"]), (2, order["log"])):
            os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(order["env"])
        from orchestrator import failpoints
        from orchestrator.cli.node import node

        failpoints.arm(os.environ.get(failpoints.VARIABLE, ""))
        node.main(args=list(order["argv"])[1:], standalone_mode=False)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException as error:  # noqa: BLE001 - there is nobody above who could hear of it
        os.write(2, f"{type(error).__name__}: {error}\n".encode())
    os._exit(status)


def _bury() -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        _tell({"pid": pid, "status": os.waitstatus_to_exitcode(status)})


def _tell(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    main()
