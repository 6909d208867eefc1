"""The situations that an exploration begins in: what the plant is like, and what has started the playbook. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from orchestrator.errors import SimulationInvalid
from orchestrator.lifecycle import State
from orchestrator.playbooks.checker.judging import Judge
from orchestrator.playbooks.checker.situation import Setting, Situation
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.simulation.machine import Machine
from orchestrator.playbooks.simulation.plant import SimulatedPlant, plant_for
from orchestrator.playbooks.simulation.records import Records, start_of
from orchestrator.playbooks.templates import Templates
from orchestrator.playbooks.triggers import ComponentState, EventReceived

AT_REST = (State.READY, State.STARTED, State.STOPPED)
"""Without a plant file, all components begin in one of these."""
ROOT = "checked"
_PAYLOAD = re.compile(r"trigger\.payload\.([A-Za-z_][A-Za-z0-9_]*)")


@dataclass(frozen=True, slots=True)
class Start:
    """`what`: how it began, in words."""

    what: str
    situation: Situation


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the caller says of the beginning. `trigger`: of an event that started it; None: each trigger it has."""

    plant: SimulatedPlant | None = None
    inputs: Mapping[str, Any] | None = None
    trigger: Mapping[str, Any] | None = None
    faults: int = 1
    takeovers: int = 1


def starts(playbook: Playbook, others: Sequence[Playbook], wanted: Wanted) -> list[Start]:
    """Those in which no invariant is broken beforehand. SimulationInvalid when there is none, or no plant."""
    templates, judge = Templates(), Judge(playbook)
    guessed = {"trigger": wanted.trigger or {}, "inputs": wanted.inputs or {}}
    plant = wanted.plant or plant_for([playbook, *others], templates, guessed)
    found: list[Start] = []
    for states, begun in _plants(plant, given=wanted.plant is not None):
        for said, trigger, harmed in _triggers(playbook, begun, wanted):
            situation = _situation(playbook, others, begun, trigger, wanted, templates)
            if harmed is not None:
                _harm(situation, *harmed)
            if judge.holds_at_first(situation):
                situation.settle()
                found.append(Start(f"{said}; {states}", situation))
    if not found:
        raise SimulationInvalid(
            f"playbook {playbook.name}: its invariants are broken before it has done anything, however the plant "
            "begins; describe one in which they hold in a file (--plant plant.yaml)"
        )
    return found


def _plants(plant: SimulatedPlant, *, given: bool) -> Iterator[tuple[str, SimulatedPlant]]:
    if given or not plant.components:
        shown = ", ".join(f"{name} {row.state}" for name, row in list(plant.components.items())[:8])
        yield shown or "no components", plant
        return
    for state in AT_REST:
        yield f"all components {state}", plant.all_in(state)


Trigger = tuple[str, Mapping[str, Any], tuple[str, str] | None]
"""In words, as expressions see it, and (component, FAULT or UNRESPONSIVE) of what has happened to one."""


def _triggers(playbook: Playbook, plant: SimulatedPlant, wanted: Wanted) -> Iterator[Trigger]:
    if wanted.trigger is not None:
        yield f"started by {wanted.trigger.get('type')} from {wanted.trigger.get('source')}", wanted.trigger, None
        return
    listed = list(_of_each(playbook, plant))
    yield from listed
    if not listed or any(trigger.type == "manual" for trigger in playbook.triggers):
        yield "started by hand", {"type": "manual"}, None


def _of_each(playbook: Playbook, plant: SimulatedPlant) -> Iterator[Trigger]:
    names = sorted(plant.components)
    for trigger in playbook.triggers:
        if isinstance(trigger, EventReceived):
            kind = trigger.event.removesuffix(".*") + (".any" if trigger.event.endswith(".*") else "")
            source = trigger.source or (names[0] if names else "outside")
            seen = {"type": kind, "source": source, "payload": _payload(playbook, source), "id": "event-1", "time": 0.0}
            yield f"started by the event {kind} from {source}", seen, None
        elif isinstance(trigger, ComponentState):
            states = (trigger.state,) if isinstance(trigger.state, str) else trigger.state
            member = plant.members().get(trigger.group or "", ())
            source = trigger.component or next(iter(member), names[0] if names else "")
            for state in states:
                if source in plant.components:
                    seen = {"type": "component_state", "source": source, "state": state, "previous": "", "reason": ""}
                    yield f"started as {source} is {state}", seen, (source, state)


def _payload(playbook: Playbook, source: str) -> dict[str, Any]:
    """Each member that the playbook speaks of, with the source's id: what it really is only an event can tell."""
    return dict.fromkeys(_PAYLOAD.findall(playbook.model_dump_json()), source)


def _harm(situation: Situation, component: str, state: str) -> None:
    machine = situation.machines[component]
    if state in set(State):
        situation.machines[component] = replace(machine, state=State(state))
    elif state in ("UNRESPONSIVE", "OFFLINE"):
        situation.machines[component] = replace(machine, mute=True)
        # It answers nothing from the beginning on: what fails by that is not the playbook's own doing.
        situation.provoked, situation.harmed = True, situation.harmed | {component}


def _situation(
    playbook: Playbook,
    others: Sequence[Playbook],
    plant: SimulatedPlant,
    trigger: Mapping[str, Any],
    wanted: Wanted,
    templates: Templates,
) -> Situation:
    records = Records([playbook, *others], plant.variables)
    setting = Setting(ROOT, plant.facts(), plant.members(), plant.depends_on(), templates)
    machines = {
        name: Machine(name, row.state, mute=row.health == "UNRESPONSIVE" or not row.online)
        for name, row in plant.components.items()
    }
    command = start_of(playbook, ROOT, inputs=wanted.inputs or {}, trigger=trigger, at=0.0)
    told = records.commit(command, 0.0)
    if told.code:
        raise SimulationInvalid(f"playbook {playbook.name} does not start: {told.message}")
    silent = frozenset(name for name, machine in machines.items() if machine.mute)
    return Situation(
        setting,
        records,
        machines,
        faults=wanted.faults,
        takeovers=wanted.takeovers,
        provoked=bool(silent),
        harmed=silent,
    )
