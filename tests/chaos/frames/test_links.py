"""The ways to the server harmed by a real Toxiproxy: the leader's, the cameras', the processors', and all at once."""

from pathlib import Path

import pytest

from orchestrator.demo import parts
from orchestrator.dev.waiting import until
from tests.chaos.frames.faults import HARMS, Outages, harm
from tests.chaos.frames.plant import FramePlant, Worker
from tests.chaos.toxiproxy import Toxiproxy
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.campaign, pytest.mark.timeout(120)]

LOST_REPLIES = 5


@pytest.mark.parametrize("kind", HARMS)
async def test_harm_to_a_link_loses_nothing(toxic: Toxiproxy, tmp_path: Path, kind: str) -> None:
    async with FramePlant(tmp_path / "plant", toxiproxy=toxic) as plant:
        leader = await plant.nodes.current_leader(5)
        for name in (leader.node_id, "cams-1", "w1"):
            await plant.at_ease()
            outages = Outages(plant.process(name))
            await harm(plant.links[name], kind)
            if HARMS[kind].hard:
                await outages.felt()
            if name != leader.node_id or not HARMS[kind].hard:
                await plant.moves(50)  # who is not harmed goes on
            await plant.links[name].heal()
            await plant.moves(50)
        await plant.at_ease()
        outages = Outages(plant.process("cams-2"))
        for link in plant.links.values():
            await HARMS[kind].do(link)
        if HARMS[kind].hard:
            await outages.felt()
        else:
            await plant.moves(50)
        for link in plant.links.values():
            await link.heal()
        await plant.moves(50)
        verdict = await plant.finish()
    assert verdict.problems == []


async def test_a_processor_that_no_node_hears_of_settles_nothing_twice(toxic: Toxiproxy, tmp_path: Path) -> None:
    """It works on while its frames are given to the other: whose result comes first is the one that counts."""
    slow = ("--work-ms", "5")
    async with FramePlant(
        tmp_path / "plant", toxiproxy=toxic, workers=[Worker("w1", slow), Worker("w2", slow)]
    ) as plant:
        await plant.moves()
        links = [link for name, link in plant.api_links.items() if name.startswith("w1-")]
        for link in links:
            await link.half_open()
        await until(lambda: _healthy(plant, "w1", False), seconds=20, what="w1 taken for dead")
        await plant.moves()
        for link in links:
            await link.heal()
        await until(lambda: _healthy(plant, "w1", True), seconds=20, what="w1 well again")
        await plant.moves()
        verdict = await plant.finish()
    assert verdict.problems == []


async def _healthy(plant: FramePlant, processor_id: str, healthy: bool) -> bool:
    rows = await parts.rows(plant.nodes, "/v1/processors")
    return any(row["id"] == processor_id and row["healthy"] is healthy for row in rows)


async def test_a_producer_repeats_what_it_was_never_answered(toxic: Toxiproxy, tmp_path: Path) -> None:
    """The server has the frames, the reply is cut: the repeat is recognised, and each frame is there once."""
    async with FramePlant(tmp_path / "plant", toxiproxy=toxic, more_links=["lossy"]) as plant:
        link = plant.links["lossy"]
        async with plant.producer("lossy", f"redis://{link.address}/0") as producer:
            for number in range(LOST_REPLIES):
                await producer.flush()  # its connection is open and at rest: the next request reaches the server
                await link.lose_replies()
                for _ in range(10):
                    await producer.publish(b"x", width=8, height=8, format="raw", metadata={"detection_type": "echo"})
                await eventually(lambda number=number: producer.counters.retries > number, deadline_s=30)  # type: ignore[misc]
                await link.heal()
        assert producer.counters.duplicates >= LOST_REPLIES
        verdict = await plant.finish()
    assert verdict.problems == []
    assert verdict.duplicate_publishes >= LOST_REPLIES
