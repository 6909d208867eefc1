"""Commands that act on a lab: on the machine that carries it, and by ssh on one of its hosts."""

import asyncio
import contextlib
import os
from collections.abc import Sequence
from typing import ClassVar

from orchestrator.drills.lab_file import LabFile
from orchestrator.drills.target import DrillError

COMMAND_LIMIT_S = 30.0
ROOT = 0


class LabCommandFailed(DrillError):
    """A command that acts on a lab failed, or did not end in time. Says which, and what it complained about."""

    code: ClassVar[str] = "lab_command_failed"


async def run(*argv: str, given: str = "", limit_s: float = COMMAND_LIMIT_S) -> str:
    """What a command wrote. Raises LabCommandFailed when it fails, is not there or is not done within `limit_s`."""
    status, out, err = await attempt(*argv, given=given, limit_s=limit_s)
    if status:
        raise LabCommandFailed(f"{_told(argv)}: exit status {status}: {(err or out).strip()[-1000:]}{_hint()}")
    return out


async def attempt(*argv: str, given: str = "", limit_s: float = COMMAND_LIMIT_S) -> tuple[int, str, str]:
    """Exit status and both outputs of a command that may fail. Raises LabCommandFailed as `run` does for the rest."""
    # No pipe to what reads none: under uvloop, a write to one that has ended raises.
    stdin = asyncio.subprocess.PIPE if given else asyncio.subprocess.DEVNULL
    pipe = asyncio.subprocess.PIPE
    starting = asyncio.ensure_future(asyncio.create_subprocess_exec(*argv, stdin=stdin, stdout=pipe, stderr=pipe))
    try:
        process = await asyncio.shield(starting)
    except FileNotFoundError:
        raise LabCommandFailed(f"{argv[0]}: no such program on this machine") from None
    except asyncio.CancelledError:
        # A start that is given up half-way would wait for its pipes for ever.
        await _end(await starting)
        raise
    talking = asyncio.ensure_future(process.communicate(given.encode() if given else None))
    try:
        async with asyncio.timeout(limit_s):
            out, err = await asyncio.shield(talking)
    except TimeoutError:
        raise LabCommandFailed(f"{_told(argv)}: not done within {limit_s:g} s") from None
    finally:
        if process.returncode is None:
            await _end(process)
        talking.cancel()
    return process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process) -> None:
    """Kill it, and wait until it is gone; what it started may hold its pipes a moment longer."""
    if process.returncode is None:
        process.kill()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(process.wait(), 2.0)


async def on_host(lab: LabFile, host: str, script: str, *, limit_s: float = COMMAND_LIMIT_S) -> str:
    """What a shell script wrote on a host, reached by ssh. Raises LabCommandFailed."""
    status, out, err = await attempt_on_host(lab, host, script, limit_s=limit_s)
    if status:
        raise LabCommandFailed(f"on {host}: exit status {status}: {(err or out).strip()[-1000:]}")
    return out


async def attempt_on_host(
    lab: LabFile, host: str, script: str, *, limit_s: float = COMMAND_LIMIT_S
) -> tuple[int, str, str]:
    """The same for a script that may fail. Exit status 255 is ssh's own: the host was not reached."""
    return await attempt("ssh", "-F", lab.ssh_config, host, "/bin/sh -s", given=script, limit_s=limit_s)


def _told(argv: Sequence[str]) -> str:
    return " ".join(argv)[:300]


def _hint() -> str:
    return "" if os.geteuid() == ROOT else " (faults of a lab need root)"
