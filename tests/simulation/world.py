"""One run: the members on their hosts, the clients, the faults of a plan, then a heal, and what must hold after it."""

import contextlib
import hashlib
import logging
import struct
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
from pydantic import SecretStr

import cluster.clock
import cluster.leading
import cluster.snapshots
import cluster.transport
from cluster import ClusterSettings
from cluster.membership import Membership
from cluster.settings import Member as MemberSettings
from tests.simulation.agenda import Agenda, Clocks, HostClock
from tests.simulation.changes import MemberChanges
from tests.simulation.clients import Client
from tests.simulation.faults import Faults
from tests.simulation.histories import History
from tests.simulation.invariants import Invariants, Kept, LogShadow, Violation
from tests.simulation.machine import Registers
from tests.simulation.member import Member
from tests.simulation.network import Network
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


class World:
    """See run."""

    def __init__(self, plan: Plan, *, trace: bool = False) -> None:
        self.agenda = Agenda()
        self.slots: list[Member] = []
        self.healed = False
        self._plan = plan
        self._clocks = Clocks()
        conditions = plan.conditions
        self.network = Network(self.agenda, Random(f"network {plan.seed}"), delay_s=conditions.delay_s)
        self.invariants = Invariants()
        slack = 3 * conditions.heartbeat_s + 0.05 + 4 * conditions.drift
        self.history = History(
            self.agenda,
            self.invariants,
            leader_bound_s=conditions.step_down_s,
            slack_s=slack,
            slowest_s=lambda: self.network.slowest_s,
        )
        self._random = Random(f"world {plan.seed}")
        self._faults = Faults(self)
        self._settings: dict[str, ClusterSettings] = {}
        self._hash = hashlib.blake2b(digest_size=16)
        self._trace: list[str] | None = [] if trace else None
        self._quiet_from: dict[str, float] = {}
        self._reached_from: dict[tuple[str, str], float] = {}
        self._leading_since: dict[str, float] = {}
        self._patience = conditions.step_down_s + conditions.election_max_s + 0.5
        """a leader that has been heard undisturbed for so long has no reason to go"""
        self.members: dict[str, Member] = {}
        self.leaving: list[Member] = []
        """removed, and not told"""
        self._changes = MemberChanges(self)
        for _ in range(conditions.members):
            self.slots.append(self.new_member())
        self._founders = tuple(MemberSettings(id=member.id, address=member.address) for member in self.slots)
        self._clients = [
            Client(self.agenda, self, self.history, number, value_bytes=conditions.value_bytes) for number in range(conditions.clients)
        ]

    def new_member(self) -> Member:
        """See changes.Cluster."""
        number = len(self.members) + 1
        id = f"n{number}"
        drift = self._plan.conditions.drift
        clock = HostClock(
            self.agenda,
            begin=self._random.uniform(0, 5000),
            wall=1.7e9 + self._random.uniform(-1000, 1000),
            rate=1 + self._random.uniform(-drift, drift),
        )
        member = self.members[id] = Member(
            self.agenda,
            self._clocks,
            self.network,
            self,
            lambda: self._settings_of(id),
            number=number,
            clock=clock,
            sync_s=self._plan.conditions.sync_s,
            seed=f"{self._plan.seed} {id}",
        )
        return member

    def _settings_of(self, id: str) -> ClusterSettings:
        if id not in self._settings:
            conditions = self._plan.conditions
            own = MemberSettings(id=id, address=self.members[id].address)
            founder = own in self._founders
            self._settings[id] = ClusterSettings(
                node_id=id,
                members=self._founders if founder else (*self._founders, own),
                join=not founder,
                data_dir=Path("/disk") / id,
                secret=SecretStr("a secret that every member knows, of more than 32 characters"),
                heartbeat_s=conditions.heartbeat_s,
                election_min_s=conditions.election_min_s,
                election_max_s=conditions.election_max_s,
                step_down_s=conditions.step_down_s,
                compaction_entries=conditions.compaction_entries,
                connection_retry_s=0.1,
                connection_timeout_s=conditions.connection_timeout_s,
                command_bytes_max=conditions.command_bytes_max,
                dedup_entries=100_000,
                takeover_budget_s=5.0,
            )
        return self._settings[id]

    # ── The run ────────────────────────────────

    def run(self) -> Result:
        """Run the plan to its end, or to the first violation."""
        invariant = what = ""
        with self._in_place():
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

    @contextlib.contextmanager
    def _in_place(self) -> Iterator[None]:
        """Put the virtual clock where the host's is, and sizes that are for real networks at this plan's."""
        conditions = self._plan.conditions
        replaced: list[tuple[Any, str, Any]] = [
            (cluster.clock, "source", self._clocks),
            (cluster.leading, "BATCH_ENTRIES", conditions.batch_entries),
            (cluster.transport, "BATCH_BYTES", conditions.batch_bytes),
            (cluster.snapshots, "CHUNK_BYTES", conditions.chunk_bytes),
        ]
        former = [getattr(module, name) for module, name, _ in replaced]
        former_level = logging.root.manager.disable
        logging.disable(logging.CRITICAL)
        for module, name, value in replaced:
            setattr(module, name, value)
        try:
            yield
        finally:
            for (module, name, _), was in zip(replaced, former, strict=True):
                setattr(module, name, was)
            logging.disable(former_level)

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
                raise Violation("liveness", f"{otherwise} within {CALM_S:g} s after everything was healed ({self._state()})")
            self.agenda.run(self.agenda.now + 0.05)

    def established(self) -> Member | None:
        """See changes.Cluster."""
        leader = self.leader()
        return leader if leader is not None and leader.raft is not None and leader.raft.view.epoch is not None else None

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
            f"{member.id} {member.role or 'down'} of term {member.term}, commit {member.commit}, applied {member.applied}"
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
            self._leading_since[member.id] = self.agenda.now
            self.invariants.leads(member.id, member.incarnation, term, log)
        self.note(member.id, f"{role} in term {term} (log {log.first}-{log.last}, commit {member.commit})")
        former_term, member.role, member.term = member.term, role, term
        if led and (role != "leader" or term != former_term):
            self._deposed(member, former_term)

    def _committed(self, member: Member, commit: int, memberships: tuple[Membership, ...]) -> None:
        logs: dict[str, tuple[LogShadow, Kept]] = {
            other.id: (other.log, other) for other in self.members.values() if other.log is not None
        }
        former, member.commit = member.commit, commit
        electorates = [[record.id for record in membership.voters] for membership in memberships]
        self.invariants.took_for_committed(member.id, commit, former, logs, electorates)
        self.note(member.id, f"commit {commit}")

    def ended(self, member: Member, why: str) -> None:
        """See Watcher."""
        self.note(member.id, why)
        member.role = ""
        self._faults.restart(member, member.restart_after_s)

    def note(self, who: str, what: str) -> None:
        """See Watcher."""
        if self._trace is not None:
            self._trace.append(f"{self.agenda.now:9.4f}  {who:<6} {what}")

    # ── Whether a leader had a reason to go ────────────────────────────────

    def disturb(self, member: Member, until: float) -> None:
        """See faults.Site."""
        self._quiet_from[member.id] = max(self._quiet_from.get(member.id, 0.0), until)

    def disturb_link(self, one: Member, other: Member, until: float) -> None:
        """See faults.Site."""
        for pair in ((one.id, other.id), (other.id, one.id)):
            self._reached_from[pair] = max(self._reached_from.get(pair, 0.0), until)

    def disturb_all(self, until: float) -> None:
        """See faults.Site."""
        for member in self.slots:
            self.disturb(member, until)

    def _deposed(self, member: Member, term: int) -> None:
        """A leader that a majority could hear all the time must not go because some other member comes back."""
        since = self.agenda.now - self._patience
        if self._leading_since[member.id] > since or self._quiet_from.get(member.id, 0.0) > since:
            return
        voters = [record.id for record in member.membership.voters] if member.membership else []
        followers = [
            other.id
            for other in self.slots
            if other is not member
            and other.id in voters
            and max(self._quiet_from.get(other.id, 0.0), self._reached_from.get((member.id, other.id), 0.0)) <= since
        ]
        if (len(followers) + 1) * 2 > len(voters):
            raise Violation(
                "leadership without a fault",
                f"{member.id} no longer leads term {term}, though {', '.join(followers)} could hear it for more than "
                f"{self._patience:.2f} s and nobody asked it to go",
            )

    # ── Members ────────────────────────────────

    def leader(self) -> Member | None:
        """See faults.Site."""
        leading = [member for member in self.slots if member.raft is not None and member.role == "leader"]
        return max(leading, key=lambda member: member.term, default=None)

    def known(self) -> list[Member]:
        """See clients.Members."""
        return self.slots

    def boot(self, member: Member) -> None:
        """See changes.Cluster."""
        self._faults.boot(member)

    def change_members(self, kind: str, slot: int) -> str:
        """See faults.Site."""
        self.disturb_all(self.agenda.now + 0.5)
        return self._changes.begin(kind, slot)
