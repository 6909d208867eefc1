"""`Simulator`: playbooks run by the real engine over simulated components, in virtual time. Deterministic, no I/O.

simulator = Simulator([startup], {"components": {"io": {}, "conveyor": {"depends_on": ["io"]}}})
run = simulator.run("startup", faults=["conveyor:FAIL:CMD_START"])
run.status                        # "FAILED"
simulator.verify_scenario_execution("startup", ["set_group_state", "log_event"])

simulator.simulate_component_failure("io", "FAULT")     # what this triggers, runs
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from msgspec.structs import replace

from orchestrator.errors import SimulationInvalid
from orchestrator.playbooks.execution import JournalEntry, Status
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.simulation.comparison import Expected, Verification, compared
from orchestrator.playbooks.simulation.devices import Devices
from orchestrator.playbooks.simulation.faults import HTTP, LEADER, NOTIFY, Fault, FaultKind, parse_fault
from orchestrator.playbooks.simulation.leader import Leader
from orchestrator.playbooks.simulation.plant import SimulatedPlant, plant_for
from orchestrator.playbooks.simulation.records import Records, start_of
from orchestrator.playbooks.simulation.timeline import Timeline
from orchestrator.playbooks.simulation.triggering import (
    COMPONENT,
    ENDED,
    EVENT,
    Happening,
    started_by,
)
from orchestrator.playbooks.simulation.virtual import VirtualTime
from orchestrator.playbooks.templates import Templates
from orchestrator.playbooks.world import World

STEPS_MAX = 200_000
"""Moments at which something happens; a simulation that has more goes on without an end."""
ANSWER_AFTER_S = 1.0
"""A simulated person decides so long after being asked."""

Approvals = Literal["approve", "reject", "never"]


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one execution. `stuck`: nothing could happen any more, and it has not ended."""

    id: str
    playbook: str
    status: str
    code: str
    error: str
    seconds: float
    states: Mapping[str, str]
    stuck: bool

    @property
    def ok(self) -> bool:
        return self.status == Status.SUCCEEDED


class Simulator:
    """One plant, its playbooks, and all that happens to them. Times go on from call to call.

    Args:
        playbooks: models, as `orchestrator.playbooks.loading` reads them; those run by `execute_scenario` among them.
        plant: what there is; without one it is derived from what the playbooks name.
        approvals: what a simulated person answers to `approve`.
        seed: lengths of time vary by it; None: they are exact.

    Raises SimulationInvalid for what cannot be simulated, and says why.
    """

    def __init__(
        self,
        playbooks: Iterable[Playbook],
        plant: SimulatedPlant | Mapping[str, Any] | None = None,
        *,
        approvals: Approvals = "approve",
        seed: int | None = None,
    ) -> None:
        self.templates = Templates()
        models = tuple(playbooks)
        if plant is None:
            plant = plant_for(models, self.templates, {"trigger": {}})
        self.plant = plant if isinstance(plant, SimulatedPlant) else SimulatedPlant.of(plant)
        self.timeline = Timeline()
        self.time = VirtualTime()
        self.records = Records(models, self.plant.variables)
        self.devices = Devices(self.plant, self.time, tell=self._tell, changed=self._changed, seed=seed)
        self.leader = Leader(self.records, self.devices, self.time, self.templates, tell=self._tell)
        self._groups, self._depends_on = self.plant.members(), self.plant.depends_on()
        self._approvals = approvals
        self._asked: set[tuple[str, str]] = set()
        self._ended: set[str] = set()
        self._count = 0
        self._automatic = False
        self._armed: frozenset[str] = frozenset()
        self._inputs: Mapping[str, Any] = {}

    # ── To use ────────────────────────────────

    def run(
        self,
        name: str,
        inputs: Mapping[str, Any] | None = None,
        *,
        trigger: Mapping[str, Any] | None = None,
        faults: Iterable[Fault | str] = (),
        signals: Iterable[tuple[float, str, Any]] = (),
    ) -> Run:
        """Start the playbook by hand, and let time pass until nothing more can happen."""
        self.script(faults)
        execution = self._start(name, inputs or {}, trigger or {"type": "manual"})
        for at, signal, value in signals:
            action = partial(self.leader.control, execution, "signal", name=signal, value=json.dumps(value))
            self.time.after(at, action)
        self.settle()
        return self.outcome(execution)

    def send_event(
        self,
        kind: str,
        source: str,
        payload: Mapping[str, Any] | None = None,
        *,
        inputs: Mapping[str, Any] | None = None,
    ) -> list[Run]:
        """An event that the orchestrator accepts; what it has started, and what became of that.

        `inputs`: for what it starts, where the playbook has an input of the name.
        """
        self._inputs = inputs or {}
        before = set(self.records.registry.rows)
        self._automatic = True
        self.happen(kind, source, payload or {})
        self.settle()
        return [self.outcome(each) for each in self.records.registry.rows if each not in before]

    def simulate_component_failure(self, component: str, kind: str = "FAULT") -> list[Run]:
        """FAULT or UNRESPONSIVE, or any failure of `--fail`; the executions that its triggers have started."""
        return self.await_triggers([f"{component}:{kind}"])

    def happen(self, kind: str, source: str, payload: Mapping[str, Any]) -> None:
        """An event is accepted now; no time passes."""
        number = f"event-{len(self.timeline)}"
        trigger = {"type": kind, "source": source, "payload": dict(payload), "id": number, "time": self.time.now}
        self._tell(f"event {kind} from {source}")
        self._trigger(Happening(EVENT, trigger, number))

    def await_triggers(self, faults: Iterable[Fault | str], *, inputs: Mapping[str, Any] | None = None) -> list[Run]:
        """Let things go wrong, and see what that starts; as `send_event`."""
        before = set(self.records.registry.rows)
        self._inputs = inputs or {}
        self._automatic = True
        self.script(faults)
        self.settle()
        return [self.outcome(each) for each in self.records.registry.rows if each not in before]

    def verify_scenario_execution(self, name: str, expected_actions: Sequence[Expected]) -> Verification:
        """Whether the playbook's newest execution took these actions, in this order. True in a condition if so.

        An expected action is a type (`"send_command"`), or a mapping of members that must agree: `type`, `id`,
        `status`, `path`, and those of its intent (`component`, `command`, `target_state`, `message`, …).
        """
        rows = [row for row in self.records.registry.rows.values() if row.playbook == name]
        if not rows:
            ran = ", ".join(sorted({row.playbook for row in self.records.registry.rows.values()})) or "none"
            return Verification(False, f"playbook {name} did not run; those that ran: {ran}")
        return compared(rows[-1], expected_actions)

    def script(self, faults: Iterable[Fault | str]) -> None:
        """Let these go wrong, at their times from now on."""
        for each in faults:
            fault = parse_fault(each) if isinstance(each, str) else each
            if fault.subject not in (LEADER, HTTP, NOTIFY) and fault.subject not in self.plant.components:
                known = ", ".join(sorted(self.plant.components)) or "none"
                raise SimulationInvalid(f"{fault}: there is no component {fault.subject}; the plant has: {known}")
            self.time.after(fault.at, partial(self._harm, fault))

    def arm(self, *names: str) -> None:
        """From now on the triggers of these playbooks start them, and those of no other. Without names: all do."""
        self._automatic = True
        self._armed = frozenset(names)

    def outcome(self, execution: str) -> Run:
        row = self.records.registry.rows[execution]
        length = (self.time.now if row.ended is None else row.ended) - (row.started or row.created)
        return Run(
            row.id,
            row.playbook,
            str(row.status),
            row.code,
            row.error,
            round(length, 6),
            self.devices.states(),
            row.open,
        )

    # ── Time ────────────────────────────────

    def _start(self, name: str, inputs: Mapping[str, Any], trigger: Mapping[str, Any]) -> str:
        """The id of a new execution. SimulationInvalid: unknown, wrong inputs, or not started by its limits."""
        known = self.records.playbooks.get(name)
        if known is None:
            raise SimulationInvalid(f"there is no playbook {name}; there are: {', '.join(self.records.playbooks)}")
        self._count += 1
        execution = f"{name}-{self._count}"
        command = start_of(known.playbook, execution, inputs=inputs, trigger=trigger, at=self.time.now)
        told = self.records.commit(command, self.time.now)
        if told.code:
            raise SimulationInvalid(f"playbook {name} does not start: {told.message}")
        self._begun(execution)
        return execution

    def _begun(self, execution: str) -> None:
        row = self.records.registry.rows[execution]
        self._tell(f"{row.playbook} begins: {row.status}", execution=execution)

    def settle(self) -> None:
        """Let time pass until nothing more can happen."""
        for _ in range(STEPS_MAX):
            wake = self.leader.step(self._world)
            self._ask_people()
            self._note_ends()
            if not self.time.advance(wake):
                self._tell_stuck()
                return
        raise SimulationInvalid(f"after {STEPS_MAX} moments, at {self.time.now:.0f} s, there is no end to it")

    def _world(self) -> World:
        return self.records.world(self.devices.facts, self._groups, self._depends_on)

    def _harm(self, fault: Fault) -> None:
        self._tell(f"!! {fault}")
        if fault.kind is FaultKind.TAKEOVER:
            self.leader.take_over()
        else:
            self.devices.harm(fault)

    def _changed(self, component: str, state: str, previous: str) -> None:
        seen = {"type": "component_state", "source": component, "state": state, "previous": previous, "reason": ""}
        self._trigger(Happening(COMPONENT, seen, f"change-{len(self.timeline)}"))

    def _trigger(self, happening: Happening) -> None:
        if not self._automatic:
            return
        world = self._world()
        for name, off in started_by(happening, self.records.playbooks, world, self.templates, at=self.time.now):
            if self._armed and name not in self._armed:
                continue
            if isinstance(off, JournalEntry):
                self._tell(f"journal [{off.level}] {off.message}")
                continue
            declared = self.records.playbooks[name].playbook.inputs
            given = {key: value for key, value in self._inputs.items() if key in declared}
            command = replace(off, inputs=json.dumps({**json.loads(off.inputs), **given}))
            told = self.records.commit(command, self.time.now)
            if told.code:
                self._tell(f"{name} is not started: {told.message}")
            else:
                self._begun(off.id)

    def _ask_people(self) -> None:
        for execution, path in self.leader.awaiting_approval():
            if (execution, path) not in self._asked and self._approvals != "never":
                self._asked.add((execution, path))
                self.time.after(ANSWER_AFTER_S, partial(self.leader.control, execution, self._approvals, path=path))

    def _note_ends(self) -> None:
        for row in list(self.records.registry.rows.values()):
            if not row.open and row.id not in self._ended:
                self._ended.add(row.id)
                seen = {"type": "playbook_ended", "playbook": row.playbook, "execution": row.id}
                told = {**seen, "status": str(row.status), "error": row.error}
                self._trigger(Happening(ENDED, told, row.id))
                if self._automatic:
                    self.time.after(0.0, lambda: None)  # what was started is looked at

    def _tell_stuck(self) -> None:
        for row in self.records.registry.rows.values():
            if row.open:
                self._tell(f"stuck: nothing can happen any more, and {row.playbook} is {row.status}", execution=row.id)

    def _tell(self, what: str, *, execution: str = "", path: str = "") -> None:
        row = self.records.registry.get(execution)
        if row is not None:
            self.timeline.playbooks[execution] = row.playbook
        self.timeline.add(self.time.now, what, self.devices.states(), execution=execution, path=path)
