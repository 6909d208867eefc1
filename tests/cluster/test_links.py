"""What the membership and the other members' words do to connections: a node that is opened, and never ticked."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster import Cluster
from cluster.applying import MEMBERS
from cluster.link import Link
from cluster.membership import MemberRecord, Membership, encode_membership
from cluster.messages import Acknowledge, Farewell, Hello
from cluster.raft import Raft
from cluster.recovery import inspect, recover
from cluster.view import Sink
from tests.cluster.machines import Register, one


def _ignore(_: Any) -> None:
    """Nothing listens."""


@pytest.fixture
def raft(tmp_path: Path) -> Iterator[Raft]:
    cluster = Cluster(one(tmp_path).settings("n1"), Register())
    opened = cluster._open(Sink(*[_ignore] * 5))
    yield opened
    opened.close()
    assert cluster._data is not None
    cluster._data.close()


@pytest.fixture
def linked(raft: Raft) -> Callable[[str], Link]:
    """A connection with `n9`, which came with this incarnation."""

    def link(incarnation: str) -> Link:
        made = Link(raft._transport, raft._transport._session(None), dialled=False)
        made.session.peer = "n9"
        made.hello, made.met = Hello(0, incarnation, 1, "1", "127.0.0.1:1"), True
        raft._transport._links["n9"] = made
        return made

    return link


def _grow(raft: Raft, incarnation: str) -> None:
    members = (*raft.membership().members, MemberRecord("n9", "127.0.0.1:1", incarnation=incarnation))
    raft._memberships.append((2, Membership(members)))
    raft._configure()


def test_who_is_connected_before_the_log_names_it_is_measured_by_the_log(
    raft: Raft, linked: Callable[[str], Link]
) -> None:
    linked("another")
    _grow(raft, "the voters")
    assert raft._transport.peers.incarnations() == {"n9": "the voters"}
    assert "n9" not in raft._transport._links
    assert raft._transport.strangers.counts["member"] == 1


def test_a_member_that_takes_part_again_refuses_this_node_no_more(raft: Raft, linked: Callable[[str], Link]) -> None:
    link = linked("the voters")
    _grow(raft, "the voters")
    raft._transport.heard(link, Farewell(0, "removed"))
    assert raft._transport.farewells == {"n9": "removed"}
    raft._transport.heard(link, Acknowledge(0, 1, False))
    assert raft._transport.farewells == {}


def test_a_survivor_that_had_been_removed_is_refused_by_nobody_who_comes(tmp_path: Path) -> None:
    settings = one(tmp_path).settings("n1")
    cluster = Cluster(settings, Register())
    opened = cluster._open(Sink(*[_ignore] * 5))
    removed = Membership((MemberRecord("n2", "127.0.0.1:1"),), ("n1", "n0"))
    opened._SyncObj__raftLog.add(MEMBERS + encode_membership(removed), 2, 0)
    opened._SyncObj__raftLog.wal.sync()
    opened.close()
    assert cluster._data is not None
    cluster._data.close()
    assert recover(settings).membership == removed
    after = inspect(settings).membership
    assert [member.id for member in after.members] == ["n1"]
    assert after.removed == ("n0", "n2")
