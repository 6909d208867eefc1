"""The primary loses power behind a lagging link, and hands over as planned, while frames flow."""

import asyncio
import time
from pathlib import Path

import pytest

from framebuffer.embedded_cluster import EmbeddedCluster
from framebuffer.errors import NotDurable, RedisFailure
from framebuffer.sharding import share_of
from framebuffer.shards import ShardedStreams, verify_shards
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession
from tests.chaos.primary_failures import EPOCH, NODE, TABLE, drill
from tests.framebuffer.frames import frame
from tests.support import free_port

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(180)]


@pytest.fixture(autouse=True)
def no_processes_left() -> None:
    """In place of the one of all suites: the drill starts servers again, and ends all of them itself."""


async def test_no_acknowledged_frame_is_lost(tmp_path: Path) -> None:
    outcome = await drill(tmp_path, kills=2, failovers=1, lag_s=0.06, durability="majority")
    assert (outcome.lost, outcome.duplicates, outcome.problems) == (0, 0, [])
    assert outcome.accepted == outcome.acknowledged == outcome.published == outcome.settled
    assert outcome.rollbacks == 0
    assert max(outcome.kill_gaps_s) < 20  # a busy machine keeps it too


async def test_a_shard_outlives_its_primary(tmp_path: Path) -> None:
    """A cluster of three primaries with a replica each: one shard waits for its new primary, the others go on."""
    ports, bus = [free_port() for _ in range(6)], [free_port() for _ in range(6)]
    async with EmbeddedCluster(tmp_path, ports, bus=bus) as cluster:
        shards = ShardedStreams.connect(cluster.url)
        await shards.ready()
        await shards.fence(EPOCH, NODE)
        cameras = {f"cam{number}": shards.of_camera(f"cam{number}") for number in range(6)}
        sessions = {camera: await part.open_camera(camera) for camera, part in cameras.items()}
        for camera, part in cameras.items():
            for sequence in range(10):
                await _published(part, sessions[camera], sequence)
        at = await cluster.owner_of(0)
        await cluster.servers[at].kill()
        began = time.monotonic()
        for camera, part in cameras.items():
            for sequence in range(10, 20):
                await _published(part, sessions[camera], sequence, durability=0)
        assert time.monotonic() - began < 30
        moved = 0
        for number, part in enumerate(shards.parts):
            while (done := await part.dispatch(EPOCH, NODE, share_of(TABLE, number, 3), claim=True)).moved:
                moved += done.moved
        assert moved == 120
        ledger = await verify_shards(shards)
        assert (ledger.published, ledger.lost, ledger.ledger_ok) == (120, 0, True), ledger.problems
        await shards.aclose()


async def _published(part: FrameStreams, session: CameraSession, sequence: int, durability: int = 1) -> None:
    """As a producer does: again until the server has it."""
    async with asyncio.timeout(20):
        while True:
            try:
                statuses = await part.publish(session, [frame(sequence)], durability=durability)
                assert statuses[0] in ("ok", "duplicate")
                return
            except (RedisFailure, NotDurable):
                await asyncio.sleep(0.05)
