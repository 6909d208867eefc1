"""One run: a plan's faults and operations on the members at their place, then a heal, and what must hold after it."""

import hashlib
import struct
import traceback
from collections.abc import Callable
from pathlib import Path

import msgspec

from cluster.membership import Membership
from tests.simulation.changes import MemberChanges
from tests.simulation.clients import Client
from tests.simulation.compound import Faults
from tests.simulation.histories import History
from tests.simulation.invariants import Invariants, Kept, LogShadow, Settled, Violation
from tests.simulation.machine import Registers
from tests.simulation.member import Member
from tests.simulation.peace import Peace
from tests.simulation.place import Place
from tests.simulation.plan import OPERATIONS, Plan, Step

CALM_S = 10.0
"""after the heal the members must agree within so long"""
LAST_LUCK = 7
_SEEN = struct.Struct("<dBIIII")


class Result(msgspec.Struct, frozen=True):
    """How a run went. `trace_hash` is the same for the same plan, in every process."""

    seed: int
    invariant: str
    """the one that does not hold; empty when all did"""
    what: str
    trace_hash: str
    virtual_s: float
    counts: dict[str, int]
    """of what happened, so that a run in which nothing did is noticed"""
    trace: tuple[str, ...] = ()


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    path = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    return f"{type(error).__name__}: {error} ({path})"


class World(Place):
    """See run."""

    def __init__(self, plan: Plan, *, trace: bool = False) -> None:
        super().__init__(plan, trace=trace)
        conditions = plan.conditions
        self.healed = False
        self.leaving: list[Member] = []
        """removed, and not told"""
        self.invariants = Invariants()
        self.history = History(
            self.agenda,
            self.invariants,
            leader_bound_s=conditions.step_down_s,
            slack_s=3 * conditions.heartbeat_s + 0.05 + 4 * conditions.drift,
            slowest_s=lambda: self.network.slowest_s,
        )
        self._faults = Faults(self)
        self._changes = MemberChanges(self)
        self._peace = Peace(self.agenda, patience_s=conditions.step_down_s + conditions.election_max_s + 0.5)
        self._clients = [
            Client(self.agenda, self, self.history, number, value_bytes=conditions.value_bytes)
            for number in range(conditions.clients)
        ]
        self._hash = hashlib.blake2b(digest_size=16)

    # ── The run ────────────────────────────────

    def run(self) -> Result:
        """Run the plan to its end, or to the first violation."""
        invariant = what = ""
        with self.in_place():
            try:
                self._play()
            except Violation as violation:
                invariant, what = violation.invariant, violation.what
            except Exception as error:  # noqa: BLE001 - whatever the real code raises is what the run has shown
                invariant, what = "exception", _where(error)
            if invariant:
                self.note("check", f"{invariant}: {what}")
        return Result(
            seed=self._plan.seed,
            invariant=invariant,
            what=what,
            trace_hash=self._hash.hexdigest(),
            virtual_s=self.agenda.now,
            counts={
                **self.history.counts,
                "terms": len(self.invariants.leaders),
                "committed": self.invariants.committed,
                "starts": sum(member.incarnation for member in self.members.values()),
                "snapshots sent": sum(member.snapshots_taken for member in self.members.values()),
                "actions": self.agenda.done,
            },
            trace=tuple(self._trace or ()),
        )

    def _play(self) -> None:
        for member in self.slots:
            self.agenda.after(self._random.random() * 0.05, self._faults.boot, member)
        for step in self._plan.steps:
            if step.kind in OPERATIONS:
                self.agenda.at(step.at, self._clients[step.args[0]].do, step)
            else:
                self.agenda.at(step.at, self._faults.strike, step)
        self.agenda.run(self._plan.heal_at)
        self._heal()
        self._agree()
        self.history.judge()

    def _heal(self) -> None:
        self.healed = True
        self.note("heal", "everything works from here on")
        self.network.heal_all()
        for member in self.leaving:
            member.crash(power=True)
            member.retire()
        for member in self.slots:
            member.disk.full = member.disk.broken = False
            member.disk.slow_s = 0.0
            member.disk.reopened()
            member.down_until = 0.0
            member.resume()
            self._faults.boot(member)
        self.disturb_all(self.agenda.now)

    def _agree(self) -> None:
        """A leader, then a write of every client, then the same state everywhere."""
        ends = self.agenda.now + CALM_S
        self._until(ends, lambda: self.established() is not None, "no leader was found")
        self._until(ends, lambda: all(client.idle for client in self._clients), "clients still wait for an answer")
        self._until(ends, lambda: not self._changes.under_way, "a change of the members does not come to an end")
        for client in self._clients:
            client.do(Step(self.agenda.now, "write", (client.number, "a", 1_000_000 + client.number, LAST_LUCK)))
        self._until(ends, lambda: all(client.idle for client in self._clients), "a last write is not answered")
        for client in self._clients:
            if client.last_outcome != "ok":
                raise Violation("liveness", f"client {client.number}'s last write ended as {client.last_outcome}")
        self._until(ends, self._equal, "the members do not come to the same state")

    def _until(self, ends: float, holds: Callable[[], bool], otherwise: str) -> None:
        while not holds():
            if self.agenda.now >= ends:
                raise Violation(
                    "liveness", f"{otherwise} within {CALM_S:g} s after everything was healed ({self._state()})"
                )
            self.agenda.run(self.agenda.now + 0.05)

    def _equal(self) -> bool:
        states = set()
        for member in self.slots:
            if member.raft is None or member.machine is None:
                return False
            view = member.raft.view
            states.add((view.applied_index, view.commit_index, member.machine.index, member.machine.digest))
        if len(states) != 1:
            return False
        for id, count in self.slots[0].machine.applied.items() if self.slots[0].machine else ():
            if count != 1:
                raise Violation("once", f"command {id} had its effect {count} times")
        return True

    def _state(self) -> str:
        return ", ".join(
            f"{member.id} {member.role or 'down'} in term {member.term} at {member.applied} of {member.commit}"
            for member in self.slots
        )

    # ── What members do (Watcher) ────────────────────────────────

    def applied(self, member: Member, machine: Registers, command_id: str) -> None:
        """See Watcher."""
        self.invariants.applied(member.id, machine.index, machine.digest, command_id)
        self.history.applied(machine)

    def appended(self, member: Member, entry: tuple[bytes, int, int], previous_term: int | None) -> None:
        """See Watcher."""
        self.invariants.added(member.id, entry, previous_term)

    def cut(self, member: Member, index: int, term: int | None) -> None:
        """See Watcher."""
        self.invariants.cut(member.id, index, term)

    def looked_at(self, member: Member) -> None:
        """See Watcher."""
        raft, log = member.raft, member.log
        if raft is None or log is None:
            return
        view = raft.view
        seen = (self.agenda.now, member.number, view.term, view.commit_index, view.applied_index, log.last)
        self._hash.update(_SEEN.pack(*seen))
        if view.role != member.role or view.term != member.term:
            self._changed_role(member, view.role, view.term, log)
        former = member.membership
        if view.commit_index != member.commit:
            self._committed(member, view.commit_index, (former, view.membership) if former else (view.membership,))
        member.membership = view.membership
        member.applied = view.applied_index

    def _changed_role(self, member: Member, role: str, term: int, log: LogShadow) -> None:
        led = member.role == "leader"
        if role == "leader":
            self._peace.leads(member.id)
            self.invariants.leads(member.id, member.incarnation, term, log)
        self.note(member.id, f"{role} in term {term} (log {log.first}-{log.last}, commit {member.commit})")
        former_term, member.role, member.term = member.term, role, term
        if led and (role != "leader" or term != former_term):
            self._peace.deposed(member, former_term, self.slots)

    def _committed(self, member: Member, commit: int, memberships: tuple[Membership, ...]) -> None:
        logs: dict[str, tuple[LogShadow, Kept]] = {
            other.id: (other.log, other) for other in self.members.values() if other.log is not None
        }
        logs |= {other.id: (other.lost_log, Settled()) for other in self.members.values() if other.lost_log is not None}
        former, member.commit = member.commit, commit
        electorates = [[record.id for record in membership.voters] for membership in memberships]
        self.invariants.took_for_committed(member.id, commit, former, logs, electorates)
        self.note(member.id, f"commit {commit}")

    def ended(self, member: Member, why: str) -> None:
        """See Watcher."""
        self.note(member.id, why)
        member.role = ""
        self._faults.restart(member, member.restart_after_s)

    def disturb(self, member: Member, until: float) -> None:
        """See faults.Site."""
        self._peace.disturb(member.id, until)

    def disturb_link(self, one: Member, other: Member, until: float) -> None:
        """See faults.Site."""
        self._peace.disturb_link(one.id, other.id, until)

    def disturb_all(self, until: float) -> None:
        """See faults.Site."""
        for member in self.slots:
            self.disturb(member, until)

    def boot(self, member: Member) -> None:
        """See changes.Cluster."""
        self._faults.boot(member)

    def change_members(self, kind: str, slot: int) -> str:
        """See faults.Site."""
        self.disturb_all(self.agenda.now + 0.5)
        return self._changes.begin(kind, slot)

    def forget(self, slot: int, for_s: float) -> str:
        """See faults.Site."""
        self.disturb_all(self.agenda.now + for_s)
        return self._changes.begin_amnesia(slot, for_s)
