"""While every processor is full frames stay in capture, but for those that none of them could ever take."""

import pytest

from framebuffer.inquiry import trace
from framebuffer.ledger import verify
from framebuffer.shards import ShardedStreams
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame
from tests.framebuffer.frames import EPOCH, NODE, frame, frames, opened, settle_all, table

pytestmark = pytest.mark.anyio

FULL = table(("p1", "default", 2))


async def test_what_nobody_offers_goes_to_its_lane(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, [*frames(0, 3), frame(3, "unknown"), frame(4), frame(5, "unknown")])
    await streams.dispatch(EPOCH, NODE, FULL, limit=2)
    report = await streams.dispatch(EPOCH, NODE, FULL)
    assert (report.moved, report.capture, report.unserved) == (0, 2, {"unknown": 2})
    assert [one.sequence for one in await streams.scan("capture")] == [2, 4]
    assert [one.sequence for one in await streams.scan("lane:unknown")] == [3, 5]
    # It is looked at once; what comes later is looked at as well.
    await streams.publish(session, [frame(6, "unknown")])
    assert (await streams.dispatch(EPOCH, NODE, FULL)).unserved == {"unknown": 3}
    assert (await verify(streams)).ledger_ok


async def test_a_frame_for_several_is_split_when_one_has_room(streams: FrameStreams) -> None:
    """Not before: its other part would overtake what waits in capture for the same processors."""
    session = await opened(streams)
    several = OutgoingFrame("cam-3", 3, b"{}", capabilities=("default", "unknown"))
    await streams.publish(session, [*frames(0, 3), several, frame(4)])
    await streams.dispatch(EPOCH, NODE, FULL, limit=2)
    for _ in range(3):
        report = await streams.dispatch(EPOCH, NODE, FULL)
        assert (report.moved, report.capture, report.unserved) == (0, 3, {})
    story = await trace(ShardedStreams([streams]), "cam:3")
    assert [(wait.place, wait.capability) for wait in story.waits] == [("capture", "default,unknown")]

    (first,) = await streams.take("p1", "c", count=1)
    await settle_all(streams, "p1", [first])
    report = await streams.dispatch(EPOCH, NODE, FULL)
    assert (report.moved, report.unserved) == (1, {"unknown": 1})
    order = [first.sequence]
    while taken := await streams.take("p1", "c", count=1):
        await settle_all(streams, "p1", taken)
        order += [one.sequence for one in taken]
        await streams.dispatch(EPOCH, NODE, FULL)
    assert order == [0, 1, 2, 3, 4]
    ledger = await verify(streams)
    assert (ledger.settled, ledger.in_flight, ledger.problems) == (4, 1, [])
