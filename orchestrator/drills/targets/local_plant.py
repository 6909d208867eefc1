"""The plant of target `local`: three nodes, a primary with two replicas, three sentinels, relays where they are cut."""

import itertools
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from framebuffer.addresses import address_of
from framebuffer.embedded import Binary
from framebuffer.embedded_set import PORTS, EmbeddedSet
from orchestrator.dev.errors import PlantError
from orchestrator.dev.local import LocalPlant
from orchestrator.dev.ports import free_ports
from orchestrator.dev.topology import NodePlace, Topology, on_free_ports
from orchestrator.drills.targets.relay import Gate, Relay

DURABILITY = "1"
"""One replica has a frame before it counts as published: with two of them, no failover of one server loses it, and none
holds publishing up."""
SERVERS = 3
DOWN_AFTER_S = 1.0


@dataclass(frozen=True)
class SetTopology(Topology):
    """Three nodes before a set of servers. `sentinels`: its URL."""

    sentinels: str = ""

    @property
    def redis_url(self) -> str:
        """URL by which everybody finds the primary."""
        return self.sentinels

    def config(self, node: NodePlace) -> dict[str, Any]:
        """As of any topology, with the sentinels in place of one server."""
        tree = super().config(node)
        address = address_of(self.sentinels)
        if address is None:
            raise PlantError(f"{self.sentinels}: no sentinels")
        tree["redis"] = {
            "mode": "sentinel",
            "sentinels": [f"{host}:{port}" for host, port in address.nodes],
            "service": address.service,
            "durability": DURABILITY,
        }
        return tree


class SetPlant(LocalPlant):
    """`raft`, `redis`: relays by (node, peer) and by number of the server; none where they are not asked for."""

    def __init__(self, topology: SetTopology, servers: list[int], raft: Mapping[tuple[str, str], Relay]) -> None:
        super().__init__(topology)
        self._ports = servers
        self.raft = raft
        self.redis: dict[int, Relay] = {}
        self._relay_ports: list[int] = []
        self._set: EmbeddedSet | None = None

    @property
    def servers(self) -> EmbeddedSet:
        """Servers and sentinels. PlantError before they are started."""
        if self._set is None:
            raise PlantError("the plant has not been started")
        return self._set

    def relay_servers(self, ports: list[int]) -> None:
        """Reach the servers by relays on these ports; before it is started."""
        self._relay_ports = ports

    async def _start_server(self, binary: Binary, stack: AsyncExitStack) -> None:
        for relay in self.raft.values():
            await stack.enter_async_context(relay)
        for at, port in enumerate(self._relay_ports):
            self.redis[at] = await stack.enter_async_context(Relay(port, ("127.0.0.1", self._ports[at])))
        self._set = EmbeddedSet(
            self.topology.redis_directory,
            self._ports,
            binary=binary,
            down_after_s=DOWN_AFTER_S,
            announced=self._relay_ports or None,
        )
        await stack.enter_async_context(self._set)

    def relays(self) -> Iterable[Relay]:
        """All of them."""
        return (*self.raft.values(), *self.redis.values())

    def gates_between(self, sender: str, receiver: str) -> tuple[Gate, Gate]:
        """What carries from one node to another. Of the two connections that a pair may have only one is in use."""
        return self.raft[sender, receiver].there, self.raft[receiver, sender].back


def set_plant(directory: Path, *, cut_raft: bool, cut_redis: bool) -> SetPlant:
    """A plant below `directory` on ports that are free now; not started. NotReached."""
    plain = on_free_ports(directory)
    pairs = [(one, other) for one, other in itertools.permutations(plain.nodes, 2)]
    ports = free_ports(PORTS + len(pairs) + SERVERS)
    servers, between, announced = ports[:PORTS], ports[PORTS : PORTS + len(pairs)], ports[PORTS + len(pairs) :]
    raft: dict[tuple[str, str], Relay] = {}
    if cut_raft:
        for (one, other), port in zip(pairs, between, strict=True):
            raft[one.id, other.id] = Relay(port, (other.host, other.raft_port))
        plain = replace(plain, dialled={pair: f"127.0.0.1:{relay.port}" for pair, relay in raft.items()})
    sentinels = ",".join(f"127.0.0.1:{port}" for port in servers[SERVERS:])
    members = {field.name: getattr(plain, field.name) for field in fields(plain)}
    topology = SetTopology(**members, sentinels=f"redis+sentinel://{sentinels}/frames")
    plant = SetPlant(topology, servers, raft)
    if cut_redis:
        plant.relay_servers(announced)
    return plant
