"""A host, before a node runs on it and after: its disk, its limits, its clock, and what the settings name."""

import asyncio
import math
import os
import resource
import shutil
import stat
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.doctor.finding import Finding, Verdict, limits, well
from orchestrator.doctor.neighbours import members, neighbours
from orchestrator.doctor.redis_server import redis_server
from orchestrator.doctor.units import units
from orchestrator.kernel_clock import kernel_clock

if TYPE_CHECKING:
    from orchestrator.config import NodeConfig

SYNCS, SYNC_S = 100, 3.0
"""So many writes, or as many as there are within so many seconds."""
SYNC_BYTES = 4096
SYNC_WARN_MS, SYNC_FAIL_MS = 10.0, 100.0
"""Of the median: each change of the plant waits for a sync of two nodes' disks."""
SYNC_P99_FAIL_MS = 1000.0
"""Of the 99th percentile; it is warned of at the same share of this as of the median's."""
PYSYNCOBJ = "0.3.17"
FREE_WARN, FREE_FAIL = 0.10, 0.02
FREE_BYTES_FAIL = 256 << 20
FILES_WARN, FILES_FAIL = 4_096, 256


def examine(config: "NodeConfig") -> list[Finding]:
    """Everything about this host and what `config` names. Changes nothing but a file that it makes and removes."""
    directory = config.node.data_dir
    findings = [_release(), _files(), _clock()]
    findings += _data_directory(directory)
    findings += members(config)
    findings += units()
    return findings + asyncio.run(_asked(config))


async def _asked(config: "NodeConfig") -> list[Finding]:
    around = await neighbours(config)
    return [*around.findings, *await redis_server(config, others_run=around.answering > 0)]


def _release() -> Finding:
    from importlib import metadata

    told = ", ".join(f"{name} {metadata.version(name)}" for name in ("triarch", "pysyncobj"))
    told += f", Python {sys.version.split()[0]}"
    if metadata.version("pysyncobj") != PYSYNCOBJ:
        return Finding(
            "release", "this host", Verdict.FAIL, told, f"install pysyncobj {PYSYNCOBJ}, as requirements/ say"
        )
    return well("release", "this host", told)


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    advice = "raise LimitNOFILE of the unit (or ulimit -n): each client and component holds a file"
    found = f"{soft} open files, at most {hard}"
    verdict = Verdict.FAIL if hard < FILES_FAIL else Verdict.WARN if hard < FILES_WARN else Verdict.OK
    return Finding("open files", "this host", verdict, found, "" if verdict is Verdict.OK else advice)


def _clock() -> Finding:
    """Whether the kernel says that something keeps its clock."""
    advice = "run chrony or systemd-timesyncd: tokens expire and schedules come due by the clock"
    try:
        clock = kernel_clock()
    except OSError as error:
        return Finding("clock", "this host", Verdict.WARN, f"cannot be asked ({error})", advice)
    if not clock.synchronised:
        return Finding("clock", "this host", Verdict.WARN, "nothing keeps it (NTP is not in step)", advice)
    return well("clock", "this host", f"synchronised, within {clock.error_s:.2g} s as the kernel believes")


def _data_directory(directory: Path) -> list[Finding]:
    place = directory
    while not place.exists() and place != place.parent:
        place = place.parent
    subject = str(directory)
    if not place.is_dir():
        return [
            Finding("data directory", subject, Verdict.FAIL, f"{place} is no directory", "choose another node.data_dir")
        ]
    if not os.access(place, os.W_OK | os.X_OK):
        found = f"{place} cannot be written by user {os.geteuid()}"
        return [Finding("data directory", subject, Verdict.FAIL, found, "chown it to the user that runs the node")]
    findings = []
    kept = directory / "cluster"
    mode = stat.S_IMODE(kept.stat().st_mode) if kept.exists() else 0o700
    if mode & 0o077:
        found = f"{kept} has mode {mode:04o}: others can read the log"
        findings.append(Finding("data directory", subject, Verdict.FAIL, found, f"chmod 0700 {kept}"))
    else:
        findings.append(well("data directory", subject, "there" if place == directory else f"to be made below {place}"))
    return [*findings, _space(place), _sync(place)]


def _space(place: Path) -> Finding:
    usage = shutil.disk_usage(place)
    share = usage.free / usage.total
    found = f"{usage.free / (1 << 30):.1f} GiB free, {100 * share:.0f} %"
    bad = share < FREE_FAIL or usage.free < FREE_BYTES_FAIL
    verdict = Verdict.FAIL if bad else Verdict.WARN if share < FREE_WARN else Verdict.OK
    advice = "make room: a node whose disk is full ends itself rather than promise what it cannot keep"
    return Finding("disk space", str(place), verdict, found, "" if verdict is Verdict.OK else advice)


def _sync(place: Path) -> Finding:
    took: list[float] = []
    ends = time.perf_counter() + SYNC_S
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            while len(took) < SYNCS and (time.perf_counter() < ends or len(took) < 3):
                began = time.perf_counter()
                os.write(file.fileno(), bytes(SYNC_BYTES))
                os.fdatasync(file.fileno())
                took.append(1000 * (time.perf_counter() - began))
    except OSError as error:
        return Finding("disk sync", str(place), Verdict.FAIL, f"cannot write: {error.strerror}", "mend the disk first")
    return sync_finding(str(place), took)


def sync_finding(place: str, took: Sequence[float]) -> Finding:
    """Of the times of syncs, milliseconds. The worse one of median and 99th percentile decides."""
    median, p99 = statistics.median(took), sorted(took)[math.ceil(0.99 * len(took)) - 1]
    return limits(
        *("disk sync", place, max(median / SYNC_FAIL_MS, p99 / SYNC_P99_FAIL_MS)),
        warn=SYNC_WARN_MS / SYNC_FAIL_MS,
        fail=1.0,
        found=f"{median:.2f} ms median, {p99:.1f} ms 99th percentile of {len(took)} writes of 4 KiB "
        f"(well up to {SYNC_WARN_MS:g} and {SYNC_P99_FAIL_MS * SYNC_WARN_MS / SYNC_FAIL_MS:g} ms)",
        advice="each change waits for it: use a local SSD, not a network disk",
    )
