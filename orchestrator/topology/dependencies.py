"""Who needs whom, from the two places where it is said: a component's registration and its policy. Pure."""

from collections.abc import Mapping

from orchestrator.components import ComponentRow
from orchestrator.topology.rows import ControlRow

Components = Mapping[str, ComponentRow]


def merged_dependencies(components: Components, controls: Mapping[str, ControlRow]) -> dict[str, tuple[str, ...]]:
    """By component, what it needs: as its registration says, then as its policy adds. Who needs nobody is left out."""
    found: dict[str, tuple[str, ...]] = {}
    for component_id, row in components.items():
        if row.depends_on:
            found[component_id] = row.depends_on
    for component_id, control in controls.items():
        if control.depends_on:
            found[component_id] = tuple(dict.fromkeys((*found.get(component_id, ()), *control.depends_on)))
    return found
