"""Which of the playbooks something starts, in a simulation: events, states of components and groups, other ends. Pure.

Metrics and schedules start nothing here: a simulation has no metric history and no calendar. `hold` counts as lasted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.triggers import ComponentState, EventReceived, GroupState, PlaybookEnded, Trigger
from orchestrator.playbooks.world import KnownPlaybook, Templates, World

EVENT, COMPONENT, ENDED = "event", "component", "ended"


@dataclass(frozen=True, slots=True)
class Happening:
    """`about`: what kind of thing. `trigger`: what expressions see as `trigger`."""

    about: str
    trigger: Mapping[str, Any]


def started_by(
    happening: Happening, playbooks: Mapping[str, KnownPlaybook], world: World, templates: Templates
) -> Iterator[tuple[Playbook, Mapping[str, Any]]]:
    """(playbook, trigger) of each that it starts: one start a playbook, by the first trigger that fits."""
    for known in playbooks.values():
        for trigger in known.playbook.triggers:
            seen = _fits(trigger, happening, world, templates)
            if seen is not None:
                yield known.playbook, seen
                break


def dedup_key(playbook: Playbook, trigger: Mapping[str, Any], templates: Templates) -> str:
    """The key of `deduplicate`, rendered; empty when the playbook has none."""
    if playbook.deduplicate is None:
        return ""
    return str(templates.render(playbook.deduplicate.key, {"trigger": trigger}))


def _fits(trigger: Trigger, happening: Happening, world: World, templates: Templates) -> Mapping[str, Any] | None:
    seen = happening.trigger
    match trigger:
        case EventReceived() if happening.about == EVENT:
            wanted = trigger.event
            kind = str(seen["type"])
            fits = kind.startswith(wanted[:-1]) if wanted.endswith(".*") else kind == wanted
            if fits and trigger.source in (None, seen["source"]):
                return _conditioned(trigger.condition, seen, world, templates)
        case ComponentState() if happening.about == COMPONENT:
            source = seen["source"]
            inside = trigger.group is None or source in world.groups.get(trigger.group, ())
            if inside and seen["state"] in _several(trigger.state) and trigger.component in (None, source):
                return _conditioned(trigger.condition, seen, world, templates)
        case GroupState() if happening.about == COMPONENT:
            members = world.groups.get(trigger.group, ())
            reached = [world.components[name].state in _several(trigger.state) for name in members]
            enough = bool(reached) and (all(reached) if trigger.match == "all" else any(reached))
            entered = seen["source"] in members and seen["state"] in _several(trigger.state)
            if enough and entered:
                return {"type": "group_state", "group": trigger.group, "state": seen["state"]}
        case PlaybookEnded() if happening.about == ENDED:
            if seen["playbook"] == trigger.playbook and seen["status"] in trigger.status:
                return seen
    return None


def _conditioned(
    condition: str | None, seen: Mapping[str, Any], world: World, templates: Templates
) -> Mapping[str, Any] | None:
    if condition is None:
        return seen
    context = {
        "trigger": seen,
        "components": {name: facts.public() for name, facts in world.components.items()},
        "plant": world.variables,
    }
    return seen if templates.holds(condition, context) else None


def _several(state: tuple[str, ...] | str) -> tuple[str, ...]:
    return (state,) if isinstance(state, str) else state
