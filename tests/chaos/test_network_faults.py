"""That every fault of the network happens to real nodes, says what proves it, and is healed."""

from functools import partial
from pathlib import Path

import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.namespace_plant import NamespacePlant
from tests.chaos.network_faults import cut_faults, link_faults
from tests.chaos.raft_links import RaftLinks
from tests.chaos.toxiproxy import Toxiproxy
from tests.chaos.watching import register
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@pytest.mark.root
@pytest.mark.slow
async def test_every_cut_happens_and_heals(hosts: NamespacePlant) -> None:
    for name, make in cut_faults().items():
        fault = make(hosts)
        await fault.begin()
        survivor = fault.others[0] if name.startswith("leader") else (await hosts.current_leader(5)).node_id
        await eventually(partial(_registers, hosts, name, survivor), deadline_s=10, message=name)
        await fault.heal()
        assert "packets dropped" in fault.happened()
        assert " 0 packets" not in fault.happened()
        assert "reach each other again" in fault.happened()
        print(f"{name}: {fault.happened()}")


@pytest.mark.campaign
async def test_every_toxic_happens_and_heals(toxic: Toxiproxy, tmp_path: Path) -> None:
    links = await RaftLinks.between(on_free_ports(tmp_path / "plant"), toxic)
    async with LocalPlant(links.topology) as plant:
        await plant.wait_ready()
        for name, make in link_faults(links).items():
            fault = make(plant)
            await fault.begin()
            survivor = fault.others[0] if name.startswith("leader") else (await plant.current_leader(5)).node_id
            await eventually(partial(_registers, plant, name, survivor), deadline_s=10, message=name)
            await fault.heal()
            assert fault.happened().endswith("every link clean")
            print(f"{name}: {fault.happened()}")


async def _registers(plant: LocalPlant, name: str, node_id: str) -> bool:
    """Whether it is registered. Where packets are lost, or stand in line, an election may come at any time."""
    return (await register(plant, name, node_id)).status_code in (200, 201)


async def test_nodes_without_hosts_of_their_own_cannot_be_cut_off(tmp_path: Path) -> None:
    plant = LocalPlant(on_free_ports(tmp_path))
    with pytest.raises(TypeError, match="network namespaces"):
        cut_faults()["leader-cut-off"](plant)
