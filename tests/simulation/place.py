"""Where a run takes place: virtual time, network and hosts, with a member on each; and the notes of what happened."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from pydantic import SecretStr

import cluster.clock
import cluster.leading
import cluster.link
import cluster.snapshots
from cluster import ClusterSettings
from cluster.settings import Member as MemberSettings
from tests.simulation.agenda import Agenda, Clocks, HostClock
from tests.simulation.member import Member, Watcher
from tests.simulation.network import Network
from tests.simulation.plan import Plan

SECRET = "a secret that every member knows, of more than 32 characters"


class Place(Watcher):
    """The stage of a plan. What happens on it is world.py's."""

    def __init__(self, plan: Plan, *, trace: bool) -> None:
        conditions = plan.conditions
        self.agenda = Agenda()
        self.network = Network(self.agenda, Random(f"network {plan.seed}"), delay_s=conditions.delay_s)
        self.members: dict[str, Member] = {}
        """all that there ever were"""
        self.slots: list[Member] = []
        """those that are members now, by the slots that a plan names"""
        self._plan = plan
        self._clocks = Clocks()
        self._random = Random(f"world {plan.seed}")
        self._settings: dict[str, ClusterSettings] = {}
        self._trace: list[str] | None = [] if trace else None
        for _ in range(conditions.members):
            self.slots.append(self.new_member())
        self._founders = tuple(MemberSettings(id=member.id, address=member.address) for member in self.slots)

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

    # ── Who is there ────────────────────────────────

    def leader(self) -> Member | None:
        """See faults.Site."""
        leading = [member for member in self.slots if member.raft is not None and member.role == "leader"]
        return max(leading, key=lambda member: member.term, default=None)

    def known(self) -> list[Member]:
        """See clients.Members."""
        return self.slots

    def established(self) -> Member | None:
        """See changes.Cluster."""
        leader = self.leader()
        return leader if leader is not None and leader.raft is not None and leader.raft.view.epoch is not None else None

    def note(self, who: str, what: str) -> None:
        """See Watcher."""
        if self._trace is not None:
            self._trace.append(f"{self.agenda.now:9.4f}  {who:<6} {what}")

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the virtual clock where the host's is, and sizes that are for real networks at this plan's."""
        conditions = self._plan.conditions
        replaced: list[tuple[Any, str, Any]] = [
            (cluster.clock, "source", self._clocks),
            (cluster.leading, "BATCH_ENTRIES", conditions.batch_entries),
            (cluster.link, "BATCH_BYTES", conditions.batch_bytes),
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
