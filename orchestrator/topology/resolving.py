"""From the replicated state to plain values: who belongs to a group, what a selector means, who needs whom. Pure."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from orchestrator.errors import ComponentUnknown, GroupUnknown, SelectorEmpty, TopologyInvalid
from orchestrator.topology.dependencies import merged_dependencies
from orchestrator.topology.models import ALL

if TYPE_CHECKING:
    from orchestrator.components import ComponentRow
    from orchestrator.state import PlantState
    from orchestrator.topology.rows import GroupRow


def members(state: "PlantState", group: str) -> tuple[str, ...]:
    """The components of `group`, those of its member groups included, each once; `@all` is every registered one.

    In the order in which the groups name them; those that only their own registration puts there follow by name. One
    that a group names and that is not registered is among them. GroupUnknown.
    """
    if group == ALL:
        return tuple(sorted(state.components.rows))
    declared = joined(state.components.rows)
    if group not in state.topology.groups and group not in declared:
        raise GroupUnknown(f"group {group!r} is not there: nobody put it, and no registration names it")
    return gathered(group, state.topology.groups, declared)


def groups(state: "PlantState") -> dict[str, tuple[str, ...]]:
    """Every group with its components, as `members` tells them; also those that only registrations name."""
    declared = joined(state.components.rows)
    put = state.topology.groups
    return {name: gathered(name, put, declared) for name in sorted(put.keys() | declared.keys())}


def dependencies(state: "PlantState") -> Mapping[str, tuple[str, ...]]:
    """By component, what it needs: as its registration says, then as its policy adds. Who needs nobody is left out."""
    return merged_dependencies(state.components.rows, state.topology.controls)


def maintained(state: "PlantState") -> frozenset[str]:
    """The components that are in maintenance."""
    return frozenset(each for each, row in state.topology.controls.items() if row.maintenance is not None)


def select(state: "PlantState", *, components: Iterable[str] = (), groups: Iterable[str] = ()) -> tuple[str, ...]:
    """The components that a selector means: by id, by group, `@all` in either; each once, in order.

    ComponentUnknown, GroupUnknown; SelectorEmpty when it matches nothing; TopologyInvalid when it names nothing.
    """
    components, groups = tuple(components), tuple(groups)
    if not components and not groups:
        raise TopologyInvalid(f"a selector names a component, a group or {ALL}")
    found: dict[str, None] = {}
    for each in components:
        if each == ALL:
            found.update(dict.fromkeys(members(state, ALL)))
        elif each in state.components.rows:
            found[each] = None
        else:
            raise ComponentUnknown(f"component {each} is not registered")
    for name in groups:
        found.update(dict.fromkeys(members(state, name)))
    if not found:
        named = ", ".join((*components, *groups))
        raise SelectorEmpty(f"{named} matches no component; `triarch group list` shows who belongs where")
    return tuple(found)


def joined(rows: "Mapping[str, ComponentRow]") -> dict[str, tuple[str, ...]]:
    """By group, the components whose registrations name it."""
    found: dict[str, list[str]] = {}
    for component_id, row in sorted(rows.items()):
        for group in row.groups:
            found.setdefault(group, []).append(component_id)
    return {group: tuple(dict.fromkeys(ids)) for group, ids in found.items()}


def gathered(name: str, put: "Mapping[str, GroupRow]", declared: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The components of one group: `put` are those that people put, `declared` what `joined` gives."""
    found: dict[str, None] = {}
    seen = {name}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        row = put.get(current)
        if row is not None:
            found.update(dict.fromkeys(row.components))
            for inner in reversed(row.groups):
                if inner not in seen:
                    seen.add(inner)
                    waiting.append(inner)
        found.update(dict.fromkeys(declared.get(current, ())))
    return tuple(found)
