"""The results are read beside the ledger, through an outage of the server too."""

import json
from collections.abc import Sequence

import pytest

from framebuffer.connection import execute
from framebuffer.embedded import EmbeddedServer
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame, RoutingRow, RoutingTable, Settlement
from orchestrator.demo.watcher import ResultWatcher, document
from tests.support import eventually

pytestmark = pytest.mark.anyio

TABLE = RoutingTable(rows=(RoutingRow("p1", ("default",), 1_000),))


async def settle(streams: FrameStreams, camera_id: str, count: int) -> None:
    """Publish frames and settle each with a result that names one detection."""
    session = await streams.open_camera(camera_id)
    first = session.next_sequence
    frames = [OutgoingFrame(f"{camera_id}-{n}", n, b"{}") for n in range(first, first + count)]
    assert await streams.publish(session, frames) == ["ok"] * count
    await streams.fence((1, 1), "n1")
    while (await streams.dispatch((1, 1), "n1", TABLE)).more:
        pass
    taken = await streams.take("p1", "one", count=count)
    settlements = [
        Settlement(
            frame.entry_id,
            result=json.dumps(
                {
                    "camera_id": frame.camera_id,
                    "sequence": frame.sequence,
                    "result": {"kind": "faces", "detections": [{}]},
                }
            ).encode(),
        )
        for frame in taken
    ]
    assert await streams.settle("p1", "one", settlements) == ["settled"] * count


async def test_results_are_counted_as_they_come(server: EmbeddedServer, streams: FrameStreams) -> None:
    async with ResultWatcher(server.url) as watcher:
        await settle(streams, "cam1", 30)
        await eventually(lambda: watcher.tally.results == 30, deadline_s=10)
        await settle(streams, "cam2", 5)
        tally = await watcher.finish()
    assert (tally.frames, tally.duplicates, tally.detections) == (35, 0, 35)


async def test_an_outage_is_waited_out(server: EmbeddedServer, streams: FrameStreams) -> None:
    async with ResultWatcher(server.url) as watcher:
        await settle(streams, "cam1", 10)
        await eventually(lambda: watcher.tally.results == 10, deadline_s=10)
        await server.kill()
        await server.restart()
        await settle(streams, "cam1", 10)
        await eventually(lambda: watcher.tally.results == 20, deadline_s=10)
    assert watcher.tally.duplicates == 0


async def test_a_server_that_stalls_is_waited_out(server: EmbeddedServer, streams: FrameStreams) -> None:
    async with ResultWatcher(server.url) as watcher:
        watcher._redis.reply_s = 0.05
        await execute(streams.redis, "CLIENT", "PAUSE", 600, "ALL")  # longer than the watcher's pause between reads
        await settle(streams, "cam1", 10)
        await eventually(lambda: watcher.tally.results == 10, deadline_s=10)
    assert watcher.tally.duplicates == 0


@pytest.mark.parametrize(
    "result",
    [b"", b"{", b"[]", b"{}", b'{"camera_id": "cam2", "sequence": 3}', b'{"camera_id": "cam1", "sequence": 4}'],
)
def test_a_result_of_another_frame_than_it_says_is_not_read(result: bytes) -> None:
    assert document({b"frame": b"f cam1 3 default 0 0 1 1 -", b"result": result}) == {}


def test_a_result_without_a_frame_is_not_read() -> None:
    fields: Sequence[dict[bytes, bytes]] = [{}, {b"result": b"{}"}]
    assert [document(one) for one in fields] == [{}, {}]
