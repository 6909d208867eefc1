"""Who gets a frame is the plant's to say: `frames.strategy` and `frames.router`, as its frames and their story show."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from framebuffer.connection import connect
from framebuffer.producer import FrameProducer
from framebuffer.router import Candidate, RoutableFrame
from framebuffer.streams import FrameStreams
from tests.orchestrator.api_nodes import Nodes, serving
from tests.orchestrator.test_api_node import registration
from tests.support import eventually

pytestmark = pytest.mark.anyio

CAPACITIES = {"large": 90, "small": 10}
"""By load the large one would get nine of ten."""
EACH = 10
"""Frames of a camera: fewer than either processor has room for, so that it is never room that decides."""
CAMERAS = ("north", "south")
ROUTER = f"{__name__}:by_site"
IMAGE = {"width": 4, "height": 4, "format": "jpeg", "metadata": {"detection_type": "face_detection"}}


def by_site(frames: Sequence[RoutableFrame], processors: Sequence[Candidate]) -> list[str | None]:
    """A router of a plant's own: cameras of the south to the small one, all others to the large one."""
    assert {one.processor_id: one.capacity for one in processors} == CAPACITIES
    return ["small" if frame.camera_id == "south" else "large" for frame in frames]


async def _filmed(nodes: Nodes, cameras: Sequence[str]) -> dict[str, Counter[str]]:
    """Publish `EACH` frames of each camera, one camera after the other; which processors have them, by camera."""
    async with _streams(nodes) as streams:
        return await _given_out(nodes, streams, cameras)


@asynccontextmanager
async def _streams(nodes: Nodes) -> AsyncIterator[FrameStreams]:
    redis = connect(nodes.redis.url)
    streams = FrameStreams(redis)
    try:
        yield streams
    finally:
        await streams.aclose()
        await redis.aclose()


async def _given_out(nodes: Nodes, streams: FrameStreams, cameras: Sequence[str]) -> dict[str, Counter[str]]:
    settings = nodes.nodes[0].config.frames

    async def lent() -> bool:
        lent_table = await streams.redis.get(streams.keys.table) or b""
        return all(name.encode() in lent_table for name in CAPACITIES)

    if settings.direct and settings.router is None:  # else the server may still route by the table before
        await eventually(lent, deadline_s=10)
    found: dict[str, Counter[str]] = {camera: Counter() for camera in cameras}
    for camera in cameras:
        async with FrameProducer(camera, nodes.redis.url) as producer:
            for _ in range(EACH):
                await producer.publish(b"x", **IMAGE)

        async def taken(camera: str = camera) -> bool:
            for processor in CAPACITIES:
                for frame in await streams.take(processor, "c", count=100):
                    found[frame.camera_id][processor] += 1
            return found[camera].total() == EACH

        await eventually(taken, deadline_s=10)
    if not settings.direct:
        assert not await lent()
    return found


async def _registered(nodes: Nodes, name: str) -> bool:
    """False while nobody leads: a busy machine may have an election at any time."""
    body = registration(name, capacity=CAPACITIES[name])
    answer = await nodes.clients[0].post("/processors/register", json=body)
    assert answer.status_code in (201, 503), answer.text
    return answer.status_code == 201


async def _told(nodes: Nodes, frame: str) -> dict[str, Any]:
    """The step of a frame's story that says to whom it was given, by which strategy."""
    story = (await nodes.clients[0].get(f"/v1/frames/trace/{frame}")).json()
    (step,) = [step for step in story["steps"] if step["what"] == "dispatched"]
    return dict(step)


async def _given(directory: Path, **frames: Any) -> tuple[dict[str, Counter[str]], dict[str, dict[str, Any]]]:
    """A node with these settings: which processors have each camera's frames, and the story of the last of each."""
    async with serving(1, directory, frames={"heartbeat_timeout_s": 600, **frames}) as nodes:
        for name in CAPACITIES:
            await eventually(lambda name=name: _registered(nodes, name), deadline_s=10)  # type: ignore[misc]
        given = await _filmed(nodes, CAMERAS)
        return given, {camera: await _told(nodes, f"{camera}:{EACH - 1}") for camera in CAMERAS}


DIRECT = pytest.mark.parametrize("direct", [True, False], ids=["as they are published", "by the leader's calls"])


@DIRECT
async def test_each_in_turn(tmp_path: Path, direct: bool) -> None:
    given, told = await _given(tmp_path, strategy="round_robin", direct=direct)
    assert given == {camera: {"large": EACH // 2, "small": EACH // 2} for camera in CAMERAS}
    assert {step["strategy"] for step in told.values()} == {"round_robin"}


@DIRECT
async def test_those_of_a_camera_to_one(tmp_path: Path, direct: bool) -> None:
    given, told = await _given(tmp_path, strategy="affinity", direct=direct)
    homes = {camera: told[camera]["processor_id"] for camera in CAMERAS}
    assert given == {camera: {homes[camera]: EACH} for camera in CAMERAS}
    assert {step["strategy"] for step in told.values()} == {"affinity"}


async def test_by_load_where_nothing_is_set(tmp_path: Path) -> None:
    given, told = await _given(tmp_path)
    assert sum(given[camera]["small"] for camera in CAMERAS) <= EACH // 2
    assert {step["strategy"] for step in told.values()} == {"least_loaded"}


async def test_a_router_of_the_plant_decides(tmp_path: Path) -> None:
    given, told = await _given(tmp_path, router=ROUTER, strategy="round_robin")
    assert given == {"north": {"large": EACH}, "south": {"small": EACH}}
    assert {camera: step["processor_id"] for camera, step in told.items()} == {"north": "large", "south": "small"}
    assert {step["strategy"] for step in told.values()} == {"outside"}
