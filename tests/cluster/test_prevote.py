"""Elections of real nodes: who returns deposes nobody, who dies is replaced at once, and one candidate wins."""

import asyncio
import time
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from cluster import Cluster, Epoch, OutcomeUnknown
from tests.cluster.machines import Freeze, Nodes, command, nodes, value_of, wired_nodes
from tests.support import eventually

pytestmark = pytest.mark.anyio

AWAY_S = 1.5


def led(node: Cluster) -> tuple[str | None, int, Epoch | None]:
    status = node.status()
    return status.leader_id, status.term, status.epoch


async def _holds(node: Cluster, value: object) -> bool:
    return bool(await value_of(node) == value)


async def test_a_member_that_was_cut_off_deposes_nobody_when_it_returns(tmp_path: Path) -> None:
    async with wired_nodes(tmp_path) as (group, wires):
        leader = await group.leader()
        follower = (await group.followers())[0]
        before = led(leader)
        for number in range(2):
            wires.isolate(follower.settings.node_id)
            away = time.monotonic()
            await eventually(lambda: follower.status().role == "candidate")  # it asks, and nobody answers
            assert (await leader.propose(command(value=number))).outcome.ok
            await asyncio.sleep(max(0.0, away + AWAY_S - time.monotonic()))  # the time away is the subject
            wires.heal()
            await eventually(lambda: follower.status().leader_id == leader.settings.node_id)
            await eventually(partial(_holds, follower, number))
            assert led(leader) == before
            assert follower.status().term == before[1]
        assert follower.counters().elections == 0


async def test_a_member_that_was_paused_deposes_nobody_when_it_goes_on(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        follower = (await group.followers())[0]
        before = led(leader)
        for _ in range(2):
            async with Freeze(follower):
                await asyncio.sleep(AWAY_S)  # the time away is the subject
            await eventually(lambda: follower.status().leader_id == leader.settings.node_id)
            assert led(leader) == before
        assert follower.counters().elections == 0


async def test_a_leader_that_was_cut_off_steps_down_and_follows_when_it_returns(tmp_path: Path) -> None:
    async with wired_nodes(tmp_path) as (group, wires):
        former = await group.leader()
        others = await group.followers()
        epoch = former.status().epoch
        assert epoch is not None
        wires.isolate(former.settings.node_id)
        lost = asyncio.ensure_future(former.propose(command(value="lost", id="lost"), timeout=10))
        with pytest.raises(OutcomeUnknown, match="stepped down"):
            await lost
        leader = await eventually(lambda: next((one for one in others if one.status().epoch is not None), None))
        assert leader is not None
        assert (await leader.propose(command(value="kept", epoch=leader.status().epoch))).outcome.ok
        before = led(leader)
        wires.heal()
        await eventually(lambda: former.status().leader_id == leader.settings.node_id)
        await eventually(partial(_holds, former, "kept"))
        assert led(leader) == before
        assert (await leader.propose(command(value="new", id="lost"))).duplicate is False


async def test_a_leader_that_dies_is_replaced_before_its_silence_would_be_noticed(tmp_path: Path) -> None:
    """Its connections close, which says more than silence."""
    async with nodes(tmp_path, 3, election_min_s=1.2, election_max_s=1.4) as group:
        former = await group.leader()
        others = await group.followers()
        await eventually(lambda: all(len(_connected(node)) == 3 for node in group.running.values()))
        began = time.monotonic()
        await group.stop(former.settings.node_id)
        leader = await eventually(lambda: next((one for one in others if one.status().epoch is not None), None))
        assert time.monotonic() - began < 1.2
        assert leader is not None
        assert leader.counters().takeover_s < 1.2


def _connected(node: Cluster) -> list[str]:
    return [member.id for member in node.members() if member.connected]


async def test_of_two_that_ask_at_once_one_goes_first(tmp_path: Path) -> None:
    """Both are told of the leader's death in the same moment; they hardly ever split the votes."""
    async with nodes(tmp_path) as group:
        terms: list[int] = []
        for _ in range(5):
            leader = await group.leader()
            await group.followers()
            await eventually(lambda: all(len(_connected(node)) == 3 for node in group.running.values()))
            terms.append(leader.status().term)
            gone = leader.settings.node_id
            await group.stop(gone)
            await group.leader()
            await group.start(gone)
        steps = [later - earlier for earlier, later in pairwise(terms)]
        assert all(step >= 1 for step in steps)
        assert sum(steps) <= len(steps) + 2


async def test_a_transfer_takes_one_term_and_one_election(tmp_path: Path) -> None:
    """Although the third member still hears the leader: the candidate says that it was asked to stand."""
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        term = leader.status().term
        target, third = await group.followers()
        epoch = await leader.transfer(target.settings.node_id)
        assert epoch.term == term + 1
        await eventually(lambda: third.status().leader_id == target.settings.node_id)
        assert target.counters().elections == 1
        assert third.counters().elections == 0
        assert (leader.counters().step_downs, target.counters().leaderships) == (1, 1)
        await eventually(lambda: leader.status().leader_id == target.settings.node_id)


async def test_one_that_nobody_added_never_stands(tmp_path: Path) -> None:
    group = Nodes(tmp_path, 1)
    await group.join("n9")
    node = group.running["n9"]
    await asyncio.sleep(1.5)  # several of its election timeouts
    assert (node.status().role, node.status().term, node.counters().elections) == ("follower", 0, 0)
    assert not node.status().is_member
    await group.stop()


async def test_a_learner_never_stands_and_its_vote_elects_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cluster.configuring.CAUGHT_UP", -(1 << 40))  # it stays a learner
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        rest, gone = (node.settings.node_id for node in await group.followers())
        member = await group.join("n9")
        with pytest.raises(OutcomeUnknown, match="has not caught up"):
            await leader.add_member(member, timeout=0.5)
        learner, voter = group.running["n9"], group.running[rest]
        await eventually(lambda: learner.status().applied_index == leader.status().applied_index)
        assert learner.status().is_member
        assert [row.voter for row in learner.members()] == [True, True, True, False]
        terms = (learner.status().term, voter.status().term)
        await group.stop(gone, leader.settings.node_id)
        await eventually(lambda: voter.status().role == "candidate")
        await asyncio.sleep(1.5)  # several election timeouts: one of three voters and a learner are no majority
        assert (learner.status().role, learner.counters().elections) == ("follower", 0)
        assert voter.counters().elections == 0
        assert (learner.status().term, voter.status().term) == terms
        await group.start(gone)
        await group.leader()
