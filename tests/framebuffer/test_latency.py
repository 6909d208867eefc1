"""How long frames took, from the results on a real server."""

import pytest

from framebuffer.latency import latency
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import Settlement
from tests.framebuffer.frames import EPOCH, NODE, frames, opened, table

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("number", "size", "samples_max", "looked_at"),
    [
        pytest.param(4, 10, 200, 4, id="few"),
        pytest.param(40, 10, 200, 40, id="all"),
        pytest.param(40, 10, 25, 25, id="the newest"),
        pytest.param(40, 10, 5, 5, id="fewer than the first look"),
        pytest.param(20, 200_000, 200, 15, id="so large that a megabyte is few"),
    ],
)
async def test_a_look_is_bounded(
    streams: FrameStreams, number: int, size: int, samples_max: int, looked_at: int
) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, number))
    await streams.dispatch(EPOCH, NODE, table(("p1", "default", 100)))
    taken = await streams.take("p1", "c", count=number)
    await streams.settle("p1", "c", [Settlement(one.entry_id, result=b"x" * size) for one in taken])
    found = await latency(ShardedStreams((streams,)), window_s=60.0, samples_max=samples_max)
    assert found.results == looked_at
    assert found.complete is (looked_at == number)
    assert found.p50_ms is not None
