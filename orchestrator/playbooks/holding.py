"""Which components open executions have taken into their hands, so that nobody else commands them meanwhile. Pure."""

import json
from collections.abc import Mapping

from orchestrator.playbooks.execution import ExecutionRow

COMMANDING = frozenset({"send_command", "set_group_state"})


class Holding:
    """Looks at an execution again only when its row has changed. For one thread."""

    def __init__(self) -> None:
        self._rows: Mapping[str, ExecutionRow] = {}
        self._commanded: dict[str, tuple[ExecutionRow, frozenset[str]]] = {}
        self._held: Mapping[str, str] = {}

    def of(self, rows: Mapping[str, ExecutionRow]) -> Mapping[str, str]:
        """By component that an execution has commanded, or is about to: which one. An execution holds until it ends."""
        if rows is self._rows:
            return self._held
        commanded: dict[str, tuple[ExecutionRow, frozenset[str]]] = {}
        held: dict[str, str] = {}
        for execution_id, row in rows.items():
            if not row.open:
                continue
            known = self._commanded.get(execution_id)
            commanded[execution_id] = known if known is not None and known[0] is row else (row, commanded_by(row))
            for component_id in commanded[execution_id][1]:
                held.setdefault(component_id, f"execution {execution_id} of playbook {row.playbook}")
        self._rows, self._commanded = rows, commanded
        if held != self._held:  # the same object while nothing has changed: whoever looks on need not compare
            self._held = held
        return self._held


def commanded_by(row: ExecutionRow) -> frozenset[str]:
    """The components that steps of the execution command."""
    found: set[str] = set()
    for step in row.steps.values():
        if step.type in COMMANDING and step.data:
            data = json.loads(step.data)
            found.update(data.get("targets", ()))
            if component_id := data.get("component"):
                found.add(component_id)
    return frozenset(found)
