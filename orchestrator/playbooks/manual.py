"""The start of an execution that a person or a program asks for. Pure."""

from collections.abc import Mapping
from typing import Any

from orchestrator.playbooks.execution import Limits, Start
from orchestrator.playbooks.models import Playbook
from orchestrator.variables import json_text


def manual_start(
    playbook: Playbook,
    *,
    execution_id: str,
    version: int,
    inputs: Mapping[str, Any],
    who: str,
    traceparent: str,
    at: float,
) -> Start:
    """`inputs` are checked (`orchestrator.playbooks.inputs`); `at` is plant time. VariableInvalid, VariableTooLarge.

    Throttle, cooldown and de-duplication are for triggers; the limit of executions at once holds for all.
    """
    concurrency = playbook.concurrency
    return Start(
        id=execution_id,
        playbook=playbook.name,
        version=version,
        priority=playbook.priority,
        trigger=json_text({"type": "manual", "who": who}),
        inputs=json_text(inputs),
        variables={name: json_text(value) for name, value in playbook.variables.items()},
        timeout=playbook.timeout,
        traceparent=traceparent,
        limits=Limits(limit=concurrency.limit, policy=concurrency.policy, queued_max=concurrency.queued_max),
        manual=True,
        who=who,
        at=at,
    )
