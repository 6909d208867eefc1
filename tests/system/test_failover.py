"""Three real nodes lose their leader while frames flow: another one goes on, and each frame has one result."""

import asyncio
import signal

import pytest

from framebuffer.wire import TakenFrame
from orchestrator.dev.local import LocalPlant
from tests.support import eventually
from tests.system.working import Echo, flowing

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]


async def test_no_frame_is_lost_or_done_twice_when_the_leader_is_killed(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    async with flowing(plant.topology, Echo("echo-1", plant.topology), Echo("echo-2", plant.topology)) as flow:
        assert await plant.kill(first.node_id) == -signal.SIGKILL
        second = await plant.other_leader(first)
        await flow.moves(100)
        report = await flow.settled()
        stats = await flow.streams.stats()

    assert second.node_id != first.node_id
    assert (report.published, report.settled, report.lost, report.duplicates) == (flow.published, flow.published, 0, 0)
    assert report.ledger_ok
    # Nobody is given a frame twice when only the leader dies: it holds none.
    assert flow.seen == [("cam1", sequence) for sequence in range(flow.published)]
    reigns = [*stats.leaders, stats.fence]
    # On a busy machine there may be one more election.
    assert {reign.node for reign in reigns if reign is not None and reign.frames} >= {first.node_id, second.node_id}


async def test_a_killed_node_comes_back_as_a_follower_with_the_state(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    document = {"id": "press", "address": "http://127.0.0.1:9"}
    assert (await plant.call("POST", "/v1/components", json=document)).status_code == 201
    await plant.kill(first.node_id)
    second = await plant.other_leader(first)

    await plant.restart(first.node_id)
    await plant.wait_ready(first.node_id)
    assert await plant.current_leader(5) == second  # coming back deposes nobody

    async def there() -> bool:
        answer = await plant.ask(first.node_id, "/v1/components/press?consistency=stale")
        return answer is not None and answer.status_code == 200

    await eventually(there, deadline_s=5)


async def test_acknowledged_changes_survive_the_death_of_all_nodes_at_once(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    names = [f"press-{number}" for number in range(20)]
    for name in names:
        document = {"id": name, "address": "http://127.0.0.1:9"}
        assert (await plant.call("POST", "/v1/components", json=document)).status_code == 201
    for node in plant.topology.nodes:
        assert await plant.kill(node.id) == -signal.SIGKILL
    for node in plant.topology.nodes:
        await plant.restart(node.id)
    second = await plant.wait_ready()
    assert second.epoch > first.epoch
    listed = await plant.call("GET", "/v1/components?consistency=linearizable")
    assert sorted(row["id"] for row in listed.json()) == sorted(names)


async def test_leadership_moves_on_demand_and_the_answer_names_the_new_epoch(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    to = next(node.id for node in plant.topology.nodes if node.id != first.node_id)
    answer = await plant.call("POST", "/v1/cluster/transfer", json={"to": to})
    assert answer.status_code == 200, answer.text
    assert answer.json()["leader"] == to
    second = await plant.other_leader(first)
    assert second.node_id == to
    assert answer.json()["epoch"] == f"{second.epoch[0]}.{second.epoch[1]}"


async def test_a_transfer_to_a_node_that_stands_still_already_fails_and_stays_undone(plant: LocalPlant) -> None:
    """It lacks the entry of the audit that says what is intended, so it is not asked to take over."""
    first = await plant.current_leader(5)
    to = next(node.id for node in plant.topology.nodes if node.id != first.node_id)
    plant.send(to, signal.SIGSTOP)
    try:
        answer = await plant.call("POST", "/v1/cluster/transfer", json={"to": to}, node_id=first.node_id)
        assert (answer.status_code, answer.json()["code"]) == (409, "transfer_failed"), answer.text
    finally:
        plant.send(to, signal.SIGCONT)
    await plant.wait_ready()
    assert await plant.current_leader(5) == first


async def test_a_leader_that_is_told_to_stop_hands_over_first(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    assert await plant.node(first.node_id).stop() == 0
    second = await plant.other_leader(first)
    assert second.node_id != first.node_id
    assert f"leadership is handed over: epoch {second.epoch[0]}.{second.epoch[1]}" in plant.node(first.node_id).tail()


async def test_the_server_dies_and_comes_back_from_its_log_with_nothing_lost(plant: LocalPlant) -> None:
    async with flowing(plant.topology, Echo("echo-1", plant.topology)) as flow:
        pid = plant.server.pid
        await plant.server.kill()
        assert plant.server.pid is None
        any_node = plant.topology.nodes[0].id

        async def unready() -> bool:
            answer = await plant.ask(any_node, "/readyz")
            return answer is not None and answer.status_code == 503 and "Redis" in answer.text

        await eventually(unready, deadline_s=10)
        await plant.server.restart()
        assert plant.server.pid not in (None, pid)
        await flow.moves()
        report = await flow.settled()
    assert (report.published, report.settled, report.lost, report.duplicates) == (flow.published, flow.published, 0, 0)
    assert report.ledger_ok


async def test_frames_of_a_processor_that_dies_go_to_another(plant: LocalPlant) -> None:
    stuck = _Stuck("echo-1", plant.topology, capacity=8)
    dying = asyncio.create_task(stuck.start())
    rescuer = Echo("echo-2", plant.topology)
    async with flowing(plant.topology, rescuer) as flow:
        await eventually(lambda: len(stuck.seen) > 0, deadline_s=20)
        dying.cancel()  # as a crash: no goodbye, its frames stay in its queue
        await asyncio.wait({dying})
        assert (await flow.streams.stats()).ready["echo-1"].length > 0
        await eventually(lambda: set(stuck.seen) <= set(rescuer.seen), deadline_s=30)
        report = await flow.settled()
    assert (report.settled, report.lost, report.duplicates) == (flow.published, 0, 0)
    assert flow.seen == [("cam1", sequence) for sequence in range(flow.published)]


class _Stuck(Echo):
    """Takes frames and never finishes one."""

    async def process_frame(self, frame: TakenFrame) -> dict[str, int]:
        self.seen.append((frame.camera_id, frame.sequence))
        await asyncio.Event().wait()
        return {}
