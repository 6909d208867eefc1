"""A plant whose nodes are hosts of their own, in network namespaces: its links can be cut.

The server that carries the frames listens on this machine, which is one more port of the switch.
"""

import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from framebuffer.embedded import Binary, EmbeddedServer
from orchestrator.dev.local import REQUEST_S, LocalPlant
from orchestrator.dev.processes import Program
from orchestrator.dev.topology import NodePlace, Topology, on_free_ports
from tests.chaos.netns import HOST, Network

SECRETS = {"cluster": "secret", "api": "token", "redis": "password"}
"""Which secret each section of the configuration needs beyond loopback."""


@dataclass(frozen=True)
class NamespaceTopology(Topology):
    """Places on the hosts of a network. Each secret is a file, closed to others, that all nodes share."""

    network: Network | None = None

    @property
    def hosts(self) -> Network:
        """The network. Raises ValueError when there is none."""
        if self.network is None:
            raise ValueError("a topology of namespaces needs a network")
        return self.network

    def secret_file(self, section: str) -> Path:
        """The file with the secret of a section of the configuration."""
        return self.directory / "secrets" / f"{section}.{SECRETS[section]}"

    def secret(self, section: str) -> str:
        """The secret of a section of the configuration. After `write`."""
        return self.secret_file(section).read_text().strip()

    def config(self, node: NodePlace) -> dict[str, Any]:
        """The configuration tree of one node, secrets named."""
        tree = super().config(node)
        for section, name in SECRETS.items():
            tree.setdefault(section, {})[f"{name}_file"] = str(self.secret_file(section))
        return tree

    def write(self) -> None:
        """Write the secrets, new ones, and the configuration files."""
        for section in SECRETS:
            file = self.secret_file(section)
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(secrets.token_hex(32) + "\n")
        super().write()

    def node_program(self, node: NodePlace) -> Program:
        """The process of one node, on its host."""
        program = super().node_program(node)
        return replace(program, argv=self.hosts.inside(node.id, program.argv))


def on_network(directory: Path, network: Network) -> NamespaceTopology:
    """A topology below `directory`, each node on the host of its name. Raises NotReached, or KeyError for no host."""
    local = on_free_ports(directory)
    nodes = tuple(replace(node, host=network.address(node.id)) for node in local.nodes)
    return NamespaceTopology(directory, nodes, local.redis_port, network.address(HOST), network=network)


class NamespacePlant(LocalPlant):
    """Server here, nodes on their hosts. Its own calls come from this machine, with the token."""

    def __init__(self, topology: NamespaceTopology) -> None:
        super().__init__(topology)
        self.places = topology

    @property
    def network(self) -> Network:
        """What can be cut."""
        return self.places.hosts

    def _new_server(self, binary: Binary) -> EmbeddedServer:
        return EmbeddedServer(
            self.topology.redis_directory,
            self.topology.redis_port,
            password=self.places.secret("redis"),
            binary=binary,
            options=(f"bind 127.0.0.1 {self.topology.redis_host}",),
        )

    def _new_client(self) -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.places.secret('api')}"}
        return httpx.AsyncClient(timeout=REQUEST_S, trust_env=False, headers=headers)
