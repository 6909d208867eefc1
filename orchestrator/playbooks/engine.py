"""The engine: from an execution as it is recorded, and the plant as it is seen, to what happens next. Pure.

    plan(playbook, row, world, now, templates, results) -> Decision(record, effects, wake)

Whoever drives it (the leader's duty, the simulator, the checker) does this, and nothing else:

1. plan; when the decision has a `record`, commit it first. A refusal as `execution_changed` means: plan on the new row.
2. start the `effects` that are not under way: each one's intent is committed by then. After a takeover they are begun
   again under the same key. An effect that is not in the decision any more is cancelled.
3. plan again when an effect has ended (its `Result` goes into `results`, until a record that was made with it is
   committed), when the row or the world has changed, or at `wake`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.playbooks import actions, containers, group_state, leaves
from orchestrator.playbooks.effect import Done, Effect, Failed, Result, Unknown
from orchestrator.playbooks.execution import ExecutionRow, JournalEntry, Record, Status, StepRow, StepStatus
from orchestrator.playbooks.models import Playbook
from orchestrator.playbooks.verdict import StepFailed, TooManySteps, Verdict
from orchestrator.playbooks.walk import Scope, Walk
from orchestrator.playbooks.world import Templates, World

__all__ = ["Decision", "Done", "Effect", "Failed", "Result", "Unknown", "plan"]


@dataclass(frozen=True, slots=True)
class Decision:
    """`wake`: plant time at which to plan again at the latest; None: only when something changes.

    `effects` are of the row as it is when the record is committed. `waiting`: for each open step that has no effect,
    what it waits for, in words.
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
    if not row.open or row.status == Status.QUEUED:
        return Decision()
    walk = Walk(row, world, now, templates, results or {}, begin, progress)
    try:
        end = _whole(playbook, walk)
    except TooManySteps as bound:
        end = (Status.FAILED, "too_many_steps", f"the execution has too many steps, at {bound}")
    return Decision(_record(walk, end), tuple(walk.effects), walk.wake, walk.waiting)


End = tuple[Status, str, str]
"""Status, code and error of an execution that has ended."""


def _whole(playbook: Playbook, walk: Walk) -> End | None:
    """The execution from its beginning: the actions, what handles their failure, and what comes in any case."""
    row = walk.row
    expired = not row.cancel and walk.due(row.deadline) and not walk.paused
    if row.cancel or expired:
        walk.halted += 1
    verdict = walk.actions(playbook.actions, "actions", {})
    cause = walk.cause
    walk.halted = 0
    if verdict is Verdict.OPEN:
        return None
    if verdict is Verdict.OK:
        end: End = (Status.SUCCEEDED, "", "")
    elif verdict is Verdict.FAILED and cause is not None:
        end = (Status.FAILED, cause.code, f"{cause.path}: {cause.error}"[:1000])
    elif row.cancel and not any(f"{name}/0" in row.steps for name in ("on_failure", "on_timeout")):
        end = (Status.CANCELLED, "cancelled", row.cancel)
    else:
        end = (Status.TIMED_OUT, "timeout", f"not done within {row.timeout:g} s")
    if end[0] in (Status.FAILED, Status.TIMED_OUT) and not _handled(playbook, walk, end, cause):
        return None
    return _finally(playbook, walk, end)


def _handled(playbook: Playbook, walk: Walk, end: End, cause: StepRow | None) -> bool:
    """Whether the playbook's own handler has come to its end."""
    late = end[0] == Status.TIMED_OUT or (cause is not None and cause.status == StepStatus.TIMED_OUT)
    use = late and bool(playbook.on_timeout)
    name, handler = ("on_timeout", playbook.on_timeout) if use else ("on_failure", playbook.on_failure)
    step = "" if cause is None else cause.id or cause.path
    scope: Scope = {"error": {"step": step, "code": end[1], "message": end[2]}}
    if walk.row.cancel:
        walk.halted += 1
    verdict = walk.actions(handler, name, scope)
    walk.halted = 0
    return verdict is not Verdict.OPEN


def _finally(playbook: Playbook, walk: Walk, end: End) -> End | None:
    verdict = walk.actions(playbook.finally_, "finally", {})
    if verdict is Verdict.OPEN:
        return None
    if verdict is Verdict.FAILED and end[0] == Status.SUCCEEDED and walk.cause is not None:
        return (Status.FAILED, walk.cause.code, f"{walk.cause.path}: {walk.cause.error}"[:1000])
    return end


def _record(walk: Walk, end: End | None) -> Record | None:
    if end is not None and end[0] in (Status.FAILED, Status.TIMED_OUT):
        walk.journal.append(
            JournalEntry(
                type="playbook.failed",
                source=walk.row.playbook,
                level="error",
                message=f"{end[0]}: {end[2]}"[:1000],
                execution=walk.row.id,
                at=walk.now,
            )
        )
    if end is None and not (walk.changed or walk.set_here or walk.cancels):
        return None
    return Record(
        id=walk.row.id,
        revision=walk.row.revision,
        at=walk.now,
        steps=tuple(walk.changed.values()),
        variables=walk.set_here,
        status=None if end is None else end[0],
        code="" if end is None else end[1],
        error="" if end is None else end[2],
        starts=tuple(walk.starts),
        sets=tuple(walk.sets),
        cancels=tuple(walk.cancels),
        taken=tuple(walk.taken),
        journal=tuple(walk.journal),
    )


# ── What each action does ────────────────────────────────


def _nothing(walk: Walk, _action: Any, row: StepRow, _scope: Scope) -> StepRow:
    return walk.store(row)


def _begin_delay(walk: Walk, action: actions.Delay, row: StepRow, _scope: Scope) -> StepRow:
    return walk.store(StepRow(**{**_members(row), "next": walk.now + action.duration}))


def _members(row: StepRow) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}


def _begin_fail(walk: Walk, action: actions.Fail, _row: StepRow, scope: Scope) -> StepRow:
    raise StepFailed("failed", str(walk.render(action.message, scope)))


def _without_scope(look: Callable[[Walk, Any, StepRow], StepRow]) -> Callable[[Walk, Any, StepRow, Scope], StepRow]:
    return lambda walk, action, row, _scope: look(walk, action, row)


BEGIN: Mapping[str, Callable[[Walk, Any, StepRow, Scope], StepRow]] = {
    "log_event": leaves.begin_log,
    "send_command": containers.begin_command,
    "wait_for_state": leaves.begin_wait,
    "set_group_state": group_state.begin_group_state,
    "execute_scenario": leaves.begin_scenario,
    "send_notification": leaves.begin_notification,
    "http_request": leaves.begin_http,
    "delay": _begin_delay,
    "approve": leaves.begin_approve,
    "wait_for_signal": _nothing,
    "set_variable": leaves.begin_variable,
    "fail": _begin_fail,
    "block": _nothing,
    "parallel": _nothing,
    "for_each": containers.begin_for_each,
    "repeat": _nothing,
}
PROGRESS: Mapping[str, Callable[[Walk, Any, StepRow, Scope], StepRow]] = {
    "send_command": containers.progress_command,
    "wait_for_state": _without_scope(leaves.progress_wait),
    "set_group_state": group_state.progress_group_state,
    "execute_scenario": _without_scope(leaves.progress_scenario),
    "send_notification": _without_scope(leaves.progress_effect),
    "http_request": _without_scope(leaves.progress_effect),
    "delay": _without_scope(leaves.progress_delay),
    "approve": _without_scope(leaves.progress_approve),
    "wait_for_signal": _without_scope(leaves.progress_signal),
    "block": containers.progress_block,
    "parallel": containers.progress_parallel,
    "for_each": containers.progress_for_each,
    "repeat": containers.progress_repeat,
}


def begin(walk: Walk, action: Any, row: StepRow, scope: Scope) -> StepRow:
    """A step's first turn, or that of another attempt."""
    return BEGIN[action.type](walk, action, row, scope)


def progress(walk: Walk, action: Any, row: StepRow, scope: Scope) -> StepRow:
    """A turn of an open step."""
    return PROGRESS[action.type](walk, action, row, scope)
