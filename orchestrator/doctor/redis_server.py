"""The server of the frames: what it is, whether it keeps what it is given, how quick it is, whose data it holds."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import redis.exceptions as redis_errors

from framebuffer.connection import Client, connect, execute, translate
from framebuffer.errors import FrameBufferError
from framebuffer.keys import Keys
from framebuffer.server import is_supported
from orchestrator.doctor.finding import Finding, Verdict, limits, well

if TYPE_CHECKING:
    from orchestrator.config import NodeConfig

PINGS = 50
PING_WARN_MS, PING_FAIL_MS = 5.0, 100.0
"""Of the 99th percentile. Each batch of frames makes the way four times."""
KEYS_LOOKED_AT = 2_000
FULL_WARN = 0.85
TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class ServerSaid:
    """`info`: INFO. `config`: what CONFIG GET gave, empty where it may not be asked. `fence`: (epoch, node) that the
    streams are held by. `foreign`: keys, of those looked at, that are of something else. `ping_ms`: each round trip.
    """

    info: Mapping[str, Any]
    config: Mapping[str, str] = field(default_factory=dict)
    fence: tuple[str, str] | None = None
    foreign: tuple[str, ...] = ()
    ping_ms: tuple[float, ...] = ()


async def redis_server(config: "NodeConfig", *, others_run: bool) -> list[Finding]:
    """Ask it; nothing is changed. `others_run`: other nodes answer, so this one joins them."""
    settings = config.redis
    if settings.mode == "embedded":
        return [well("redis", "embedded", "the node starts it")]
    url = settings.url if settings.mode == "url" else settings.public_url
    place = settings.public_url or settings.mode
    try:
        client = connect(
            url or "", password=config.redis_password(), sentinel_password=config.sentinel_password(),
            timeout_s=TIMEOUT_S,
        )  # fmt: skip
    except FrameBufferError as error:
        return [Finding("redis", place, Verdict.FAIL, str(error), "see redis in the settings")]
    try:
        said = await _said(client)
    except (redis_errors.RedisError, OSError) as error:
        advice = "is it started, is the port open, and is the password right?"
        return [Finding("redis", place, Verdict.FAIL, str(translate(error)), advice)]
    finally:
        await client.aclose()
    new_here = not (config.node.data_dir / "cluster").exists() and not others_run
    return judged(said, place, mode=settings.mode, durability=settings.durability, new_here=new_here)


async def _said(client: Client) -> ServerSaid:
    info = await client.info()
    keys = Keys()
    fence = await execute(client, "HMGET", keys.fence, "term", "index", "node")
    _, found = await execute(client, "SCAN", 0, "COUNT", KEYS_LOOKED_AT)
    foreign = tuple(
        sorted({name for one in found if not (name := one.decode(errors="replace")).startswith(keys.prefix)})
    )
    config: dict[str, str] = {}
    for name in ("min-replicas-to-write", "maxmemory-policy", "appendfsync"):
        try:
            reply = await execute(client, "CONFIG", "GET", name)
        except redis_errors.ResponseError:
            break  # renamed or not permitted: then it is not known
        if len(reply) > 1:
            config[name] = reply[1].decode()
    took = []
    for _ in range(PINGS):
        began = time.perf_counter()
        await execute(client, "PING")
        took.append(1000 * (time.perf_counter() - began))
    held = None if fence[0] is None else (f"{fence[0].decode()}.{fence[1].decode()}", (fence[2] or b"?").decode())
    return ServerSaid(info, config, held, foreign, tuple(took))


def judged(said: ServerSaid, place: str, *, mode: str, durability: str, new_here: bool) -> list[Finding]:
    """Pure. `new_here`: this node has no state of its own and nobody to get it from."""
    findings = [_version(said, place), *_memory(said, place)]
    info = said.info
    if not int(info.get("aof_enabled", 0)):
        advice = "appendonly yes: without it a restart of the server loses frames"
        findings.append(Finding("redis persistence", place, Verdict.FAIL, "no append-only file", advice))
    elif info.get("aof_last_write_status", "ok") != "ok":
        advice = "make room on its disk, then BGREWRITEAOF"
        findings.append(Finding("redis persistence", place, Verdict.FAIL, "its last write to the file failed", advice))
    else:
        fsync = said.config.get("appendfsync", "")
        findings.append(well("redis persistence", place, f"append-only file{f', fsync {fsync}' if fsync else ''}"))
    if mode == "sentinel":
        findings += _replicas(said, place, durability)
    findings += _data(said, place, new_here)
    if said.ping_ms:
        p99 = sorted(said.ping_ms)[math.ceil(0.99 * len(said.ping_ms)) - 1]
        findings.append(
            limits(
                *("redis latency", place, p99),
                warn=PING_WARN_MS,
                fail=PING_FAIL_MS,
                found=f"{p99:.2f} ms 99th percentile of {len(said.ping_ms)} round trips",
                advice="each batch of frames makes the way four times: have it near, and not on a busy host",
            )
        )
    return findings


def _version(said: ServerSaid, place: str) -> Finding:
    software = "valkey" if "valkey_version" in said.info else "redis"
    version = str(said.info.get(f"{software}_version", "0"))
    if is_supported(software, version):
        return well("redis", place, f"{software} {version}")
    return Finding("redis", place, Verdict.FAIL, f"{software} {version}", "Redis 7.0 or Valkey 7.2 at least")


def _memory(said: ServerSaid, place: str) -> list[Finding]:
    policy = said.config.get("maxmemory-policy") or str(said.info.get("maxmemory_policy", ""))
    limit, used = int(said.info.get("maxmemory", 0)), int(said.info.get("used_memory", 0))
    if policy and policy != "noeviction":
        # Without a limit nothing is evicted; but the next one who sets a limit would not think of it.
        verdict = Verdict.FAIL if policy.startswith("allkeys") or limit else Verdict.WARN
        return [Finding("redis memory", place, verdict, f"maxmemory-policy {policy}", "use noeviction")]
    if limit and used > FULL_WARN * limit:
        told = f"{100 * used / limit:.0f} % of maxmemory used"
        return [Finding("redis memory", place, Verdict.WARN, told, "raise maxmemory: a full server refuses frames")]
    return [well("redis memory", place, f"{used >> 20} MiB used, {f'{limit >> 20} MiB' if limit else 'no'} limit")]


def _replicas(said: ServerSaid, place: str, durability: str) -> list[Finding]:
    connected = int(said.info.get("connected_slaves", 0))
    findings = []
    if connected == 0:
        findings.append(Finding("redis replicas", place, Verdict.WARN, "none connected", "its loss would lose frames"))
    elif durability not in ("0", "majority") and connected < int(durability):
        told = f"{connected} connected, and redis.durability asks for {durability}"
        findings.append(Finding("redis replicas", place, Verdict.FAIL, told, "publishing waits: bring them back"))
    least = said.config.get("min-replicas-to-write")
    if least == "0":
        advice = "min-replicas-to-write 1: else a primary that is cut off goes on taking frames, which are lost then"
        findings.append(Finding("redis replicas", place, Verdict.WARN, "min-replicas-to-write 0", advice))
    return findings or [well("redis replicas", place, f"{connected} connected")]


def _data(said: ServerSaid, place: str, new_here: bool) -> list[Finding]:
    findings = []
    if said.foreign:
        told = f"keys of something else: {', '.join(said.foreign[:3])}{' …' if len(said.foreign) > 3 else ''}"
        advice = (
            "give the frames a server of their own: what else is there shares its memory, and may be evicted or flushed"
        )
        findings.append(Finding("redis data", place, Verdict.WARN, told, advice))
    if said.fence is not None and new_here:
        epoch, node = said.fence
        told = f"the frames of another cluster, held by {node} under epoch {epoch}; this one begins anew"
        advice = "a new cluster would be refused by that fence: docs/runbooks/members.md, or an empty server"
        findings.append(Finding("redis data", place, Verdict.FAIL, told, advice))
    if not findings:
        held = "no frames yet" if said.fence is None else f"held by {said.fence[1]} under epoch {said.fence[0]}"
        findings.append(well("redis data", place, held))
    return findings
