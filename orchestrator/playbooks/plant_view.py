"""The plant as the engine sees it, without copying it for each plan. Pure.

Facts of a component are made anew only when its row has changed, and are shared by all plans; variables, playbooks and
other executions are read when a plan asks for them. All of one `World` is of one moment: it stands on rows that are
replaced on change and never altered.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from orchestrator.components import ComponentRow
from orchestrator.playbooks.execution import ExecutionRow
from orchestrator.playbooks.library import PlaybookRow
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.world import ComponentFacts, ExecutionFacts, KnownPlaybook, World
from orchestrator.state import PlantState
from orchestrator.topology import resolving
from orchestrator.variables import VariableRow

MetricsOf = Callable[[str], Mapping[str, float]]
"""A component's newest figures, by name."""


class Newest(Protocol):
    """The newest version of a playbook, read. KeyError where there is none, or it cannot be read here."""

    def __call__(self, row: PlaybookRow) -> Playbook: ...


class Metrics(Mapping[str, float]):
    """A component's figures, looked up when they are asked for."""

    __slots__ = ("_component_id", "_of")

    def __init__(self, component_id: str, of: MetricsOf) -> None:
        self._component_id = component_id
        self._of = of

    def __getitem__(self, key: str) -> float:
        return self._of(self._component_id)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._of(self._component_id))

    def __len__(self) -> int:
        return len(self._of(self._component_id))


class Values(Mapping[str, Any]):
    """The variables of the cluster, parsed when they are asked for."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Mapping[str, VariableRow]) -> None:
        self._rows = rows

    def __getitem__(self, key: str) -> Any:
        return json.loads(self._rows[key].value)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Others(Mapping[str, ExecutionFacts]):
    """The executions as one that waits for them sees them."""

    __slots__ = ("_rows",)

    def __init__(self, rows: Mapping[str, ExecutionRow]) -> None:
        self._rows = rows

    def __getitem__(self, key: str) -> ExecutionFacts:
        row = self._rows[key]
        return ExecutionFacts(str(row.status), row.error)

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


class Playbooks(Mapping[str, KnownPlaybook]):
    """The newest versions, read when they are asked for."""

    __slots__ = ("_newest", "_rows")

    def __init__(self, rows: Mapping[str, PlaybookRow], newest: Newest) -> None:
        self._rows = rows
        self._newest = newest

    def __getitem__(self, key: str) -> KnownPlaybook:
        row = self._rows[key]
        if row.deleted:
            raise KeyError(key)
        return KnownPlaybook(row.newest.version, self._newest(row))

    def __iter__(self) -> Iterator[str]:
        return (name for name, row in self._rows.items() if not row.deleted)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class PlantView:
    """Makes worlds of what `state` holds now. For one thread."""

    def __init__(self, state: PlantState, newest: Newest, metrics: MetricsOf) -> None:
        self._state = state
        self._newest = newest
        self._metrics = metrics
        self._rows: Mapping[str, ComponentRow] = {}
        self._said: tuple[object, object] = (None, None)
        """groups and controls of the topology, as they were last looked at"""
        self._facts: dict[str, ComponentFacts] = {}
        self._groups: Mapping[str, tuple[str, ...]] = {}
        self._depends_on: Mapping[str, tuple[str, ...]] = {}

    def world(self) -> World:
        """The plant as it is now."""
        rows, topology = self._state.components.rows, self._state.topology
        said = (topology.groups, topology.controls)
        if rows is not self._rows or said[0] is not self._said[0] or said[1] is not self._said[1]:
            self._refresh(rows)
            self._said = said
        executions = self._state.executions
        return World(
            components=self._facts,
            groups=self._groups,
            depends_on=self._depends_on,
            variables=Values(self._state.variables.rows),
            executions=Others(executions.rows),
            playbooks=Playbooks(executions.playbooks.rows, self._newest),
        )

    def _refresh(self, rows: Mapping[str, ComponentRow]) -> None:
        self._groups = resolving.groups(self._state)
        self._depends_on = resolving.dependencies(self._state)
        maintained = resolving.maintained(self._state)
        of: dict[str, list[str]] = {}
        for group, members in self._groups.items():
            for member in members:
                of.setdefault(member, []).append(group)
        before, kept = self._rows, self._facts
        facts: dict[str, ComponentFacts] = {}
        for key, row in sorted(rows.items()):
            held, groups = kept.get(key), tuple(of.get(key, ()))
            same = held is not None and row is before.get(key) and held.groups == groups
            if held is not None and same and held.maintenance == (key in maintained):
                facts[key] = held
            else:
                facts[key] = self._made(row, groups, maintenance=key in maintained)
        self._facts, self._rows = facts, rows

    def _made(self, row: ComponentRow, groups: tuple[str, ...], *, maintenance: bool) -> ComponentFacts:
        return ComponentFacts(
            id=row.id,
            state=row.state,
            online=row.online,
            health=row.health,
            maintenance=maintenance,
            groups=groups,
            metrics=Metrics(row.id, self._metrics),
        )
