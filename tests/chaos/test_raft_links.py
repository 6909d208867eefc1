"""Three nodes whose Raft links go through Toxiproxy: slow, reset, half open and closed, and what nodes make of that."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from orchestrator.dev.local import LocalPlant
from orchestrator.dev.topology import on_free_ports
from tests.chaos.raft_links import RaftLinks
from tests.chaos.toxiproxy import Toxiproxy
from tests.chaos.watching import asking, follows, holds, leads_on, register, registered
from tests.support import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.alone, pytest.mark.timeout(120)]

DELAY_MS = 20
ELECTIONS_S = 3.0
"""Several of the longest silences after which a node would stand for election."""


@pytest.fixture
async def links(toxic: Toxiproxy, tmp_path: Path, anyio_backend: str) -> RaftLinks:
    """Links between three nodes that are not started yet."""
    return await RaftLinks.between(on_free_ports(tmp_path / "plant"), toxic)


@pytest.fixture
async def linked(links: RaftLinks) -> AsyncIterator[LocalPlant]:
    """The nodes of `links`, ready, one of them leading."""
    async with LocalPlant(links.topology) as running:
        await running.wait_ready()
        yield running


async def test_the_nodes_have_no_other_way_to_each_other(links: RaftLinks, linked: LocalPlant) -> None:
    """Else the other tests would prove nothing."""
    for link in links.all():
        await link.down()

    async def nobody_leads() -> bool:
        return await linked.leader() is None

    await eventually(nobody_leads, deadline_s=5)
    assert (await register(linked, "refused")).status_code == 503
    await links.heal()
    await linked.wait_ready()
    assert (await register(linked, "taken")).status_code == 201
    for node in linked.topology.nodes:
        await eventually(partial(holds, linked, node.id, {"taken"}), deadline_s=5)


@pytest.mark.campaign
async def test_a_slow_network_slows_commits_and_deposes_nobody(links: RaftLinks, linked: LocalPlant) -> None:
    leader = await linked.current_leader(5)
    for link in links.all():
        await link.delay(DELAY_MS, jitter_ms=5)
    for number in range(5):
        answer = await register(linked, f"slow-{number}", leader.node_id)
        assert answer.status_code == 201
        # A majority needs one follower, there and back.
        assert answer.elapsed.total_seconds() > 2 * (DELAY_MS - 5) / 1000
    await leads_on(linked, leader, ELECTIONS_S)


@pytest.mark.campaign
async def test_half_open_links_of_the_leader_are_noticed_without_a_goodbye(
    links: RaftLinks, linked: LocalPlant
) -> None:
    first = await linked.current_leader(5)
    assert (await register(linked, "before")).status_code == 201
    async with asking(linked, first.node_id) as answers:
        for link in links.of(first.node_id):
            await link.half_open()
        second = await linked.other_leader(first)
        assert second.node_id != first.node_id
        assert (await register(linked, "during", second.node_id)).status_code == 201
        await eventually(lambda: answers.counts.get(("/leader", 503)), deadline_s=5)
    assert await registered(linked, first.node_id) == {"before"}
    await links.heal()
    await eventually(partial(follows, linked, first.node_id, second), deadline_s=10)
    assert await registered(linked, first.node_id) == {"before", "during"}


@pytest.mark.campaign
async def test_links_that_are_reset_again_and_again_lose_nothing_acknowledged(
    links: RaftLinks, linked: LocalPlant
) -> None:
    acknowledged = set()
    for number in range(5):
        for link in links.all():
            await link.reset()
        answer = await register(linked, f"torn-{number}")
        assert answer.status_code in (201, 503, 504), answer.text
        if answer.status_code == 201:
            acknowledged.add(f"torn-{number}")
        await links.heal()
        await linked.wait_ready()
        assert (await register(linked, f"kept-{number}")).status_code == 201
        acknowledged.add(f"kept-{number}")
    settled = await registered(linked, (await linked.current_leader(5)).node_id, "linearizable")
    assert settled >= acknowledged
    for node in linked.topology.nodes:
        await eventually(partial(holds, linked, node.id, settled), deadline_s=10)


@pytest.mark.campaign
async def test_a_follower_whose_links_close_for_a_while_deposes_nobody(links: RaftLinks, linked: LocalPlant) -> None:
    leader = await linked.current_leader(5)
    follower = next(node.id for node in linked.topology.nodes if node.id != leader.node_id)
    for link in links.of(follower):
        await link.down()
    await leads_on(linked, leader, ELECTIONS_S)
    assert (await register(linked, "during", leader.node_id)).status_code == 201
    await links.heal()
    await eventually(partial(follows, linked, follower, leader), deadline_s=10)
    assert await registered(linked, follower) == {"during"}
    await leads_on(linked, leader, ELECTIONS_S)
