"""Running scripts on a host over ssh, as root, over one connection that stays open.

The connection is a master of ssh's own (ControlMaster), held by a child process of ours, so that a command costs a
round trip and not a handshake: what is measured afterwards begins right after the fault.
"""

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.dev.processes import leashed
from orchestrator.drills.targets.access import HostAccess

CONNECT_S = 5
SILENCE_S = 3
"""Between two questions of ssh whether the other end is still there; the second one unanswered ends the connection."""
MASTER_S = 10.0
UNREACHED = 255
"""Exit status of ssh itself."""

_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then exec sh -s; else exec sudo -n env SSH_CONNECTION="$SSH_CONNECTION" sh -s; fi'


class HostUnreachable(OSError):
    """ssh did not reach the host, or not in time; says what ssh said."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a script did. `errors`: the end of its standard error."""

    status: int
    output: str
    errors: str = ""


class SshHost:
    """One host. `directory` is closed to others and its path short: a socket stands in it, by `number`."""

    def __init__(self, access: HostAccess, directory: Path, number: int) -> None:
        self.access = access
        self._socket = directory / f"{number}.s"
        self._log = directory / f"{access.id}.log"
        self._master: asyncio.subprocess.Process | None = None
        self._opening = asyncio.Lock()

    async def open(self) -> None:
        """Connect, unless there is a connection. HostUnreachable."""
        async with self._opening:
            if self._master is not None and self._master.returncode is None and self._socket.exists():
                return
            await self.aclose()
            options = ["-M", "-N", "-S", str(self._socket), "-o", f"ConnectTimeout={CONNECT_S}"]
            options += ["-o", f"ServerAliveInterval={SILENCE_S}", "-o", "ServerAliveCountMax=2"]
            with self._log.open("wb") as log:
                self._master = await asyncio.create_subprocess_exec(
                    *leashed(["/usr/bin/env", *self.access.ssh(options)]),
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            await self._stands(self._master)

    async def _stands(self, master: asyncio.subprocess.Process) -> None:
        ends = asyncio.get_running_loop().time() + MASTER_S
        while not self._socket.exists():
            if master.returncode is not None or asyncio.get_running_loop().time() > ends:
                said = self._log.read_text(errors="replace").strip()[-500:] or "no answer"
                await self.aclose()
                raise HostUnreachable(f"{self.access.id} ({self.access.address}) is not reached by ssh: {said}")
            await asyncio.sleep(0.01)

    async def run(self, script: str, *, timeout_s: float = 15.0) -> Said:
        """Run a script of `sh` as root. HostUnreachable: it may have run or not."""
        await self.open()
        line = self.access.ssh(["-S", str(self._socket), "-o", "ControlMaster=no", "-o", f"ConnectTimeout={CONNECT_S}"])
        child = await asyncio.create_subprocess_exec(
            *line,
            _AS_ROOT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout_s):
                output, errors = await child.communicate(script.encode() + b"\n")
        except TimeoutError:
            raise HostUnreachable(f"{self.access.id}: a script was not done within {timeout_s:g} s") from None
        finally:
            if child.returncode is None:
                with suppress(ProcessLookupError):
                    child.kill()
                await child.wait()
        said = errors.decode(errors="replace").strip()[-500:]
        if child.returncode == UNREACHED:
            raise HostUnreachable(f"{self.access.id} ({self.access.address}) is not reached by ssh: {said}")
        return Said(child.returncode or 0, output.decode(errors="replace"), said)

    async def aclose(self) -> None:
        """End the connection."""
        master, self._master = self._master, None
        if master is not None and master.returncode is None:
            with suppress(ProcessLookupError):
                master.kill()
            await master.wait()
        with suppress(FileNotFoundError):
            os.unlink(self._socket)
