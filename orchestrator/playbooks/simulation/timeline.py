"""What happened in a simulation, in order. Pure data."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN_MAX = 8
"""Components whose states stand on each line; of more, only what has changed does."""


@dataclass(frozen=True, slots=True)
class Entry:
    """`time`: virtual seconds. `path`: of the step, empty where it is about something else. `components`: states."""

    time: float
    execution: str
    path: str
    what: str
    components: Mapping[str, str] = field(default_factory=dict)


class Timeline:
    """Entries in order; iterable."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.playbooks: dict[str, str] = {}
        """By execution id, the name of its playbook."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, time: float, what: str, states: Mapping[str, str], *, execution: str = "", path: str = "") -> None:
        self.entries.append(Entry(round(time, 6), execution, path, what, dict(states)))

    def rows(self) -> list[dict[str, Any]]:
        return [asdict(entry) for entry in self.entries]

    def lines(self) -> Iterator[dict[str, str]]:
        """For a table: members `time execution step what components`."""
        before: Mapping[str, str] = {}
        names = self._names()
        for entry in self.entries:
            shown = {
                name: state
                for name, state in entry.components.items()
                if len(entry.components) <= SHOWN_MAX or before.get(name) != state
            }
            before = entry.components
            yield {
                "time": f"{entry.time:.3f}",
                "execution": names.get(entry.execution, ""),
                "step": entry.path,
                "what": entry.what,
                "components": " ".join(f"{name}={state}" for name, state in shown.items()),
            }

    def _names(self) -> dict[str, str]:
        """By execution id, a short name: its playbook's, with a number from the second one on."""
        names: dict[str, str] = {}
        taken: dict[str, int] = {}
        for execution in dict.fromkeys(entry.execution for entry in self.entries if entry.execution):
            name = self.playbooks.get(execution, execution)
            taken[name] = taken.get(name, 0) + 1
            names[execution] = name if taken[name] == 1 else f"{name}#{taken[name]}"
        return names

    def contains(self, text: str) -> bool:
        """Whether some entry says this."""
        return any(text in entry.what for entry in self.entries)
