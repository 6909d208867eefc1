"""The library gets into the server, by itself, and a newer one stays."""

import asyncio
import os
import signal
from pathlib import Path

import pytest
from redis.asyncio import Redis

from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary, EmbeddedServer
from framebuffer.errors import NotDurable, RedisRefused, RedisUnavailable, RedisUnsupported
from framebuffer.library import ensure_library, library, revision_of
from framebuffer.server import is_supported
from framebuffer.streams import FrameStreams
from tests.framebuffer.frames import frames, opened, table
from tests.framebuffer.old_server import old_server
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


async def test_ready_says_what_the_server_is(streams: FrameStreams, binary: Binary) -> None:
    info = await streams.ready()
    assert (info.software, info.version, info.role) == (binary.software, binary.version, "master")
    assert (info.persistent, info.append_only, info.replicas) == (True, True, 0)
    assert info.library_revision == library().revision


async def test_flushed_functions_are_loaded_again_by_the_next_call(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await execute(redis, "FUNCTION", "FLUSH")
    assert await streams.publish(session, frames(0, 1)) == ["ok"]
    await execute(redis, "FUNCTION", "FLUSH")
    assert (await streams.dispatch((3, 17), "n1", table(("p1", "default", 1)))).moved == 1
    await execute(redis, "FUNCTION", "FLUSH")
    streams._durable_wait_ms = 10
    with pytest.raises(NotDurable):
        await streams.publish(session, frames(1, 2), durability=1)
    assert (await streams.stats()).capture_len == 1
    await execute(redis, "FUNCTION", "FLUSH")
    assert len(await streams.take("p1", "c")) == 1


async def test_an_older_library_is_replaced_and_a_newer_one_stays(redis: Redis) -> None:
    mine = library()
    older = mine.code.replace(f"-- revision: {mine.revision}", "-- revision: 0", 1)
    newer = mine.code.replace(f"-- revision: {mine.revision}", "-- revision: 999", 1)
    try:
        await execute(redis, "FUNCTION", "LOAD", "REPLACE", older)
        assert await ensure_library(redis) == mine.revision
        await execute(redis, "FUNCTION", "LOAD", "REPLACE", newer)
        assert await ensure_library(redis) == 999
        assert await ensure_library(redis) == 999
    finally:
        await execute(redis, "FUNCTION", "LOAD", "REPLACE", mine.code)
    assert revision_of("-- nothing") == 0


async def test_a_replica_is_refused_clearly(server: EmbeddedServer, redis: Redis, streams: FrameStreams) -> None:
    session = await opened(streams)
    try:
        await execute(redis, "REPLICAOF", "127.0.0.1", free_port())
        with pytest.raises(RedisUnavailable, match="read_only"):
            await streams.ready()
        with pytest.raises(RedisUnavailable, match="read_only"):
            await streams.publish(session, frames(0, 1))
    finally:
        await execute(redis, "REPLICAOF", "NO", "ONE")
    assert await streams.publish(session, frames(0, 1)) == ["ok"]


async def test_nobody_there_and_a_wrong_password_are_told_apart(redis: Redis, server: EmbeddedServer) -> None:
    nobody = FrameStreams(connect(f"redis://127.0.0.1:{free_port()}/0"))
    with pytest.raises(RedisUnavailable) as caught:
        await nobody.ready()
    assert caught.value.reason == "connection"
    try:
        await execute(redis, "CONFIG", "SET", "requirepass", "right")
        for password in (None, "wrong"):
            stranger = FrameStreams(connect(server.url, password=password))
            with pytest.raises(RedisRefused):
                await stranger.ready()
            with pytest.raises(RedisRefused):
                await stranger.stats()
            await stranger.redis.aclose()
        friend = FrameStreams(connect(server.url, password="right"))
        await friend.ready()
        await friend.redis.aclose()
    finally:
        await execute(redis, "CONFIG", "SET", "requirepass", "")
    with pytest.raises(RedisRefused):
        connect("no url at all")


async def test_a_full_server_is_worth_another_try(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    try:
        await execute(redis, "CONFIG", "SET", "maxmemory", 1)
        with pytest.raises(RedisUnavailable) as caught:
            await streams.publish(session, frames(0, 1))
        assert caught.value.reason == "out_of_memory"
    finally:
        await execute(redis, "CONFIG", "SET", "maxmemory", 0)
    assert await streams.publish(session, frames(0, 1)) == ["ok"]


async def test_a_server_without_functions_is_not_supported(valkey_binary: Binary, tmp_path: Path) -> None:
    options = ("rename-command FUNCTION disabled",)
    async with EmbeddedServer(tmp_path, free_port(), binary=valkey_binary, options=options) as old:
        redis = connect(old.url)
        with pytest.raises(RedisUnsupported):
            await FrameStreams(redis).ready()
        await redis.aclose()


@pytest.mark.parametrize(
    ("info", "named"),
    [
        ("redis_version:6.2.14\nrole:master\n", "redis 6.2.14"),
        ("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:7.0.0\nrole:master\n", "valkey 7.0.0"),
        ("role:master\n", "redis 0"),
    ],
)
async def test_a_server_that_is_too_old_is_told_its_version(info: str, named: str) -> None:
    """Before anything is asked of it that it does not know."""
    async with old_server(info) as url:
        redis = connect(url)
        with pytest.raises(RedisUnsupported, match=f"{named} is too old: Redis >= 7.0 or Valkey >= 7.2"):
            await FrameStreams(redis).ready()
        await redis.aclose()


async def test_a_server_that_cannot_write_its_snapshots_is_worth_another_try(binary: Binary, tmp_path: Path) -> None:
    options = ("appendonly no", "save 3600 1")
    async with EmbeddedServer(tmp_path, free_port(), binary=binary, options=options) as server:
        redis = connect(server.url)
        streams = FrameStreams(redis)
        await streams.ready()
        session = await opened(streams)

        async def saved(status: str) -> bool:
            found = await redis.info("persistence")
            return (found["rdb_bgsave_in_progress"], found["rdb_last_bgsave_status"]) == (0, status)

        in_its_place = tmp_path / "dump.rdb"
        in_its_place.mkdir()
        await execute(redis, "BGSAVE")
        await eventually(lambda: saved("err"))
        with pytest.raises(RedisUnavailable) as caught:
            await streams.publish(session, frames(0, 1))
        assert caught.value.reason == "not_persisting"
        in_its_place.rmdir()
        await execute(redis, "BGSAVE")
        await eventually(lambda: saved("ok"))
        assert await streams.publish(session, frames(0, 1)) == ["ok"]
        await redis.aclose()


@pytest.mark.parametrize(
    ("software", "version", "supported"),
    [
        ("redis", "6.2.14", False),
        ("redis", "7.0.15", True),
        ("redis", "10.0.0", True),
        ("valkey", "7.2.4", True),
        ("valkey", "7.0.0", False),
        ("valkey", "9.1.2", True),
        ("redis", "0", False),
    ],
)
def test_supported_versions(software: str, version: str, supported: bool) -> None:
    assert is_supported(software, version) is supported


async def test_a_cancelled_call_leaves_no_half_read_reply(streams: FrameStreams, server: EmbeddedServer) -> None:
    """On a pool of one connection: whoever comes next must not get the reply of the cancelled call."""
    session = await opened(streams)
    single = connect(server.url)
    single.connection_pool.max_connections = 1
    mine = FrameStreams(single)
    for delay in (0.0, 0.0002, 0.0005, 0.001, 0.002):
        for round_ in range(10):
            call = asyncio.create_task(mine.publish(session, frames(0, 64)))
            await asyncio.sleep(delay)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            token = f"{delay}-{round_}"
            assert await execute(single, "ECHO", token) == token.encode()
    await single.aclose()
    assert (await streams.stats()).cameras["cam"].published in (0, 64)


async def test_a_cancelled_call_that_waits_for_a_replica_leaves_none_either(binary: Binary, tmp_path: Path) -> None:
    """Call and WAIT travel in one pipeline, of two replies: cancelled before, between and behind them."""
    primary = EmbeddedServer(tmp_path / "1", free_port(), binary=binary, options=("repl-diskless-sync-delay 0",))
    replica = EmbeddedServer(
        tmp_path / "2", free_port(), binary=binary, options=(f"replicaof 127.0.0.1 {primary.port}",)
    )
    async with primary, replica:
        redis = connect(primary.url)
        streams = FrameStreams(redis)
        await streams.ready()
        session = await opened(streams)
        await eventually(lambda: execute(redis, "WAIT", 1, 100), deadline_s=10)
        single = connect(primary.url)
        single.connection_pool.max_connections = 1
        mine = FrameStreams(single)

        async def cancelled(call: asyncio.Task[list[str]], token: str) -> None:
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            assert await execute(single, "ECHO", token) == token.encode()

        for delay in (0.0, 0.0002, 0.0005, 0.001, 0.002):
            for round_ in range(10):
                call = asyncio.create_task(mine.publish(session, frames(0, 64), durability=1))
                await asyncio.sleep(delay)
                await cancelled(call, f"{delay}-{round_}")
        assert replica.pid is not None
        os.kill(replica.pid, signal.SIGSTOP)  # now the call is answered, and WAIT is not
        try:
            for round_ in range(3):
                await eventually(lambda: _blocked(redis, 0))
                call = asyncio.create_task(mine.publish(session, frames(64, 65), durability=1))
                await eventually(lambda: _blocked(redis, 1))
                await cancelled(call, f"waits-{round_}")
        finally:
            os.kill(replica.pid, signal.SIGCONT)
        assert await mine.publish(session, frames(64, 65), durability=1) == ["duplicate"]
        assert (await streams.stats()).cameras["cam"].published in (1, 65)
        await single.aclose()
        await redis.aclose()


async def _blocked(redis: Redis, number: int) -> bool:
    return int((await redis.info("clients"))["blocked_clients"]) == number


async def test_no_cancellation_is_swallowed(streams: FrameStreams) -> None:
    """Whatever it interrupts: redis-py's own timeout would swallow one that comes when a command was just sent."""

    async def look_for_ever() -> None:
        while True:
            await streams.stats()

    for steps in range(60):
        looking = asyncio.create_task(look_for_ever())
        for _ in range(steps):
            await asyncio.sleep(0)
        looking.cancel()
        done, _ = await asyncio.wait({looking}, timeout=2)
        assert done, f"cancelled after {steps} steps of the loop, and it runs on"


async def test_a_late_reply_is_a_timeout(server: EmbeddedServer, redis: Redis) -> None:
    hasty = connect(server.url, timeout_s=0.5)
    blocked = FrameStreams(hasty)
    await blocked.ready()
    await execute(redis, "CLIENT", "PAUSE", 1300, "ALL")
    with pytest.raises(RedisUnavailable) as caught:
        await blocked.stats()
    assert caught.value.reason == "timeout"
    with pytest.raises(RedisUnavailable):
        await blocked.existing([("capture", "0-1")])
    await eventually(lambda: execute(redis, "PING"))
    assert (await blocked.stats()).capture_len == 0  # not the late reply of before
    await hasty.aclose()


async def test_a_cancelled_wait_gives_its_connection_back(streams: FrameStreams) -> None:
    for _ in range(20):
        waiting = asyncio.create_task(streams.wait({streams.keys.capture: "0-0"}, 30))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert not await streams.wait({streams.keys.capture: "0-0"}, 0.02)

    async def only_ours() -> bool:
        return int((await streams.redis.info("clients"))["connected_clients"]) <= 3

    await eventually(only_ours)
