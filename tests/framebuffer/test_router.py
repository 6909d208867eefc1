"""Routers outside the server: what they decide is done, what they get wrong costs no frame."""

import asyncio
import logging
import threading
from collections.abc import Iterator, Sequence

import pytest

from framebuffer.ledger import verify
from framebuffer.router import Candidate, InvalidRouter, RoutableFrame, RouterPass, load_router
from framebuffer.streams import FrameStreams
from framebuffer.wire import OutgoingFrame
from tests.framebuffer.frames import EPOCH, NODE, frame, frames, opened, settle_all, table
from tests.framebuffer.plant import Plant, register
from tests.framebuffer.test_dispatcher import leading
from tests.support import eventually

pytestmark = pytest.mark.anyio


@pytest.fixture
def plant(streams: FrameStreams) -> Plant:
    return Plant(streams)


ROWS = table(("p1", "default,face", 4), ("p2", "default", 3))


def odd_and_even(seen: Sequence[RoutableFrame], processors: Sequence[Candidate]) -> list[str | None]:
    return [("p1", "p2")[one.sequence % 2] if one.capability == "default" else None for one in seen]


async def test_frames_go_where_the_router_says(streams: FrameStreams) -> None:
    session = await opened(streams)
    both = OutgoingFrame("cam-6", 6, b"{}", capabilities=("face", "default"))
    await streams.publish(session, [*frames(0, 5), frame(5, "face"), both])
    at_work = RouterPass(streams, odd_and_even, epoch=EPOCH, node_id=NODE)
    report = await at_work.run(ROWS, 64)
    assert report is not None
    assert sorted(report.routed) == [("p1", "cam", 3), ("p2", "cam", 2)]
    assert (report.read, report.capture, report.outstanding) == (7, 0, 5)
    report = await at_work.run(ROWS, 64)  # the part of the frame for several; face waits, as the router says
    assert report is not None
    assert (report.routed, report.drained) == ([("p1", "cam", 1)], 1)
    assert (await streams.stats()).lanes == {"face": 2}
    assert [one.sequence for one in await streams.take("p1", "c")] == [0, 2, 4, 6]
    taken = await streams.take("p2", "c")
    assert [one.sequence for one in taken] == [1, 3]
    await settle_all(streams, "p2", taken)
    assert (await verify(streams)).ledger_ok


async def test_what_cannot_be_done_waits_and_what_is_wrong_is_said(
    streams: FrameStreams, caplog: pytest.LogCaptureFixture
) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 8))
    full = RouterPass(streams, lambda seen, _: ["p1"] * len(seen), epoch=EPOCH, node_id=NODE)
    report = await full.run(ROWS, 64)
    assert report is not None
    assert (report.routed, report.waiting, report.capture) == ([("p1", "cam", 4)], 4, 0)
    nobody = RouterPass(streams, lambda seen, _: ["gone"] * len(seen), epoch=EPOCH, node_id=NODE)
    report = await nobody.run(ROWS, 64)
    assert report is not None
    assert (report.routed, report.waiting) == ([], 4)
    for wrong in (
        lambda *_: ["p1"],
        lambda *_: [str(1 / 0)],
        lambda seen, processors: [processors[5].processor_id for _ in seen],
    ):
        caplog.clear()
        with caplog.at_level(logging.ERROR):
            assert await RouterPass(streams, wrong, epoch=EPOCH, node_id=NODE).run(ROWS, 64) is None
        assert "the built-in strategy routes instead" in caplog.text
    await streams.publish(session, [frame(8, "face")])
    unable = RouterPass(streams, lambda seen, _: ["p2"] * len(seen), epoch=EPOCH, node_id=NODE)
    assert await unable.run(ROWS, 64) is None
    assert "'p2' cannot do face" in caplog.text


async def test_one_that_does_not_return_holds_up_nobody(
    streams: FrameStreams, caplog: pytest.LogCaptureFixture
) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 4))
    returns = threading.Event()

    def slow(seen: Sequence[RoutableFrame], _: Sequence[Candidate]) -> list[str | None]:
        returns.wait(30)
        return ["p1"] * len(seen)

    at_work = RouterPass(streams, slow, epoch=EPOCH, node_id=NODE, limit_s=0.05)
    try:
        assert await at_work.run(ROWS, 64) is None  # the strategy is to route
        assert "did not return within 0.05 s" in caplog.text
        assert await at_work.run(ROWS, 64) is None  # at once, and no second call beside the first
    finally:
        returns.set()

    async def again() -> bool:
        report = await at_work.run(ROWS, 64)
        return report is not None and report.routed == [("p1", "cam", 4)]

    await eventually(again)


@pytest.mark.parametrize("step_by_step", [False, True], ids=["function", "generator"])
@pytest.mark.parametrize("error", [StopIteration("none free"), SystemExit(3), asyncio.CancelledError(), KeyError("p7")])
async def test_whatever_it_raises_costs_nothing(
    streams: FrameStreams, caplog: pytest.LogCaptureFixture, error: BaseException, step_by_step: bool
) -> None:
    """`next(p for p in processors if p.free)` raises StopIteration, which asyncio's futures would not take."""
    session = await opened(streams)
    await streams.publish(session, frames(0, 2))
    raises = [error]

    def now_and_then(seen: Sequence[RoutableFrame], _: Sequence[Candidate]) -> list[str | None]:
        if raises:
            raise raises.pop()
        return ["p1"] * len(seen)

    def one_by_one(seen: Sequence[RoutableFrame], candidates: Sequence[Candidate]) -> Iterator[str | None]:
        yield from now_and_then(seen, candidates)

    router = one_by_one if step_by_step else now_and_then
    at_work = RouterPass(streams, router, epoch=EPOCH, node_id=NODE)  # type: ignore[arg-type]
    assert await at_work.run(ROWS, 64) is None  # the strategy is to route
    assert type(error).__name__ in caplog.text
    report = await at_work.run(ROWS, 64)
    assert report is not None
    assert report.routed == [("p1", "cam", 2)]


async def test_frames_that_it_lets_wait_hold_up_no_others(streams: FrameStreams) -> None:
    """As many as it is shown at once wait: for nobody, by its own will, and for one that is full."""
    session = await opened(streams)
    rows = table(("p1", "default", 100), ("p2", "face", 100), ("p3", "full", 1))
    kinds = [*["ghost"] * 20, *["face"] * 40, *["full"] * 20, *["default"] * 30]
    await streams.publish(session, [frame(sequence, kind) for sequence, kind in enumerate(kinds)])
    homes = {"default": "p1", "full": "p3"}
    at_work = RouterPass(
        streams, lambda seen, _: [homes.get(one.capability) for one in seen], epoch=EPOCH, node_id=NODE
    )
    for _ in range(30):
        await at_work.run(rows, 8)
    await streams.publish(session, [frame(len(kinds)), frame(len(kinds) + 1, "full")])
    for _ in range(4):
        await at_work.run(rows, 8)
    taken = await streams.take("p1", "c", count=100)
    assert [one.sequence for one in taken] == [*range(80, 110), 110]
    await settle_all(streams, "p1", taken)
    assert [one.sequence for one in await streams.take("p3", "c")] == [60]
    stats = await streams.stats()
    assert (stats.capture_len, stats.lanes) == (0, {"ghost": 20, "face": 40, "full": 20})
    assert (await verify(streams)).ledger_ok


async def test_behind_a_long_lane_new_frames_wait_their_turn(streams: FrameStreams) -> None:
    session = await opened(streams)
    await streams.publish(session, frames(0, 30))
    at_work = RouterPass(streams, lambda seen, _: ["p1"] * len(seen), epoch=EPOCH, node_id=NODE)
    for _ in range(4):
        await at_work.run(table(), 8)
    await streams.publish(session, frames(30, 40))
    for _ in range(20):
        await at_work.run(table(("p1", "default", 100)), 8)
    assert [one.sequence for one in await streams.take("p1", "c", count=100)] == list(range(40))


async def test_a_leader_dispatches_by_it(plant: Plant) -> None:
    asked: list[int] = []

    def last(seen: Sequence[RoutableFrame], processors: Sequence[Candidate]) -> list[str | None]:
        asked.append(len(seen))
        if len(asked) % 3 == 2:
            raise RuntimeError("now and then")
        return [processors[-1].processor_id] * len(seen)

    async with leading(plant, router=last) as leader:
        register(leader.registry, "p1", capacity=100)
        register(leader.registry, "p2", capacity=100)
        for total in (20, 40, 60):
            await plant.publish(20)
            await eventually(lambda total=total: leader.moved == total, deadline_s=10)  # type: ignore[misc]
    assert asked
    stats = await plant.streams.stats()
    assert sum(queue.length for queue in stats.ready.values()) == 60
    assert stats.ready["p2"].length > stats.ready.get("p1", stats.ready["p2"]).length or "p1" not in stats.ready


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nothing", "module:name"),
        ("no_such_module_here:x", "no_such_module_here"),
        ("json:nothing", "nothing"),
        ("json:__name__", "cannot be called"),
    ],
)
def test_a_router_that_is_none_is_refused(name: str, reason: str) -> None:
    with pytest.raises(InvalidRouter, match=reason):
        load_router(name)
    assert load_router("tests.framebuffer.test_router:odd_and_even").__name__ == "odd_and_even"
