"""Membership changes, as an operator makes them: ask the leader, look at the membership, ask again.

A member that is replaced has lost its disk: its host is gone, its id is removed, and a new one with an empty disk is
added. One that is removed goes on running for a while: it has not been told, and must disturb nobody.
"""

from collections.abc import Callable
from typing import Protocol

from cluster.errors import ClusterError
from cluster.membership import MemberRecord, Membership
from cluster.raft import Raft
from tests.simulation.agenda import Agenda
from tests.simulation.member import Member

ASK_AGAIN_S = 0.15
MEMBERS_LEAST, MEMBERS_MOST = 3, 5


class Cluster(Protocol):
    """What is changed: see world.py."""

    agenda: Agenda
    slots: list[Member]
    leaving: list[Member]

    def established(self) -> Member | None:
        """The member that leads and has claimed it."""
        ...

    def leader(self) -> Member | None:
        """The member that leads the highest term."""
        ...

    def new_member(self) -> Member:
        """On a new host with an empty disk, under a new id; not started."""
        ...

    def boot(self, member: Member) -> None:
        """Start it."""
        ...

    def disturb_all(self, until: float) -> None:
        """Leadership may change."""
        ...

    def note(self, who: str, what: str) -> None:
        """For the trace."""
        ...


class MemberChanges:
    """One change at a time; a plan's next one is left out while one is under way."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._goes: Member | None = None
        self._comes: Member | None = None
        self._asked_until = 0.0
        self._forgetting = False
        """whether a member runs that has lost its disk"""

    @property
    def under_way(self) -> bool:
        """Whether a change is not finished."""
        return self._goes is not None or self._comes is not None or self._forgetting

    def begin(self, kind: str, slot: int) -> str:
        """Replace, add or remove a member; what was begun."""
        slots = self._cluster.slots
        if self.under_way:
            return "while another change is under way: left out"
        leaves = slots[slot % len(slots)]
        if kind == "add" and len(slots) >= MEMBERS_MOST:
            return f"there are {len(slots)} already"
        if kind == "remove" and (len(slots) <= MEMBERS_LEAST or leaves is self._cluster.leader()):
            return f"{leaves.id} is needed"
        if kind != "add":
            self._goes = leaves
        if kind != "remove":
            self._comes = self._cluster.new_member()
        if kind == "replace":
            slots[slots.index(leaves)] = self._newcomer()
            leaves.crash(power=True)
            leaves.retire()
        elif kind == "add":
            slots.append(self._newcomer())
        self._cluster.agenda.after(0.0, self._step)
        return " ".join(
            [f"{leaves.id} goes" if kind != "add" else "", f"{self._newcomer().id} comes" if kind != "remove" else ""]
        ).strip()

    def begin_amnesia(self, slot: int, for_s: float) -> str:
        """A member comes back under its id with an empty disk. Nobody may count on it; later it is replaced."""
        slots = self._cluster.slots
        member = slots[slot % len(slots)]
        if self.under_way:
            return "while another change is under way: left out"
        self._forgetting = True
        member.lose_disk()
        member.down_until = self._cluster.agenda.now
        self._cluster.agenda.after(0.01, self._cluster.boot, member)
        self._cluster.agenda.after(for_s, self._end_amnesia, member)
        return f"{member.id} starts with an empty disk, and is replaced {for_s:g} s later"

    def _end_amnesia(self, member: Member) -> None:
        self._forgetting = False
        self._cluster.disturb_all(self._cluster.agenda.now + 0.5)
        self._cluster.note(member.id, self.begin("replace", self._cluster.slots.index(member)))

    def _newcomer(self) -> Member:
        assert self._comes is not None
        return self._comes

    def _step(self) -> None:
        """Look how far it is, and ask for the next step."""
        if not self.under_way:
            return
        cluster = self._cluster
        cluster.agenda.after(ASK_AGAIN_S, self._step)
        leader = cluster.established()
        if leader is None or leader.raft is None or cluster.agenda.now < self._asked_until:
            return
        membership = leader.raft.view.membership
        if self._goes is not None:
            self._remove(leader, self._goes, membership)
        elif self._comes is not None:
            self._add(leader, self._comes, membership)

    def _remove(self, leader: Member, goes: Member, membership: Membership) -> None:
        cluster = self._cluster
        if membership.get(goes.id) is not None:
            if goes is not leader:
                self._ask(leader, f"remove {goes.id}", lambda raft: raft.remove_member(goes.id, _ignore))
            else:  # as an operator has to
                self._ask(leader, "hand leadership over", lambda raft: _ignore(raft.hand_over(None, 0.3)))
            return
        if leader.commit < leader.last_index:
            return  # not committed yet
        cluster.note(goes.id, "is no member any more")
        if goes in cluster.slots:
            cluster.slots.remove(goes)
        cluster.leaving.append(goes)
        self._goes = None

    def _add(self, leader: Member, comes: Member, membership: Membership) -> None:
        record = membership.get(comes.id)
        if record is None:
            if not comes.up and comes.incarnation == 0:
                self._cluster.boot(comes)
            new = MemberRecord(comes.id, comes.address)
            self._ask(leader, f"add {comes.id}", lambda raft: raft.add_member(new, _ignore))
        elif record.voter and leader.commit == leader.last_index:
            self._cluster.note(comes.id, "is a voter")
            self._comes = None

    def _ask(self, leader: Member, what: str, change: Callable[[Raft], None]) -> None:
        cluster = self._cluster
        cluster.disturb_all(cluster.agenda.now + 0.5)

        def ask(raft: Raft) -> None:
            def run() -> None:
                try:
                    change(raft)
                except ClusterError as error:
                    cluster.note(leader.id, f"does not {what}: {error}")

            try:
                raft.call(run, lambda _stopped: None)
            except ClusterError as error:
                cluster.note(leader.id, f"does not {what}: {error}")

        cluster.note(leader.id, f"is asked to {what}")
        leader.request(ask)
        self._asked_until = cluster.agenda.now + ASK_AGAIN_S


def _ignore(_: object) -> None:
    pass
