"""Which components open executions hold. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.playbooks.execution import ExecutionRow, Status, StepRow, StepStatus
from orchestrator.playbooks.holding import Holding


def execution(execution_id: str, status: Status, *steps: tuple[str, Mapping[str, Any] | None]) -> ExecutionRow:
    rows = {
        f"actions/{number}": StepRow(
            path=f"actions/{number}",
            type=kind,
            status=StepStatus.SUCCEEDED,
            data="" if data is None else json.dumps(data),
        )
        for number, (kind, data) in enumerate(steps)
    }
    return ExecutionRow(id=execution_id, playbook="mend", version=1, status=status, steps=rows)


def test_an_open_execution_holds_all_that_it_has_commanded() -> None:
    holding = Holding()
    rows = {
        "e1": execution(
            "e1",
            Status.PAUSED,
            ("send_command", {"component": "io", "command": "CMD_RESET"}),
            ("set_group_state", {"targets": ["kds", "camera"], "state": "STARTED"}),
            ("wait_for_state", {"targets": ["plc"]}),
            ("send_command", None),
        ),
        "e2": execution("e2", Status.RUNNING, ("send_command", {"component": "io", "command": "CMD_START"})),
        "e3": execution("e3", Status.SUCCEEDED, ("send_command", {"component": "done", "command": "CMD_START"})),
    }
    held = holding.of(rows)
    assert held == dict.fromkeys(("io", "kds", "camera"), "execution e1 of playbook mend")
    assert holding.of(rows) is held
    assert holding.of({**rows}) is held, "as long as nothing is held by somebody else"
    assert holding.of({"e2": rows["e2"]}) == {"io": "execution e2 of playbook mend"}
    assert holding.of({}) == {}
