"""A host, before a node runs on it and after: its disk, its limits, its clock, and what the settings name."""

import asyncio
import ctypes
import ipaddress
import os
import resource
import shutil
import socket
import stat
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.doctor.finding import Finding, Verdict, limits, well

if TYPE_CHECKING:
    from orchestrator.config import NodeConfig

SYNCS = 40
SYNC_BYTES = 4096
SYNC_WARN_MS, SYNC_FAIL_MS = 10.0, 100.0
"""Of the median: each change of the plant waits for a sync of two nodes' disks."""
FREE_WARN, FREE_FAIL = 0.10, 0.02
FREE_BYTES_FAIL = 256 << 20
FILES_WARN, FILES_FAIL = 4_096, 256
CONNECT_S = 1.0
_STA_UNSYNC = 0x0040


def examine(config: "NodeConfig") -> list[Finding]:
    """Everything about this host and what `config` names. Changes nothing but a file that it makes and removes."""
    directory = config.node.data_dir
    findings = [_python(), _files(), _clock()]
    findings += _data_directory(directory)
    findings += _members(config)
    findings += _ports(config)
    return findings + asyncio.run(_redis(config))


def _python() -> Finding:
    from importlib import metadata

    told = ", ".join(f"{name} {metadata.version(name)}" for name in ("triarch", "pysyncobj"))
    return well("release", "this host", f"{told}, Python {sys.version.split()[0]}")


def _files() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    advice = "raise LimitNOFILE of the unit (or ulimit -n): each client and component holds a file"
    found = f"{soft} open files, at most {hard}"
    verdict = Verdict.FAIL if hard < FILES_FAIL else Verdict.WARN if hard < FILES_WARN else Verdict.OK
    return Finding("open files", "this host", verdict, found, "" if verdict is Verdict.OK else advice)


def _clock() -> Finding:
    """Whether the kernel says that something keeps its clock. See adjtimex(2)."""
    try:
        libc = ctypes.CDLL(None, use_errno=True)
        buffer = ctypes.create_string_buffer(256)  # struct timex, all zero: only read
        if libc.adjtimex(buffer) < 0:
            raise OSError(ctypes.get_errno(), "adjtimex")
    except (OSError, AttributeError) as error:
        return Finding("clock", "this host", Verdict.WARN, f"cannot be asked ({error})", "have chrony keep the clock")
    # modes (4, padded to 8), offset, freq, maxerror, esterror (8 each), status (4)
    status = int.from_bytes(buffer.raw[40:44], sys.byteorder)
    if status & _STA_UNSYNC:
        advice = "run chrony or systemd-timesyncd: tokens expire and schedules come due by the clock"
        return Finding("clock", "this host", Verdict.WARN, "not synchronised", advice)
    return well("clock", "this host", "synchronised")


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
    took = []
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            for _ in range(SYNCS):
                began = time.perf_counter()
                os.write(file.fileno(), bytes(SYNC_BYTES))
                os.fdatasync(file.fileno())
                took.append(1000 * (time.perf_counter() - began))
    except OSError as error:
        return Finding("disk sync", str(place), Verdict.FAIL, f"cannot write: {error.strerror}", "mend the disk first")
    median = statistics.median(took)
    return limits(
        *("disk sync", str(place), median),
        warn=SYNC_WARN_MS,
        fail=SYNC_FAIL_MS,
        found=f"{median:.2f} ms median, {max(took):.1f} ms slowest of {SYNCS} writes of 4 KiB",
        advice="each change waits for it: use a local SSD, not a network disk",
    )


def _members(config: "NodeConfig") -> list[Finding]:
    findings = []
    hosts: dict[str, list[str]] = {}
    for member in config.cluster.members:
        host = urlsplit(f"//{member.raft}").hostname or ""
        addresses = _resolved(host)
        if not addresses:
            advice = "make the name resolve on this host, or give an address"
            findings.append(Finding("address", member.id, Verdict.FAIL, f"{host} does not resolve", advice))
            continue
        hosts.setdefault(addresses[0], []).append(member.id)
        if member.id != config.node.id:
            findings.append(_reachable("Raft", member.id, member.raft))
    for address, ids in hosts.items():
        if len(ids) > 1 and not ipaddress.ip_address(address).is_loopback:
            found = f"{', '.join(ids)} are all on {address}"
            findings.append(Finding("hosts", address, Verdict.WARN, found, "one host lost would take several nodes"))
    return findings


def _resolved(host: str) -> list[str]:
    try:
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []


def _reachable(what: str, subject: str, address: str) -> Finding:
    host, port = urlsplit(f"//{address}").hostname or "", urlsplit(f"//{address}").port or 0
    try:
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as error:
        found = f"{what} at {address}: {error.strerror or error}"
        return Finding(
            "reachable", subject, Verdict.WARN, found, "is it started, and is the port open in the firewall?"
        )
    return well("reachable", subject, f"{what} at {address}")


def _ports(config: "NodeConfig") -> Iterable[Finding]:
    for what, address in (("API", config.api_bind()), ("Raft", config.raft_bind())):
        host, port = urlsplit(f"//{address}").hostname or "", urlsplit(f"//{address}").port or 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                advice = f"well, where the node runs already; else see what holds it: ss -ltnp 'sport = :{port}'"
                yield Finding("port", f"{what} {address}", Verdict.WARN, error.strerror or str(error), advice)
            else:
                yield well("port", f"{what} {address}", "free")


async def _redis(config: "NodeConfig") -> list[Finding]:
    from redis.exceptions import RedisError

    from framebuffer.connection import connect, translate
    from framebuffer.errors import FrameBufferError
    from framebuffer.server import is_supported

    settings = config.redis
    if settings.mode == "embedded":
        return [well("redis", "embedded", "the node starts it")]
    url = settings.url if settings.mode == "url" else settings.public_url
    place = settings.public_url or settings.mode
    try:
        client = connect(
            url or "", password=config.redis_password(), sentinel_password=config.sentinel_password(), timeout_s=2.0
        )
    except FrameBufferError as error:
        return [Finding("redis", place, Verdict.FAIL, str(error), "see redis in the settings")]
    try:
        info = await client.info()
    except (RedisError, OSError) as error:
        return [
            Finding("redis", place, Verdict.FAIL, str(translate(error)), "is it started, and is the password right?")
        ]
    finally:
        await client.aclose()
    software = "valkey" if "valkey_version" in info else "redis"
    version = str(info.get(f"{software}_version", "0"))
    findings = [
        well("redis", place, f"{software} {version}")
        if is_supported(software, version)
        else Finding("redis", place, Verdict.FAIL, f"{software} {version}", "Redis 7.0 or Valkey 7.2 at least")
    ]
    if not int(info.get("aof_enabled", 0)):
        advice = "appendonly yes: without it a restart of the server loses frames"
        findings.append(Finding("redis persistence", place, Verdict.FAIL, "no append-only file", advice))
    policy = str(info.get("maxmemory_policy", ""))
    if policy.startswith("allkeys"):
        findings.append(Finding("redis memory", place, Verdict.FAIL, f"maxmemory-policy {policy}", "use noeviction"))
    if settings.mode == "sentinel" and int(info.get("connected_slaves", 0)) == 0:
        findings.append(Finding("redis replicas", place, Verdict.WARN, "none connected", "its loss would lose frames"))
    return findings
