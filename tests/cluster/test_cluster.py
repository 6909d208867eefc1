"""Three real nodes over real sockets: proposals, reads, watching, restarts, snapshots."""

import asyncio
import os
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from cluster import (
    Cluster,
    Command,
    CommandTooLarge,
    Compacted,
    Epoch,
    Event,
    NodeStopped,
    NoLeader,
    NotLeader,
    Outcome,
    OutcomeUnknown,
    Position,
    QueueFull,
    ReadTimedOut,
    SnapshotUnreadable,
    TooStale,
)
from cluster.commands import encode
from tests.cluster.machines import Freeze, Nodes, Register, command, nodes, one, value_of
from tests.support import eventually

pytestmark = pytest.mark.anyio


async def test_a_command_is_applied_once_everywhere_whatever_is_sent_again(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        first = await leader.propose(command(value=1, id="a"))
        assert first.outcome.ok
        assert first.outcome.value == ["k", 1]
        again = await leader.propose(command(value=2, id="a"))
        assert again.duplicate
        assert (again.outcome, again.position) == (first.outcome, first.position)
        for node in group.running.values():
            await eventually(partial(_applied, node, 1))


async def test_an_answer_does_not_wait_for_what_is_appended_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that is slow, the entry behind a command that is committed would hold its answer up."""
    behind, answered = threading.Event(), threading.Event()
    in_time: list[bool] = []
    fdatasync = os.fdatasync

    def slow(descriptor: int) -> None:
        if behind.is_set():
            behind.clear()
            in_time.append(answered.wait(20))
        fdatasync(descriptor)

    class Followed(Register):
        def apply(self, applied: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
            if applied.id == "first":  # appended in the round in which this one is applied
                assert leader._raft is not None
                leader._raft.propose(encode(command(id="second")), "second", lambda _: None)
                behind.set()
            return super().apply(applied, position)

    group = one(tmp_path)
    try:
        await group.start(machine=Followed)
        leader = await group.leader()
        monkeypatch.setattr(os, "fdatasync", slow)
        assert (await leader.propose(command(id="first"), timeout=30)).outcome.ok
        answered.set()
        await eventually(lambda: in_time)
        assert in_time == [True]
    finally:
        await group.stop()


async def _applied(node: Cluster, count: int) -> bool:
    return await node.read(lambda machine: machine.applied == count, consistency="stale")


async def test_a_follower_refuses_and_names_the_leader(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        follower = (await group.followers())[0]
        with pytest.raises(NotLeader) as caught:
            await follower.propose(command())
        assert caught.value.leader_id == leader.settings.node_id
        with pytest.raises(NotLeader):
            await follower.read(lambda machine: machine.applied)
        with pytest.raises(NotLeader):
            await follower.transfer()
        status = follower.status()
        assert (status.role, status.epoch, status.leader_id) == ("follower", None, leader.settings.node_id)
        assert status.has_quorum
        assert [member.id for member in status.members] == ["n1", "n2", "n3"]
        assert all(member.connected for member in leader.members())
        assert {member.match_index is None for member in leader.members()} == {True, False}


async def test_only_the_current_epoch_may_command(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        epoch = leader.status().epoch
        assert epoch is not None
        assert (await leader.propose(command(epoch=epoch))).outcome.ok
        late = await leader.propose(command(value=9, epoch=Epoch(epoch.term, epoch.index - 1)))
        assert late.outcome.code == "fenced"
        await leader.transfer()
        leader = await group.leader()
        assert (await leader.propose(command(value=9, epoch=epoch))).outcome.code == "fenced"
        assert await leader.read(lambda machine: machine.values["k"]) == 1


async def test_bad_proposals_are_certainly_not_applied(tmp_path: Path) -> None:
    async with nodes(tmp_path, 1, command_bytes_max=2000, queue_size=5) as group:
        leader = await group.leader()
        with pytest.raises(CommandTooLarge):
            await leader.propose(command(value="x" * 2000))
        assert (await leader.propose(command(value="x" * 1800))).outcome.ok
        with pytest.raises(ValueError, match="own kind"):
            await leader.propose(command("cluster.claim"))
        with pytest.raises(ValueError, match="consistency"):
            await leader.read(lambda machine: machine.applied, consistency="fresh")  # type: ignore[arg-type]
        async with Freeze(leader):
            waiting = [asyncio.ensure_future(leader.propose(command())) for _ in range(5)]
            await asyncio.sleep(0)
            with pytest.raises(QueueFull):
                await leader.propose(command())
        assert all(one.outcome.ok for one in await asyncio.gather(*waiting))
        assert (await leader.propose(command("refuse"))).outcome.code == "refused_here"


async def test_without_a_majority_the_outcome_is_unknown_and_a_retry_settles_it(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        followers = await group.followers()
        async with Freeze(followers[0]), Freeze(followers[1]):
            with pytest.raises(OutcomeUnknown) as caught:
                await leader.propose(command(value=5, id="once"), timeout=0.05)
            assert caught.value.command_id == "once"
            held = asyncio.ensure_future(leader.propose(command(key="held", id="held"), timeout=10))
            with pytest.raises(OutcomeUnknown, match="stepped down"):
                await held
            with pytest.raises(NoLeader):
                await leader.propose(command())
            with pytest.raises(NoLeader):
                await leader.read(lambda machine: machine.applied, consistency="linearizable")
            status = leader.status()
            assert (status.leader_id, status.has_quorum, status.epoch) == (None, False, None)
        leader = await group.leader()
        for id, key in (("once", "k"), ("held", "held")):
            await leader.propose(command(key=key, value=5, id=id))
            await leader.propose(command(key=key, value=6, id=id))
        assert await leader.read(lambda machine: machine.applied, consistency="linearizable") == 2


async def test_linearizable_reads_share_a_barrier(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        await leader.propose(command(value=3))
        before = leader.status().log_entries
        async with asyncio.TaskGroup() as tasks:
            reads = [
                tasks.create_task(leader.read(lambda machine: machine.values["k"], consistency="linearizable"))
                for _ in range(50)
            ]
        assert {read.result() for read in reads} == {3}
        assert leader.status().log_entries - before < 10


async def test_a_linearizable_read_on_a_leader_cut_off_is_refused(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        followers = await group.followers()
        async with Freeze(followers[0]), Freeze(followers[1]):
            with pytest.raises(NoLeader):
                await leader.read(lambda machine: machine.applied, consistency="linearizable")


async def test_a_stale_read_knows_how_old_it_may_be(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        await leader.propose(command(value=1))
        follower = (await group.followers())[0]
        await eventually(lambda: _is(follower, 1))
        for node in (leader, follower):
            assert await node.read(lambda m: m.values["k"], consistency="stale", max_stale=0.5) == 1
        others = [id for id, node in group.running.items() if node is not follower]
        await group.stop(*others)

        async def too_stale() -> TooStale | None:
            try:
                await follower.read(lambda m: m.values["k"], consistency="stale", max_stale=0.3)
            except TooStale as error:
                return error
            return None

        error = await eventually(too_stale)
        assert error is not None
        assert 0.3 < error.staleness_s < 10
        assert await value_of(follower) == 1
    alone = Nodes(tmp_path / "alone", 3)
    await alone.start("n1")
    with pytest.raises(TooStale, match="inf"):
        await alone.running["n1"].read(lambda m: m.applied, consistency="stale", max_stale=100)
    await alone.stop()


async def _is(node: Cluster, value: int) -> bool:
    return bool(await value_of(node) == value)


async def test_a_paused_follower_does_not_take_old_news_for_fresh(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        follower = (await group.followers())[0]
        async with Freeze(follower):
            read = asyncio.ensure_future(
                follower.read(lambda m: m.applied, consistency="stale", max_stale=0.4, timeout=30)
            )
            await asyncio.sleep(0.7)  # the age is the subject: the heartbeats of this time wait in the socket
        with pytest.raises(TooStale):
            await read


async def test_what_a_query_raises_reaches_its_caller_only(tmp_path: Path) -> None:
    async with nodes(tmp_path, 1) as group:
        leader = await group.leader()
        with pytest.raises(KeyError):
            await leader.read(lambda machine: machine.values["absent"])
        async with Freeze(leader):
            with pytest.raises(ReadTimedOut):
                await leader.read(lambda machine: machine.applied, timeout=0.05)
            with pytest.raises(ReadTimedOut):
                await leader.snapshot(timeout=0.05)
        assert (await leader.propose(command())).outcome.ok


async def test_a_restart_keeps_everything_acknowledged(tmp_path: Path) -> None:
    group = Nodes(tmp_path, 3)
    await group.start()
    leader = await group.leader()
    for number in range(20):
        await leader.propose(command(key=str(number), value=number, id=f"c{number}"))
    epoch = leader.status().epoch
    await group.stop()
    await group.start()
    leader = await group.leader()
    again = await leader.propose(command(key="3", value=99, id="c3"))
    assert again.duplicate
    assert await leader.read(lambda m: m.values, consistency="linearizable") == {str(n): n for n in range(20)}
    now = leader.status().epoch
    assert now is not None
    assert epoch is not None
    assert now > epoch
    await group.stop()


async def test_a_lagging_node_gets_the_snapshot_in_chunks(tmp_path: Path) -> None:
    async with nodes(tmp_path, compaction_entries=50) as group:
        leader = await group.leader()
        lagging = (await group.followers())[0].settings.node_id
        await group.stop(lagging)
        for number in range(120):
            await leader.propose(command(key=str(number % 40), value=bytes([number]) * 10_000, id=f"c{number}"))
        await eventually(lambda: leader.status().log_entries < 120)
        await group.start(lagging)
        node = group.running[lagging]
        with pytest.raises(Compacted):
            await anext(node.watch(1) if await eventually(lambda: _caught_up(node, leader)) else node.watch())
        expected = await leader.read(lambda m: m.snapshot())
        assert await node.read(lambda m: m.snapshot(), consistency="stale") == expected
        await group.stop()
        await group.start()  # from snapshot and log together
        leader = await group.leader()
        assert await leader.read(lambda m: m.snapshot(), consistency="linearizable") == expected
        assert (await leader.propose(command(id="c119"))).duplicate


async def _caught_up(node: Cluster, leader: Cluster) -> bool:
    return node.status().applied_index == leader.status().applied_index


async def test_watching_from_an_index_on_any_node(tmp_path: Path) -> None:
    async with nodes(tmp_path, watch_changes=5) as group:
        leader = await group.leader()
        follower = (await group.followers())[0]
        watch = follower.watch()
        applied = [await leader.propose(command(value=number)) for number in range(4)]
        seen = [await anext(watch) for _ in range(4)]
        assert [change.index for change in seen] == [one.position.index for one in applied]
        assert [change.events[0].data["value"] for change in seen] == [0, 1, 2, 3]
        again = follower.watch(applied[2].position.index)
        assert (await anext(again)).index == applied[2].position.index
        for number in range(6):
            await leader.propose(command(value=number))
        slow = leader.watch(leader.status().applied_index + 1)
        with pytest.raises(Compacted):
            leader.watch(1)
        coming = asyncio.ensure_future(anext(slow))
        await group.stop()
        with pytest.raises(StopAsyncIteration):
            await coming


async def test_a_backup_replaces_the_state_on_all_nodes(tmp_path: Path) -> None:
    async with nodes(tmp_path, command_bytes_max=4096) as group:
        leader = await group.leader()
        await leader.propose(command(value=b"x" * 3000, id="a"))
        await leader.propose(command(key="l", value=b"y" * 3000, id="b"))
        backup = await leader.snapshot()
        await leader.propose(command(value="later"))
        epoch = leader.status().epoch
        applied = await leader.restore(backup)
        assert applied.outcome.ok
        assert leader.status().epoch == epoch
        for node in group.running.values():
            await eventually(partial(_holds, node, b"x" * 3000))
        assert (await leader.propose(command(id="a"))).duplicate
        with pytest.raises(SnapshotUnreadable):
            await leader.restore(backup[:-1])


async def _holds(node: Cluster, value: bytes) -> bool:
    return bool(await value_of(node) == value)


async def test_a_stopped_node_says_so(tmp_path: Path) -> None:
    async with nodes(tmp_path, 1) as group:
        leader = await group.leader()
        ended = asyncio.ensure_future(leader.wait_ended())
        async with Freeze(leader) as freeze:
            held = asyncio.ensure_future(leader.propose(command()))
            read = asyncio.ensure_future(leader.read(lambda m: m.applied, timeout=0.2))
            await asyncio.sleep(0)
            stopping = asyncio.ensure_future(leader.stop())
            await asyncio.sleep(0)
            freeze.thaw()
            await stopping
        assert (await asyncio.gather(held, return_exceptions=True))[0].__class__ in (NodeStopped, OutcomeUnknown)
        await asyncio.gather(read, return_exceptions=True)
        await ended
        with pytest.raises(NodeStopped):
            await leader.propose(command())
        with pytest.raises(NodeStopped):
            await leader.read(lambda m: m.applied)
        status = leader.status()
        assert (status.epoch, status.leader_id, status.has_quorum) == (None, None, False)
        await leader.stop()


async def test_sequential_commits_do_not_wait_for_heartbeats(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for _ in range(40):
            await leader.propose(command())
        assert loop.time() - began < 40 * 0.025  # half a heartbeat each would be 1 s; measured on idle cores: 0.03 s
