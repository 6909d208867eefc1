"""One state of the exploration: executions, components, what is under way, and what may still go wrong. Pure.

It is brought from one to the next by a *move* (`orchestrator.playbooks.checker.moves`), after which the real engine
plans until it has nothing more to record. Two situations with the same `digest` go on in the same way.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from orchestrator.errors import SimulationInvalid
from orchestrator.lifecycle import State
from orchestrator.playbooks.effect import Effect, Result
from orchestrator.playbooks.engine import plan
from orchestrator.playbooks.execution import OPEN_STEP, ExecutionRow, StepRow
from orchestrator.playbooks.simulation.machine import Machine
from orchestrator.playbooks.simulation.records import Records
from orchestrator.playbooks.world import ComponentFacts, Templates, World

PLANS_MAX = 2_000
"""Records in a row while nothing happens."""

Slot = tuple[str, str, str, int]


@dataclass(frozen=True, slots=True)
class Flight:
    """An effect under way. `delivered`: its receiver has it, and works."""

    effect: Effect
    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same in every situation of one exploration."""

    root: str
    facts: Mapping[str, ComponentFacts]
    groups: Mapping[str, tuple[str, ...]]
    depends_on: Mapping[str, tuple[str, ...]]
    templates: Templates


@dataclass
class Situation:
    """`now`: virtual seconds. `faults`, `takeovers`: how many more there may be.

    `provoked`: something that a playbook cannot help has happened: a failure, a late or lost answer, a rejection.
    `harmed`: the components that it happened to. `restarts`: what this run did would start the playbook again.
    """

    setting: Setting
    records: Records
    machines: dict[str, Machine]
    now: float = 0.0
    flights: dict[Slot, Flight] = field(default_factory=dict)
    wake: float | None = None
    waiting: dict[tuple[str, str], str] = field(default_factory=dict)
    faults: int = 0
    takeovers: int = 0
    provoked: bool = False
    harmed: frozenset[str] = frozenset()
    restarts: str = ""

    def fork(self) -> "Situation":
        """A copy that a move may change."""
        return replace(
            self,
            records=self.records.fork(),
            machines=dict(self.machines),
            flights=dict(self.flights),
            waiting=dict(self.waiting),
        )

    @property
    def root(self) -> ExecutionRow:
        return self.records.registry.rows[self.setting.root]

    @property
    def ended(self) -> bool:
        """The execution, and all that it started, has come to an end."""
        return not any(row.open for row in self.records.registry.rows.values())

    def states(self) -> dict[str, str]:
        """For people."""
        return {name: f"{machine.state}{'(silent)' if machine.mute else ''}" for name, machine in self.machines.items()}

    def world(self) -> World:
        facts = {name: self._facts(machine) for name, machine in self.machines.items()}
        return self.records.world(facts, self.setting.groups, self.setting.depends_on)

    def _facts(self, machine: Machine) -> ComponentFacts:
        known = self.setting.facts[machine.id]
        if machine.mute:
            return replace(known, state=machine.state, online=False, health="UNRESPONSIVE")
        return replace(known, state=machine.state, online=True, health="OK")

    # ── The engine ────────────────────────────────

    def settle(self, results: Mapping[str, dict[str, Result]] | None = None) -> None:
        """Plan until nothing is to be recorded any more. `results`: by execution and path, of effects that ended."""
        told = dict(results or {})
        world = self.world()
        for _ in range(PLANS_MAX):
            if not self._planned(world, told):
                return
            world = replace(world, **self._recorded())
        raise SimulationInvalid(f"{PLANS_MAX} records in a row while nothing happens: the run goes in circles")

    def _recorded(self) -> dict[str, Any]:
        fresh = self.records.world({}, {}, {})
        return {"executions": fresh.executions, "variables": fresh.variables}

    def _planned(self, world: World, results: dict[str, dict[str, Result]]) -> bool:
        """One round over the executions; whether something was recorded."""
        wanted: dict[Slot, Effect] = {}
        self.wake, self.waiting = None, {}
        for row in self.records.running():
            playbook = self.records.playbooks[row.playbook].playbook
            decision = plan(playbook, row, world, self.now, self.setting.templates, results.get(row.id, {}))
            if decision.record is not None:
                told = self.records.commit(decision.record, self.now)
                if told.code not in ("", "execution_changed"):
                    raise SimulationInvalid(f"a record is refused as {told.code}: {told.message}")
                results.pop(row.id, None)
                return True
            if decision.wake is not None:
                self.wake = decision.wake if self.wake is None else min(self.wake, decision.wake)
            wanted |= {(each.execution, each.path, each.key, each.sends): each for each in decision.effects}
            self.waiting |= {(row.id, path): what for path, what in decision.waiting.items()}
        self.flights = {slot: self.flights.get(slot, Flight(effect)) for slot, effect in wanted.items()}
        return False

    def approvals(self) -> list[tuple[str, str]]:
        """(execution, path) of the steps that wait for a person."""
        return [
            (row.id, step.path)
            for row in self.records.running()
            for step in row.steps.values()
            if step.type == "approve" and step.status in OPEN_STEP and step.path not in row.approvals
        ]

    def signals(self) -> list[tuple[str, str]]:
        """(execution, name) of the signals that are waited for."""
        return sorted(
            {
                (execution, what.removeprefix("signal "))
                for (execution, path), what in self.waiting.items()
                if self.records.registry.rows[execution].steps[path].type == "wait_for_signal"
            }
        )

    # ── Telling two apart ────────────────────────────────

    def digest(self) -> bytes:
        """Equal for situations that go on alike: times are counted from now, counters that decide nothing left out."""
        keys = {flight.effect.key for flight in self.flights.values()}
        tree = [
            [self._row(row) for row in self.records.registry.rows.values()],
            [self._machine(machine, keys) for machine in self.machines.values()],
            sorted([slot[0], slot[1], slot[2], flight.delivered] for slot, flight in self.flights.items()),
            [[name, row.value] for name, row in sorted(self.records.variables.rows.items())],
            [self.faults, self.takeovers, self.provoked, sorted(self.harmed), bool(self.restarts)],
        ]
        return hashlib.blake2b(msgspec.msgpack.encode(tree), digest_size=16).digest()

    def _row(self, row: ExecutionRow) -> list[Any]:
        if not row.open:
            return [row.id, row.status, row.code]
        last = row.deadline is not None and self.wake == row.deadline
        return [
            row.id,
            row.status,
            [self._step(step) for _, step in sorted(row.steps.items())],
            sorted(row.variables.items()),
            sorted(row.signals),
            sorted((path, each.approved) for path, each in row.approvals.items()),
            row.cancel,
            self._left(row.deadline) if last else None,
        ]

    def _step(self, step: StepRow) -> list[Any]:
        if step.status not in OPEN_STEP:
            return [step.path, step.status, step.code, step.value]
        due, following = self._left(step.deadline), self._left(step.next)
        return [step.path, step.status, step.attempt, step.key, step.code, due, following, step.data]

    def _left(self, time: float | None) -> float | None:
        return None if time is None else round(time - self.now, 3)

    @staticmethod
    def _machine(machine: Machine, keys: set[str]) -> list[Any]:
        known = sorted((key, memory.work) for key, memory in machine.memory.items() if key in keys)
        return [machine.id, machine.state, machine.mute, machine.working, known]


def is_middle(state: State) -> bool:
    """Whether a component is on its way between two states."""
    return state in (State.INITIALIZING, State.STOPPING)
