"""What the preflight reads in the files of a Redis that is stopped: real servers wrote them."""

import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from redis.asyncio import Redis

from framebuffer.connection import connect, execute
from framebuffer.embedded import Binary, EmbeddedServer, find_binaries
from framebuffer.streams import FrameStreams
from tests.deploy.controller import Controller
from tests.deploy.filters import library, plugin
from tests.framebuffer.frames import EPOCH, NODE, frames, opened, settle_all, table
from tests.framebuffer.plant import Plant
from tests.lab.wheelhouses import releases
from tests.support import eventually, free_port

FILES = plugin("roles/triarch_preflight/module_utils/triarch_redis_files.py")
REPORT = library("roles/triarch_preflight/library/triarch_host_report.py")
FENCE = "frames:fence"
OURS = {"foreign_keys": [], "fence": False}
SAID = b"*3\r\n$4\r\nHSET\r\n$12\r\nframes:fence\r\n$4\r\nterm\r\n$1\r\n7\r\n"
DELETED = b"*2\r\n$3\r\ndel\r\n$12\r\nframes:fence\r\n"

pytestmark = pytest.mark.anyio


class Data:
    """The data folder of a server, which runs only while `running` is entered, and ends by a crash."""

    def __init__(self, folder: Path, binary: Binary) -> None:
        self.folder = folder
        self.binary = binary

    @asynccontextmanager
    async def running(self, *, rewritten: bool = False) -> AsyncIterator[Redis]:
        """`rewritten`: at the end all that it holds is in the base, and the commands that made it are gone."""
        server = EmbeddedServer(self.folder, free_port(), binary=self.binary)
        await server.start()
        redis = connect(server.url)
        try:
            yield redis
            if rewritten:
                await execute(redis, "BGREWRITEAOF")
                await eventually(lambda: self._is_rewritten(redis), deadline_s=20)
        finally:
            await redis.aclose()
            await server.kill()

    async def _is_rewritten(self, redis: Redis) -> bool:
        info = await redis.info("persistence")
        return not info["aof_rewrite_in_progress"] and not info["aof_rewrite_scheduled"]

    def says(self, *, alone: bool = True) -> dict[str, Any]:
        found: dict[str, Any] = REPORT.stopped_redis(str(self.folder), "frames", alone)
        return found


@pytest.fixture(params=["valkey", "redis"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Data:
    found = next((one for one in find_binaries() if one.software == request.param), None)
    message = f"no supported {request.param} server on this machine"
    if found is None and os.environ.get("CI") == "true":
        pytest.fail(message)
    if found is None:
        pytest.skip(message)
    return Data(tmp_path / "redis", found)


@asynccontextmanager
async def streams_of(redis: Redis) -> AsyncIterator[FrameStreams]:
    streams = FrameStreams(redis)
    await streams.ready()
    yield streams
    await streams.aclose()


@pytest.mark.parametrize("rewritten", [False, True], ids=["commands", "base"])
async def test_a_cluster_that_led_is_known_by_its_fence_until_that_is_removed(data: Data, rewritten: bool) -> None:
    assert data.says() == {}
    async with data.running(rewritten=rewritten) as redis, streams_of(redis):
        pass
    assert data.says() == OURS  # functions alone
    async with data.running(rewritten=rewritten) as redis, streams_of(redis) as streams:
        await Plant(streams).publish(20)
    assert data.says() == OURS  # nobody has led
    async with data.running(rewritten=rewritten) as redis, streams_of(redis) as streams:
        await streams.fence((7, 41), "n2")
    assert data.says() == OURS | {"fence": True}
    assert data.says(alone=False) == OURS  # a node's data tell whose they are
    async with data.running(rewritten=rewritten) as redis:
        await execute(redis, "DEL", FENCE)  # as docs/runbooks/members.md has it
    assert data.says() == OURS
    async with data.running() as redis, streams_of(redis) as streams:
        await streams.fence((8, 1), "n3")
    assert data.says() == OURS | {"fence": True}
    async with data.running() as redis:
        await execute(redis, "FLUSHALL")
    assert data.says() == OURS


@pytest.mark.parametrize("rewritten", [False, True], ids=["commands", "base"])
@pytest.mark.parametrize(
    ("command", "key"),
    [
        (("SET", "shop:1", "sold"), "shop:1"),
        (("SET", "shop:2", "sold", "EX", "1000"), "shop:2"),
        (("SET", "70000", "sold"), "70000"),
        (("SADD", "-7", "1"), "-7"),
        (("RPUSH", "shop:" + "abcd" * 40, "1"), "shop:" + "abcd" * 40),  # which a base has compressed
        (("XADD", "shop", "*", "a", "b"), "shop"),
    ],
    ids=["text", "that expires", "number", "small number", "long", "stream"],
)
async def test_keys_of_something_else_are_named(
    data: Data, command: tuple[str, ...], key: str, rewritten: bool
) -> None:
    async with data.running(rewritten=rewritten) as redis:
        await execute(redis, *command)
    assert data.says() == {"foreign_keys": [key], "fence": False}


@pytest.mark.parametrize("rewritten", [False, True], ids=["commands", "base"])
async def test_frames_that_reached_their_end_are_ours(data: Data, rewritten: bool) -> None:
    async with data.running(rewritten=rewritten) as redis, streams_of(redis) as streams:
        session = await opened(streams, "set")  # a name that is a command too
        await streams.publish(session, frames(0, 40))
        await streams.dispatch(EPOCH, NODE, table(("append", "default", 40)))
        taken = await streams.take("append", "c", count=40)
        assert await settle_all(streams, "append", taken) == ["settled"] * 40
        await execute(redis, "BITFIELD", "frames:some", "SET", "u32", "#0", "1")
    assert data.says() == OURS | {"fence": True}


async def test_long_keys_of_ours_in_a_base_are_ours(data: Data) -> None:
    async with data.running(rewritten=True) as redis:
        await execute(redis, "SET", "frames:" + "camera" * 20, "1")
    assert data.says() == OURS


async def test_a_server_that_would_not_load_it_is_not_forestalled(data: Data) -> None:
    async with data.running(rewritten=True) as redis:
        await execute(redis, "SET", "shop:1", "sold")
    (base,) = data.folder.glob("appendonlydir/*.rdb")
    whole = base.read_bytes()
    for size in range(len(whole)):
        base.write_bytes(whole[:size])
        assert data.says() in (OURS, OURS | {"foreign_keys": ["shop:1"]})
    (data.folder / "appendonlydir" / f"{base.name.partition('.1.')[0]}.manifest").write_text(
        "file\n\nfile x seq y type b\n"
    )
    assert data.says() == {}


def test_a_key_right_behind_a_command_that_ends_with_its_key_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "appendonly.aof"
    one = b"*2\r\n$4\r\nINCR\r\n$8\r\nframes:a\r\n"
    file.write_bytes(one + one + b"*3\r\n$3\r\nSET\r\n$6\r\nshop:1\r\n$4\r\nsold\r\n")
    assert FILES.first_keys(str(file)) == ["frames:a", "frames:a", "shop:1"]


def test_a_fence_across_two_pieces_of_a_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "appendonly.aof"
    monkeypatch.setattr(FILES, "PIECE_BYTES", 200)
    for before in range(260):
        for said, there in ((SAID, True), (SAID + DELETED, False), (DELETED + SAID, True)):
            for after in (0, 300):
                file.write_bytes(b"x" * before + said + b"y" * after)
                assert FILES.holds([str(file)], FENCE) is there, (before, said, after)
    file.write_bytes(SAID.replace(b"$12\r\nframes:fence", b"$14\r\nframes:fence:2"))
    assert not FILES.holds([str(file)], FENCE)


def test_only_what_a_server_would_load_counts(tmp_path: Path) -> None:
    assert FILES.loaded(str(tmp_path / "absent")) == []
    (tmp_path / "appendonlydir").mkdir()
    (tmp_path / "dump.rdb").touch()
    assert FILES.loaded(str(tmp_path)) == []
    (tmp_path / "appendonly.aof").touch()
    assert FILES.loaded(str(tmp_path)) == [str(tmp_path / "appendonly.aof")]
    names = [
        "appendonly.aof.2.base.rdb",
        "appendonly.aof.2.incr.aof",
        "appendonly.aof.10.incr.aof",
        "appendonly.aof.1.incr.aof",
    ]
    for name in names:
        (tmp_path / "appendonlydir" / name).touch()
    (tmp_path / "appendonlydir/temp-appendonly.aof.manifest").write_text(
        "file appendonly.aof.1.incr.aof seq 1 type i\n"
    )
    (tmp_path / "appendonlydir/appendonly.aof.manifest").write_text(
        "file appendonly.aof.10.incr.aof seq 10 type i\nfile appendonly.aof.1.incr.aof seq 1 type h\n"
        "file appendonly.aof.2.incr.aof seq 2 type i\nfile appendonly.aof.2.base.rdb seq 2 type b\n"
    )
    assert [Path(path).name for path in FILES.loaded(str(tmp_path))] == names[:3]


def test_whose_data_a_folder_holds(tmp_path: Path) -> None:
    assert REPORT.redis_data(str(tmp_path / "absent")) == {"data": [], "ours": False, "cluster": ""}
    assert REPORT.cluster_of(str(tmp_path)) == ""
    (tmp_path / "cluster").write_text("plant-1\n")
    assert REPORT.redis_data(str(tmp_path))["cluster"] == "plant-1"
    (tmp_path / "node.json").write_text('{"format":2,"cluster":"plant-2","node":"n1","incarnation":"0"}\n')
    assert REPORT.cluster_of(str(tmp_path)) == "plant-2"
    for damaged in ("{", "[]", "7"):
        (tmp_path / "node.json").write_text(damaged)
        assert REPORT.cluster_of(str(tmp_path)) == ""


@pytest.mark.campaign
@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_a_run_is_refused_before_redis_is_started_on_it(controller: Controller, data: Data) -> None:
    controller.has_wheelhouse("wheelhouse", list(releases())[-1])
    role = controller.ansible / "roles/triarch_preflight/tasks/main.yml"
    role.write_text(role.read_text().replace("data: /var/lib/triarch", 'data: "{{ place }}"'))
    hosts = {f"n{number}": data.folder.parent / f"n{number}" for number in (1, 2, 3)}
    for place in hosts.values():
        place.mkdir()
    data.folder = hosts["n1"] / "redis"
    async with data.running() as redis:
        await execute(redis, "SET", "shop:1", "sold")
    (data.folder / "redis.conf").touch()
    data.folder = hosts["n2"] / "redis"
    async with data.running() as redis, streams_of(redis) as streams:
        await streams.fence((7, 41), "n2")
    (data.folder / "redis.conf").touch()
    (hosts["n3"] / "redis").mkdir()
    (hosts["n3"] / "redis/cluster").write_text("plant-2\n")
    variables = {"triarch_redis_port": free_port(), "ansible_python_interpreter": "/usr/bin/python3"}
    local = {name: {"place": str(place), "ansible_connection": "local"} for name, place in hosts.items()}
    (controller.ansible / "more.yml").write_text(yaml.safe_dump({"triarch": {"hosts": local, "vars": variables}}))
    inventories = ("--inventory", "inventories/production", "--inventory", "more.yml")
    for more in ([], ["--check", "--diff"]):
        said = controller.play(*inventories, *more, "site.yml")
        assert said.status == 2, said.out
        assert "PLAY [Deploy]" not in said.out
        assert "Refused, and nothing was changed" in said.out
        assert "n1: Redis is stopped, and would be started on data of something else" in said.words, said.out
        assert "n2: Redis is stopped, and would be started on frames of another cluster" in said.words, said.out
        assert "n3: /var/lib/triarch/redis holds data of the cluster plant-2, and this one is plant-1" in said.words
        assert re.search(r"n3: Redis is stopped", said.words) is None
    # A node that stood beside it tells whose frames they are.
    (hosts["n2"] / "node").mkdir()
    (hosts["n2"] / "node/node.json").write_text('{"format":2,"cluster":"plant-1","node":"n2","incarnation":"0"}')
    said = controller.play(*inventories, "preflight.yml")
    assert "n2: Redis is stopped" not in said.words, said.out
    assert "n1: Redis is stopped" in said.words, said.out
