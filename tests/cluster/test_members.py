"""Members of a running cluster come and go, one at a time; a lost disk is a lost member."""

import asyncio
import logging
import time
from collections import Counter
from functools import partial
from pathlib import Path

import msgspec
import pytest

from cluster import (
    Cluster,
    KindUnsupported,
    Member,
    MemberChangeRefused,
    NoLeader,
    NotLeader,
    OutcomeUnknown,
)
from tests.cluster.machines import Freeze, Nodes, Register, command, nodes, value_of, wired_nodes
from tests.support import eventually, free_port

pytestmark = pytest.mark.anyio


def ids(node: Cluster) -> list[str]:
    return [member.id for member in node.members()]


def voters(node: Cluster) -> list[str]:
    return [member.id for member in node.members() if member.voter]


async def _holds(node: Cluster, value: object) -> bool:
    return bool(await value_of(node) == value)


def stranger(node_id: str = "n9") -> Member:
    """A member that does not run."""
    return Member(id=node_id, address=f"127.0.0.1:{free_port()}")


async def test_a_fourth_member_learns_votes_and_is_needed(tmp_path: Path) -> None:
    async with nodes(tmp_path, compaction_entries=40) as group:
        leader = await group.leader()
        for number in range(100):  # it needs the snapshot and the log behind it
            await leader.propose(command(value=number))
        member = await group.join("n4")
        added = await leader.add_member(member)
        assert not added.duplicate
        assert (await leader.add_member(member)).duplicate
        fourth = group.running["n4"]
        await eventually(lambda: {tuple(voters(node)) for node in group.running.values()} == {("n1", "n2", "n3", "n4")})
        await eventually(partial(_holds, fourth, 99))
        gone = next(node.settings.node_id for node in await group.followers() if node is not fourth)
        await group.stop(gone)  # three of four are a majority, and the fourth is one of them
        assert (await leader.propose(command(value="with n4"))).outcome.ok
        async with Freeze(fourth):
            with pytest.raises((OutcomeUnknown, NoLeader, NotLeader)):
                await leader.propose(command(value="without n4"), timeout=0.2)


async def test_what_was_added_is_known_after_a_restart_of_all(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        await leader.add_member(await group.join("n4"))
        everybody = list(group.running)
        await group.stop()
        await group.start(*everybody)
        leader = await group.leader()
        assert voters(leader) == ["n1", "n2", "n3", "n4"]
        await eventually(lambda: all(member.connected for member in leader.members()))
        if leader is not group.running["n4"]:
            await leader.transfer("n4")
            await eventually(lambda: group.running["n4"].status().epoch)


async def test_a_member_that_was_removed_is_refused_and_disturbs_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="cluster.strangers")
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        epoch = leader.status().epoch
        other, gone = (node.settings.node_id for node in await group.followers())  # the greater id dials
        await leader.remove_member(gone)
        assert gone not in ids(leader)
        await eventually(lambda: gone not in ids(group.running[other]))
        assert (await leader.propose(command(value="by two"))).outcome.ok
        await group.stop(gone)
        await group.start(gone)  # its own log may not know that it was removed
        await eventually(lambda: sum(node.status().refused["member"] for node in group.running.values()) >= 3)
        assert leader.status().epoch == epoch
        assert group.running[gone].counters().elections == 0
        assert f"refused {gone}: {gone} was removed from the cluster; it may come back under a new id" in caplog.text
        said = Counter(record.getMessage() for record in caplog.records)
        assert max(said.values()) <= 2  # once a node, and the removed one was started twice
        with pytest.raises(MemberChangeRefused, match=f"{gone} was a member and has been removed"):
            await leader.add_member(Member(id=gone, address=f"127.0.0.1:{free_port()}"))


async def test_a_lost_disk_is_refused_by_name_and_replaced_under_a_new_id(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="cluster.strangers")
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        epoch = leader.status().epoch
        lost = (await group.followers())[0].settings.node_id
        await leader.propose(command(value="kept"))
        await group.stop(lost)
        group.lose_disk(lost)
        await group.start(lost)
        node = group.running[lost]
        rest = [other for other in group.running.values() if other is not node]
        await eventually(lambda: sum(other.status().refused["member"] for other in rest) >= 3)
        assert f"{lost} comes with another data directory than before" in caplog.text
        assert "remove the member, then add it under a new id with an empty data_dir" in caplog.text
        assert (node.status().leader_id, node.status().term, node.counters().elections) == (None, 0, 0)
        assert node.counters().votes == 0
        assert leader.status().epoch == epoch
        assert (await leader.propose(command(value="by two"))).outcome.ok

        await group.stop(lost)
        await leader.remove_member(lost)
        await leader.add_member(await group.join("n4"))
        await eventually(lambda: sorted(voters(group.running["n4"])) == sorted({"n1", "n2", "n3", "n4"} - {lost}))
        await eventually(partial(_holds, group.running["n4"], "by two"))
        assert leader.status().epoch == epoch


async def test_a_lost_disk_is_refused_also_by_members_that_have_restarted(tmp_path: Path) -> None:
    """What they have met is on their disks: or the node could vote a second time in a term, after all restarted."""
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        lost, other = (node.settings.node_id for node in await group.followers())
        left = leader.settings.node_id
        await eventually(lambda: all(member.connected for member in group.running[other].members()))
        await group.stop()
        group.lose_disk(lost)
        await group.start(other, lost)  # these two would be a majority
        node = group.running[other]
        await eventually(lambda: node.status().refused["member"] + group.running[lost].status().refused["member"] >= 3)
        assert node.status().leader_id is None
        assert node.counters().elections == group.running[lost].counters().elections == 0
        await group.start(left)
        assert (await (await group.leader()).propose(command())).outcome.ok


async def test_changes_that_cannot_be_are_refused(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        follower = (await group.followers())[0]
        own = leader.settings.node_id
        with pytest.raises(MemberChangeRefused, match=f"{own} leads: hand leadership over first"):
            await leader.remove_member(own)
        with pytest.raises(MemberChangeRefused, match="n9 is not a member"):
            await leader.remove_member("n9")
        with pytest.raises(MemberChangeRefused, match="n1 is a member already"):
            await leader.add_member(Member(id="n1", address=f"127.0.0.1:{free_port()}"))
        with pytest.raises(MemberChangeRefused, match="is the address of n2"):
            await leader.add_member(Member(id="n9", address=group.members[1].address))
        for change in (follower.remove_member("n9"), follower.add_member(stranger())):
            with pytest.raises(NotLeader):
                await change
        for node in group.running.values():
            assert voters(node) == ["n1", "n2", "n3"]


async def test_two_changes_at_once_are_one_too_many(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        followers = await group.followers()
        async with Freeze(followers[0]) as one, Freeze(followers[1]) as other:
            first = asyncio.ensure_future(leader.add_member(stranger("n8"), timeout=1))
            await asyncio.sleep(0)
            with pytest.raises(MemberChangeRefused, match="not committed yet: try again"):
                await leader.add_member(stranger("n9"))
            one.thaw()
            other.thaw()
        with pytest.raises(OutcomeUnknown):  # it does not run, so it never catches up
            await first
        assert "n9" not in ids(leader)


async def test_a_member_that_does_not_run_holds_nothing_up(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        with pytest.raises(OutcomeUnknown, match="is added, and has not caught up"):
            await leader.add_member(stranger(), timeout=0.3)
        assert voters(leader) == ["n1", "n2", "n3"]
        gone = (await group.followers())[0].settings.node_id
        await group.stop(gone)
        assert (await leader.propose(command())).outcome.ok  # two of three, whatever the learner does
        await leader.remove_member("n9")
        assert ids(leader) == ["n1", "n2", "n3"]


async def test_a_removal_after_which_nobody_could_lead_is_refused(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        gone, kept = (node.settings.node_id for node in await group.followers())
        await group.stop(gone)
        await eventually(lambda: not next(row for row in leader.members() if row.id == gone).connected)
        with pytest.raises(MemberChangeRefused, match=f"cannot remove {kept}: {gone} does not answer"):
            await leader.remove_member(kept)
        assert (await leader.propose(command(value="still led"))).outcome.ok
        await leader.remove_member(gone)
        assert voters(leader) == sorted((kept, leader.settings.node_id))


async def test_who_is_no_member_rests(tmp_path: Path) -> None:
    async with nodes(tmp_path, count=1) as group:
        await group.leader()
        await group.join("n4")
        raft = group.running["n4"]._raft
        assert raft is not None
        looked = 0
        patience = raft._patience

        def counting(instant: float) -> float:
            nonlocal looked
            looked += 1
            return patience(instant)

        raft._patience = counting  # type: ignore[method-assign]
        ends = time.monotonic() + 1.0
        await eventually(lambda: time.monotonic() > ends)
        assert 5 < looked < 100  # a look a heartbeat, and what the leader's connection brings


async def test_a_change_that_was_not_committed_is_taken_back_when_its_leader_loses(tmp_path: Path) -> None:
    async with wired_nodes(tmp_path) as (group, wires):
        former = await group.leader()
        others = await group.followers()
        wires.isolate(former.settings.node_id)
        with pytest.raises(OutcomeUnknown):
            await former.add_member(stranger(), timeout=10)
        assert ids(former) == ["n1", "n2", "n3", "n9"]  # it holds from the moment it is in the log
        leader = await eventually(lambda: next((one for one in others if one.status().epoch is not None), None))
        assert leader is not None
        await leader.propose(command(value="kept"))
        wires.heal()
        await eventually(partial(_holds, former, "kept"))
        for node in group.running.values():
            assert ids(node) == ["n1", "n2", "n3"]


class Newer(Register):
    """A release that knows more than the first one."""

    level = 2

    def level_of(self, kind: str, version: int) -> int:
        return 2 if kind == "new" or version > 1 else 1


async def test_a_new_kind_waits_until_every_member_knows_it(tmp_path: Path) -> None:
    group = Nodes(tmp_path, 3)
    await group.start("n1", "n2", machine=Newer)
    try:
        leader = await group.leader()
        new, newer_version = command("new"), msgspec.structs.replace(command(), version=2)
        for refused in (new, newer_version):
            with pytest.raises(
                KindUnsupported, match=r"upgrade n3 first .a member that has not been heard from"
            ) as caught:
                await leader.propose(refused)
            assert caught.value.members == ("n3",)
        assert leader.level() == 1, "one that was never met may know nothing"
        assert (await leader.propose(command())).outcome.ok
        await group.start("n3")  # of the first release
        await eventually(lambda: all(member.connected for member in leader.members()))
        with pytest.raises(KindUnsupported):
            await leader.propose(new)
        assert leader.level() == 1, "that of the oldest"
        await group.stop("n3")
        await group.start("n3", machine=Newer)
        await eventually(lambda: _accepted(leader, new))
        assert (await leader.propose(newer_version)).outcome.ok
        assert leader.level() == 2
    finally:
        await group.stop()


async def _accepted(leader: Cluster, new: object) -> bool:
    try:
        return (await leader.propose(new)).outcome.ok  # type: ignore[arg-type]
    except KindUnsupported:
        return False


async def test_a_removed_member_that_nobody_dials_is_told_all_the_same(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        if leader.settings.node_id == "n1":
            await leader.transfer()
            leader = await group.leader()
        gone = group.running["n1"]  # the smallest id: it dials nobody while it follows
        await leader.remove_member("n1")
        await eventually(lambda: gone.status().farewells)
        await group.stop("n1")
        await group.start("n1")  # it was told by a connection that is gone
        await eventually(lambda: "was removed" in " ".join(group.running["n1"].status().farewells.values()))


async def test_who_is_no_member_yet_may_begin_anew_until_it_is_added(tmp_path: Path) -> None:
    async with nodes(tmp_path) as group:
        leader = await group.leader()
        member = await group.join("n4")
        await eventually(
            lambda: {row.id for row in group.running["n4"].members() if row.connected} >= {"n1", "n2", "n3"}
        )
        await group.stop("n4")
        group.lose_disk("n4")
        await group.start("n4")
        await leader.add_member(member)
        assert "n4" in voters(leader)
        await group.stop("n4")
        group.lose_disk("n4")
        await group.start("n4")  # from now on its disk counts
        await eventually(lambda: "another data directory" in " ".join(group.running["n4"].status().farewells.values()))
