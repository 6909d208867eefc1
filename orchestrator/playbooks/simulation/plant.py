"""The plant that is simulated: its components, groups, dependencies and variables. Pure.

    components:
      io:       {groups: [base], state: READY}
      conveyor: {groups: [line], depends_on: [io], takes: {CMD_START: 5s}}
    groups:
      hall: [base, line]          # members are components or groups
    variables: {shift: night}

`plant_for` derives one from the components and groups that playbooks name, where no file says what there is.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, field_validator, model_validator

from orchestrator.errors import SimulationInvalid
from orchestrator.events import Id, fields_at_fault
from orchestrator.lifecycle import Command, State, parse_any_command
from orchestrator.playbooks.actions import SELECTORS, Selecting, Step
from orchestrator.playbooks.fields import Duration, Strict
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.simulation.faults import SERVICES
from orchestrator.playbooks.walking import every_action
from orchestrator.playbooks.world import ComponentFacts, Templates

WORK_S = 1.0
"""Seconds that a command works where the plant says nothing else."""
GROUP_SIZE = 2
"""Components of a group that nothing is known of."""
COMPONENTS_MAX = 10_000
_NAMED = re.compile(r"""\bcomponents(?:\.([A-Za-z_][A-Za-z0-9_]*)|\[\s*["']([A-Za-z0-9._-]+)["']\s*\])""")


class PlantComponent(Strict):
    """One component at the beginning. `takes`: seconds of work by command."""

    groups: tuple[Id, ...] = ()
    depends_on: tuple[Id, ...] = ()
    state: State = State.READY
    online: bool = True
    health: Literal["OK", "DEGRADED", "UNRESPONSIVE"] = "OK"
    maintenance: bool = False
    metrics: dict[str, float] = Field(default_factory=dict)
    takes: dict[Command | str, Duration] = Field(default_factory=dict)

    @field_validator("takes", mode="before")
    @classmethod
    def _aliases(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {parse_any_command(name) if isinstance(name, str) else name: length for name, length in value.items()}


class SimulatedPlant(Strict):
    """`groups` adds to the groups that components say they belong to; a group may stand in another."""

    components: dict[Id, PlantComponent] = Field(default_factory=dict, max_length=COMPONENTS_MAX)
    groups: dict[Id, tuple[Id, ...]] = Field(default_factory=dict, max_length=1_000)
    variables: dict[str, Any] = Field(default_factory=dict, max_length=1_000)

    @model_validator(mode="after")
    def _known_names(self) -> Self:
        groups = self.groups.keys() | {group for row in self.components.values() for group in row.groups}
        for name, members in self.groups.items():
            for member in members:
                if member not in self.components and member not in groups:
                    raise ValueError(f"groups.{name}: {member} is neither a component nor a group")
        for name, row in self.components.items():
            for needed in row.depends_on:
                if needed not in self.components:
                    raise ValueError(f"components.{name}.depends_on: there is no component {needed}")
        _refuse_cycle({name: row.depends_on for name, row in self.components.items()}, "depends_on")
        _refuse_cycle(self.groups, "groups")
        return self

    @classmethod
    def of(cls, data: object, where: str = "the plant") -> Self:
        """From plain data, such as YAML gives. SimulationInvalid names each field at fault."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            lines = (f"{where}: {each['field']}: {each['message']}" for each in fields_at_fault(error))
            raise SimulationInvalid("\n".join(lines)) from None

    def members(self) -> dict[str, tuple[str, ...]]:
        """The components of each group, those of nested groups included, in order of their ids."""
        direct: dict[str, set[str]] = {name: set(members) for name, members in self.groups.items()}
        for name, row in self.components.items():
            for group in row.groups:
                direct.setdefault(group, set()).add(name)

        def spread(group: str) -> set[str]:
            found: set[str] = set()
            for member in direct[group]:
                found |= {member} if member in self.components else spread(member)
            return found

        return {group: tuple(sorted(spread(group))) for group in sorted(direct)}

    def depends_on(self) -> dict[str, tuple[str, ...]]:
        return {name: row.depends_on for name, row in self.components.items()}

    def facts(self) -> dict[str, ComponentFacts]:
        """The components as the engine sees them at the beginning."""
        members = self.members()
        groups = {name: tuple(group for group in members if name in members[group]) for name in self.components}
        return {
            name: ComponentFacts(
                id=name,
                state=row.state,
                online=row.online,
                health=row.health,
                maintenance=row.maintenance,
                groups=groups[name],
                metrics=row.metrics,
            )
            for name, row in sorted(self.components.items())
        }

    def all_in(self, state: State) -> Self:
        """The same plant with every component in `state`."""
        rows = {name: row.model_copy(update={"state": state}) for name, row in self.components.items()}
        return self.model_copy(update={"components": rows})


def plant_for(
    playbooks: Iterable[Playbook],
    templates: Templates,
    context: Mapping[str, Any],
    *,
    state: State = State.READY,
    also: Iterable[str] = (),
) -> SimulatedPlant:
    """A plant with what the playbooks name: their components, and groups of two components each, all in `state`.

    Selectors that are templates are rendered with `context` (`inputs`, `trigger`). Where only a run could tell whom
    they mean, and nobody else is named, there are `base` and `machine`, which depends on it. `also`: components that
    are named elsewhere. SimulationInvalid for names that no component can have.
    """
    components: set[str] = set()
    groups: set[str] = set()
    everyone = False
    unknown = False
    for playbook in playbooks:
        inputs = {name: given.default for name, given in playbook.inputs.items()}
        seen = {**context, "inputs": {**inputs, **context.get("inputs", {})}, "vars": dict(playbook.variables)}
        for _, action in every_action(playbook):
            if not isinstance(action, Selecting):
                continue
            for member, value in _rendered(action, templates, seen):
                if value is None:
                    unknown = True
                elif member == "target":
                    everyone = True
                else:
                    (groups if member in ("group", "groups") else components).update(value)
        for trigger in playbook.triggers:
            for member, found in (("component", components), ("group", groups)):
                name = getattr(trigger, member, None)
                if isinstance(name, str) and "{{" not in name:
                    found.add(name)
        components |= set(_named_in(playbook))
    source = context.get("trigger", {}).get("source")
    if unknown and isinstance(source, str):
        components.add(source)
    rows: dict[str, Any] = {name: {"state": state} for name in sorted(components)}
    for group in sorted(groups):
        for number in range(1, GROUP_SIZE + 1):
            rows[f"{group}-{number}"] = {"state": state, "groups": [group]}
    rows |= {name: {"state": state} for name in sorted(also) if name not in rows and name not in SERVICES}
    if (everyone and len(rows) < GROUP_SIZE) or (unknown and not rows):
        rows |= {"base": {"state": state}, "machine": {"state": state, "depends_on": ["base"]}}
    return SimulatedPlant.of({"components": rows})


def _rendered(action: Selecting, templates: Templates, context: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(member, the names it gives); None for what only a run can tell."""
    for member in SELECTORS:
        value = getattr(action, member)
        if value is None:
            continue
        parts = (value,) if isinstance(value, str) else value
        names: set[str] = set()
        for part in parts:
            try:
                found = templates.render(part, context)
            except Exception as error:  # noqa: BLE001 - any failure means the same: a run has to tell
                del error
                found = None
            listed = found if isinstance(found, list) else [found]
            if not all(isinstance(name, str) for name in listed):
                yield member, None
                break
            names.update(filter(None, listed))
        else:
            yield member, names


def _named_in(playbook: Playbook) -> Iterator[str]:
    """The components that expressions name: `components.io`, `components["io-1"]`."""
    texts = [text for invariant in playbook.invariants for text in (invariant.always, invariant.never) if text]
    for _, action in every_action(playbook):
        texts += _texts(action)
    for text in texts:
        for dotted, quoted in _NAMED.findall(text):
            yield dotted or quoted


def _texts(action: Step) -> Iterator[str]:
    for name in ("when", "until", "items", "message", "value"):
        value = getattr(action, name, None)
        if isinstance(value, str):
            yield value


def _refuse_cycle(needs: Mapping[str, tuple[str, ...]], what: str) -> None:
    """ValueError that names the cycle."""
    done: set[str] = set()
    for start in needs:
        trail: list[str] = []
        stack: list[tuple[str, int]] = [(start, 0)]
        while stack:
            name, place = stack.pop()
            if place == 0:
                if name in done or name not in needs:
                    continue
                if name in trail:
                    raise ValueError(f"{what}: {' → '.join([*trail[trail.index(name) :], name])} is a cycle")
                trail.append(name)
            if place < len(needs[name]):
                stack.append((name, place + 1))
                stack.append((needs[name][place], 0))
            else:
                done.add(name)
                trail.remove(name)
