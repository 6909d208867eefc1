"""What an operator gets wrong: a clear sentence, an exit code of its own, and nothing done."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import Topology, on_free_ports
from tests.command_line import triarch
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    """Configured, and not running."""
    found = on_free_ports(tmp_path / "plant")
    found.write()
    return found


def changed(topology: Topology, node: str, section: str, **values: Any) -> Path:
    """The configuration of a node with some settings changed, in a file of its own."""
    place = topology.node(node)
    tree = topology.config(place)
    tree.setdefault(section, {}).update(values)
    path = place.config.with_suffix(".changed.yaml")
    path.write_text(yaml.safe_dump(tree))
    return path


async def test_an_unknown_setting_is_named_with_its_line(topology: Topology) -> None:
    path = changed(topology, "n1", "cluster", hartbeat_s=0.05)
    line = next(at for at, text in enumerate(path.read_text().splitlines(), 1) if "hartbeat_s" in text)
    code, _, err = await triarch("node", "--config", path)
    assert code == 2
    assert f"{path}:{line}" in err
    assert "hartbeat_s" in err
    assert "heartbeat_s" in err  # what was meant


async def test_settings_that_contradict_each_other_are_refused_together(topology: Topology) -> None:
    path = changed(topology, "n1", "cluster", election_min_s=0.1, election_max_s=0.05, secret="s", secret_file="f")
    code, _, err = await triarch("node", "--config", path)
    assert code == 2
    assert "election" in err
    assert "secret_file" in err


async def test_beyond_loopback_without_secrets_a_node_refuses_to_start(topology: Topology) -> None:
    code, _, err = await triarch("node", "--config", changed(topology, "n1", "cluster", raft_bind="0.0.0.0:7101"))
    assert code == 4
    for secret in ("cluster.secret", "api.token", "redis.password"):
        assert secret in err


async def test_a_port_in_use_is_named(topology: Topology) -> None:
    for port in (topology.node("n1").api_port, topology.node("n1").raft_port):
        with socket.create_server(("127.0.0.1", port)):
            code, _, err = await triarch("node", "--config", topology.node("n1").config)
        assert code == 1
        assert str(port) in err
        assert "in use" in err.lower() or "another" in err


async def test_a_data_directory_of_another_node_is_left_alone(plant: LocalPlant) -> None:
    topology = plant.topology
    path = changed(topology, "n2", "node", data_dir=topology.config(topology.node("n1"))["node"]["data_dir"])
    await plant.node("n2").stop()
    code, _, err = await triarch("node", "--config", path)
    assert code == 5, err
    await plant.node("n1").stop()
    code, _, err = await triarch("node", "--config", path)  # also when nobody holds it now
    assert code == 5, err
    assert "n1" in err
    assert "n2" in err


async def test_a_data_directory_that_others_may_enter_is_refused(topology: Topology) -> None:
    place = topology.node("n1")
    directory = Path(topology.config(place)["node"]["data_dir"]) / "cluster"
    os.makedirs(directory)
    os.chmod(directory, 0o755)  # noqa: S103 - it is the mode that is refused
    os.mknod(directory / "node.json")
    code, _, err = await triarch("node", "--config", place.config)
    assert code == 4, err
    assert "data_dir_exposed" in err
    assert f"chmod 700 {directory}" in err
    assert os.listdir(directory) == ["node.json"]


async def test_without_a_quorum_writes_are_refused_and_it_says_so(plant: LocalPlant) -> None:
    first = await plant.current_leader(5)
    survivors = [node for node in plant.topology.nodes if node.id != first.node_id][:1]
    for node in plant.topology.nodes:
        if node not in survivors:
            await plant.kill(node.id)
    alone = survivors[0]

    async def unready() -> bool:
        answer = await plant.ask(alone.id, "/readyz")
        return answer is not None and answer.status_code == 503 and "no leader" in answer.text

    await eventually(unready, deadline_s=10)
    env = {"TRIARCH_URL": alone.api}
    code, _, err = await triarch("cluster", "transfer", **env)
    assert code == 6
    assert "no leader" in err.lower()
    code, out, _ = await triarch("cluster", "status", "-o", "json", **env)
    assert code != 0  # not healthy with two nodes down
    assert alone.id in out


async def test_no_node_at_all_is_told_from_no_leader(topology: Topology) -> None:
    code, _, err = await triarch("cluster", "status", TRIARCH_URL=topology.apis[0])
    assert code == 6
    assert topology.apis[0] in err


async def test_a_node_without_redis_stays_up_and_says_what_it_lacks(tmp_path: Path) -> None:
    async with LocalPlant(on_free_ports(tmp_path / "plant")) as plant:
        await plant.wait_ready()
        await plant.server.kill()

        async def says_so() -> bool:
            answers = [await plant.ask(node.id, "/readyz") for node in plant.topology.nodes]
            return all(
                answer is not None and answer.status_code == 503 and "Redis" in answer.text for answer in answers
            )

        await eventually(says_so, deadline_s=10)
        document = {"id": "press", "address": "http://127.0.0.1:9"}
        answer = await plant.call("POST", "/v1/components", json=document)  # needs no Redis
        assert answer.status_code == 201
        code, _, err = await triarch(
            "frames", "verify", "--redis-url", plant.topology.redis_url, TRIARCH_URL=plant.topology.apis[0]
        )
        assert code == 8
        assert str(plant.topology.redis_port) in err


async def test_registrations_that_cannot_be_are_refused_with_the_field(plant: LocalPlant) -> None:
    good = {"id": "p1", "capabilities": ["echo"], "capacity": 4}
    for change, field in (
        ({"id": ""}, "id"),
        ({"capabilities": []}, "capabilities"),
        ({"capacity": 0}, "capacity"),
        ({"queue": "frames:ready:somebody-else"}, "queue"),
    ):
        answer = await plant.call("POST", "/processors/register", json={**good, **change})
        assert answer.status_code == 422, (change, answer.text)
        assert field in answer.text
    assert (await plant.call("POST", "/processors/register", json=good)).status_code == 201
    again = await plant.call("POST", "/processors/register", json=good, node_id="n2")
    assert again.status_code == 409
    assert again.json()["code"] == "processor_exists"
    listed = await plant.call("GET", "/processors")
    assert [row["id"] for row in listed.json()] == ["p1"]
    assert (await plant.call("DELETE", "/processors/p1", node_id="n3")).status_code == 204
    assert (await plant.call("GET", "/processors/p1")).status_code == 404


@pytest.mark.parametrize(("content", "exit_code"), [(None, 3), (b"this is no video", 1)], ids=["missing", "no video"])
async def test_a_video_that_cannot_be_read(tmp_path: Path, content: bytes | None, exit_code: int) -> None:
    video = tmp_path / "clip.mp4"
    if content is not None:
        video.write_bytes(content)
    code, _, err = await triarch("demo", "--video", video, "--directory", tmp_path / "run")
    assert code == exit_code, err
    assert str(video) in err
