"""What those who follow an execution are told of it. Pure."""

from typing import Any

from orchestrator.playbooks.execution import ExecutionRow, StepRow


def told_of(row: ExecutionRow, steps: tuple[StepRow, ...]) -> dict[str, Any]:
    """What those who follow an execution are told of a change."""
    shown = [
        {
            "path": step.path,
            "type": step.type,
            "id": step.id,
            "status": str(step.status),
            "attempt": step.attempt,
            "next": step.next,
            "started": step.started,
            "ended": step.ended,
            "code": step.code,
            "error": step.error,
        }
        for step in steps
    ]
    return {
        "playbook": row.playbook,
        "version": row.version,
        "status": str(row.status),
        "revision": row.revision,
        "code": row.code,
        "error": row.error,
        "steps": shown,
    }
