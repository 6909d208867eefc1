"""Dead frames, lag, stories and what ends, over two shards of one real server."""

import pytest

from framebuffer.dead_letters import handle, handle_all, page
from framebuffer.errors import FrameUnknown, InvalidCursor
from framebuffer.following import cursor_of, follow, newest, positions_of
from framebuffer.inquiry import lags, trace
from framebuffer.keys import Keys
from framebuffer.shards import ShardedStreams, verify_shards
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame, Settlement
from tests.framebuffer.frames import EPOCH, NODE, table
from tests.support import eventually

pytestmark = pytest.mark.anyio

CAMERAS = ("a", "b", "c", "d", "e", "f")


@pytest.fixture
async def shards(streams: FrameStreams) -> ShardedStreams:
    """Six cameras, a frame of each taken by `w1` of its shard."""
    parts = [FrameStreams(streams.redis, Keys(f"frames{{{number}}}")) for number in range(2)]
    shards = ShardedStreams(parts)
    await shards.fence(EPOCH, NODE)
    for camera in CAMERAS:
        session = await shards.of_camera(camera).open_camera(camera)
        frame = OutgoingFrame(f"{camera}-0", 0, b"{}", b"jpeg", "face")
        assert await shards.of_camera(camera).publish(session, [frame]) == ["ok"]
    for part in parts:
        await part.dispatch(EPOCH, NODE, table(("w1", "face", 100)))
    return shards


async def end(shards: ShardedStreams, *, reason: str = "") -> None:
    """Settle everything, or let it die."""
    for part in shards.parts:
        taken = await part.take("w1", "c", count=100)
        settlements = [
            Settlement(frame.entry_id, "dead", reason=reason) if reason else Settlement(frame.entry_id, result=b"{}")
            for frame in taken
        ]
        await part.settle("w1", "c", settlements)


async def test_a_story_is_found_in_its_shard(shards: ShardedStreams) -> None:
    for camera in CAMERAS:
        assert (await trace(shards, f"{camera}:0")).waits[0].place == "ready:w1"
        assert (await trace(shards, f"{camera}-0")).camera_id == camera
    with pytest.raises(FrameUnknown):
        await trace(shards, "g:0")


async def test_places_name_their_shard(shards: ShardedStreams) -> None:
    rows = {row.place: row.length for row in await lags(shards)}
    assert set(rows) == {"0/capture", "0/ready:w1", "1/capture", "1/ready:w1"}
    assert rows["0/ready:w1"] + rows["1/ready:w1"] == len(CAMERAS)
    assert min(rows["0/ready:w1"], rows["1/ready:w1"]) > 0
    report = await verify_shards(shards, stuck_s=0.0001)
    assert (report.stuck, len(report.stuck_frames), report.ledger_ok) == (len(CAMERAS), len(CAMERAS), True)


async def test_dead_frames_page_by_page(shards: ShardedStreams) -> None:
    await end(shards, reason="poison")
    seen, cursor = [], ""
    while True:
        found = await page(shards, cursor=cursor, limit=2)
        seen += [frame.camera_id for frame in found.frames]
        if not (cursor := found.cursor):
            break
    assert sorted(seen) == list(CAMERAS)
    one = (await page(shards, camera="c")).frames[0]
    assert (await handle(shards, "replay", [one.entry_id])).done == 1
    for part in shards.parts:
        await part.dispatch(EPOCH, NODE, table(("w1", "face", 100)))
    assert (await trace(shards, "c:0")).status == "in_flight"
    # One pass reaches what was dead when it began.
    first = await handle_all(shards, "drop", limit=1, reason="pois")
    assert (first.done, bool(first.cursor)) == (1, True)
    for camera, reason in (("", ""), ("", "poison"), ("a", "pois")):
        with pytest.raises(InvalidCursor, match="other filters"):
            await handle_all(shards, "drop", cursor=first.cursor, camera=camera, reason=reason)
    await end(shards, reason="poisoned again")
    rest = await handle_all(shards, "drop", cursor=first.cursor, reason="pois")
    assert (rest.done, rest.cursor) == (len(CAMERAS) - 2, "")
    assert [frame.camera_id for frame in (await page(shards)).frames] == ["c"]
    wrong = ("*_1-0_1-0_01ba4719", "7/1-0_1-0_1-0_01ba4719", "1-0_1-0_1-0_01ba4719")
    for cursor in ("x", "1764-0", "0/1764-0_1-0", "0/1764-0_1-0_x", "0/1764-0_1-0_1-0", *wrong):
        with pytest.raises(InvalidCursor, match="is no position"):
            await page(shards, cursor=cursor)
    for entry in ("1764", "7/1764-0", "1764-0"):
        with pytest.raises(InvalidCursor, match=f"'{entry}' is no entry of a dead frame"):
            await handle(shards, "drop", [entry])


async def test_what_ends_in_any_shard_is_followed(shards: ShardedStreams) -> None:
    cursor = cursor_of(await newest(shards))
    assert await follow(shards, positions_of(cursor, 2), wait_s=0) == ([], positions_of(cursor, 2), {})
    await end(shards)
    seen: list[str] = []

    async def all_seen() -> bool:
        nonlocal cursor
        frames, after, _ = await follow(shards, positions_of(cursor, 2), limit=2, wait_s=0.5)
        cursor = cursor_of(after)
        seen.extend(frame.frame_id for frame in frames)
        return len(seen) == len(CAMERAS)

    await eventually(all_seen)
    assert sorted(seen) == [f"{camera}-0" for camera in CAMERAS]
    everything, _, _ = await follow(shards, positions_of("0", 2))
    assert {frame.entry_id.partition("/")[0] for frame in everything} == {"0", "1"}
    for text in ("", "1-0", "1-0_2-0_3-0", "1-0_2-0_3-0_4-0_5-0_x"):
        with pytest.raises(InvalidCursor):
            positions_of(text, 2)
