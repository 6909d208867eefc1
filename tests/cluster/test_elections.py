"""Leadership over real nodes: gained and lost in order, isolation, transfer."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from cluster import Cluster, Gained, Lost, NodeStopped, NoLeader, NotLeader, OutcomeUnknown, TransferFailed
from tests.cluster.machines import Freeze, Nodes, command, nodes
from tests.support import eventually

pytestmark = pytest.mark.anyio


async def next_of(changes: AsyncIterator[Gained | Lost], deadline_s: float = 10) -> Gained | Lost:
    async with asyncio.timeout(deadline_s):
        return await anext(changes)


async def test_gained_after_the_own_claim_then_lost_with_the_reason(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        changes = leader.leadership()
        gained = await next_of(changes)
        assert gained == Gained(leader.status().epoch)  # type: ignore[arg-type]
        claim = await leader.read(lambda machine: machine.applied)
        assert claim == 0  # the claim itself is not the machine's business
        epoch = await leader.transfer()
        lost = await next_of(changes)
        assert isinstance(lost, Lost)
        assert lost.epoch == gained.epoch
        assert "is in term" in lost.reason
        assert epoch > gained.epoch
        successor = await group.leader()
        assert successor.status().epoch == epoch
        assert await next_of(successor.leadership()) == Gained(epoch)


async def test_an_isolated_leader_steps_down_within_a_second(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        changes = leader.leadership()
        await next_of(changes)
        followers = await group.followers()
        async with Freeze(followers[0]), Freeze(followers[1]):
            began = time.monotonic()
            lost = await next_of(changes)
            assert time.monotonic() - began < 1.0
            assert isinstance(lost, Lost)
            assert "majority" in lost.reason


async def test_a_paused_leader_finds_itself_deposed(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        changes = leader.leadership()
        gained = await next_of(changes)
        others = [node for node in group.running.values() if node is not leader]
        async with Freeze(leader) as freeze:
            late = asyncio.ensure_future(leader.propose(command(value="late", epoch=gained.epoch), timeout=20))
            successor = await eventually(
                lambda: next((node for node in others if node.status().epoch is not None), None)
            )
            assert successor is not None
            assert (await successor.propose(command(value="new"))).outcome.ok
            freeze.thaw()
            lost = await next_of(changes)
            assert isinstance(lost, Lost)
        with pytest.raises((NotLeader, NoLeader, OutcomeUnknown)):
            await late
        epoch = successor.status().epoch
        await eventually(lambda: leader.status().leader_id == successor.settings.node_id)
        assert successor.status().epoch == epoch  # hearing it first, the returning node did not disturb it
        assert await successor.read(lambda m: m.values, consistency="linearizable") == {"k": "new"}


async def test_a_node_that_dies_is_followed_by_another_within_the_budget(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        await leader.propose(command(value=1))
        await group.followers()
        began = time.monotonic()
        await group.stop(leader.settings.node_id)
        leader = await group.leader()
        assert time.monotonic() - began < leader.settings.takeover_budget_s
        assert await leader.read(lambda m: m.values["k"], consistency="linearizable") == 1


async def test_followers_that_had_nothing_to_say_for_long_still_hear_each_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="cluster.transport")
    async with nodes(tmp_path, connection_timeout_s=0.8) as group:
        leader = await group.leader()
        followers = await group.followers()
        term = leader.status().term
        await eventually(lambda: all(member.connected for node in followers for member in node.members()))
        caplog.clear()
        await asyncio.sleep(1.2)  # longer than a silent connection is kept
        assert "lost the connection" not in caplog.text
        await group.stop(leader.settings.node_id)
        assert (await group.leader()).status().term == term + 1


async def test_leadership_goes_to_the_wanted_member_under_load(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        target = (await group.followers())[1].settings.node_id
        stopping = asyncio.Event()
        outcomes: list[bool] = []

        async def load() -> None:
            while not stopping.is_set():
                try:
                    outcomes.append((await leader.propose(command())).outcome.ok)
                except (NotLeader, NoLeader):
                    return

        async with asyncio.TaskGroup() as tasks:
            for _ in range(20):
                tasks.create_task(load())
            await eventually(lambda: len(outcomes) > 100)
            epoch = await leader.transfer(target)
            stopping.set()
        await eventually(lambda: group.running[target].status().epoch == epoch)
        assert all(outcomes)


async def test_reads_put_nothing_into_the_log_behind_a_transfer(tmp_path: Path) -> None:
    """A linearizable read commits an entry: one that the target lacks would cost it the votes of all others."""
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        stopping = asyncio.Event()

        async def reads(node: Cluster) -> None:
            while not stopping.is_set():
                try:
                    await node.read(lambda _: None, consistency="linearizable")
                except (NotLeader, NoLeader):
                    await asyncio.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            for node in group.running.values():
                for _ in range(10):
                    tasks.create_task(reads(node))
            try:
                for _ in range(6):
                    leader = await group.leader()
                    term = leader.status().term
                    target = next(member.id for member in leader.members() if member.id != leader.settings.node_id)
                    epoch = await leader.transfer(target)
                    assert epoch.term == term + 1  # the first election was won
                    await eventually(lambda: group.running[target].status().epoch == epoch)  # noqa: B023
            finally:
                stopping.set()


async def test_a_transfer_that_cannot_be_says_why(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        own = leader.settings.node_id
        with pytest.raises(TransferFailed, match="not a member"):
            await leader.transfer("n9")
        with pytest.raises(TransferFailed, match="leads already"):
            await leader.transfer(own)
        gone = (await group.followers())[0].settings.node_id
        await group.stop(gone)
        await eventually(lambda: not next(m for m in leader.members() if m.id == gone).connected)
        with pytest.raises(TransferFailed, match=f"{gone} is not connected"):
            await leader.transfer(gone)
        rest = next(node for node in group.running.values() if node is not leader)
        async with Freeze(rest):
            with pytest.raises(OutcomeUnknown, match=rest.settings.node_id):
                await leader.transfer(timeout=0.2)
        await eventually(lambda: proposed(group, "after"))


async def test_a_member_that_was_asked_and_is_not_heard_may_still_take_over(tmp_path: Path) -> None:
    """Nobody is told that it has failed: it leads as soon as it goes on."""
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        target = (await group.followers())[0]
        to, before = target.settings.node_id, leader.status().epoch
        await eventually(lambda: target.status().last_index == leader.status().last_index)
        async with Freeze(target):
            with pytest.raises(OutcomeUnknown, match=f"{to} was asked to take over, and still may"):
                await leader.transfer(to, timeout=0.3)
            assert leader.status().epoch == before
        await eventually(lambda: target.status().epoch is not None)
        assert before is not None
        assert target.status().epoch == (await group.leader()).status().epoch > before  # type: ignore[operator]


async def test_what_is_not_known_of_one_attempt_no_later_one_denies(tmp_path: Path) -> None:
    """Until another claim is applied: then it is settled."""
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        target, third = await group.followers()
        to = target.settings.node_id
        await eventually(lambda: target.status().last_index == leader.status().last_index)
        async with Freeze(target):
            with pytest.raises(OutcomeUnknown):
                await leader.transfer(to, timeout=0.3)
            await eventually(lambda: not next(row for row in leader.members() if row.id == to).connected)
            with pytest.raises(OutcomeUnknown, match=f"{to} was asked to take over, and still may: {to} is not"):
                await leader.transfer(to)
            await leader.transfer(third.settings.node_id)
            await eventually(lambda: third.status().epoch is not None)
            await third.transfer(leader.settings.node_id)
            await eventually(lambda: leader.status().epoch is not None)
            with pytest.raises(TransferFailed, match=f"{to} is not connected"):
                await leader.transfer(to)


async def test_nobody_is_asked_once_it_was_said_that_nobody_was(tmp_path: Path) -> None:
    """The leader itself stands still for longer than somebody waits for it."""
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        target = (await group.followers())[0]
        before, elections = leader.status().epoch, target.counters().elections
        async with Freeze(leader):
            with pytest.raises(TransferFailed, match=r"no new leader's claim"):
                await leader.transfer(target.settings.node_id, timeout=0.05)
        await leader.read(lambda _: None, consistency="linearizable")
        assert leader.status().epoch == before
        assert target.counters().elections == elections


async def proposed(group: Nodes, id: str) -> bool:
    """Whether a command went through; while leadership changes hands it may not."""
    try:
        return (await (await group.leader()).propose(command(id=id))).outcome.ok
    except (NotLeader, NoLeader, OutcomeUnknown):
        return False


async def test_a_node_alone_has_nobody_to_transfer_to_and_leads(tmp_path: Path) -> None:
    async with nodes(tmp_path, 1) as group:
        leader = await group.leader()
        with pytest.raises(TransferFailed, match="no other member"):
            await leader.transfer()
        status = leader.status()
        assert (status.role, status.leader_id, status.has_quorum) == ("leader", "n1", True)
        changes = leader.leadership()
        assert isinstance(await next_of(changes), Gained)
        coming = asyncio.ensure_future(anext(changes))
        await group.stop()
        assert isinstance(await coming, Lost)
        with pytest.raises(StopAsyncIteration):
            await anext(changes)


async def test_an_unborn_cluster_knows_no_leader(tmp_path: Path) -> None:
    group = Nodes(tmp_path, 3)
    node = Cluster(group.settings("n1"), None)  # type: ignore[arg-type]
    assert node.status().leader_id is None
    with pytest.raises(NodeStopped):
        await node.propose(command())
    await node.stop()
    await group.start("n1")
    with pytest.raises(NoLeader):
        await group.running["n1"].propose(command())
    with pytest.raises(NoLeader):
        await group.running["n1"].transfer()
    await group.stop()


async def refused_until_led(directory: Path) -> list[NotLeader | NoLeader]:
    """What reads of a new node are refused with, one queued at every tick, until its claim is applied."""
    refusals: list[NotLeader | NoLeader] = []
    async with nodes(directory, 1) as group:
        node = group.running["n1"]

        async def ask() -> None:
            while node.status().epoch is None:
                try:
                    await node.read(lambda machine: machine.applied)
                except (NotLeader, NoLeader) as error:
                    refusals.append(error)

        async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
            for _ in range(10):
                tasks.create_task(ask())
    return refusals


async def test_nobody_is_led_between_an_election_and_the_applied_claim(tmp_path: Path) -> None:
    for turn in range(30):  # until a read falls into the tick of an election, which is luck
        refusals = await refused_until_led(tmp_path / str(turn))
        assert {NoLeader} <= {type(error) for error in refusals} <= {NoLeader, NotLeader}
        assert all(error.leader_id is None for error in refusals if isinstance(error, NotLeader))
        if any(isinstance(error, NotLeader) for error in refusals):
            return
    pytest.fail("no read met an election")


async def test_leadership_does_not_go_to_a_member_that_lags(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        lagging, other = await group.followers()
        async with Freeze(lagging):
            assert (await leader.propose(command())).outcome.ok
            with pytest.raises(TransferFailed, match=r"no new leader's claim"):
                await leader.transfer(lagging.settings.node_id, timeout=0.2)
            assert (await leader.propose(command(key="after"))).outcome.ok  # released
        await eventually(lambda: lagging.status().applied_index == leader.status().applied_index)
        assert (
            await leader.transfer(lagging.settings.node_id) == lagging.status().epoch or await group.leader() is lagging
        )
        await eventually(lambda: other.status().leader_id == lagging.settings.node_id)
