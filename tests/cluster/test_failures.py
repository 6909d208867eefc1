"""What a node refuses to start with, and what it stops itself for."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import SecretStr

from cluster import (
    AddressUnusable,
    Applied,
    Cluster,
    ClusterError,
    Command,
    DataDirInUse,
    EntryUnreadable,
    Event,
    Gained,
    Lost,
    NodeStopped,
    Outcome,
    OutcomeUnknown,
    PortInUse,
    Position,
    StateMachineFailed,
)
from cluster.applying import Answer
from cluster.ballot import Ballot, Vote
from cluster.disk import OsDisk
from cluster.messages import Chunk
from tests.cluster.machines import Freeze, Nodes, Register, command, nodes, one, value_of
from tests.support import eventually

pytestmark = pytest.mark.anyio


async def filled(directory: Path, *, count: int = 3, **settings: Any) -> Nodes:
    """A stopped one-node cluster that holds something."""
    group = one(directory, **settings)
    await group.start()
    leader = await group.leader()
    for number in range(count):
        await leader.propose(command(key=str(number), value=number))
    await group.stop()
    return group


async def test_a_port_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.listening.ATTEMPTS", 2)
    group = one(tmp_path)
    host, port = group.members[0].address.split(":")
    with socket.socket() as taken:
        taken.bind((host, int(port)))
        taken.listen(1)
        with pytest.raises(PortInUse, match=f"{host}:{port} is in use"):
            await group.start()
    await group.start()  # the failed start holds neither the directory nor the port
    await group.stop()


@pytest.mark.parametrize("bind", ["192.0.2.1:7101", "no-such-host.invalid:7101", "n1..plant:7101"])
async def test_an_address_that_is_not_this_hosts(tmp_path: Path, bind: str) -> None:
    with pytest.raises(AddressUnusable, match="cannot listen on"):
        await one(tmp_path, bind=bind, secret=SecretStr("s" * 32)).start()


async def test_a_kill_between_snapshot_and_log_cut_loses_nothing(tmp_path: Path) -> None:
    """R5: the snapshot is in place, the log still whole."""
    group = one(tmp_path)
    await group.start()
    leader = await group.leader()
    snapshot = b""
    for number in range(30):
        await leader.propose(command(key=str(number)))
        snapshot = await leader.snapshot() if number == 10 else snapshot
    await group.stop()
    (tmp_path / "n1" / "snapshot").write_bytes(snapshot)
    await group.start()
    leader = await group.leader()
    assert await leader.read(lambda machine: sorted(machine.values, key=int)) == [str(n) for n in range(30)]
    assert await leader.read(lambda machine: machine.applied) == 30
    await group.stop()


async def test_a_snapshot_ahead_of_the_log_begins_it_anew(tmp_path: Path) -> None:
    """A kill after a leader's snapshot was put into place, before the log was."""
    group = await filled(tmp_path, count=3)
    donor = await filled(tmp_path / "donor", count=30)
    await donor.start()
    snapshot = await (await donor.leader()).snapshot()
    await donor.stop()
    (tmp_path / "n1" / "snapshot").write_bytes(snapshot)
    ballot = Ballot(OsDisk(tmp_path / "n1"))
    ballot.store(Vote(ballot.vote.term + 5))
    await group.start()
    leader = await group.leader()
    assert await leader.read(lambda machine: machine.applied) == 30
    await group.stop()


class Timid(Register):
    """Cannot say what it is worth."""

    def snapshot(self) -> bytes:
        raise RuntimeError("no snapshot today")


async def test_a_read_that_the_node_did_not_get_to_is_told_that_it_stopped(tmp_path: Path) -> None:
    group = one(tmp_path)
    await group.start()
    leader = await group.leader()
    async with Freeze(leader) as frozen:
        reads = [asyncio.ensure_future(leader.read(len, consistency=how)) for how in ("stale", "leader")]
        snapshot = asyncio.ensure_future(leader.snapshot())
        await asyncio.sleep(0)  # all of them are queued now
        stopping = asyncio.ensure_future(group.stop())
        await eventually(lambda: leader.status().role == "follower")
        frozen.thaw()
        for call in (*reads, snapshot):
            with pytest.raises(NodeStopped):
                await call
    await stopping


async def test_a_defect_of_the_state_machine_stops_the_node_with_the_command(tmp_path: Path) -> None:
    group = one(tmp_path)
    await group.start()
    leader = await group.leader()
    changes = leader.leadership()
    assert isinstance(await anext(changes), Gained)
    watch = leader.watch()
    ended = asyncio.ensure_future(leader.wait_ended())
    with pytest.raises(OutcomeUnknown, match="failed"):
        await leader.propose(command("break", id="culprit"))
    assert isinstance(await anext(changes), Lost)
    for iterator in (changes, watch):
        with pytest.raises(StateMachineFailed):
            await anext(iterator)
    with pytest.raises(StateMachineFailed, match="culprit") as caught:
        await ended
    assert (caught.value.command_id, caught.value.kind) == ("culprit", "break")
    with pytest.raises(NodeStopped, match="culprit"):
        await leader.propose(command())
    await group.stop()
    await group.start()  # still there: the node stops again rather than skip it
    again = group.running["n1"]
    with pytest.raises(StateMachineFailed, match="culprit"):
        await again.wait_ended()
    await group.stop()


async def test_an_outcome_that_cannot_be_replicated_is_a_defect(tmp_path: Path) -> None:
    class Odd(Register):
        def apply(self, _command: Command, _position: Position) -> tuple[Outcome, list[Event]]:
            return Outcome(value=object()), []

    group = one(tmp_path)
    await group.start(machine=Odd)
    with pytest.raises(OutcomeUnknown):
        await (await group.leader()).propose(command())
    await group.stop()


async def test_keys_and_actors_outlive_a_restart_from_a_snapshot(tmp_path: Path) -> None:
    group = one(tmp_path, compaction_entries=5)

    async def propose(leader: Cluster, id: str, request: str, key: str = "k ada") -> Applied:
        made = msgspec.structs.replace(command(id=id), key=key, request=request, actor={"id": "ada"})
        return await leader.propose(made)

    await group.start()
    try:
        leader = await group.leader()
        assert (await propose(leader, "a", "r1")).outcome.ok
        for at in range(20):
            await leader.propose(command(id=f"{at}"))
        await eventually(lambda: leader.status().log_entries < 20)
        await group.stop()
        await group.start()
        leader = await group.leader()
        assert leader.request_of("k ada") == "r1"
        assert (await propose(leader, "b", "r2")).outcome.code == "key_reused"
        assert (await propose(leader, "a", "r1")).duplicate
        assert (await propose(leader, "b", "r2", "k bob")).outcome.ok
    finally:
        await group.stop()


async def test_a_snapshot_that_fails_stops_the_node(tmp_path: Path) -> None:
    group = one(tmp_path, compaction_entries=5)
    await group.start(machine=Timid)
    leader = await group.leader()
    results = await asyncio.gather(*(leader.propose(command()) for _ in range(20)), return_exceptions=True)
    assert not any(isinstance(result, BaseException) and not isinstance(result, ClusterError) for result in results)
    with pytest.raises(RuntimeError, match="no snapshot today"):
        await leader.wait_ended()
    await group.stop()


async def test_log_entries_of_another_kind_are_not_executed(tmp_path: Path) -> None:
    """Commands of pysyncobj's own types carry pickled method calls; those of a newer release are not understood."""
    for number, entry in enumerate((b"\x03cos\nsystem\n(S'true'\ntR.", b"\x00\xc1", b"")):
        group = one(tmp_path / str(number))
        node = Cluster(group.settings("n1"), Register())
        await node.start()
        await next_of(node.leadership())
        await node._call(partial(_append, entry), 5)
        with pytest.raises(EntryUnreadable, match="newer release"):
            await node.wait_ended()
        await node.stop()


def _append(entry: bytes, raft: Any, answer: Answer) -> None:
    raft._append(entry)
    raft.post(answer, None)


async def next_of(changes: AsyncIterator[Gained | Lost]) -> Gained | Lost:
    async with asyncio.timeout(10):
        return await anext(changes)


async def test_snapshots_that_are_damaged_or_old_are_refused_and_commit_nothing(tmp_path: Path) -> None:
    """R17, R19: a chunk never moves the commit index, whatever it says."""
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        await leader.propose(command(value=1))
        old = await leader.snapshot()
        await leader.propose(command(value=2))
        follower = (await group.followers())[0]
        await eventually(partial(_is, follower, 2))

        def send(raft: Any, answer: Answer) -> None:
            for peer in raft._SyncObj__otherNodes:
                for data, offset, last in (
                    (old[:-1], 0, True),
                    (old, 0, True),
                    (old[:-1], 0, False),
                    (b"?", len(old) - 1, True),
                    (old, 1 << 40, True),
                ):
                    raft._transport.send(peer, Chunk(raft.view.term, 10**9, offset, last, data))
            raft.post(answer, None)

        await leader._call(send, 5)
        assert (await leader.propose(command(value=3))).outcome.ok
        await eventually(partial(_is, follower, 3))
        assert follower.status().commit_index <= leader.status().commit_index
        assert leader.status().epoch is not None


async def test_a_thread_that_does_not_end_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.node.STOP_TIMEOUT_S", 0.05)
    async with nodes(tmp_path, 1) as group:
        node = await group.leader()
        async with Freeze(node):
            await node.stop()
            with pytest.raises(DataDirInUse):  # it still runs, so it still holds its directory
                await Cluster(group.settings("n1"), Register()).start()


async def test_a_long_replay_goes_on_over_many_ticks(tmp_path: Path) -> None:
    class Slow(Register):
        def apply(self, command: Command, position: Position) -> tuple[Outcome, Sequence[Event]]:
            time.sleep(0.01)
            return super().apply(command, position)

    group = await filled(tmp_path, count=20)
    await group.start(machine=Slow)
    leader = await group.leader()
    assert await leader.read(lambda machine: machine.applied) == 20
    await group.stop()


async def _is(node: Cluster, value: int) -> bool:
    return bool(await value_of(node) == value)
