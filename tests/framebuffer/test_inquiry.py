"""A frame's story as a real server tells it: wherever the frame is, and whatever became of it."""

import pytest

from framebuffer.errors import FrameUnknown
from framebuffer.inquiry import lag
from framebuffer.inquiry import trace as traced
from framebuffer.shards import ShardedStreams
from framebuffer.story import FrameStory
from framebuffer.streams import FrameStreams
from framebuffer.wire import CameraSession, Given, OutgoingFrame, Settlement
from tests.framebuffer.frames import EPOCH, NODE, opened, table

pytestmark = pytest.mark.anyio

TABLE = table(("w1", "face,plate", 4), ("w2", "face", 8))


def frame(sequence: int, *, frame_id: str = "", priority: int = 0, capabilities: tuple[str, ...] = ()) -> OutgoingFrame:
    name = frame_id or f"cam-{sequence}"
    return OutgoingFrame(name, sequence, b"{}", b"jpeg", "face", priority, capabilities=capabilities)


async def trace(streams: FrameStreams, frame: str) -> FrameStory:
    return await traced(ShardedStreams([streams]), frame)


async def dispatch(streams: FrameStreams) -> None:
    await streams.dispatch(EPOCH, NODE, TABLE)


async def settled(streams: FrameStreams, processor: str, *settlements: Settlement) -> None:
    await streams.settle(processor, "c", settlements)


def whats(story: FrameStory) -> list[str]:
    return [step.what for step in story.steps]


@pytest.fixture
async def camera(streams: FrameStreams) -> CameraSession:
    return await opened(streams)


async def test_from_capture_to_its_result(streams: FrameStreams, camera: CameraSession) -> None:
    await streams.publish(camera, [frame(0, priority=4), frame(1)])
    story = await trace(streams, "cam-0")
    assert (story.status, story.priority, whats(story)) == ("in_flight", 4, ["received"])
    assert [wait.place for wait in story.waits] == ["capture:p4"]

    await dispatch(streams)
    story = await trace(streams, "cam:0")
    assert whats(story) == ["received", "dispatched"]
    step = story.steps[1]
    assert (step.node, step.epoch, step.strategy) == (NODE, f"{EPOCH[0]}.{EPOCH[1]}", "least_loaded")
    assert {one["processor_id"]: one["capacity"] for one in step.candidates} == {"w1": 4, "w2": 8}
    (wait,) = story.waits
    assert (wait.place, wait.consumer) == (f"ready:{step.processor_id}:p4", "")

    (taken,) = await streams.take(step.processor_id, "c", count=1)
    (wait,) = (await trace(streams, "cam-0")).waits
    assert wait.consumer == "c"

    await settled(streams, step.processor_id, Settlement(taken.entry_id, result=b'{"result": {"faces": 1}}'))
    story = await trace(streams, "cam-0")
    assert (story.status, whats(story), story.waits) == ("settled", ["received", "dispatched", "settled"], ())
    assert story.steps[-1].result == {"result": {"faces": 1}}
    assert story.unkept == ()


async def test_attempts_death_and_replay(streams: FrameStreams, camera: CameraSession) -> None:
    streams.max_attempts = 2
    await streams.publish(camera, [frame(0, frame_id="odd/name:1")])
    for reason in ("first", "second"):
        await dispatch(streams)
        story = await trace(streams, "odd/name:1")
        processor = story.steps[-1].processor_id
        (taken,) = await streams.take(processor, "c")
        await settled(streams, processor, Settlement(taken.entry_id, "error", reason=reason))
    story = await trace(streams, "odd/name:1")
    assert (story.status, whats(story)) == ("dead", ["received", "dispatched", "retry", "dispatched", "dead"])
    assert [step.reason for step in story.steps if step.what in ("retry", "dead")] == ["first", "second"]
    (dead,) = await streams.dead_list()
    assert await streams.dead_replay([dead.entry_id]) == ["replayed"]
    story = await trace(streams, "cam:0")
    assert (story.status, story.waits[0].place, whats(story)[-1]) == ("in_flight", "lane:face", "replayed")


async def test_each_part_of_a_frame(streams: FrameStreams, camera: CameraSession) -> None:
    await streams.publish(camera, [frame(0, capabilities=("face", "plate"))])
    await dispatch(streams)
    (plate,) = [one for one in await streams.take("w1", "c") if one.capability == "plate"]
    await settled(streams, "w1", Settlement(plate.entry_id, "dead", reason="no plate"))
    story = await trace(streams, "cam-0")
    assert (story.status, story.capability, story.parts) == ("in_flight", "face,plate", 2)
    assert [(step.what, step.capability) for step in story.steps if step.what != "received"] == [
        ("dispatched", "face"),
        ("dispatched", "plate"),
        ("dead", "plate"),
    ]
    assert [wait.capability for wait in story.waits] == ["face"]


async def test_dropped_lost_and_unknown(streams: FrameStreams, camera: CameraSession) -> None:
    await streams.drop(camera, [Given("cam-0", 0, "freshest")])
    await streams.publish(camera, [frame(2)])
    dropped = await trace(streams, "cam-0")
    assert (dropped.status, dropped.steps[0].reason) == ("dropped", "freshest")
    never = await trace(streams, "cam:1")
    assert (never.status, never.steps) == ("lost", ())
    await streams.redis.delete(streams.keys.capture)  # what a failover can do
    assert (await trace(streams, "cam:2")).status == "lost"
    for name in ("cam:3", "other:0", "odd"):
        with pytest.raises(FrameUnknown):
            await trace(streams, name)


async def test_what_is_no_longer_kept_is_said(streams: FrameStreams, camera: CameraSession) -> None:
    await streams.publish(camera, [frame(0)])
    await dispatch(streams)
    for processor in ("w1", "w2"):
        for taken in await streams.take(processor, "c"):
            await settled(streams, processor, Settlement(taken.entry_id, result=b"{}"))
    for key in (streams.keys.results, streams.keys.story):
        await streams.redis.xtrim(key, maxlen=0)
    story = await trace(streams, "cam-0")
    assert (story.status, story.frame_id, story.steps) == ("ended", None, ())
    assert len(story.unkept) == 2


async def test_a_router_outside_the_server_is_named(streams: FrameStreams, camera: CameraSession) -> None:
    await streams.publish(camera, [frame(0)])
    (waiting,) = await streams.peek(EPOCH, NODE)
    assert await streams.place(EPOCH, NODE, TABLE, [(waiting, "w2")]) == ["placed"]
    step = (await trace(streams, "cam-0")).steps[-1]
    assert (step.what, step.processor_id, step.strategy, step.outstanding) == ("dispatched", "w2", "outside", 0)


async def test_lag(streams: FrameStreams, camera: CameraSession) -> None:
    await streams.publish(camera, [frame(sequence) for sequence in range(3)])
    (capture,) = lag(await streams.stats())
    assert (capture.place, capture.length) == ("capture", 3)
    assert capture.oldest_s is not None
    await dispatch(streams)
    await streams.take("w1", "c", count=1)
    rows = {row.place: row for row in lag(await streams.stats())}
    assert rows["ready:w1"].length + rows["ready:w2"].length == 3
    assert (rows["ready:w1"].pending, rows["ready:w2"].pending, rows["capture"].oldest_s) == (1, 0, None)
