"""The leader of a simulation: it plans, records, begins effects; when it is replaced, its memory is lost.

It does what `orchestrator.playbooks.engine` asks of a driver, and nothing else. Virtual time, no I/O.
"""

import json
from collections.abc import Callable
from typing import Any

from orchestrator.errors import SimulationInvalid
from orchestrator.playbooks.engine import Effect, Result, plan
from orchestrator.playbooks.execution import OPEN_STEP, Control, ExecutionRow, Record, StepRow
from orchestrator.playbooks.simulation.devices import Devices
from orchestrator.playbooks.simulation.records import Records
from orchestrator.playbooks.simulation.virtual import VirtualTime
from orchestrator.playbooks.world import Templates, World

TAKEOVER_S = 0.5
"""Between the end of one leader and the first plan of the next."""
PLANS_MAX = 10_000
"""Records in a row without anything else happening: an engine that goes in circles is a defect of its own."""

Tell = Callable[..., None]
Slot = tuple[str, str, str, int]


class Leader:
    """`step` brings all executions to where they wait for something."""

    def __init__(
        self, records: Records, devices: Devices, time: VirtualTime, templates: Templates, *, tell: Tell
    ) -> None:
        self._records, self._devices, self._time, self._templates, self._tell = records, devices, time, templates, tell
        self._under_way: set[Slot] = set()
        self._results: dict[str, dict[str, Result]] = {}
        self._epoch = 1
        self._absent = False
        self.effects_begun = 0

    def take_over(self) -> None:
        """Another leader: what is in memory is lost, answers to the old one go nowhere."""
        self._epoch += 1
        self._absent = True
        self._under_way.clear()
        self._results.clear()
        self._time.after(TAKEOVER_S, self._present)

    def _present(self) -> None:
        self._absent = False
        self._tell("another leader goes on")

    def step(self, world: Callable[[], World]) -> float | None:
        """Plan until nothing is to be recorded any more. When to plan again at the latest."""
        if self._absent:
            return None
        wakes: list[float] = []
        wanted: dict[Slot, Effect] = {}
        for _ in range(PLANS_MAX):
            changed = False
            wakes, wanted = [], {}
            for row in self._records.running():
                playbook = self._records.playbooks[row.playbook].playbook
                results = self._results.get(row.id, {})
                decision = plan(playbook, row, world(), self._time.now, self._templates, results)
                if decision.record is not None:
                    self._commit(row, decision.record)
                    changed = True
                    break  # the others may have changed with it
                if decision.wake is not None:
                    wakes.append(decision.wake)
                wanted |= {_slot(effect): effect for effect in decision.effects}
            if not changed:
                break
        else:
            raise SimulationInvalid(f"{PLANS_MAX} records in a row while nothing happens: the run goes in circles")
        self._under_way &= wanted.keys()
        for slot, effect in wanted.items():
            if slot not in self._under_way:
                self._begin(slot, effect)
        return min(wakes, default=None)

    def _begin(self, slot: Slot, effect: Effect) -> None:
        self._under_way.add(slot)
        self.effects_begun += 1
        epoch = self._epoch

        def answered(result: Result) -> None:
            if epoch == self._epoch and slot in self._under_way:
                self._results.setdefault(effect.execution, {})[effect.path] = result

        self._devices.begin(effect, answered)

    def _commit(self, row: ExecutionRow, record: Record) -> None:
        told = self._records.commit(record, self._time.now)
        if told.code == "execution_changed":
            return
        if told.code:
            raise SimulationInvalid(f"execution {row.id}: the record is refused as {told.code}: {told.message}")
        self._results.pop(row.id, None)
        for entry in record.journal:
            self._tell(f"journal [{entry.level}] {entry.message or entry.type}", execution=row.id)
        for each in record.sets:
            self._tell(f"plant.{each.name} = {each.value}", execution=row.id)
        new = self._records.registry.rows[row.id]
        for step in record.steps:
            what = _told(row.steps.get(step.path), new.steps[step.path])
            if what:
                self._tell(what, execution=row.id, path=step.path)
        for start in record.starts:
            child = self._records.registry.get(start.id)
            if child is not None:
                self._tell(f"{start.playbook} begins: {child.status}", execution=start.id)
        if record.status is not None:
            self._tell(f"{row.playbook}: {record.status}" + _why(record.code, record.error), execution=row.id)

    # ── People ────────────────────────────────

    def awaiting_approval(self) -> list[tuple[str, str]]:
        """(execution, path) of each step that waits for a person."""
        return [
            (row.id, step.path)
            for row in self._records.running()
            for step in row.steps.values()
            if step.type == "approve" and step.status in OPEN_STEP and step.path not in row.approvals
        ]

    def control(self, execution: str, action: str, **members: Any) -> None:
        """What a person does. Refusals are told, as they would be."""
        told = self._records.commit(Control(id=execution, action=action, at=self._time.now, **members), self._time.now)
        self._tell(f"{action}: {told.message or 'done'}", execution=execution, path=members.get("path", ""))


def _slot(effect: Effect) -> Slot:
    return (effect.execution, effect.path, effect.key, effect.sends)


def _told(before: StepRow | None, step: StepRow) -> str:
    """What a change of a step says; empty when it says nothing to a reader."""
    if before is not None and (before.status, before.attempt, before.sends) == (step.status, step.attempt, step.sends):
        return ""
    name = step.type + (f" {step.id}" if step.id else "")
    attempt = f" (attempt {step.attempt})" if step.attempt > 1 else ""
    again = f" (sent {step.sends} times)" if step.sends > 1 else ""
    due = f", next at {step.next:.3f}" if step.next is not None else ""
    return f"{name} {step.status}{attempt}{again}{due}{_data(step)}" + _why(step.code, step.error)


def _data(step: StepRow) -> str:
    try:
        data = json.loads(step.data or "{}")
    except ValueError:
        return ""
    if not isinstance(data, dict) or step.status != "RUNNING":
        return ""
    return "".join(f" {data[name]}" for name in ("component", "command", "target_state", "name") if name in data)


def _why(code: str, error: str) -> str:
    return f" [{code}] {error}" if code else ""
