"""What expressions see, made from an execution and the plant. Pure."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from orchestrator.playbooks.execution import ExecutionRow, StepRow
from orchestrator.playbooks.world import ComponentFacts, World


class Facts(Mapping[str, Any]):
    """Components by id, each made plain only when it is looked at: a plant may have a thousand.

    `depends_on`: what each needs. `dependents` of one are those that need it, directly or by way of others.
    """

    def __init__(
        self, components: Mapping[str, ComponentFacts], depends_on: Mapping[str, tuple[str, ...]] | None = None
    ) -> None:
        self._components = components
        self._depends_on = depends_on or {}
        self._needed_by: dict[str, list[str]] | None = None

    def __getitem__(self, key: str) -> dict[str, Any]:
        needs = list(self._depends_on.get(key, ()))
        return {**self._components[key].public(), "depends_on": needs, "dependents": self._dependents(key)}

    def _dependents(self, key: str) -> list[str]:
        if self._needed_by is None:
            self._needed_by = {}
            for each, needs in self._depends_on.items():
                for needed in needs:
                    self._needed_by.setdefault(needed, []).append(each)
        found: set[str] = set()
        following = list(self._needed_by.get(key, ()))
        while following:
            each = following.pop()
            if each not in found:
                found.add(each)
                following += self._needed_by.get(each, ())
        return sorted(found - {key})

    def __iter__(self) -> Iterator[str]:
        return iter(self._components)

    def __len__(self) -> int:
        return len(self._components)


class Outcomes(Mapping[str, Any]):
    """Steps by their id, each decoded only when it is looked at: an execution may have thousands."""

    def __init__(self, steps: Mapping[str, StepRow]) -> None:
        self._rows = {step.id: step for step in steps.values() if step.id}

    def __getitem__(self, key: str) -> dict[str, Any]:
        return step_facts(self._rows[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Texts(Mapping[str, Any]):
    """Values by name, each decoded only when it is looked at."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def __getitem__(self, key: str) -> Any:
        return decoded(self._texts[key])

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __len__(self) -> int:
        return len(self._texts)


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
        "vars": Texts(variables),
        "steps": Outcomes(steps),
        "execution": {"id": row.id, "playbook": row.playbook, "version": row.version},
        "components": Facts(world.components, world.depends_on),
        "plant": world.variables,
    }
