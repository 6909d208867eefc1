"""Leaders, the server and processors that are killed or stopped while frames flow."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from framebuffer.inquiry import trace
from orchestrator.dev.waiting import until
from tests.chaos.faults import Kill, Pause
from tests.chaos.frames.faults import PrimaryKill, Stopped, killed
from tests.chaos.frames.plant import MIXED_CAMERAS, MIXED_WORKERS, FramePlant
from tests.chaos.frames.verdict import Verdict
from tests.chaos.frames.worker import held

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]

RETURNED_S = 20.0
"""A dead processor is noticed by its heartbeats; then its queue goes back."""
SPECIAL = {"width": 8, "height": 8, "format": "raw"}
ROUTER = "tests.chaos.frames.routers:by_sequence"


def mixed(directory: Path, **frames: Any) -> FramePlant:
    """A plant whose frames ask for one, two or three capabilities and have several priorities."""
    return FramePlant(directory / "plant", cameras=MIXED_CAMERAS, workers=MIXED_WORKERS, frames=frames)


def assert_right(verdict: Verdict, told: str = "") -> None:
    """Nothing lost, and each settled frame with one result for each capability that it asks for: more than frames."""
    assert verdict.problems == [], told
    assert verdict.results > verdict.settled


@pytest.mark.parametrize("fault", [Kill, Pause])
async def test_a_leader_is_killed_or_stopped(tmp_path: Path, fault: type[Kill | Pause]) -> None:
    async with mixed(tmp_path) as plant:
        harm = fault(plant.nodes, leader=True)
        leader = await plant.nodes.current_leader(5)
        plant.expected_dead.add(leader.node_id)
        await harm.begin()
        await plant.moves()
        await harm.heal()
        plant.expected_dead.clear()
        await plant.moves()
        verdict = await plant.finish()
    assert_right(verdict, harm.happened())
    assert verdict.reigns >= 2  # and by the server's clock they did not overlap, says the verdict


async def test_the_server_is_killed_and_comes_back_from_its_file(tmp_path: Path) -> None:
    async with mixed(tmp_path) as plant:
        kill = PrimaryKill(plant)
        for _ in range(2):
            await kill.begin()
            await kill.heal()
            await plant.moves()
        verdict = await plant.finish()
    assert_right(verdict, kill.happened())


async def test_server_and_leader_are_killed_together(tmp_path: Path) -> None:
    """A router outside the server decides, the slow path: also the next leader's."""
    async with mixed(tmp_path, router=ROUTER) as plant:
        leader = await plant.nodes.current_leader(5)
        plant.expected_dead.add(leader.node_id)
        primary, node = PrimaryKill(plant), Kill(plant.nodes, leader=True)
        await asyncio.gather(primary.begin(), node.begin())
        await primary.heal()
        await plant.moves()
        await node.heal()
        plant.expected_dead.clear()
        await plant.moves()
        verdict = await plant.finish()
        end = plant.said("cam1")[0]["confirmed"]
        last = [await trace(plant.shards, f"cam1:{sequence}") for sequence in range(end - 10, end)]
        strategies = {step.strategy for story in last for step in story.steps if step.what == "dispatched"}
    assert_right(verdict, f"{primary.happened()}; {node.happened()}")
    assert "outside" in strategies  # where a busy machine makes it late, the strategy routes in its place


async def holder(plant: FramePlant, frame_id: str, count: int = 1) -> str:
    """The processor that has the frame in its hands: the `count`-th that got it. Raises NotReached."""
    file = held(plant.directory, frame_id)

    async def look() -> str | None:
        names = file.read_text(encoding="utf-8").split() if file.exists() else []
        return names[count - 1] if len(names) >= count else None

    return await until(look, seconds=RETURNED_S, what=f"processor {count} with {frame_id}")


async def test_a_processor_is_killed_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    """One stays away, and its frames go to the other; then the other is killed too and comes back by itself."""
    async with mixed(tmp_path) as plant:
        async with plant.producer("special") as special:
            first_frame = await special.publish(b"x", metadata={"detection_type": "echo", "act": "hold"}, **SPECIAL)
            first = await holder(plant, first_frame)
            await killed(plant, first)
            second = await holder(plant, first_frame, 2)  # it does not hold it: it settles it
            assert second != first
            await plant.moves()

            second_frame = await special.publish(b"x", metadata={"detection_type": "echo", "act": "hold"}, **SPECIAL)
            assert await holder(plant, second_frame) == second
            await killed(plant, second)
            await plant.restart(second)
            assert await holder(plant, second_frame, 2) == second
        await plant.restart(first)
        await plant.moves()
        verdict = await plant.finish()
    assert_right(verdict)
    assert verdict.settled == verdict.published


async def test_a_stopped_processor_loses_its_frames_and_settles_none_of_them_twice(tmp_path: Path) -> None:
    async with FramePlant(tmp_path / "plant") as plant:
        stop = Stopped("w1", plant.process("w1").pid)
        await stop.begin()
        await plant.moves()

        async def returned() -> bool:
            stats = await plant.stats()
            return stats is not None and ("w1" not in stats.ready or stats.ready["w1"].length == 0)

        await until(returned, seconds=RETURNED_S, what="the stopped processor's queue back in its lanes")
        await plant.moves()
        await stop.heal()
        await plant.moves(300)
        verdict = await plant.finish()
    assert verdict.problems == []


@pytest.mark.timeout(180)  # several interpreters start one after the other
async def test_a_poison_frame_dies_alone(tmp_path: Path) -> None:
    """It kills every processor that touches it, and each is started again, as a supervisor would."""
    async with FramePlant(tmp_path / "plant") as plant:
        deaths = 0

        async def keep_up(name: str) -> None:
            nonlocal deaths
            while True:
                status = await plant.process(name).wait(300)
                plant.expected_dead.add(name)
                assert status == -signal.SIGKILL, f"{name}: {status}"
                deaths += 1
                await plant.restart(name)

        async def buried() -> bool:
            stats = await plant.stats()
            return stats is not None and stats.cameras["special"].dead == 1

        async with asyncio.TaskGroup() as group:
            keepers = [group.create_task(keep_up(worker.id)) for worker in plant.workers]
            async with plant.producer("special") as special:
                metadata = {"detection_type": "echo", "act": "poison"}
                await special.publish(b"x", metadata=metadata, **SPECIAL)
            await until(buried, seconds=120, what="the poison frame among the dead")
            await plant.moves()
            for keeper in keepers:
                keeper.cancel()
        verdict = await plant.finish()
    assert verdict.problems == []
    assert (verdict.dead, verdict.dead_by_camera) == (1, {"special": 1})
    touched = msgspec.convert(held(plant.directory, "special-0").read_text(encoding="utf-8").split(), list[str])
    assert deaths == len(touched)
