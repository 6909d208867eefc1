"""What turns a host of a lab off and on, and freezes it: its control group, its cable and its boot command.

A power cut comes without a goodbye: the cable is pulled first, or the kernel would close the connections of the dying
processes politely, and then every process of the host is killed at once. What the host wrote to its disks is in the
memory of this machine and stays, so what a disk loses in a power cut is not shown.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from orchestrator.drills.lab_commands import LabCommandFailed, attempt, attempt_on_host, run
from orchestrator.drills.lab_file import LabFile

BOOT_LIMIT_S = 60.0
KILL_LIMIT_S = 10.0
LOOK_S = 0.02


def group_of(lab: LabFile, host: str) -> Path:
    """The control group (v2) with all processes of a host; absent while it was never on."""
    return Path(lab.unified) / lab.hosts[host].cgroup


def processes(lab: LabFile, host: str) -> list[int]:
    """Process ids of all that runs on a host, as this machine counts them."""
    found: list[int] = []
    group = group_of(lab, host)
    for place in (group, *(path for path in group.rglob("*") if path.is_dir())):
        try:
            found += [int(pid) for pid in (place / "cgroup.procs").read_text().split()]
        except OSError:  # the group went meanwhile
            continue
    return found


def is_on(lab: LabFile, host: str) -> bool:
    """Whether any process of the host lives."""
    return _event(lab, host, "populated")


def is_frozen(lab: LabFile, host: str) -> bool:
    """Whether its processes stand still."""
    return _event(lab, host, "frozen")


def boot_id(lab: LabFile, host: str) -> str:
    """The id of this boot of the host, read past its network; empty when it is off or still coming up."""
    for pid in processes(lab, host):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            if any(line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()):
                return Path(f"/proc/{pid}/root/proc/sys/kernel/random/boot_id").read_text().strip()
        except OSError:  # ended meanwhile
            continue
    return ""


async def pull_plug(lab: LabFile, host: str) -> None:
    """Turn it off at once. Returns when its last process is gone. Raises LabCommandFailed."""
    await run("ip", "link", "set", lab.hosts[host].veth, "down")
    (group_of(lab, host) / "cgroup.kill").write_text("1")
    await _until(lambda: not is_on(lab, host), KILL_LIMIT_S, f"{host}: processes outlive the kill of their group")


async def turn_on(lab: LabFile, host: str) -> None:
    """Boot it if it is off; returns when it answers ssh. Raises LabCommandFailed with the end of its console."""
    await run(*lab.hosts[host].boot)
    deadline = time.monotonic() + BOOT_LIMIT_S
    while not await reachable(lab, host):
        if time.monotonic() > deadline:
            raise LabCommandFailed(
                f"{host}: no ssh within {BOOT_LIMIT_S:g} s; its console ends: {_console_end(lab, host)}"
            )
        await asyncio.sleep(0.1)


async def reachable(lab: LabFile, host: str) -> bool:
    """Whether ssh gets into the host now."""
    try:
        return (await attempt_on_host(lab, host, "true", limit_s=10.0))[0] == 0
    except LabCommandFailed:  # it does not end: connected, and nobody speaks
        return False


async def plug_cable(lab: LabFile, host: str) -> None:
    """Set its link up. Nothing happens when it is up, or when there is none."""
    await attempt("ip", "link", "set", lab.hosts[host].veth, "up")


async def set_frozen(lab: LabFile, host: str, frozen: bool) -> None:
    """Freeze or thaw all its processes; returns when they are. The kernel still answers for its addresses."""
    (group_of(lab, host) / "cgroup.freeze").write_text("1" if frozen else "0")
    what = "still" if frozen else "awake"
    await _until(lambda: is_frozen(lab, host) is frozen, KILL_LIMIT_S, f"{host}: its processes do not stand {what}")


async def _until(check: Callable[[], bool], limit_s: float, complaint: str) -> None:
    deadline = time.monotonic() + limit_s
    while not check():
        if time.monotonic() > deadline:
            raise LabCommandFailed(f"{complaint} within {limit_s:g} s")
        await asyncio.sleep(LOOK_S)


def _event(lab: LabFile, host: str, name: str) -> bool:
    try:
        return f"{name} 1" in (group_of(lab, host) / "cgroup.events").read_text().splitlines()
    except FileNotFoundError:  # no such group: never booted
        return False


def _console_end(lab: LabFile, host: str) -> str:
    try:
        return " | ".join(Path(lab.hosts[host].console).read_text(errors="replace").splitlines()[-10:])
    except OSError as error:
        return f"(unreadable: {error})"
