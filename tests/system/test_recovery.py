"""A disk is lost: the node is replaced. Two of three are lost: the third is recovered, and another one joins."""

import json
import shutil
import signal
from dataclasses import replace

import pytest
import yaml

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.ports import free_ports
from orchestrator.dev.topology import NodePlace
from tests.command_line import triarch
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


async def registered(plant: LocalPlant, api: str, consistency: str) -> list[str]:
    answer = await plant.http.get(f"{api}/v1/components?consistency={consistency}")
    return sorted(row["id"] for row in answer.json()) if answer.status_code == 200 else []


def newcomer(plant: LocalPlant, node_id: str, beside: NodePlace) -> NodePlace:
    """Configured to join, with a directory of its own."""
    api_port, raft_port = free_ports(2)
    place = NodePlace(id=node_id, api_port=api_port, raft_port=raft_port, directory=plant.topology.directory / "nodes")
    tree = replace(plant.topology, nodes=(beside, place)).config(place)
    tree["cluster"]["join"] = True
    place.config.write_text(yaml.safe_dump(tree))
    return place


async def test_a_node_whose_disk_is_lost_is_replaced(plant: LocalPlant) -> None:
    leader = await plant.current_leader(10)
    lost = next(node for node in plant.topology.nodes if node.id != leader.node_id)
    others = [node for node in plant.topology.nodes if node.id != lost.id]
    await plant.kill(lost.id)
    shutil.rmtree(plant.topology.config(lost)["node"]["data_dir"])
    await plant.restart(lost.id)

    async def refused() -> bool:
        answer = await plant.ask(lost.id, "/readyz")
        return answer is not None and answer.status_code == 503 and len(answer.json()["refusals"]) == len(others)

    await eventually(refused, deadline_s=20)
    assert await plant.current_leader(5) == leader  # it deposes nobody
    env = {"TRIARCH_URL": ",".join(node.api for node in plant.topology.nodes)}  # the refused one among them
    code, out, _ = await triarch("cluster", "status", **env)
    assert code == 8
    assert f"{others[0].id} refuses this node: {lost.id} comes with another data directory" in out
    await plant.kill(lost.id)
    code, _, err = await triarch("cluster", "remove", lost.id, **env)
    assert code == 0, err

    place = newcomer(plant, "n4", others[0])
    [joined] = await plant.processes.start(plant.topology.node_program(place))
    code, _, err = await triarch("cluster", "add", "n4", "--raft", place.raft, "--api", place.api, **env)
    assert code == 0, f"{err}\n{joined.tail()}"

    async def whole() -> bool:
        code, out, _ = await triarch("cluster", "status", "-o", "json", **env)
        ids = {row["id"] for row in json.loads(out)["members"]}
        return code == 0 and ids == {others[0].id, others[1].id, "n4"}

    await eventually(whole, deadline_s=20)
    # It counts: with one of the old ones gone, it is the majority's other half.
    gone = next(node for node in others if node.id != leader.node_id)
    await plant.kill(gone.id)
    document = {"id": "press", "address": "http://127.0.0.1:9"}

    async def taken() -> bool:
        answer = await plant.call("POST", "/v1/components", json=document, node_id=leader.node_id)
        return answer.status_code == 201

    await eventually(taken, deadline_s=10)


async def test_one_survivor_goes_on_and_another_joins(plant: LocalPlant) -> None:
    names = sorted(f"press-{number}" for number in range(10))
    for name in names:
        document = {"id": name, "address": "http://127.0.0.1:9"}
        assert (await plant.call("POST", "/v1/components", json=document)).status_code == 201
    survivor, *lost = plant.topology.nodes

    async def has_all() -> bool:  # what had not reached it would be lost, as the command says
        return await registered(plant, survivor.api, "stale") == names

    await eventually(has_all, deadline_s=10)
    before = await plant.current_leader(10)
    for node in lost:
        assert await plant.kill(node.id) == -signal.SIGKILL
    command = ("cluster", "recover", "--config", survivor.config)
    code, _, err = await triarch(*command, "--yes")
    assert code == 5, err
    assert "data_dir_in_use" in err
    assert await plant.node(survivor.id).stop() == 0

    code, out, err = await triarch(*command, "-o", "json")
    assert code == 2, err
    found = json.loads(out)
    assert [member["id"] for member in found["members"]] == ["n1", "n2", "n3"]
    assert found["last_index"] > len(names)
    for said in ("may be lost", f"last_index {found['last_index']}", "n2, n3", "greater last_term wins", "Nothing was"):
        assert said in err
    code, out, err = await triarch(*command, "--yes", "-o", "json")
    assert code == 0, err
    assert json.loads(out) == found  # looking had changed nothing; what is shown is what was
    assert "only member" in err

    await plant.restart(survivor.id)
    after = await plant.wait_ready(survivor.id)  # Redis takes its epoch: no fence is in the way
    assert (after.node_id, after.epoch > before.epoch) == (survivor.id, True)
    assert await registered(plant, survivor.api, "linearizable") == names

    place = newcomer(plant, "n4", survivor)
    [joined] = await plant.processes.start(plant.topology.node_program(place))
    adding = ("cluster", "add", "n4", "--raft", place.raft, "--api", place.api, "--url", survivor.api)
    code, out, err = await triarch(*adding, "-o", "json")
    assert code == 0, f"{err}\n{joined.tail()}"
    assert json.loads(out)["voter"] is True

    async def caught_up() -> bool:
        return await registered(plant, place.api, "stale") == names

    await eventually(caught_up, deadline_s=15)
    late = {"id": "press-late", "address": "http://127.0.0.1:9"}
    assert (await plant.http.post(f"{place.api}/v1/components", json=late, timeout=10)).status_code == 201
    code, out, err = await triarch("cluster", "status", "--url", survivor.api, "-o", "json")
    status = json.loads(out)
    assert (code, status["healthy"], [row["id"] for row in status["members"]]) == (0, True, ["n1", "n4"]), err

    # One that was lost comes back with its old data, against all advice: it is refused, and says so.
    await plant.restart("n2")
    old = plant.topology.node("n2")

    async def refused() -> bool:
        answer = await plant.ask("n2", "/readyz")
        return answer is not None and answer.status_code == 503 and survivor.id in answer.json()["refusals"]

    await eventually(refused, deadline_s=20)
    code, out, err = await triarch("cluster", "status", "--url", old.api)
    assert code == 8, err
    assert f"{survivor.id} refuses this node" in out
    assert await plant.current_leader(5) == after
