"""Three nodes on this machine: their ports, directories and configuration files. Pure but for the writing."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from orchestrator.dev.ports import free_ports
from orchestrator.dev.processes import Program

NODE_IDS: tuple[str, ...] = ("n1", "n2", "n3")


@dataclass(frozen=True, slots=True)
class NodePlace:
    """Where one node lives."""

    id: str
    api_port: int
    raft_port: int
    directory: Path
    host: str = "127.0.0.1"

    @property
    def api(self) -> str:
        """Base URL of its API."""
        return f"http://{self.host}:{self.api_port}"

    @property
    def raft(self) -> str:
        """Address it is reached at by its peers."""
        return f"{self.host}:{self.raft_port}"

    @property
    def config(self) -> Path:
        """Its configuration file."""
        return self.directory / f"{self.id}.yaml"


@dataclass(frozen=True, slots=True)
class Topology:
    """A plant on this machine: nodes and one server. `directory` holds `logs/`, `nodes/` and `redis/`.

    `dialled`: (node, peer) → `host:port` at which that node reaches that peer's Raft, where it is not the peer's own
    address: a proxy that stands between the two.
    """

    directory: Path
    nodes: tuple[NodePlace, ...]
    redis_port: int
    redis_host: str = "127.0.0.1"
    dialled: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @property
    def redis_url(self) -> str:
        """URL of the server that carries the frames."""
        return f"redis://{self.redis_host}:{self.redis_port}/0"

    @property
    def logs(self) -> Path:
        """Where the processes' output goes."""
        return self.directory / "logs"

    @property
    def redis_directory(self) -> Path:
        """Where the server keeps its append-only file."""
        return self.directory / "redis"

    @property
    def apis(self) -> tuple[str, ...]:
        """Base URLs of all nodes."""
        return tuple(node.api for node in self.nodes)

    @property
    def ports(self) -> tuple[int, ...]:
        """Every port of the nodes and the server."""
        return (self.redis_port, *(port for node in self.nodes for port in (node.api_port, node.raft_port)))

    def node(self, node_id: str) -> NodePlace:
        """Return the node of that id. Raises KeyError."""
        for node in self.nodes:
            if node.id == node_id:
                return node
        raise KeyError(node_id)

    def config(self, node: NodePlace) -> dict[str, Any]:
        """Return the configuration tree of one node."""
        return {
            "node": {"id": node.id, "data_dir": str(node.directory / node.id)},
            "cluster": {
                "name": self.directory.name,
                "members": [
                    {"id": one.id, "raft": self.dialled.get((node.id, one.id), one.raft), "api": one.api}
                    for one in self.nodes
                ],
            },
            "redis": {"mode": "url", "url": self.redis_url},
        }

    def write(self) -> None:
        """Create the directories and write the configuration files."""
        for directory in (self.logs, self.redis_directory):
            directory.mkdir(parents=True, exist_ok=True)
        for node in self.nodes:
            node.directory.mkdir(parents=True, exist_ok=True)
            node.config.write_text(yaml.safe_dump(self.config(node), sort_keys=False), encoding="utf-8")

    def node_program(self, node: NodePlace) -> Program:
        """The process of one node."""
        argv = (sys.executable, "-m", "orchestrator.cli.main", "node", "--config", str(node.config))
        return Program(node.id, argv)


def on_free_ports(directory: Path) -> Topology:
    """A topology below `directory` whose ports are free now. Raises NotReached."""
    redis_port, *ports = free_ports(1 + 2 * len(NODE_IDS))
    api, raft = ports[: len(NODE_IDS)], ports[len(NODE_IDS) :]
    return _topology(directory, redis_port, api, raft)


def on_ports(directory: Path, *, api_port: int, raft_port: int, redis_port: int) -> Topology:
    """A topology below `directory` on consecutive ports from `api_port` and `raft_port` on."""
    count = len(NODE_IDS)
    return _topology(
        directory, redis_port, list(range(api_port, api_port + count)), list(range(raft_port, raft_port + count))
    )


def _topology(directory: Path, redis_port: int, api: list[int], raft: list[int]) -> Topology:
    nodes = tuple(
        NodePlace(id=node_id, api_port=api_port, raft_port=raft_port, directory=directory / "nodes")
        for node_id, api_port, raft_port in zip(NODE_IDS, api, raft, strict=True)
    )
    return Topology(directory=directory, nodes=nodes, redis_port=redis_port)
