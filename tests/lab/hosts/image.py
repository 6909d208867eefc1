"""What all hosts stand on: a small Debian 12 with all that a host without internet cannot fetch, and no Triarch.

It is built once by debootstrap and kept in /var/cache/triarch-lab/<hash>/, under the hash of all it is made from. It is
built aside and moved into place, so that it is there in full or not at all, and looked over before each use.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab.hosts.running import LabFailed, below, run

CACHE = Path("/var/cache/triarch-lab")
SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "libpam-systemd", "procps", "iproute2", "iputils-ping", "ca-certificates"),
    *("openssh-server", "sudo", "acl", "rsync", "curl", "logrotate"),
    *("python3", "python3-venv", "python3-apt", "python3-packaging"),
    *("redis-server", "redis-sentinel", "redis-tools", "nftables", "haproxy"),
    "faketime",  # clock jumps of one service
)
FINISHING = """\
set -eu
export DEBIAN_FRONTEND=noninteractive
# Services that a deployment sets up for itself: installed, not started.
systemctl disable redis-server redis-sentinel haproxy nftables >/dev/null 2>&1
# Of no use on such a host, or at work at a moment nobody chose.
systemctl mask systemd-resolved apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer \\
  dpkg-db-backup.timer systemd-networkd-wait-online getty@tty1 console-getty systemd-timesyncd >/dev/null 2>&1
systemctl enable systemd-networkd ssh >/dev/null 2>&1
mkdir -p /var/log/journal
printf '[Journal]\\nSystemMaxUse=64M\\n' >/etc/systemd/journald.conf.d/lab.conf
printf 'PermitRootLogin prohibit-password\\nPasswordAuthentication no\\nUsePAM no\\nUseDNS no\\nMaxStartups 100\\n' \\
  >/etc/ssh/sshd_config.d/lab.conf
# Each host makes its own.
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id /etc/resolv.conf
apt-get clean
"""
"""Run inside the new image, as its root."""

KEPT = 3
"""Images that stay in the cache: those of the last few package lists that were used."""
BUILD_LIMIT_S = 900.0
WAIT_LIMIT_S = 900.0


@dataclass(frozen=True)
class Image:
    """An image that is whole. `built_s`: seconds that its build took, now or when it was built."""

    directory: Path
    built_s: float
    fresh: bool

    @property
    def rootfs(self) -> Path:
        """The directory that the hosts' roots stand on; nobody writes to it."""
        return self.directory / "rootfs"


def identity() -> str:
    """Hash of all that decides what is in the image."""
    made_from = json.dumps([SUITE, MIRROR, PACKAGES, FINISHING])
    return hashlib.sha256(made_from.encode()).hexdigest()[:16]


def ready_image() -> Image:
    """The image, built first if it is absent or damaged. Waits for another process that builds it. Raises LabFailed."""
    CACHE.mkdir(parents=True, exist_ok=True)
    directory = CACHE / identity()
    with locked(directory):
        built_s = seconds_if_whole(directory)
        fresh = built_s is None
        if built_s is None:
            _discard(directory)
            built_s = _build(directory)
        os.utime(directory / "image.json")
    _prune(directory)
    return Image(directory, built_s, fresh)


def _build(directory: Path) -> float:
    """Build the image aside, then move it to `directory`; the seconds it took."""
    aside = directory.with_name(directory.name + ".new")
    _discard(aside)  # of a build that was killed: nobody else builds this one while the lock is held
    aside.mkdir()
    started = time.monotonic()
    try:
        rootfs = aside / "rootfs"
        run(
            *("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, rootfs, MIRROR),
            limit_s=BUILD_LIMIT_S,
        )
        (rootfs / "etc/systemd/journald.conf.d").mkdir(parents=True, exist_ok=True)
        run("chroot", rootfs, "/bin/sh", "-c", FINISHING)
        for point in below(aside):  # what debootstrap mounted to configure packages
            run("umount", point)
        built_s = round(time.monotonic() - started, 1)
        note = {"packages": PACKAGES, "built_s": built_s, "content": content_of(rootfs)}
        (aside / "image.json").write_text(json.dumps(note, indent=2) + "\n")
        aside.rename(directory)
    except BaseException:
        _discard(aside)
        raise
    return built_s


def seconds_if_whole(directory: Path) -> float | None:
    """The seconds that its build took, if the image is there and nothing of it is missing or changed; else None."""
    try:
        note = json.loads((directory / "image.json").read_text())
        return float(note["built_s"]) if note["content"] == content_of(directory / "rootfs") else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def content_of(rootfs: Path) -> str:
    """Hash over name, kind, mode, owner, size and time of change of each file: a third of a second for 14,000 files."""
    found = hashlib.sha256()
    start = len(str(rootfs))
    pending = [str(rootfs)]
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                status = entry.stat(follow_symlinks=False)
                size = 0 if entry.is_dir(follow_symlinks=False) else status.st_size
                told = (entry.path[start:], status.st_mode, status.st_uid, status.st_gid, size, status.st_mtime_ns)
                found.update(repr(told).encode())
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
    return found.hexdigest()


def _prune(current: Path) -> None:
    """Remove the images that were used least recently, beyond KEPT, but none that a lab stands on or that is built."""
    images = [path.parent for path in CACHE.glob("*/image.json") if path.parent != current]
    images.sort(key=lambda path: (path / "image.json").stat().st_mtime, reverse=True)
    for directory in images[KEPT - 1 :]:
        if directory not in _in_use():
            with contextlib.suppress(LabFailed), locked(directory, limit_s=0.0):
                _discard(directory)


def _in_use() -> set[Path]:
    """Images that labs of this machine stand on, also those whose hosts are off."""
    used = set()
    for path in Path("/var/tmp").glob("triarch-lab-*/lab.json"):  # noqa: S108  where labs keep their state
        try:
            used.add(Path(json.loads(path.read_text())["image"]))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # not a lab that could go on
    return used


def _discard(directory: Path) -> None:
    for point in below(directory):
        run("umount", point)
    if directory.exists():
        shutil.rmtree(directory)


@contextmanager
def locked(directory: Path, limit_s: float = WAIT_LIMIT_S) -> Iterator[None]:
    """One process at a time works on an image; the kernel lets go of the lock of one that dies. Raises LabFailed."""
    path = directory.with_name(f".{directory.name}.lock")
    with path.open("w") as file:
        deadline = time.monotonic() + limit_s
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabFailed(f"{path}: another process has held the lock for {limit_s:g} s") from None
                time.sleep(0.2)
        yield
