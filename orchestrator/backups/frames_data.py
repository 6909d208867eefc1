"""The data of the frames' server: fetched from the primary as one file, and laid down for a server to begin with.

The file is a server's own (RDB), as of one instant of the primary: payloads, queues, ledger, function library.
"""

import asyncio
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from framebuffer.embedded import EmbeddedServer, find_binaries
from framebuffer.ledger import LedgerReport
from framebuffer.sentinel import SentinelLocator
from framebuffer.shards import ShardedStreams, verify_shards
from orchestrator.dev.ports import free_ports
from orchestrator.errors import BackupRefused

if TYPE_CHECKING:
    from orchestrator.config import NodeConfig

FETCH_S = 600.0
LOAD_S = 300.0
APPEND_DIR = "appendonlydir"
BASE = "appendonly.aof.1.base.rdb"
INCREMENT = "appendonly.aof.1.incr.aof"
INDEX = "appendonly.aof.manifest"
TAIL_BYTES = 500


class Place(msgspec.Struct, frozen=True):
    """Where the primary is."""

    host: str
    port: int
    tls: bool


class Loaded(msgspec.Struct, frozen=True):
    """What a server of our own says of a file that it has loaded: the ledger, and the server's name."""

    ledger: LedgerReport
    server: str


async def primary_of(config: "NodeConfig") -> Place:
    """Errors: BackupRefused (a cluster has several primaries); redis-py's, when nobody knows one."""
    redis = config.redis
    if redis.mode == "cluster":
        raise BackupRefused("redis.mode is cluster: each of its primaries is backed up with its own tools")
    if redis.mode == "embedded":
        return Place("127.0.0.1", redis.port, False)
    if redis.mode == "url":
        parts = urlsplit(redis.url)
        return Place(parts.hostname or "127.0.0.1", parts.port or 6379, parts.scheme == "rediss")
    locator = SentinelLocator(
        [(parts.hostname or "", parts.port or 26379) for parts in (urlsplit(f"//{each}") for each in redis.sentinels)],
        redis.service,
        password=config.sentinel_password(),
        tls=redis.tls,
    )
    try:
        host, port = (await locator.locate()).address
    finally:
        await locator.aclose()
    return Place(host, port, redis.tls)


async def fetch(place: Place, password: str | None, target: Path) -> None:
    """The primary's data in `target`, whole or not at all. Errors: BackupRefused."""
    program = shutil.which("redis-cli") or shutil.which("valkey-cli")
    if program is None:
        raise BackupRefused("neither redis-cli nor valkey-cli is on the PATH: install redis-tools on this host")
    partial = target.with_name(f".{target.name}.part")
    arguments = ["-h", place.host, "-p", str(place.port), *(["--tls"] if place.tls else []), "--rdb", str(partial)]
    # The password goes through the environment: the command line is there for everybody to read.
    environment = {**os.environ, **({} if password is None else {"REDISCLI_AUTH": password})}
    process = await asyncio.create_subprocess_exec(
        program, *arguments, env=environment, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        async with asyncio.timeout(FETCH_S):
            said, _ = await process.communicate()
        if process.returncode or not partial.is_file() or partial.stat().st_size == 0:
            told = said.decode(errors="replace").strip()[-TAIL_BYTES:]
            raise BackupRefused(f"the data of {place.host}:{place.port} could not be fetched: {told}")
        partial.chmod(0o600)
        partial.replace(target)
    except TimeoutError:
        raise BackupRefused(f"{place.host}:{place.port} has not sent its data within {FETCH_S:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        partial.unlink(missing_ok=True)


def lay_down(data: Path, directory: Path) -> None:
    """Make `directory` the data directory of a server that begins with the file `data`.

    It becomes the base of an append-only file, in the form that Redis 7 and Valkey keep it: a server that is told
    `appendonly yes` does not look at a plain `dump.rdb`. Errors: BackupRefused where data stand there; OSError.
    """
    target = directory / APPEND_DIR
    if target.exists() or (directory / "dump.rdb").exists():
        raise BackupRefused(f"{directory} holds data already; stop the server and move them away first")
    partial = directory / f".{APPEND_DIR}.part"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o750)
    shutil.copyfile(data, partial / BASE)
    (partial / INCREMENT).touch()
    (partial / INDEX).write_text(f"file {BASE} seq 1 type b\nfile {INCREMENT} seq 1 type i\n")
    partial.replace(target)


async def load(data: Path, scratch: Path, software: str | None = None) -> Loaded:
    """What a server finds in the file `data`: it loads it in the empty directory `scratch`, on 127.0.0.1.

    `software`: "redis" or "valkey" is preferred. Errors: `framebuffer.FrameBufferError`, when it cannot be loaded.
    """
    await asyncio.to_thread(scratch.mkdir, mode=0o700)
    try:
        await asyncio.to_thread(lay_down, data, scratch)
        binaries = await asyncio.to_thread(find_binaries)
        binary = next((each for each in binaries if each.software == software), None)
        port = free_ports(1)[0]
        async with EmbeddedServer(scratch, port, binary=binary, start_s=LOAD_S) as server:
            streams = ShardedStreams.connect(server.url, timeout_s=10.0)
            try:
                told = await streams.ready()
                return Loaded(await verify_shards(streams), f"{told.software} {told.version}")
            finally:
                await streams.aclose()
    finally:
        await asyncio.to_thread(shutil.rmtree, scratch, ignore_errors=True)
