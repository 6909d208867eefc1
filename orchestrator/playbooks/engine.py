"""The engine: from an execution as it is recorded, and the plant as it is seen, to what happens next. Pure.

    plan(playbook, row, world, now, templates, results) -> Decision(record, effects, wake)

Whoever drives it (the leader's duty, the simulator, the checker) does this, and nothing else:

1. plan; when the decision has a `record`, commit it first. A refusal as `execution_changed` means: plan on the new row.
2. start the `effects` that are not under way: each one's intent is committed by then. After a takeover they are begun
   again under the same key. An effect that is not in the decision any more is cancelled.
3. plan again when an effect has ended (its `Result` goes into `results`, until a record that was made with it is
   committed), when the row or the world has changed, or at `wake`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.playbooks.execution import ExecutionRow, Record
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.world import Templates, World


@dataclass(frozen=True, slots=True)
class Effect:
    """Something to do outside the replicated state: `send_command`, `send_notification` or `http_request`.

    `data` is the resolved intent: of `send_command` `{component, command, params, wait}`, of `send_notification`
    `{channel, message, severity, data}`, of `http_request` `{method, url, headers, body, expect, safe}`. `deadline`:
    plant time at which nobody waits for it any more. `sends` tells one begin of it from the next.
    """

    execution: str
    path: str
    type: str
    key: str
    data: Mapping[str, Any]
    deadline: float | None
    sends: int


@dataclass(frozen=True, slots=True)
class Done:
    """It happened; `value` is JSON data."""

    value: Any = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It certainly did not happen, or happened and failed: another attempt takes a new key."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened: it is asked for again under the same key. `code` says what is known."""

    message: str
    code: str = "outcome_unknown"


Result = Done | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Decision:
    """`wake`: plant time at which to plan again at the latest; None: only when something changes.

    `waiting`: for each open step that has no effect, what it waits for, in words.
    """

    record: Record | None = None
    effects: tuple[Effect, ...] = ()
    wake: float | None = None
    waiting: Mapping[str, str] = field(default_factory=dict)


def plan(
    playbook: Playbook,
    row: ExecutionRow,
    world: World,
    now: float,
    templates: Templates,
    results: Mapping[str, Result] | None = None,
) -> Decision:
    """What happens next in the execution. `results`: by path, of effects that have ended."""
    raise NotImplementedError
