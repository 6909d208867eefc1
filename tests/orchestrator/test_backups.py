"""A backup is made of a plant that runs, proven, damaged, and brought back into an empty one."""

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from framebuffer.connection import connect
from framebuffer.streams import FrameStreams
from orchestrator.backups import manifest
from orchestrator.backups.bringing_back import unequal
from orchestrator.backups.manifest import FRAMES, MANIFEST, STATE, ManifestInvalid
from tests.command_line import triarch
from tests.framebuffer.frames import frame, frames, opened
from tests.orchestrator.api_nodes import PATIENT, serving
from tests.support import eventually

pytestmark = pytest.mark.anyio

NOTED = "the ledger was not in order when this backup was made: 1 frames are lost\n"
PUBLISHED = 12
OLD_EPOCH = (5000, 1)
CLUSTER = {"name": "line-4", **PATIENT}


@dataclass(frozen=True)
class Made:
    directory: Path
    said: dict[str, Any]


@pytest.fixture(scope="module")
async def made(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Made]:
    """Of a plant with a component, a variable, frames under way, one that is lost, and a leader of a high term."""
    plant, directory = tmp_path_factory.mktemp("plant"), tmp_path_factory.mktemp("backups") / "one"
    async with serving(1, plant, cluster=CLUSTER) as alone:
        client = alone.clients[0]
        await alone.leader()
        assert (await client.put("/v1/variables/speed", json={"value": 120})).status_code == 201
        answer = await client.post("/v1/components", json={"id": "press", "address": "http://127.0.0.1:9"})
        assert answer.status_code == 201, answer.text
        redis = connect(alone.redis.url)
        streams = FrameStreams(redis)
        await streams.ready()
        session = await opened(streams)
        await streams.publish(
            session, [*frames(0, PUBLISHED - 1), frame(PUBLISHED)]
        )  # one never arrives: lost for good
        await streams.fence(OLD_EPOCH, "old")
        await redis.aclose()
        code, out, err = await triarch(
            "backup", "make", directory, "--config", plant / "n1.yaml", "-o", "json", TRIARCH_URL=alone.urls[0]
        )
        assert code == 0, err
        yield Made(directory, json.loads(out))


async def verified(directory: Path, *options: str) -> tuple[int, str]:
    code, _, err = await triarch("backup", "verify", directory, *options)
    return code, err


def copy_of(made: Made, tmp_path: Path) -> Path:
    copy = tmp_path / "copy"
    shutil.copytree(made.directory, copy)
    return copy


async def test_what_was_made_is_proven_and_closed_to_others(made: Made) -> None:
    assert made.said["cluster"] == "line-4"
    assert made.said["frames"]["totals"]["published"] == made.said["frames"]["totals"]["in_flight"] == PUBLISHED
    assert (made.said["frames"]["totals"]["lost"], made.said["frames"]["problems"]) == (1, ["1 frames are lost"])
    assert sorted(file.name for file in made.directory.iterdir()) == sorted([MANIFEST, STATE, FRAMES])
    assert {file.stat().st_mode & 0o077 for file in [made.directory, *made.directory.iterdir()]} == {0}
    assert await verified(made.directory, "--cluster", "line-4") == (0, NOTED)
    code, _, err = await triarch("backup", "make", made.directory, "--config", made.directory / "none.yaml")
    assert (code, "none.yaml" in err) == (2, True)


@pytest.mark.parametrize("name", [STATE, FRAMES])
async def test_one_bit_is_found(made: Made, tmp_path: Path, name: str) -> None:
    copy = copy_of(made, tmp_path)
    data = bytearray((copy / name).read_bytes())
    data[len(data) // 2] ^= 1
    (copy / name).write_bytes(data)
    code, err = await verified(copy)
    assert (code, f"{name} is damaged" in err) == (1, True), err
    (copy / name).write_bytes(data[:-1])
    assert "bytes instead of" in (await verified(copy))[1]
    (copy / name).unlink()
    assert f"{name} is missing" in (await verified(copy))[1]


async def test_data_that_no_server_loads_are_found_though_the_checksum_fits(made: Made, tmp_path: Path) -> None:
    copy = copy_of(made, tmp_path)
    (copy / FRAMES).write_bytes(b"REDIS0010" + b"\xff" * 64)
    told = manifest.decode((copy / MANIFEST).read_bytes())
    from orchestrator.backups.proving import _file

    files = {**told.files, FRAMES: _file(copy / FRAMES)}
    (copy / MANIFEST).write_bytes(manifest.encode(msgspec.structs.replace(told, files=files)))
    assert (await verified(copy, "--quick"))[0] == 0, "nothing else can be wrong with it"
    code, err = await verified(copy)
    assert (code, "cannot be loaded" in err) == (1, True), err
    assert not (copy / ".proof").exists()


async def test_one_of_another_cluster_or_a_newer_release_is_refused(made: Made, tmp_path: Path) -> None:
    code, err = await verified(made.directory, "--cluster", "line-5", "--quick")
    assert (code, "of the cluster 'line-4', not of 'line-5'" in err) == (4, True), err
    assert await verified(made.directory, "--cluster", "line-5", "--adopt", "--quick") == (0, NOTED)
    copy = copy_of(made, tmp_path)
    told = manifest.decode((copy / MANIFEST).read_bytes())
    (copy / MANIFEST).write_bytes(manifest.encode(msgspec.structs.replace(told, version="99.0.0")))
    code, err = await verified(copy, "--quick")
    assert (code, "release 99.0.0 made it" in err) == (4, True), err
    state = msgspec.structs.replace(told.state, level=99)
    (copy / MANIFEST).write_bytes(manifest.encode(msgspec.structs.replace(told, state=state)))
    assert "its state uses level 99" in (await verified(copy, "--quick"))[1]


async def test_it_comes_back_in_an_empty_plant_and_ends_with_the_proof(made: Made, tmp_path: Path) -> None:
    async with serving(1, tmp_path, cluster=CLUSTER) as alone:
        await alone.redis.stop()
        data = tmp_path / "redis"
        code, _, err = await triarch("backup", "place", made.directory, data)
        assert (code, "holds data already" in err) == (4, True), err
        shutil.rmtree(data)
        data.mkdir()
        code, _, err = await triarch("backup", "place", made.directory, data)
        assert code == 0, err
        await alone.redis.start()
        await eventually(lambda: fenced(alone.clients[0]), deadline_s=15)
        arguments = ("backup", "restore", made.directory, "--config", tmp_path / "n1.yaml")
        code, _, err = await triarch(*arguments, TRIARCH_URL=alone.urls[0])
        assert (code, "Nothing was done" in err) == (2, True), err
        code, out, err = await triarch(*arguments, "--yes", "-o", "json", TRIARCH_URL=alone.urls[0])
        assert code == 0, err
        said = json.loads(out)
        assert said["digest"] == made.said["state"]["digest"]
        assert {name: said[name] for name in manifest.TOTALS} == made.said["frames"]["totals"]
        assert (await alone.clients[0].get("/v1/variables/speed")).json()["value"] == 120


async def test_a_ledger_that_is_worse_than_the_backups_is_not_equal(made: Made) -> None:
    told = manifest.decode((made.directory / MANIFEST).read_bytes())
    as_it_was = {**told.frames.totals, "ledger_ok": False, "problems": list(told.frames.problems)}
    assert unequal(told, digest=told.state.digest, ledger=as_it_was) == []
    worse = {**as_it_was, "lost": 2, "problems": ["2 frames are lost", "1 dead frames should be kept, 0 are"]}
    assert unequal(told, digest="other", ledger=worse) == [
        f"the state's digest is other, the backup has {told.state.digest}",
        "lost is 2, the backup has 1",
        "2 frames are lost",
        "1 dead frames should be kept, 0 are",
    ]


async def fenced(client: httpx.AsyncClient) -> bool:
    """The record of the old cluster's leader is in force."""
    return "fenced by epoch 5000.1" in (await client.get("/readyz")).text


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "cannot be read"),
        (b"[]", "its format is None"),
        (b'{"format": 2}', "this release knows 1"),
        (b'{"format": 1, "cluster": 5}', "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
    ],
)
def test_what_is_no_manifest_is_refused(data: bytes, said: str) -> None:
    with pytest.raises(ManifestInvalid, match=said):
        manifest.decode(data)
