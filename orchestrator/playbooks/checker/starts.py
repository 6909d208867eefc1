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
from orchestrator.playbooks.triggers import (
    ComponentState,
    EventReceived,
    GroupState,
    MetricThreshold,
    PlaybookEnded,
    Schedule,
    Trigger,
)

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
        for beginning in _triggers(playbook, begun, wanted):
            situation = _situation(playbook, others, begun, beginning.told, wanted, templates)
            for component, state in beginning.into:
                _harm(situation, component, state)
            if judge.holds_at_first(situation):
                situation.settle()
                found.append(Start(f"{beginning.said}; {states}", situation))
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


@dataclass(frozen=True, slots=True)
class _Begun:
    """`said`: in words. `told`: as expressions see it. `into`: what has happened to which components by then."""

    said: str
    told: Mapping[str, Any]
    into: tuple[tuple[str, str], ...] = ()


def _triggers(playbook: Playbook, plant: SimulatedPlant, wanted: Wanted) -> Iterator[_Begun]:
    if wanted.trigger is not None:
        yield _Begun(f"started by {wanted.trigger.get('type')} from {wanted.trigger.get('source')}", wanted.trigger)
        return
    listed = [begun for trigger in playbook.triggers for begun in _of(trigger, playbook, plant)]
    yield from listed
    if not listed or any(trigger.type == "manual" for trigger in playbook.triggers):
        yield _Begun("started by hand", {"type": "manual", "who": ""})


def _of(trigger: Trigger, playbook: Playbook, plant: SimulatedPlant) -> Iterator[_Begun]:
    names, members = sorted(plant.components), plant.members()
    told: dict[str, Any]
    first = next(iter(members.get(getattr(trigger, "group", None) or "", ())), names[0] if names else "")
    match trigger:
        case EventReceived():
            kind = trigger.event.removesuffix(".*") + (".any" if trigger.event.endswith(".*") else "")
            source = trigger.source or first or "outside"
            told = {"type": kind, "source": source, "payload": _payload(playbook, source), "id": "event-1", "time": ""}
            yield _Begun(f"started by the event {kind} from {source}", told)
        case ComponentState():
            source = trigger.component or first
            for state in _several(trigger.state) if source in plant.components else ():
                told = {"type": "component_state", "source": source, "state": state, "previous": "", "reason": ""}
                yield _Begun(f"started as {source} is {state}", told, ((source, state),))
        case GroupState():
            those = members.get(trigger.group, tuple(names) if trigger.group == "@all" else ())
            for state in _several(trigger.state):
                told = {"type": "group_state", "group": trigger.group, "state": state}
                into = tuple((name, state) for name in (those if trigger.match == "all" else those[:1]))
                yield _Begun(f"started as group {trigger.group} is {state}", told, into)
        case MetricThreshold():
            value = trigger.above if trigger.above is not None else trigger.below
            told = {"type": "metric", "source": trigger.component or first, "metric": trigger.metric, "value": value}
            yield _Begun(f"started by the metric {trigger.metric}", told)
        case Schedule():
            yield _Begun("started by its schedule", {"type": "schedule", "due": "2026-01-01T00:00:00Z", "missed": 0})
        case PlaybookEnded():
            for status in trigger.status:
                told = {"type": "playbook_ended", "playbook": trigger.playbook, "execution": "before", "error": ""}
                yield _Begun(f"started as {trigger.playbook} ended {status}", {**told, "status": status})


def _several(state: tuple[str, ...] | str) -> tuple[str, ...]:
    return (state,) if isinstance(state, str) else state


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
