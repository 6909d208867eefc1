"""What expressions see, made from an execution and the plant. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.playbooks.execution import ExecutionRow, StepRow
from orchestrator.playbooks.world import ComponentFacts, World


class Facts(Mapping[str, Any]):
    """Components by id, each made plain only when it is looked at: a plant may have a thousand."""

    def __init__(self, components: Mapping[str, ComponentFacts]) -> None:
        self._components = components

    def __getitem__(self, key: str) -> dict[str, Any]:
        return self._components[key].public()

    def __iter__(self) -> Iterator[str]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)


def decoded(text: str) -> Any:
    """The value of a JSON text; None for an empty one."""
    return json.loads(text) if text else None


def step_facts(row: StepRow) -> dict[str, Any]:
    """A step as expressions see it."""
    return {"status": str(row.status), "value": decoded(row.value), "error": row.error, "code": row.code}


def context(
    row: ExecutionRow, steps: Mapping[str, StepRow], variables: Mapping[str, str], world: World
) -> dict[str, Any]:
    """The names at the top, without those that only some places have (`item`, `index`, `error`)."""
    return {
        "trigger": decoded(row.trigger),
        "inputs": decoded(row.inputs),
        "vars": {name: decoded(text) for name, text in variables.items()},
        "steps": {step.id: step_facts(step) for step in steps.values() if step.id},
        "execution": {"id": row.id, "playbook": row.playbook, "version": row.version},
        "components": Facts(world.components),
        "plant": world.variables,
    }
