"""Nodes on hosts of their own whose links are cut: who leads, who still answers, who is deposed by a return, and what
becomes of frames meanwhile.
"""

import itertools
import time
from functools import partial

import pytest

from tests.chaos.namespace_plant import NamespacePlant
from tests.chaos.watching import (
    LEADER_READS,
    asking,
    follows,
    holds,
    knows_no_leader,
    leads_on,
    register,
    registered,
    view,
)
from tests.support import eventually
from tests.system.working import Echo, flowing

pytestmark = [pytest.mark.anyio, pytest.mark.root, pytest.mark.alone, pytest.mark.timeout(180)]

STOPS_S = 0.5
"""How long after a cut an isolated leader may still answer as one."""
ELECTIONS_S = 3.0
"""Several of the longest silences after which a node would stand for election."""
CUTS = 3


def others(plant: NamespacePlant, node_id: str) -> list[str]:
    """The other nodes."""
    return [node.id for node in plant.topology.nodes if node.id != node_id]


async def test_an_isolated_leader_stops_answering_another_leads_and_it_follows(hosts: NamespacePlant) -> None:
    first = await hosts.current_leader(5)
    assert (await register(hosts, "before")).status_code == 201
    async with asking(hosts, first.node_id) as answers:
        await hosts.network.isolate(first.node_id)
        cut = time.monotonic()
        second = await hosts.other_leader(first)
        assert second.node_id != first.node_id
        assert (await register(hosts, "during", second.node_id)).status_code == 201
        for path in LEADER_READS:
            # A linearizable read that found no majority took its time to say so.
            await eventually(partial(answers.counts.get, (path, 503)), deadline_s=5, message=path)
        assert await registered(hosts, first.node_id) == {"before"}  # its own state, and it says that it is stale
        after = {path: round(seconds - cut, 3) for path, seconds in answers.last_ok.items()}
        assert all(seconds <= STOPS_S for seconds in after.values()), after
    assert await hosts.network.dropped([first.node_id], others(hosts, first.node_id)) > 0

    await hosts.network.heal()
    await eventually(partial(follows, hosts, first.node_id, second), deadline_s=10)
    assert await registered(hosts, first.node_id) == {"before", "during"}
    assert (await hosts.call("GET", "/leader", node_id=first.node_id)).status_code == 503


async def test_a_follower_that_hears_nothing_deposes_nobody(hosts: NamespacePlant) -> None:
    leader = await hosts.current_leader(5)
    follower, third = others(hosts, leader.node_id)
    await hosts.network.cut_one_way([leader.node_id, third], [follower])
    await eventually(partial(knows_no_leader, hosts, follower), deadline_s=5)
    await leads_on(hosts, leader, ELECTIONS_S)
    assert (await register(hosts, "during", leader.node_id)).status_code == 201
    assert await hosts.network.dropped([leader.node_id], [follower]) > 0
    await hosts.network.heal()
    await eventually(partial(follows, hosts, follower, leader), deadline_s=10)
    assert await registered(hosts, follower) == {"during"}
    await leads_on(hosts, leader, ELECTIONS_S)


async def test_a_follower_that_nobody_hears_deposes_nobody(hosts: NamespacePlant) -> None:
    leader = await hosts.current_leader(5)
    follower, third = others(hosts, leader.node_id)
    await hosts.network.cut_one_way([follower], [leader.node_id, third])
    await leads_on(hosts, leader, ELECTIONS_S)
    assert (await register(hosts, "during", leader.node_id)).status_code == 201
    assert await hosts.network.dropped([follower], [leader.node_id]) > 0
    await hosts.network.heal()
    await eventually(partial(follows, hosts, follower, leader), deadline_s=10)
    await leads_on(hosts, leader, ELECTIONS_S)


@pytest.mark.slow
async def test_a_follower_that_returns_from_a_cut_deposes_nobody(hosts: NamespacePlant) -> None:
    leader = await hosts.current_leader(5)
    follower, _ = others(hosts, leader.node_id)
    for cut in range(CUTS):
        await hosts.network.isolate(follower)
        await eventually(partial(knows_no_leader, hosts, follower), deadline_s=5)
        assert (await register(hosts, f"during-{cut}", leader.node_id)).status_code == 201
        await leads_on(hosts, leader, ELECTIONS_S)
        await hosts.network.heal()
        await eventually(partial(follows, hosts, follower, leader), deadline_s=10, message=f"cut {cut}")
        await leads_on(hosts, leader, 1.0)
    assert await registered(hosts, follower) == {f"during-{cut}" for cut in range(CUTS)}
    assert (await view(hosts, follower)).term == leader.epoch[0]


async def test_two_followers_that_lose_each_other_follow_on(hosts: NamespacePlant) -> None:
    """Only the leader sees everybody: a follower that cannot reach the other has no reason to stand."""
    leader = await hosts.current_leader(5)
    one, other = others(hosts, leader.node_id)
    await hosts.network.cut([one], [other])
    assert not await hosts.network.passes(one, other)
    await leads_on(hosts, leader, ELECTIONS_S)
    assert (await register(hosts, "during", one)).status_code == 201
    for node_id in (one, other):
        await eventually(partial(holds, hosts, node_id, {"during"}), deadline_s=5)


async def test_the_cut_of_a_leader_from_one_follower_leaves_a_cluster_that_commits(hosts: NamespacePlant) -> None:
    """The third reaches both, so there is a majority either way, and what was acknowledged is everywhere in the end."""
    leader = await hosts.current_leader(5)
    follower, third = others(hosts, leader.node_id)
    await hosts.network.cut([leader.node_id], [follower])
    await eventually(partial(_accepts, hosts, "during", third), deadline_s=10)
    await hosts.network.heal()
    await hosts.wait_ready()
    for node_id in (leader.node_id, follower, third):
        await eventually(partial(holds, hosts, node_id, {"during"}), deadline_s=10)


async def test_frames_outlive_the_cuts_of_their_leader(hosts: NamespacePlant) -> None:
    """From one follower first, then from both while it still reaches the server: only the fence holds it back there."""
    first = await hosts.current_leader(5)
    follower, _ = others(hosts, first.node_id)
    password, token = hosts.places.secret("redis"), hosts.places.secret("api")
    workers = [Echo(name, hosts.topology, token=token, redis_password=password) for name in ("echo-1", "echo-2")]
    async with flowing(hosts.topology, *workers, password=password) as flow:
        await hosts.network.cut([first.node_id], [follower])
        await flow.moves(200)
        assert await hosts.network.dropped([first.node_id], [follower]) > 0
        await hosts.network.heal()
        await hosts.wait_ready()
        await flow.moves()

        cut_off = await hosts.current_leader(5)
        await hosts.network.isolate(cut_off.node_id)
        second = await hosts.other_leader(cut_off)
        await flow.moves(200)
        assert await hosts.network.dropped([cut_off.node_id], others(hosts, cut_off.node_id)) > 0
        await hosts.network.heal()
        await eventually(partial(follows, hosts, cut_off.node_id, second), deadline_s=10)
        await flow.moves()
        report = await flow.settled()
        stats = await flow.streams.stats()
    assert (report.published, report.settled, report.lost, report.duplicates) == (flow.published, flow.published, 0, 0)
    assert report.ledger_ok, report.problems
    assert stats.fence is not None
    reigns = sorted((one for one in [*stats.leaders, stats.fence] if one.frames), key=lambda one: one.epoch)
    assert len(reigns) >= 2
    assert all(old.last_us <= new.first_us for old, new in itertools.pairwise(reigns)), reigns


async def _accepts(plant: NamespacePlant, component_id: str, node_id: str) -> bool:
    return (await register(plant, component_id, node_id)).status_code == 201
