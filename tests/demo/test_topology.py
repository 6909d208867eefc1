"""Three nodes on one machine: their places, configurations and programs."""

import dataclasses
import re
import sys
from pathlib import Path

import pytest
import yaml

from orchestrator.demo import programs
from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import Leader, LocalPlant, parse_epoch
from orchestrator.dev.options import DevOptions
from orchestrator.dev.ports import FIRST, LAST
from orchestrator.dev.topology import NODE_IDS, on_free_ports, on_ports
from tests.command_line import REPO


def test_the_nodes_know_each_other_and_share_one_server(tmp_path: Path) -> None:
    topology = on_ports(tmp_path / "dev", api_port=8101, raft_port=7101, redis_port=6390)
    topology.write()
    assert topology.apis == ("http://127.0.0.1:8101", "http://127.0.0.1:8102", "http://127.0.0.1:8103")
    trees = [yaml.safe_load(node.config.read_text()) for node in topology.nodes]
    assert [tree["node"]["id"] for tree in trees] == list(NODE_IDS)
    assert len({tree["node"]["data_dir"] for tree in trees}) == 3
    assert all(tree["cluster"] == trees[0]["cluster"] for tree in trees)
    assert trees[0]["cluster"]["members"][2] == {"id": "n3", "raft": "127.0.0.1:7103", "api": "http://127.0.0.1:8103"}
    assert {tree["redis"]["url"] for tree in trees} == {"redis://127.0.0.1:6390/0"}
    assert topology.logs.is_dir()
    assert topology.redis_directory.is_dir()
    assert topology.node("n2").raft == "127.0.0.1:7102"
    with pytest.raises(KeyError):
        topology.node("n4")


def test_the_quick_start_kills_the_first_node_and_nothing_else(tmp_path: Path) -> None:
    shown = re.search(r"pkill -9 -f '([^']+)'", (REPO / "docs" / "quick-start.md").read_text(encoding="utf-8"))
    assert shown is not None
    topology = on_ports(tmp_path / "dev", api_port=8101, raft_port=7101, redis_port=6390)
    hit = [node.id for node in topology.nodes if re.search(shown[1], " ".join(topology.node_program(node).argv))]
    assert hit == ["n1"]


def test_free_ports_are_all_different_and_out_of_the_kernels_way(tmp_path: Path) -> None:
    ports = on_free_ports(tmp_path).ports
    assert len(ports) == len(set(ports)) == 7
    assert all(FIRST <= port < LAST for port in ports)


def test_every_process_has_its_program(tmp_path: Path) -> None:
    topology = on_free_ports(tmp_path)
    node = topology.node_program(topology.nodes[0])
    assert node.argv[:3] == (sys.executable, "-m", "orchestrator.cli.main")
    assert node.argv[-1] == str(topology.nodes[0].config)
    plans = programs.camera_plans(3, tmp_path / "clip.mp4", 15.0, 450)
    cameras = [programs.camera(topology, plan) for plan in plans]
    assert [camera.name for camera in cameras] == ["cam1", "cam2", "cam3"]
    assert all(topology.redis_url in camera.argv for camera in cameras)
    assert {program.name for program in programs.processors(topology)} == {"faces-1", "people-1", "motion-1"}
    components = programs.components(topology)
    assert {program.name for program in components} == {"conveyor", "lights", "arm"}
    for program in (*programs.processors(topology), *components):
        assert [part for part in program.argv if part.startswith("http")] == list(topology.apis)


def test_the_newer_of_two_leaders_counts() -> None:
    assert parse_epoch("3.17") == (3, 17)
    assert max(Leader((3, 17), "n2"), Leader((4, 2), "n1")).node_id == "n1"
    assert str(Leader((3, 17), "n2")) == "n2 (epoch 3.17)"


def test_a_plant_that_was_not_started_says_so(tmp_path: Path) -> None:
    plant = LocalPlant(on_free_ports(tmp_path))
    with pytest.raises(PlantError, match="not been started"):
        _ = plant.http
    with pytest.raises(PlantError, match="not been started"):
        _ = plant.server


@pytest.mark.parametrize("wrong", [{"cameras": -1}, {"fps": 0}, {"api_port": 0}, {"redis_port": 70_000}])
def test_dev_options_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DevOptions(**wrong)  # type: ignore[arg-type]


def test_a_node_can_have_its_own_view_of_where_a_peer_is(tmp_path: Path) -> None:
    plain = on_ports(tmp_path / "dev", api_port=8101, raft_port=7101, redis_port=6390)
    topology = dataclasses.replace(
        plain,
        nodes=tuple(dataclasses.replace(node, host="198.18.0.7") for node in plain.nodes),
        redis_host="198.18.0.1",
        dialled={("n1", "n2"): "127.0.0.1:9102"},
    )
    raft = {
        node.id: [member["raft"] for member in topology.config(node)["cluster"]["members"]] for node in topology.nodes
    }
    assert raft["n1"] == ["198.18.0.7:7101", "127.0.0.1:9102", "198.18.0.7:7103"]
    assert raft["n2"] == ["198.18.0.7:7101", "198.18.0.7:7102", "198.18.0.7:7103"]
    assert topology.apis[0] == "http://198.18.0.7:8101"
    assert topology.config(topology.nodes[0])["redis"]["url"] == "redis://198.18.0.1:6390/0"
