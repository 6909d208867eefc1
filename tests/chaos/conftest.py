"""A plant of real processes, and what does harm to its network: a Toxiproxy server, hosts in network namespaces."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos import netns, toxiproxy
from tests.chaos.namespace_plant import NamespacePlant, on_network
from tests.chaos.netns import Network
from tests.chaos.toxiproxy import Toxiproxy


def _absent(what: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture
async def plant(tmp_path: Path, anyio_backend: str) -> AsyncIterator[LocalPlant]:
    """Three nodes that are ready, one of them leading."""
    async with LocalPlant(on_free_ports(tmp_path / "plant")) as running:
        await running.wait_ready()
        yield running


@pytest.fixture
async def toxic(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Toxiproxy]:
    """A Toxiproxy server without proxies."""
    binary = toxiproxy.find_server()
    if binary is None:
        _absent(f"no Toxiproxy server on this machine; {toxiproxy.BUILD}")
    async with Toxiproxy(binary, tmp_path) as server:
        yield server


@pytest.fixture
async def network(anyio_backend: str) -> AsyncIterator[Network]:
    """Three hosts on a switch, able to reach each other and this one. For tests marked `root`."""
    if missing := netns.missing_tools():
        _absent(f"not on this machine: {', '.join(missing)}; Debian and Ubuntu: apt install iproute2 nftables")
    async with Network(("n1", "n2", "n3")) as built:
        yield built


@pytest.fixture
async def hosts(network: Network, tmp_path: Path) -> AsyncIterator[NamespacePlant]:
    """Three nodes on hosts of their own, ready, one of them leading. For tests marked `root`."""
    async with NamespacePlant(on_network(tmp_path / "plant", network)) as running:
        await running.wait_ready()
        yield running
