"""Where histories are recorded: a plant whose nodes are ready, and what can go wrong with it there.

processes    on loopback: nodes are killed and paused
links        the same, and the nodes reach each other through a Toxiproxy server, which harms their links
namespaces   the same, and each node is a host of its own, which is cut off; needs root on Linux
"""

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos import netns, toxiproxy
from tests.chaos.faults import PROCESS_FAULTS, MakeFault
from tests.chaos.namespace_plant import NamespacePlant, on_network
from tests.chaos.netns import Network
from tests.chaos.network_faults import cut_faults, link_faults
from tests.chaos.raft_links import RaftLinks
from tests.chaos.toxiproxy import Toxiproxy, ToxiproxyFailed


class Place(NamedTuple):
    """A plant whose nodes are ready, what can go wrong there, and its API's token."""

    plant: LocalPlant
    faults: Mapping[str, MakeFault]
    token: str | None = None


@asynccontextmanager
async def _processes(directory: Path) -> AsyncIterator[Place]:
    async with LocalPlant(on_free_ports(directory)) as plant:
        await plant.wait_ready()
        yield Place(plant, PROCESS_FAULTS)


@asynccontextmanager
async def _links(directory: Path) -> AsyncIterator[Place]:
    binary = toxiproxy.find_server()
    if binary is None:
        raise ToxiproxyFailed(f"no Toxiproxy server on this machine; {toxiproxy.BUILD}")
    async with Toxiproxy(binary, directory) as server:
        links = await RaftLinks.between(on_free_ports(directory), server)
        async with LocalPlant(links.topology) as plant:
            await plant.wait_ready()
            yield Place(plant, {**PROCESS_FAULTS, **link_faults(links)})


@asynccontextmanager
async def _namespaces(directory: Path) -> AsyncIterator[Place]:
    async with (
        Network(("n1", "n2", "n3")) as network,
        NamespacePlant(on_network(directory, network)) as plant,
    ):
        await plant.wait_ready()
        yield Place(plant, {**PROCESS_FAULTS, **cut_faults()}, plant.places.secret("api"))


PLACES: Mapping[str, Callable[[Path], AbstractAsyncContextManager[Place]]] = {
    "processes": _processes,
    "links": _links,
    "namespaces": _namespaces,
}
"""By name; each is given the directory of the plant. What is `lacking` shows as a PlantError."""


def lacking(place: str) -> str | None:
    """Why this machine has no such place; None when it has."""
    match place:
        case "links" if toxiproxy.find_server() is None:
            return f"no Toxiproxy server; {toxiproxy.BUILD}"
        case "namespaces" if sys.platform != "linux" or os.geteuid() != 0:
            return "not root on Linux"
        case "namespaces" if missing := netns.missing_tools():
            return f"not on the PATH: {', '.join(missing)}"
    return None
