"""A Toxiproxy link for each direction between each two nodes: they know each other only by where proxies listen."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Self

from orchestrator.dev.topology import Topology
from tests.chaos.toxiproxy import Link, Toxiproxy


class RaftLinks:
    """What the nodes of `topology` dial to reach each other. Of the two links of a pair only one may be in use.

    links = await RaftLinks.between(on_free_ports(directory), toxiproxy)
    async with LocalPlant(links.topology) as plant: ...
    """

    def __init__(self, topology: Topology, links: Mapping[tuple[str, str], Link]) -> None:
        self.topology = topology
        self._links = links

    @classmethod
    async def between(cls, topology: Topology, server: Toxiproxy) -> Self:
        """Put proxies between the nodes, before they are started: `.topology` is the one to start."""
        # The nodes' ports are given out, and free until they start.
        links = {
            (one.id, other.id): await server.link(f"{one.id}-{other.id}", other.raft, avoid=topology.ports)
            for one, other in itertools.permutations(topology.nodes, 2)
        }
        dialled = {pair: link.address for pair, link in links.items()}
        return cls(dataclasses.replace(topology, dialled=dialled), links)

    def all(self) -> list[Link]:
        """Every link."""
        return list(self._links.values())

    def of(self, node_id: str) -> list[Link]:
        """Every link that begins or ends at a node."""
        return [link for pair, link in self._links.items() if node_id in pair]

    async def heal(self) -> None:
        """Undo everything that was done to any link."""
        for link in self.all():
            await link.heal()
