"""All that a lab has on this machine, found by names, also after a run that was killed; and taking it away."""

import contextlib
import shutil
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.hosts.running import LabFailed, attempt, below, hierarchies, run, unified_hierarchy

KILL_LIMIT_S = 20.0


@dataclass
class Remains:
    """Everything that stands of one lab outside its own files. Empty when nothing does."""

    number: int
    place: Path
    processes: dict[Path, int] = field(default_factory=dict)
    """Control group → how many processes it has."""
    groups: list[Path] = field(default_factory=list)
    mounts: list[Path] = field(default_factory=list)
    loops: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    sockets: list[Path] = field(default_factory=list)
    """Of ssh connections that are kept open to its hosts."""
    traces: list[Path] = field(default_factory=list)
    """Directories and locks that systemd-nspawn made for its hosts elsewhere; after SIGKILL they stay."""

    def __bool__(self) -> bool:
        return bool(
            self.processes or self.groups or self.mounts or self.loops or self.links or self.tables or self.traces
        )

    def lines(self) -> list[str]:
        """One line for each thing that stands."""
        said = [f"{count} processes in {group}" for group, count in self.processes.items()]
        for what in ("groups", "mounts", "loops", "links", "tables", "sockets", "traces"):
            said += [f"{what[:-1]} {one}" for one in getattr(self, what)]
        return said


def find_remains(number: int, place: Path) -> Remains:
    """Look for all that lab `number`, which keeps its files in `place`, has on this machine."""
    found = Remains(number, place)
    for root in hierarchies():
        found.groups += sorted(path for path in root.glob(f"trilab{number}-*") if path.is_dir())
    for group in found.groups:
        count = sum(len(_pids(part)) for part in (group, *_inside(group)))
        if count:
            found.processes[group] = count
    found.mounts = list(below(place))
    for line in run("losetup", "--list", "--noheadings", "--output", "NAME,BACK-FILE").splitlines():
        name, _, backing = line.strip().partition(" ")
        # One whose file is deleted goes by itself, when the last that still has it mounted lets go.
        if backing.strip().startswith(f"{place}/") and not backing.endswith("(deleted)"):
            found.loops.append(name)
    for line in run("ip", "-brief", "link").splitlines():
        name = line.split()[0].partition("@")[0]
        if name == f"trilab{number}" or name.startswith(f"vb-tr{number}-"):
            found.links.append(name)
    for line in run("nft", "list", "tables").splitlines():
        if line.split()[1:] == ["bridge", f"trilab{number}"]:
            found.tables.append(f"trilab{number}")
    if (place / "ssh").is_dir():
        found.sockets = [path for path in (place / "ssh").iterdir() if path.is_socket()]
    found.traces = sorted(Path("/run/systemd/nspawn/propagate").glob(f"tr{number}-*"))
    found.traces += [lock for point in found.mounts if (lock := _lock_of(point)).exists()]
    return found


def stop_hosts(remains: Remains) -> None:
    """End every process of the lab's hosts, at once and for good, and let go of the cables. Raises LabFailed."""
    unified = unified_hierarchy()
    for path in remains.sockets:
        attempt("ssh", "-o", f"ControlPath={path}", "-O", "exit", "lab")
    for group in remains.groups:
        if group.parent != unified:
            continue
        # A frozen process would die only when it is thawed.
        (group / "cgroup.freeze").write_text("0")
        (group / "cgroup.kill").write_text("1")
    deadline = time.monotonic() + KILL_LIMIT_S
    while (now := find_remains(remains.number, remains.place)).processes:
        if time.monotonic() > deadline:
            raise LabFailed(f"lab {remains.number}: processes that do not end: {now.processes}")
        time.sleep(0.05)
    for link in now.links:
        if link.startswith("vb-"):
            attempt("ip", "link", "del", link)
    _forget(now.traces)


def take_away(remains: Remains) -> None:
    """Remove all of it, and the lab's files. Raises LabFailed with what could not be removed."""
    stop_hosts(remains)
    deadline = time.monotonic() + KILL_LIMIT_S
    left = remains
    while left:
        _remove(left)
        if not left.mounts:
            for disk in left.place.glob("*/data.img"):
                disk.unlink()
        left = find_remains(remains.number, remains.place)
        if left and time.monotonic() > deadline:
            raise LabFailed(f"lab {remains.number}: cannot be taken away: {'; '.join(left.lines())}")
        time.sleep(0.05 if left else 0.0)
    if remains.place.exists():
        shutil.rmtree(remains.place)


def _remove(remains: Remains) -> None:
    """One attempt at each thing; what stays is found by the next look."""
    for table in remains.tables:
        attempt("nft", "delete", "table", "bridge", table)
    for link in remains.links:
        attempt("ip", "link", "del", link)
    for group in remains.groups:
        for part in (*_inside(group), group):
            with contextlib.suppress(OSError):
                part.rmdir()
    _forget(remains.traces)  # a lock is found by its root, so before that is unmounted
    for point in remains.mounts:
        if attempt("umount", point).returncode:
            attempt("umount", "--lazy", point)
    for loop in remains.loops:
        attempt("losetup", "--detach", loop)  # most went with their mount


def _forget(traces: list[Path]) -> None:
    for trace in traces:
        if trace.is_dir():
            shutil.rmtree(trace, ignore_errors=True)
        else:
            trace.unlink(missing_ok=True)


def _lock_of(root: Path) -> Path:
    """The lock that systemd-nspawn takes for a host's root, by the device and inode number."""
    status = root.stat()
    return Path(f"/run/systemd/nspawn/locks/inode-{status.st_dev}:{status.st_ino}")


def _inside(group: Path) -> list[Path]:
    """Groups below a group, the innermost first."""
    return sorted((path for path in group.rglob("*") if path.is_dir()), key=lambda path: len(path.parts), reverse=True)


def _pids(group: Path) -> list[str]:
    try:
        return (group / "cgroup.procs").read_text().split()
    except OSError:  # gone meanwhile, or threaded
        return []
