"""What a foreign client writes past the library, or gives it wrongly, costs no frame and stops nobody."""

from typing import Any

import msgspec
import pytest
from redis.asyncio import Redis

from framebuffer.connection import execute
from framebuffer.errors import RedisRefused
from framebuffer.ledger import verify
from framebuffer.streams import FrameStreams
from framebuffer.wire import TakenFrame
from tests.framebuffer.frames import EPOCH, NODE, entries, frames, opened, settle_all, table
from tests.support import eventually

pytestmark = pytest.mark.anyio

ONE = table(("p1", "default", 100))


HEAD = "foreign cam 7 default 0 0 1764000000000 1 -"


def entry(head: str | bytes = HEAD, **changed: str | bytes) -> list[str | bytes]:
    """The fields of an entry as publish writes it, some of them changed."""
    fields: dict[str, str | bytes] = {"frame": head, "event": "{}", "payload": "x", **changed}
    return [part for pair in fields.items() for part in pair]


def head(position: int, value: str) -> str:
    """The head with one of its parts changed."""
    parts = HEAD.split(" ")
    parts[position] = value
    return " ".join(parts)


MALFORMED: dict[str, list[str | bytes]] = {
    "one field": ["a", "b"],
    "half an entry": entry()[:4],
    "other names": ["x" if at % 2 == 0 else part for at, part in enumerate(entry())],
    "one field more": [*entry(), "more", "1"],
    "no frame id": entry(head(0, "")),
    "text for a sequence": entry(head(2, "abc")),
    "a fraction": entry(head(2, "1.5")),
    "negative": entry(head(2, "-5")),
    "an exponent": entry(head(2, "1e3")),
    "beyond exact numbers": entry(head(2, "9007199254740992")),
    "huge": entry(head(2, "9" * 400)),
    "attempts": entry(head(5, "many")),
    "priority": entry(head(4, "")),
    "a priority that does not exist": entry(head(4, "11")),
    "capability of no text": entry(HEAD.encode().replace(b"default", b"\xff")),
    "two capabilities in one part": entry(head(3, "a,b")),
    "frame id of no text": entry(HEAD.encode().replace(b"foreign", b"\xff")),
    "trace of no text": entry(HEAD.encode()[:-1] + b"\xff-01"),
    "camera of no text": entry(HEAD.encode().replace(b"cam", b"\xff")),
    "camera with the key of another": entry(head(1, "cam:published:0")),
    "the key of the fence as payload": [*entry()[:4], "ref", "frames:fence"],
}


@pytest.mark.parametrize("stream", ["capture", "lane:default", "ready:p1"])
async def test_malformed_entries_are_set_aside_and_the_frames_behind_them_go_on(
    streams: FrameStreams, redis: Redis, stream: str
) -> None:
    session = await opened(streams)
    for fields in MALFORMED.values():
        await execute(redis, "XADD", f"frames:{stream}", "*", *fields)
    await execute(redis, "SADD", "frames:lanes", "default")
    await streams.publish(session, frames(0, 5))
    await verify(streams)  # reads over them

    settled: list[str] = []
    for _ in range(4):
        await streams.dispatch(EPOCH, NODE, ONE, claim=True)
        settled += await settle_all(streams, "p1", await streams.take("p1", "c", count=50))

    assert settled == ["settled"] * 5
    aside: list[dict[bytes, bytes]] = await entries(redis, streams.keys.malformed)
    assert [fields[b"reason"] for fields in aside] == [b"malformed"] * len(MALFORMED)
    kept: Any = msgspec.msgpack.decode(aside[0][b"entry"])
    assert kept == ["a", "b"]
    report = await verify(streams)
    assert (report.ledger_ok, report.settled, report.problems) == (True, 5, [])
    assert (await streams.stats()).fence is not None


async def test_dispatch_says_how_many_were_set_aside(streams: FrameStreams, redis: Redis) -> None:
    await opened(streams)
    await execute(redis, "XADD", "frames:capture", "*", "a", "b")
    assert (await streams.dispatch(EPOCH, NODE, ONE)).malformed == 1
    assert (await streams.dispatch(EPOCH, NODE, ONE)).malformed == 0


async def test_a_count_of_parts_that_is_not_so_is_malformed(streams: FrameStreams, redis: Redis) -> None:
    await opened(streams)
    await execute(redis, "XADD", "frames:capture", "*", *entry(head(7, "3")))
    assert (await streams.dispatch(EPOCH, NODE, ONE)).malformed == 1


async def test_malformed_entries_do_not_return_to_a_lane(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 2))
    await streams.dispatch(EPOCH, NODE, ONE)
    await execute(redis, "XADD", "frames:ready:p1", "*", "a", "b")
    await streams.return_queue(EPOCH, "p1")
    stats = await streams.stats()
    assert (stats.lanes, stats.ready) == ({"default": 2}, {})
    assert len(await entries(redis, streams.keys.malformed)) == 1


async def test_a_frame_that_was_never_published_gets_no_result(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await execute(redis, "XADD", "frames:capture", "*", *entry())
    await streams.publish(session, frames(0, 2))
    await streams.dispatch(EPOCH, NODE, ONE)
    assert await settle_all(streams, "p1", await streams.take("p1", "c")) == ["not-owner", "settled", "settled"]
    (aside,) = await entries(redis, streams.keys.malformed)
    assert aside[b"reason"] == b"not_published"
    report = await verify(streams)
    assert (report.ledger_ok, report.settled, report.problems) == (True, 2, [])
    assert await streams.publish(session, frames(7, 8)) == ["ok"]  # its number is still free


async def test_half_a_frame_is_refused_before_anything_is_marked(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    whole = ("1", "f", "0", "default", "0", "", "{}", "x")
    for arguments in ((*whole, *whole[:7]), whole[:7]):
        with pytest.raises(RedisRefused, match="number of arguments"):
            await streams._call("publish", 100, 1, "cam", session.token, *arguments)
    assert (await streams.stats()).capture_len == 0
    with pytest.raises(RedisRefused, match="number of arguments"):
        await streams._call("settle", "p1", "c", 5, 100, "1-0", "ok")
    assert (await verify(streams)).ledger_ok
    assert await streams.publish(session, frames(0, 2)) == ["ok", "ok"]


async def test_names_that_are_no_text_are_refused(streams: FrameStreams) -> None:
    session = await opened(streams)
    odd: list[str | bytes] = ["1", b"\xff", "0", "default", "0", "", "{}", ""]
    odd += ["1", "f", "1", b"\xff", "0", "", "{}", "", "2", "f", "1", "default", "0", "", "{}", ""]
    statuses = await streams._call("publish", 100, 1, "cam", session.token, *odd)
    assert statuses == [b"0", b"refused:frame_id", b"refused:capability", b"superseded:"]
    with pytest.raises(RedisRefused, match="invalid camera"):
        await streams._call("open", b"\xff", "token", 64, -1)


async def test_a_trace_that_is_no_text_does_not_stop_the_processor(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams._call("publish", 100, 1, "cam", session.token, "1", "f", "0", "default", "0", b"\xff", "{}", "")
    await streams.dispatch(EPOCH, NODE, ONE)
    assert await settle_all(streams, "p1", await streams.take("p1", "c")) == ["settled"]


async def test_a_settle_that_fails_half_way_has_counted_what_it_settled(streams: FrameStreams, redis: Redis) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 2))
    await streams.dispatch(EPOCH, NODE, ONE)
    first, second = await streams.take("p1", "c")
    await execute(redis, "SET", "frames:results", "not a stream")
    with pytest.raises(RedisRefused, match="WRONGTYPE"):
        await streams._call("settle", "p1", "c", 5, 100, first.entry_id, "dead", "", second.entry_id, "ok", "{}")
    await execute(redis, "DEL", "frames:results")
    assert (await verify(streams)).ledger_ok
    assert await settle_all(streams, "p1", [first, second]) == ["not-owner", "settled"]
    assert (await verify(streams)).ledger_ok


@pytest.mark.parametrize("priority", [0, 3])
async def test_frames_whose_lane_is_no_lane_hold_up_nobody_behind_them(
    streams: FrameStreams, redis: Redis, priority: int
) -> None:
    """More of them than a pass looks at stand at the head of capture, and go on once that key is gone."""
    session, limit, number = await opened(streams), 4, 10
    faces = table(("p1", "face", 100))
    await execute(redis, "SET", f"frames:lane:default{':p3' if priority else ''}", "somebody's")
    stuck = [msgspec.structs.replace(one, priority=priority) for one in frames(0, number)]
    behind = [msgspec.structs.replace(one, priority=priority) for one in frames(number, 2 * number, "face")]
    assert await streams.publish(session, [*stuck, *behind]) == ["ok"] * 2 * number
    taken: list[TakenFrame] = []

    async def all_came() -> bool:
        await streams.dispatch(EPOCH, NODE, faces, limit=limit)
        taken.extend(await streams.take("p1", "c", count=limit))
        return len(taken) == number

    await eventually(all_came)
    assert [one.sequence for one in taken] == list(range(number, 2 * number))
    assert (await verify(streams)).lost == 0

    await execute(redis, "DEL", f"frames:lane:default{':p3' if priority else ''}")

    async def all_parked() -> bool:
        await streams.dispatch(EPOCH, NODE, faces, limit=limit)
        stats = await streams.stats()
        return (stats.capture_len, stats.lanes) == (0, {"default": number})

    await eventually(all_parked)
