"""Commands of this machine, run to their end, and what is said when one fails."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

NEEDED = {
    "debootstrap": "debootstrap",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "ip": "iproute2",
    "nft": "nftables",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
}
"""Programs that the lab needs → the Debian package that has each."""


class LabFailed(Exception):
    """The lab could not be made, or something of it could not be taken away. Says what, where, and what to do."""


def run(*argv: str | Path, given: str | None = None, limit_s: float = 60.0) -> str:
    """Run a command and return what it wrote. Raises LabFailed with its complaint, also after `limit_s` seconds."""
    done = attempt(*argv, given=given, limit_s=limit_s)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise LabFailed(f"{' '.join(map(str, argv))}: exit status {done.returncode}: {said}")
    return done.stdout


def attempt(*argv: str | Path, given: str | None = None, limit_s: float = 60.0) -> "subprocess.CompletedProcess[str]":
    """Run a command that may fail. Raises LabFailed only when it is not there or does not end in time."""
    arguments = [str(word) for word in argv]
    try:
        # With nothing given the command reads an end at once.
        return subprocess.run(
            arguments, input=given or "", capture_output=True, text=True, errors="replace", timeout=limit_s, check=False
        )
    except FileNotFoundError:
        raise LabFailed(f"{arguments[0]}: no such program") from None
    except subprocess.TimeoutExpired:
        raise LabFailed(f"{' '.join(arguments)}: not done within {limit_s:g} s") from None


def why_not() -> str:
    """Why no lab can be made on this machine, as one line; empty when one can."""
    if not sys.platform.startswith("linux"):
        return "the lab needs Linux (systemd-nspawn)"
    if os.geteuid() != 0:
        return "the lab needs root: it makes hosts, a bridge and file systems"
    absent = sorted({package for program, package in NEEDED.items() if shutil.which(program) is None})
    if absent:
        return f"the lab needs programs that are not installed: apt-get install {' '.join(absent)}"
    if unified_hierarchy() is None:
        return "the lab needs the cgroup v2 hierarchy, which is not mounted here: it turns hosts off and freezes them"
    if not Path("/proc/self/ns/time").exists():
        return "the lab needs time namespaces (Linux 5.6): each host has a clock of its own"
    return ""


def mounts(kind: str) -> list[tuple[Path, str]]:
    """Where file systems of this kind are mounted, and with which options of their own."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        form, _, options = after.split(" ", 2)
        if form == kind:
            found.append((Path(before.split()[4]), options))
    return found


def unified_hierarchy() -> Path | None:
    """Root of the cgroup v2 hierarchy; None where there is none."""
    return next((place for place, _ in mounts("cgroup2") if (place / "cgroup.procs").exists()), None)


def hierarchies() -> list[Path]:
    """Roots of the cgroup hierarchies that a host gets a group in: v2, and with v1 systemd's own and memory."""
    unified = unified_hierarchy()
    v1 = [place for place, options in mounts("cgroup") if {"name=systemd", "memory"} & set(options.split(","))]
    return ([unified] if unified else []) + v1


def below(place: Path) -> Sequence[Path]:
    """Mount points at or below a directory, the innermost first."""
    points = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        point = Path(line.split()[4].replace("\\040", " "))
        if point == place or place in point.parents:
            points.append(point)
    return points[::-1]
