"""Which of the playbooks something starts, in a simulation: events, states of components and groups, other ends. Pure.

What is looked at, and the start that follows, are the leader's own (`orchestrator.playbooks.triggering`). Metrics and
schedules start nothing here: a simulation has no metric history and no calendar. `hold` counts as lasted.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.playbooks.execution import JournalEntry, Start
from orchestrator.playbooks.triggering import Armed, armed_by, group_holds, hears, matched, selects, set_off
from orchestrator.playbooks.triggers import ComponentState, EventReceived, GroupState, PlaybookEnded
from orchestrator.playbooks.world import KnownPlaybook, Templates, World

EVENT, COMPONENT, ENDED = "event", "component", "ended"


@dataclass(frozen=True, slots=True)
class Happening:
    """`about`: what kind of thing. `told`: what expressions see as `trigger`. `cause`: one of its own for each."""

    about: str
    told: Mapping[str, Any]
    cause: str


def started_by(
    happening: Happening, playbooks: Mapping[str, KnownPlaybook], world: World, templates: Templates, *, at: float
) -> Iterator[tuple[str, Start | JournalEntry]]:
    """(playbook, what comes of it): a start, or why there is none; at most one a playbook, by the first that fits."""
    for name, known in playbooks.items():
        for armed in armed_by(known.playbook, known.version):
            told = _fits(armed, happening, world)
            off = (
                None if told is None else set_off(armed, told, happening.cause, at=at, world=world, templates=templates)
            )
            if off is not None:
                yield name, off
                break


def _fits(armed: Armed, happening: Happening, world: World) -> Mapping[str, Any] | None:
    told, trigger = happening.told, armed.trigger
    fits = False
    match trigger:
        case EventReceived() if happening.about == EVENT:
            fits = hears(trigger, told["type"], told["source"])
        case ComponentState() if happening.about == COMPONENT:
            facts = world.components[told["source"]]
            fits = selects(trigger, facts, world) and bool(matched(trigger.state, (told["state"],)))
        case GroupState() if happening.about == COMPONENT:
            if matched(trigger.state, (told["state"],)) and group_holds(trigger, world):
                return {"type": "group_state", "group": trigger.group, "state": told["state"]}
        case PlaybookEnded() if happening.about == ENDED:
            fits = told["playbook"] == trigger.playbook and told["status"] in trigger.status
    return told if fits else None
