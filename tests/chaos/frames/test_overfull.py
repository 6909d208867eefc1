"""A full, read-only or stopped server, a slow processor, and two producers of one camera."""

import asyncio
from pathlib import Path

import pytest

from framebuffer.connection import execute
from framebuffer.wire import Settlement
from orchestrator.dev.waiting import until
from tests.chaos.frames.faults import Outages, OutOfMemory, ReadOnly, Stopped
from tests.chaos.frames.plant import TWO_WORKERS, Cameras, FramePlant, Worker

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]


async def test_a_server_out_of_memory_refuses_new_frames_and_finishes_old_ones(tmp_path: Path) -> None:
    slow = Worker("w1", ("--work-ms", "4"))
    async with FramePlant(tmp_path / "plant", workers=[slow]) as plant:
        full = OutOfMemory(plant)
        await full.begin()
        await plant.drained()  # what it had is moved and settled although it is full
        refusals = await full.refusals()

        async def insists() -> bool:
            return await full.refusals() > refusals

        await until(insists, seconds=10, what="a producer that tries again")
        await full.heal()
        await plant.moves()
        verdict = await plant.finish()
    assert verdict.problems == []


async def test_a_server_that_is_read_only_or_stopped_is_waited_for(tmp_path: Path) -> None:
    async with FramePlant(tmp_path / "plant") as plant:
        leader = await plant.nodes.current_leader(5)
        for fault in (ReadOnly(plant), Stopped("server", plant.nodes.server.pid)):
            await plant.at_ease()
            outages = [Outages(plant.process(name)) for name in (leader.node_id, "cams-1", "cams-2")]
            await fault.begin()
            await asyncio.gather(*(one.felt() for one in outages))
            await fault.heal()
            await plant.every_camera_moves()
        verdict = await plant.finish()
    assert verdict.problems == []


async def test_a_slow_processor_holds_up_nobody_else(tmp_path: Path) -> None:
    """Its lane grows, frames of other capabilities pass it, and it is never given more than its capacity."""
    capacity, behind = 8, 100
    workers = [Worker("fast"), Worker("slow", ("--capabilities", "slow", "--work-ms", "20", "--capacity", "8"))]
    cameras = [Cameras("cams-1", ("cam1", "cam2"), 100.0, capabilities="echo,slow")]
    async with FramePlant(tmp_path / "plant", workers=workers, cameras=cameras) as plant:
        longest = 0

        async def backlog() -> bool:
            nonlocal longest
            stats = await plant.stats()
            if stats is None:
                return False
            longest = max(longest, stats.ready["slow"].length if "slow" in stats.ready else 0)
            waiting = stats.lanes.get("echo", 0) + stats.ready["fast"].length
            return stats.lanes.get("slow", 0) >= behind and waiting < behind / 2

        await until(backlog, seconds=20, what=f"{behind} frames that wait for the slow processor, few for the other")
        verdict = await plant.finish()
    assert verdict.problems == []
    assert 0 < longest <= capacity


async def test_the_older_of_two_producers_of_a_camera_stops(tmp_path: Path) -> None:
    async with FramePlant(tmp_path / "plant") as plant:
        await plant.start_cameras(Cameras("rival", ("cam1",)))

        async def superseded() -> bool:
            return b"another producer has opened it" in plant.process("cams-1").log.read_bytes()

        await until(superseded, seconds=10, what="word of the rival in the older one's log")
        await plant.moves(100)
        verdict = await plant.finish()
        ends = {name: plant.process(name).returncode for name in ("cams-1", "cams-2", "rival")}
    assert verdict.problems == []
    assert ends == {"cams-1": 1, "cams-2": 0, "rival": 0}


async def test_guests_that_misbehave_cost_no_frame(tmp_path: Path) -> None:
    """A capacity that is a lie, settlements of what was never taken, a foreign entry, a payload that is deleted."""
    liar = Worker("liar", ("--capacity", "100000", "--work-ms", "2"))
    async with FramePlant(tmp_path / "plant", workers=[*TWO_WORKERS, liar]) as plant:
        keys = plant.streams.keys
        async with plant.producer("special") as special:
            metadata = {"detection_type": "rare"}
            await special.publish(b"x" * 10_000, width=8, height=8, format="raw", metadata=metadata)
            await special.flush()
            await until(lambda: _lane(plant, "rare", 1), seconds=10, what="a frame that nobody can take, in its lane")
        assert await execute(plant.redis, "DEL", keys.payload("special", 0)) == 1
        await plant.redis.xadd(keys.capture, {"frame": "no frame"})
        never = [Settlement(f"{number}-0", result=b"{}") for number in range(1, 20)]
        assert set(await plant.streams.settle("w1", "rogue", never)) == {"not-owner"}
        await plant.moves()
        await plant.nodes.processes.start(plant.worker_program(Worker("late", ("--capabilities", "rare"))))
        await until(lambda: _lane(plant, "rare", 0), seconds=20, what="the rare frame taken by whoever came late")
        verdict = await plant.finish()
        (dead,) = await plant.streams.dead_list()
        assert await plant.redis.xlen(keys.malformed) == 1
    assert verdict.problems == []
    assert (verdict.dead_by_camera, dead.reason) == ({"special": 1}, "payload_missing")


async def _lane(plant: FramePlant, capability: str, count: int) -> bool:
    stats = await plant.stats()
    return stats is not None and stats.lanes.get(capability, 0) == count
