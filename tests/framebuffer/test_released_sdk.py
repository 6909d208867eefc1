"""Cameras and processors of the last release work on with this version's library: they are upgraded one by one."""

import asyncio
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from framebuffer.dispatcher import Dispatcher
from framebuffer.embedded import EmbeddedServer
from framebuffer.ledger import verify
from framebuffer.library import library
from framebuffer.streams import FrameStreams
from tests.framebuffer.frames import EPOCH, NODE, table
from tests.framebuffer.tiny_orchestrator import TinyOrchestrator
from tests.releases import must_hold, releases

ROOT = Path(__file__).parents[2]
FRAMES = 300

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("binary", ["valkey"], indirect=True)]


def released() -> list[str]:
    return [row["commit"] for row in releases().values() if row["commit"]]


@pytest.fixture
def sdk(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The package as git has it of that release, by itself."""
    must_hold(request.param)
    command = ["git", "-C", str(ROOT), "archive", request.param, "framebuffer"]
    archived = subprocess.run(command, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.mark.parametrize("sdk", released(), indirect=True)
async def test_the_sdk_of_a_release_works_on_this_library(
    sdk: Path, streams: FrameStreams, server: EmbeddedServer
) -> None:
    rows = table(("faces-1", "default", 32))
    leader = Dispatcher(streams, epoch=EPOCH, node_id=NODE, table=lambda: rows, direct=True)
    await streams.fence(EPOCH, NODE)
    dispatching = asyncio.create_task(leader.run())
    try:
        with TinyOrchestrator(server.url).running() as node:
            program = await asyncio.create_subprocess_exec(
                *(sys.executable, str(Path(__file__).with_name("released_sdk.py")), server.url, node.url, str(FRAMES)),
                env={**os.environ, "PYTHONPATH": str(sdk)},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            out, err = await program.communicate()
    finally:
        dispatching.cancel()
        await asyncio.wait({dispatching})
    assert program.returncode == 0, err.decode()
    assert Path(out.decode().strip()).is_relative_to(sdk), "another package was asked"
    found = await verify(streams)
    assert (found.published, found.settled, found.dead) == (FRAMES, FRAMES - 3, 3)
    assert (found.ledger_ok, found.problems) == (True, [])
    assert (await streams.ready()).library_revision == library().revision, "the older one is not put back"
