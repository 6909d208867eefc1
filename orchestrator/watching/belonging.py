"""Which groups a changed component concerns, and who belongs to a group. Pure, but that it keeps what it found out.

Going through a thousand registrations for each change of a state would cost more than the change itself. What is kept
is forgotten with each change after which somebody may belong elsewhere.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from orchestrator.topology import resolving
from orchestrator.watching.subjects import Touched

if TYPE_CHECKING:
    from orchestrator.state import PlantState
    from orchestrator.topology.rows import GroupRow

_MOVES = frozenset({"component.registered", "component.registered_again", "component.unregistered"})


class Belonging:
    """Of one node's state, as it goes on. Ask `groups` of each change in order."""

    def __init__(self) -> None:
        self._put: Mapping[str, GroupRow] | None = None
        self._holding: dict[str, tuple[str, ...]] = {}
        """by component, the groups that were put and name it"""
        self._outer: dict[str, tuple[str, ...]] = {}
        """by group, those that name it"""
        self._declared: dict[str, tuple[str, ...]] | None = None
        self._members: dict[str, tuple[str, ...]] = {}

    def groups(self, state: "PlantState", touched: Touched) -> list[str]:
        """The groups whose rows a change concerns: those of a component, or a group itself; and those around them."""
        if touched.kind in _MOVES:
            self._declared = None
            self._members = {}
        self._index(state)
        if touched.id.startswith("component:"):
            component = touched.id.removeprefix("component:")
            row = state.components.get(component)
            data = touched.data
            named = (*data.get("groups", ()), *data.get("left", ()), *(() if row is None else row.groups))
            return self._around((*self._holding.get(component, ()), *named))
        return self._around((touched.id,))

    def members(self, state: "PlantState", name: str) -> tuple[str, ...] | None:
        """As `resolving.groups` tells them; None: there is no such group (any more)."""
        self._index(state)
        if self._declared is None:
            self._declared = resolving.joined(state.components.rows)
        put = state.topology.groups
        if name not in put and name not in self._declared:
            return None
        if name not in self._members:
            self._members[name] = resolving.gathered(name, put, self._declared)
        return self._members[name]

    def _index(self, state: "PlantState") -> None:
        put = state.topology.groups
        if self._put is put:
            return
        holding: dict[str, list[str]] = {}
        outer: dict[str, list[str]] = {}
        for name, row in put.items():
            for component in row.components:
                holding.setdefault(component, []).append(name)
            for inner in row.groups:
                outer.setdefault(inner, []).append(name)
        self._put = put
        self._holding = {each: tuple(names) for each, names in holding.items()}
        self._outer = {each: tuple(names) for each, names in outer.items()}
        self._members = {}

    def _around(self, names: Iterable[str]) -> list[str]:
        """These groups and all that hold them, each once."""
        found = dict.fromkeys(names)
        waiting = list(found)
        while waiting:
            for outer in self._outer.get(waiting.pop(), ()):
                if outer not in found:
                    found[outer] = None
                    waiting.append(outer)
        return list(found)
