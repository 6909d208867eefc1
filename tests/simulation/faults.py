"""Carrying out a plan's faults. Each says what it did, for the trace, and whom it disturbs until when."""

from typing import Any, Protocol

from cluster.errors import ClusterError
from cluster.raft import Raft
from tests.simulation.agenda import Agenda
from tests.simulation.member import Member
from tests.simulation.network import Network
from tests.simulation.plan import LEADER, Step


class Site(Protocol):
    """What faults act on: see world.py."""

    agenda: Agenda
    network: Network
    slots: list[Member]
    healed: bool

    def leader(self) -> Member | None:
        """The member that leads the highest term."""
        ...

    def disturb(self, member: Member, until: float) -> None:
        """This member need not do its part until then."""
        ...

    def disturb_link(self, one: Member, other: Member, until: float) -> None:
        """These two need not reach each other until then."""
        ...

    def disturb_all(self, until: float) -> None:
        """Leadership may change."""
        ...

    def note(self, who: str, what: str) -> None:
        """For the trace."""
        ...

    def change_members(self, kind: str, slot: int) -> str:
        """Replace, add or remove a member; what was begun."""
        ...

    def forget(self, slot: int, for_s: float) -> str:
        """Have a member lose its disk, come back under its id, and be replaced; what was begun."""
        ...


class SingleFaults:
    """Strikes, and takes back."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def strike(self, step: Step) -> None:
        """Carry out one fault."""
        if self._site.healed:
            return
        said = getattr(self, f"_{step.kind}")(*step.args)
        self._site.note("fault", f"{step.kind} {said}")

    # ── Hosts ────────────────────────────────

    def _crash(self, who: int, down_s: float) -> str:
        return self._down(self._member(who), down_s, power=False)

    def _power(self, who: int, down_s: float) -> str:
        return self._down(self._member(who), down_s, power=True)

    def _crash_all(self, down_s: tuple[float, ...]) -> str:
        return ", ".join(
            self._down(member, s, power=False) for member, s in zip(self._site.slots, down_s, strict=False)
        )

    def _power_all(self, down_s: tuple[float, ...]) -> str:
        return ", ".join(self._down(member, s, power=True) for member, s in zip(self._site.slots, down_s, strict=False))

    def _crash_inside(self, who: int, calls: int, after: str, only: str, down_s: float) -> str:
        return self._down_inside(self._member(who), calls, after, only, down_s, power=False)

    def _power_inside(self, who: int, calls: int, after: str, only: str, down_s: float) -> str:
        return self._down_inside(self._member(who), calls, after, only, down_s, power=True)

    def _down(self, member: Member, down_s: float, *, power: bool) -> str:
        member.restart_after_s = down_s
        if member.up:
            member.crash(power=power)  # see World.ended
        else:
            member.crash(power=power)
            self.restart(member, down_s)
        return f"{member.id} for {down_s:g} s"

    def _down_inside(self, member: Member, calls: int, after: str, only: str, down_s: float, *, power: bool) -> str:
        member.power_at_crash, member.restart_after_s = power, down_s
        member.disk.crash_in(calls, after=after, only=only)
        since = f"from when it next begins {after}" if after else "from now"
        return f"{member.id} at its {calls + 1}. disk call {only and f'of {only} '}{since}, for {down_s:g} s"

    def restart(self, member: Member, after_s: float) -> None:
        """Have it started after so long, or later if it must stay down for longer."""
        member.down_until = max(member.down_until, self._site.agenda.now + after_s)
        self._site.disturb(member, member.down_until)
        self._site.agenda.at(member.down_until, self.boot, member)

    def boot(self, member: Member) -> None:
        """Start a member that should be up, and try again while its disk does not let it."""
        if self._site.agenda.now >= member.down_until and not member.boot():
            self.restart(member, 0.3)

    def _pause(self, who: int, for_s: float) -> str:
        member = self._member(who)
        until = self._site.agenda.now + for_s
        member.pause(until)
        self._site.disturb(member, until)
        return f"{member.id} for {for_s:g} s"

    def _jump(self, who: int, monotonic_s: float, wall_s: float) -> str:
        member = self._member(who)
        member.clock.jump(monotonic_s, wall_s)
        self._site.disturb(member, self._site.agenda.now)
        return f"{member.id}'s clocks by {monotonic_s:g} s and {wall_s:g} s"

    # ── Disks ────────────────────────────────

    def _full(self, who: int, for_s: float) -> str:
        member = self._member(who)
        member.disk.full, member.restart_after_s = True, 0.2
        self._site.disturb(member, self._site.agenda.now + for_s)
        self._site.agenda.after(for_s, self._freed, member)
        return f"{member.id} for {for_s:g} s"

    def _freed(self, member: Member) -> None:
        member.disk.full = False

    def _broken(self, who: int) -> str:
        member = self._member(who)
        member.disk.broken, member.restart_after_s = True, 0.3
        self._site.disturb(member, self._site.agenda.now + 0.5)
        return member.id

    def _slow_disk(self, who: int, slow_s: float, for_s: float) -> str:
        member = self._member(who)
        member.disk.slow_s = slow_s
        self._site.disturb(member, self._site.agenda.now + for_s)
        self._site.agenda.after(for_s, self._fast, member)
        return f"{member.id} by {slow_s:g} s for {for_s:g} s"

    def _fast(self, member: Member) -> None:
        member.disk.slow_s = 0.0

    # ── Network ────────────────────────────────

    def _cut(self, one: tuple[int, ...], other: tuple[int, ...], for_s: float) -> str:
        for first in (member for slot, member in enumerate(self._site.slots) if slot in one):
            for second in (member for slot, member in enumerate(self._site.slots) if slot in other):
                self._cut_way(first, second, for_s)
                self._cut_way(second, first, for_s)
        return f"{one} from {other} for {for_s:g} s"

    def _isolate(self, who: int, for_s: float) -> str:
        member = self._member(who)
        for other in self._site.slots:
            if other is not member:
                self._cut_way(member, other, for_s)
                self._cut_way(other, member, for_s)
        return f"{member.id} for {for_s:g} s"

    def _one_way(self, source: int, target: int, for_s: float) -> str:
        one, other = self._pair(source, target)
        self._cut_way(one, other, for_s)
        return f"{one.id} to {other.id} for {for_s:g} s"

    def _cut_way(self, source: Member, target: Member, for_s: float) -> None:
        site = self._site
        site.network.cut(source.id, target.id)
        site.disturb_link(source, target, site.agenda.now + for_s)
        site.agenda.after(for_s, site.network.heal, source.id, target.id)

    def _reset(self, source: int, target: int, lose: int) -> str:
        one, other = self._pair(source, target)
        self._site.disturb_link(one, other, self._site.agenda.now)
        return f"{self._site.network.reset(one.id, other.id, lose=lose)} streams of {one.id} and {other.id}"

    def _late(self, source: int, target: int, late_s: float, after_s: float) -> str:
        one, other = self._pair(source, target)
        ends = self._site.network.lag(one.id, other.id, late_s)
        self._site.disturb_link(one, other, self._site.agenda.now + late_s + after_s)
        for end in ends:
            self._site.agenda.after(after_s, self._site.network.abandon, end)
        return f"{len(ends)} streams of {one.id} to {other.id} by {late_s:g} s, dialled anew after {after_s:g} s"

    def _silence(self, source: int, target: int, both: bool) -> str:
        one, other = self._pair(source, target)
        self._site.disturb_link(one, other, self._site.agenda.now + 3.0)
        return f"{self._site.network.silence(one.id, other.id, both=both)} streams of {one.id} to {other.id}"

    def _delay(self, source: int, target: int, extra_s: float, for_s: float) -> str:
        one, other = self._pair(source, target)
        self._site.network.link(one.id, other.id).extra_s = extra_s
        return self._slowed(one, other, for_s, f"{extra_s:g} s more")

    def _narrow(self, source: int, target: int, bytes_per_s: float, for_s: float) -> str:
        one, other = self._pair(source, target)
        self._site.network.link(one.id, other.id).bytes_per_s = bytes_per_s
        return self._slowed(one, other, for_s, f"{bytes_per_s:g} bytes/s")

    def _slowed(self, one: Member, other: Member, for_s: float, how: str) -> str:
        site = self._site
        site.disturb_link(one, other, site.agenda.now + for_s)
        site.agenda.after(for_s, self._as_before, one.id, other.id)
        return f"{one.id} to {other.id}: {how} for {for_s:g} s"

    def _as_before(self, source: str, target: str) -> None:
        link = self._site.network.link(source, target)
        link.extra_s = link.bytes_per_s = 0.0

    def _refuse(self, who: int, for_s: float) -> str:
        member = self._member(who)
        self._site.network.refusing.add(member.address)
        self._site.agenda.after(for_s, self._site.network.refusing.discard, member.address)
        self._site.disturb(member, self._site.agenda.now + for_s)
        return f"dialling {member.id} for {for_s:g} s"

    # ── Operations ────────────────────────────────

    def _transfer(self, to: int) -> str:
        leader, target = self._site.leader(), self._member(to)
        if leader is None or target is leader:
            return "nobody leads, or leads already"
        self._site.disturb_all(self._site.agenda.now + 1.0)
        leader.request(lambda raft: self._hand_over(raft, target.id, 20))
        return f"{leader.id} to {target.id}"

    def _hand_over(self, raft: Raft, to: str, attempts: int) -> None:
        def ask() -> None:
            try:
                sent = raft.hand_over(to, 0.3)
            except ClusterError:
                return
            if not sent and attempts:
                self._site.agenda.after(0.01, self._again, raft, to, attempts - 1)

        try:
            raft.call(ask, lambda _stopped: None)
        except ClusterError:
            return

    def _again(self, raft: Raft, to: str, attempts: int) -> None:
        member = next((member for member in self._site.slots if member.raft is raft), None)
        if member is not None:
            member.request(lambda asked: self._hand_over(asked, to, attempts))

    def _compact(self, who: int) -> str:
        member = self._member(who)

        def ask(raft: Any) -> None:
            raft.call(raft.forceLogCompaction, lambda _stopped: None)

        member.request(ask)
        return member.id

    def _replace(self, slot: int) -> str:
        return self._site.change_members("replace", slot)

    def _add(self, slot: int) -> str:
        return self._site.change_members("add", slot)

    def _amnesia(self, slot: int, for_s: float) -> str:
        return self._site.forget(slot, for_s)

    def _remove(self, slot: int) -> str:
        return self._site.change_members("remove", slot)

    # ── Who is meant ────────────────────────────────

    def _member(self, who: int) -> Member:
        slots = self._site.slots
        if who >= 0:
            return slots[who % len(slots)]
        leader = self._site.leader()
        if who == LEADER:
            return leader or slots[0]
        return next(member for member in reversed(slots) if member is not leader)

    def _pair(self, source: int, target: int) -> tuple[Member, Member]:
        one, other = self._member(source), self._member(target)
        if one is other:  # the plan meant two, and both are the same now
            other = next(member for member in self._site.slots if member is not one)
        return one, other
