"""A leader that is stopped, replaced, and resumed: it still believes that it leads, and the fence refuses it."""

import signal
from functools import partial

import pytest

from framebuffer.errors import Fenced
from framebuffer.wire import RoutingRow, RoutingTable
from orchestrator.dev.local import LocalPlant
from tests.chaos.faults import is_stopped
from tests.support import eventually
from tests.system.working import Echo, flowing

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]


async def test_a_resumed_leader_dispatches_nothing(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    pid = plant.node(first.node_id).pid
    async with flowing(plant.topology, Echo("echo-1", plant.topology)) as flow:
        plant.send(first.node_id, signal.SIGSTOP)
        await eventually(partial(is_stopped, pid), deadline_s=5)
        second = await plant.other_leader(first)
        await flow.moves()
        # What the stopped leader will call when it wakes, under its epoch: refused, and nothing moves.
        table = RoutingTable(rows=(RoutingRow("echo-1", ("echo",), 1000),))
        with pytest.raises(Fenced) as refusal:
            await flow.streams.dispatch(first.epoch, first.node_id, table)
        # On a busy machine somebody else may lead by now, under an epoch that is newer still.
        found = (refusal.value.current, refusal.value.node_id)
        assert found == (second.epoch, second.node_id) or refusal.value.current > second.epoch
        with pytest.raises(Fenced):
            await flow.streams.return_queue(first.epoch, "echo-1")
        with pytest.raises(Fenced):
            await flow.streams.fence(first.epoch, first.node_id)

        plant.send(first.node_id, signal.SIGCONT)
        await eventually(lambda: not is_stopped(pid), deadline_s=5)
        await plant.wait_ready(first.node_id)  # it knows by now that another leads
        assert (await plant.call("GET", "/leader", node_id=first.node_id)).status_code == 503
        await flow.moves()
        report = await flow.settled()
        stats = await flow.streams.stats()

    old = next(reign for reign in stats.leaders if reign.epoch == first.epoch)
    assert stats.fence is not None
    assert stats.fence.epoch >= second.epoch
    # By the server's own clock: the old leader's last frame left before the new one's first.
    assert old.frames > 0
    assert old.last_us < min(r.first_us for r in [*stats.leaders, stats.fence] if r.epoch > first.epoch and r.first_us)
    assert (report.published, report.settled, report.lost, report.duplicates) == (flow.published, flow.published, 0, 0)
    assert flow.seen == [("cam1", sequence) for sequence in range(flow.published)]


async def test_a_minority_leader_serves_and_changes_nothing(plant: LocalPlant) -> None:
    """Both followers are stopped: the leader must step down by itself, refuse writes, and recover when they return."""
    first = await plant.current_leader(5)
    others = [node.id for node in plant.topology.nodes if node.id != first.node_id]
    for node_id in others:
        plant.send(node_id, signal.SIGSTOP)
        await eventually(partial(is_stopped, plant.node(node_id).pid), deadline_s=5)

    async def stepped_down() -> bool:
        answer = await plant.ask(first.node_id, "/leader")
        return answer is not None and answer.status_code == 503

    await eventually(stepped_down, deadline_s=5)
    document = {"id": "press", "address": "http://127.0.0.1:9"}
    answer = await plant.call("POST", "/v1/components", json=document, node_id=first.node_id)
    assert answer.status_code == 503
    assert answer.json()["code"] == "no_leader"
    assert answer.headers["Retry-After"]
    for path in ("/v1/components?consistency=leader", "/v1/components?consistency=linearizable"):
        read = await plant.call("GET", path, node_id=first.node_id)
        assert read.status_code == 503, path

    for node_id in others:
        plant.send(node_id, signal.SIGCONT)
    await plant.wait_ready()
    listed = await plant.call("GET", "/v1/components")
    assert listed.json() == []  # what was refused was not done
