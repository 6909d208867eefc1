"""Faults that consist of several, for what seldom meets by chance. Each waits for what it needs to happen next."""

from tests.simulation.faults import SingleFaults, Site
from tests.simulation.member import Member


class Faults(SingleFaults):
    """All of a plan's faults."""

    def __init__(self, site: Site) -> None:
        super().__init__(site)
        self._term_before: dict[str, int] = {}

    def _unheard_transfer(self, to: int, after_s: float, extra_s: float, for_s: float) -> str:
        """A leader hands over, and hears late of what its successor does."""
        leader = self._site.leader()
        said = self._transfer(to)
        if leader is None:
            return said
        self._site.agenda.after(after_s, self._deafen, leader, extra_s, for_s)
        return f"{said}, then {leader.id} hears everything {extra_s:g} s later for {for_s:g} s"

    def _deafen(self, member: Member, extra_s: float, for_s: float) -> None:
        for other in self._site.slots:
            if other is not member:
                self._site.network.link(other.id, member.id).extra_s = extra_s
                self._slowed(other, member, for_s, "")

    def _minority(self, for_s: float) -> str:
        """A leader and a follower are cut off; what the follower answers is held until that leader leads again."""
        leader = self._site.leader()
        if leader is None or len(self._site.slots) < 5:
            return "no leader of five members"
        follower = next(member for member in reversed(self._site.slots) if member is not leader)
        others = [member for member in self._site.slots if member not in (leader, follower)]
        self._cut_way(follower, leader, for_s)
        self._apart([leader, follower], others, for_s)
        self._site.agenda.after(0.02, self._bring_back, leader, follower, others, self._site.agenda.now + for_s)
        return f"{leader.id} and {follower.id} for up to {for_s:g} s"

    def _bring_back(self, former: Member, follower: Member, others: list[Member], until: float) -> None:
        """As soon as another member leads: let it hand over to the former leader, and that one hear the old answers."""
        site = self._site
        leader = site.leader()
        if site.healed or site.agenda.now >= until:
            return
        if leader is former and former.term > self._term_before.get(former.id, former.term):
            self._apart([former], others[1:], until - site.agenda.now)
            site.network.heal(follower.id, former.id)
            return
        if leader is not None and leader is not former:
            for other in others:
                site.network.mend(former.id, other.id)
            self._term_before[former.id] = leader.term
            self._back_to(former)
        site.agenda.after(0.01, self._bring_back, former, follower, others, until)

    def _apart(self, some: list[Member], others: list[Member], for_s: float) -> None:
        for one in some:
            for other in others:
                self._cut_way(one, other, for_s)
                self._cut_way(other, one, for_s)

    def _cut_way_after(self, after_s: float, source: Member, target: Member, for_s: float) -> None:
        self._site.agenda.after(after_s, self._cut_way, source, target, for_s)

    def _back_to(self, member: Member) -> None:
        leader = self._site.leader()
        if leader is not None and leader is not member and not self._site.healed:
            self._site.disturb_all(self._site.agenda.now + 1.0)
            leader.request(lambda raft: self._hand_over(raft, member.id, 3))

    def _forgetful(self, for_s: float, down_s: float) -> str:
        """A leader hands over, and its process ends right after its vote; then its successor is cut off from all."""
        leader = self._site.leader()
        others = [member for member in self._site.slots if member is not leader]
        if leader is None or len(others) != 2:
            return "not three members and a leader"
        chosen, third = others
        for one, other in ((chosen, third), (third, chosen)):
            self._cut_way(one, other, for_s)
        for one, other in ((chosen, leader), (leader, chosen)):
            self._cut_way_after(0.05, one, other, for_s)
        leader.power_at_crash, leader.restart_after_s = False, down_s
        leader.disk.crash_in(0, after="vote", only="journal")
        self._site.disturb_all(self._site.agenda.now + for_s)
        leader.request(lambda raft: self._hand_over(raft, chosen.id, 3))
        return f"{leader.id} votes for {chosen.id} and ends for {down_s:g} s; {chosen.id} is cut off for {for_s:g} s"

    def _stranded(self, slot: int, after_s: float, for_s: float) -> str:
        """A member is added, and before it has caught up it is cut off together with another one."""
        site = self._site
        count = len(site.slots)
        said = site.change_members("add", slot)
        leader = site.leader()
        if len(site.slots) == count or leader is None:
            return said
        newcomer = site.slots[-1]
        other = next(member for member in reversed(site.slots[:-1]) if member is not leader)
        self._cut_way(newcomer, leader, after_s + for_s)
        for member in site.slots:
            if member not in (newcomer, other):
                for one in (newcomer, other):
                    self._cut_way_after(after_s, one, member, for_s)
                    self._cut_way_after(after_s, member, one, for_s)
        return f"{said}; with {other.id} it is cut off after {after_s:g} s for {for_s:g} s"
